package model

import (
	"encoding/json"
	"strings"
	"time"
)

// SchemaObserve is the schema of an Observation.
const SchemaObserve = "ipcguard.observe/1"

// Observation is the observed use of IPC$ and its coverage.
type Observation struct {
	Schema   string   `json:"schema"`
	Coverage Coverage `json:"coverage"`
	Days     []Day    `json:"days,omitempty"` // the same uses by day, in order
	Uses     []Use    `json:"uses"`
}

// Day is how often an identity used IPC$ on one day: logons, connects, opens, binds and calls together.
type Day struct {
	Day      string   `json:"day"` // in UTC, 2026-11-22
	Identity Identity `json:"identity"`
	Count    int64    `json:"count"`
}

// Coverage describes the basis of a result: what was read, what could not be read, and where silence proves nothing.
type Coverage struct {
	From       time.Time        `json:"from,omitzero"` // times of the first and last record that was read
	To         time.Time        `json:"to,omitzero"`
	Read       map[string]int64 `json:"read,omitempty"`       // records, by kind
	Unreadable map[string]int64 `json:"unreadable,omitempty"` // by reason
	Bytes      *Bytes           `json:"bytes,omitempty"`      // of SMB traffic; nil where no traffic was read
	Heard      []Heard          `json:"heard,omitempty"`      // the kinds of log records that were read, by host
	Notes      []string         `json:"notes,omitempty"`      // what could not be seen, and how to make it visible
	Notices    []Notice         `json:"notices,omitempty"`    // single events that an administrator should know
}

// Heard is a kind of record that was read for a host. If no use appears in it, that is evidence only for its period and
// its layer.
type Heard struct {
	Host  string    `json:"host"`
	Layer Layer     `json:"layer"` // whose uses such records show
	Kind  string    `json:"kind"`  // such as "event 5145"
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Count int64     `json:"count"`
	Days  []string  `json:"days"` // in UTC, those with a record
}

// Keys of Coverage's maps that callers look up: captured packets, and packets that the capture buffer or the capture
// file dropped.
const (
	ReadLive = "packets from the wire"
	LostLive = "packets lost while they were captured"
)

// Bytes accounts for every payload byte on the ports of SMB servers. The first six are the conversation; the others do
// not count towards it.
type Bytes struct {
	Readable    int64 `json:"readable"`              // plain, or decrypted with the key of a null session
	Opaque      int64 `json:"opaque"`                // encrypted or compressed
	Lost        int64 `json:"lost"`                  // on the wire, but missing from the capture
	Foreign     int64 `json:"foreign"`               // on an SMB port, but no SMB
	Before      int64 `json:"before,omitempty"`      // of conversations that began before the capture
	Undecodable int64 `json:"undecodable,omitempty"` // of frames that are incomplete or break the protocol's rules

	Repeated int64 `json:"repeated,omitempty"` // retransmitted
	Stray    int64 `json:"stray,omitempty"`    // in segments that a receiver discards
	Unneeded int64 `json:"unneeded,omitempty"` // missing from the capture, in file contents, which are skipped
}

// Total returns the number of bytes of the conversations.
func (b *Bytes) Total() int64 {
	if b == nil {
		return 0
	}
	return b.Readable + b.Opaque + b.Lost + b.Foreign + b.Before + b.Undecodable
}

// Add adds the counts of more.
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

// Share returns which part of the bytes could be read, from 0 to 1; 0 if there are none.
func (b *Bytes) Share() float64 {
	if b.Total() <= 0 {
		return 0
	}
	return float64(b.Readable) / float64(b.Total())
}

// NoticeClocks is the notice of sources whose clocks differ, so that silence in them counts for nothing.
const NoticeClocks = "clocks-differ"

// NoticeSchannel is the notice about a computer account whose Netlogon is too weak for a Samba domain controller.
const NoticeSchannel = "samba-weak-netlogon"

// Notice is one event found during observation: a change of a setting of interest, a cleared log.
type Notice struct {
	ID       string    `json:"id"` // such as null-session-setting-changed
	Time     time.Time `json:"time,omitzero"`
	Host     string    `json:"host,omitempty"`
	Client   string    `json:"client,omitempty"`
	Setting  string    `json:"setting,omitempty"` // that it is about, as the host writes its name
	What     string    `json:"what"`
	Evidence string    `json:"evidence"`
	Source   string    `json:"source,omitempty"`
	Count    int64     `json:"count"`
}

// UnmarshalJSON also reads notices from before they had a setting: what a notice of weak Netlogon says quotes the
// setting's line for the account.
func (n *Notice) UnmarshalJSON(b []byte) error {
	type plain Notice
	if err := json.Unmarshal(b, (*plain)(n)); err != nil {
		return err
	}
	if n.ID == NoticeSchannel && n.Setting == "" {
		_, line, _ := strings.Cut(n.What, "'")
		if option, _, ok := strings.Cut(line, ":"); ok {
			n.Setting = option
		}
	}
	return nil
}
