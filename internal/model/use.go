package model

import "time"

// Use is one aggregated row of who called what over IPC$. Logons and tree connects are rows too, with Layer
// session and tree and no pipe.
type Use struct {
	Schema    string    `json:"schema"`
	Client    string    `json:"client"`
	Server    string    `json:"server"`
	Identity  Identity  `json:"identity"`
	Basis     string    `json:"basis"` // what the identity was read from
	Account   string    `json:"account"`
	Share     string    `json:"share"`
	Pipe      string    `json:"pipe"`
	Interface string    `json:"interface"`
	UUID      string    `json:"uuid"`
	Call      string    `json:"call"`
	Opnum     int       `json:"opnum"` // -1 where there is no call
	Layer     Layer     `json:"layer"`
	Outcome   Outcome   `json:"outcome"`
	Status    string    `json:"status"`
	Count     int64     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Source    string    `json:"source"`
}
