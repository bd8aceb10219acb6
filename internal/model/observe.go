package model

import "time"

// SchemaObserve is the schema of an Observation.
const SchemaObserve = "ipcguard.observe/1"

// Observation is what was seen of the use of IPC$, and what that rests on.
type Observation struct {
	Schema   string   `json:"schema"`
	Coverage Coverage `json:"coverage"`
	Days     []Day    `json:"days,omitempty"` // the same uses by day, in order
	Uses     []Use    `json:"uses"`
}

// Day is how often an identity used IPC$ on one day, logons, connects, opens, binds and calls together.
type Day struct {
	Day      string   `json:"day"` // in UTC, 2026-11-22
	Identity Identity `json:"identity"`
	Count    int64    `json:"count"`
}

// Coverage says what a result rests on: what was read, what could not be, and where silence proves nothing.
type Coverage struct {
	From       time.Time        `json:"from,omitzero"` // of the first and last record that was read
	To         time.Time        `json:"to,omitzero"`
	Read       map[string]int64 `json:"read,omitempty"`       // records, by kind
	Unreadable map[string]int64 `json:"unreadable,omitempty"` // by reason
	Bytes      *Bytes           `json:"bytes,omitempty"`      // of SMB traffic; nil where no traffic was read
	Heard      []Heard          `json:"heard,omitempty"`      // the kinds of log records that were really read, by host
	Notes      []string         `json:"notes,omitempty"`      // what could not be seen, and what would make it seen
	Notices    []Notice         `json:"notices,omitempty"`    // single things that an administrator should know
}

// Heard is a kind of record that was read of a host. That nobody appears in it says something over its time, of its layer,
// and nothing beyond.
type Heard struct {
	Host  string    `json:"host"`
	Layer Layer     `json:"layer"` // whose uses such records show
	Kind  string    `json:"kind"`  // such as "event 5145"
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Count int64     `json:"count"`
	Days  []string  `json:"days"` // in UTC, those with a record
}

// The kinds in Coverage's maps that a reader looks for: packets that were taken from the wire, and those that found no room
// there, or in the capture that they were written to.
const (
	ReadLive = "packets from the wire"
	LostLive = "packets lost while they were captured"
)

// Bytes says what became of every payload byte on the ports where SMB servers listen. The first six are the conversation;
// the rest adds nothing to it.
type Bytes struct {
	Readable    int64 `json:"readable"`              // plain, or decrypted with the key of a null session
	Opaque      int64 `json:"opaque"`                // encrypted or compressed
	Lost        int64 `json:"lost"`                  // not in the capture, though it was on the wire
	Foreign     int64 `json:"foreign"`               // on an SMB port, but no SMB
	Before      int64 `json:"before,omitempty"`      // of what began before the first byte seen
	Undecodable int64 `json:"undecodable,omitempty"` // of frames that are not whole or break the protocol's rules

	Repeated int64 `json:"repeated,omitempty"` // sent again
	Stray    int64 `json:"stray,omitempty"`    // in segments that no receiver takes
	Unneeded int64 `json:"unneeded,omitempty"` // not in the capture, inside of file contents, which are passed over
}

// Total is all bytes of the conversations.
func (b *Bytes) Total() int64 {
	if b == nil {
		return 0
	}
	return b.Readable + b.Opaque + b.Lost + b.Foreign + b.Before + b.Undecodable
}

// Add adds what became of other bytes.
func (b *Bytes) Add(more Bytes) {
	b.Readable += more.Readable
	b.Opaque += more.Opaque
	b.Lost += more.Lost
	b.Foreign += more.Foreign
	b.Before += more.Before
	b.Undecodable += more.Undecodable
	b.Repeated += more.Repeated
	b.Stray += more.Stray
	b.Unneeded += more.Unneeded
}

// Share is which part of the bytes could be read, from 0 to 1; 0 where there are none.
func (b *Bytes) Share() float64 {
	if b.Total() <= 0 {
		return 0
	}
	return float64(b.Readable) / float64(b.Total())
}

// NoticeSchannel is the notice of a computer account whose Netlogon a domain controller of Samba finds too weak.
const NoticeSchannel = "samba-weak-netlogon"

// Notice is one thing found on the way: a change of the settings that this product is about, a log that was cleared.
type Notice struct {
	ID       string    `json:"id"` // such as null-session-setting-changed
	Time     time.Time `json:"time,omitzero"`
	Host     string    `json:"host,omitempty"`
	Client   string    `json:"client,omitempty"`
	What     string    `json:"what"`
	Evidence string    `json:"evidence"`
	Source   string    `json:"source,omitempty"`
	Count    int64     `json:"count"`
}
