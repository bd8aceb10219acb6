package observe

import (
	"slices"
	"strings"
	"time"
)

const (
	// maxNotices bounds what is told one by one; a log full of the same thing says nothing more.
	maxNotices = 1000

	// maxCounted bounds the kinds counted in each of Coverage's maps.
	maxCounted = 1000
)

// Coverage says what a result rests on: what was read, what could not be, and where silence proves nothing.
type Coverage struct {
	From       time.Time        `json:"from,omitzero"` // of the first and last record that was read
	To         time.Time        `json:"to,omitzero"`
	Read       map[string]int64 `json:"read,omitempty"`       // records, by kind
	Unreadable map[string]int64 `json:"unreadable,omitempty"` // by reason
	Bytes      *Bytes           `json:"bytes,omitempty"`      // of SMB traffic; nil where no traffic was read
	Notes      []string         `json:"notes,omitempty"`      // what could not be seen, and what would make it seen
	Notices    []Notice         `json:"notices,omitempty"`    // single things that an administrator should know
}

// Bytes says which share of the SMB traffic could be read.
type Bytes struct {
	Readable int64 `json:"readable"` // plain, or decrypted with the key of a null session
	Opaque   int64 `json:"opaque"`   // encrypted or compressed
	Lost     int64 `json:"lost"`     // not in the capture, though it was on the wire
	Foreign  int64 `json:"foreign"`  // on an SMB port, but no SMB, or the rest of a frame whose beginning is missing
}

// Share is which part of the bytes could be read, from 0 to 1; 0 where there are none.
func (b *Bytes) Share() float64 {
	if b == nil || b.Readable+b.Opaque+b.Lost+b.Foreign <= 0 {
		return 0
	}
	return float64(b.Readable) / float64(b.Readable+b.Opaque+b.Lost+b.Foreign)
}

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

// Saw records that something was read that happened at t.
func (c *Coverage) Saw(t time.Time) {
	if t.IsZero() {
		return
	}
	c.From = earlier(c.From, t)
	c.To = later(c.To, t)
}

// CountRead counts a record by its kind.
func (c *Coverage) CountRead(kind string, n int64) { count(&c.Read, kind, n) }

// CountUnreadable counts what could not be read, by reason.
func (c *Coverage) CountUnreadable(reason string, n int64) { count(&c.Unreadable, reason, n) }

func count(m *map[string]int64, key string, n int64) {
	if n == 0 {
		return
	}
	if *m == nil {
		*m = make(map[string]int64)
	}
	if _, ok := (*m)[key]; !ok && len(*m) >= maxCounted {
		key = "others"
	}
	(*m)[key] += n
}

// Note adds a note once.
func (c *Coverage) Note(text string) {
	if !slices.Contains(c.Notes, text) && len(c.Notes) < maxNotices {
		c.Notes = append(c.Notes, text)
	}
}

// Notice adds a notice; the same thing again is counted, its first time kept.
func (c *Coverage) Notice(n Notice) {
	n.Count = max(n.Count, 1)
	n.What, n.Evidence = clip(n.What), clip(n.Evidence)
	for i := range c.Notices {
		if m := &c.Notices[i]; m.ID == n.ID && m.Host == n.Host && m.Client == n.Client && m.What == n.What {
			m.Count += n.Count
			m.Time = earlier(m.Time, n.Time)
			return
		}
	}
	if len(c.Notices) >= maxNotices {
		c.CountUnreadable("notices beyond the first "+itoa(maxNotices), n.Count)
		return
	}
	c.Notices = append(c.Notices, n)
}

// sortNotes makes the order independent of the order of reading.
func (c *Coverage) sortNotes() {
	slices.Sort(c.Notes)
	slices.SortStableFunc(c.Notices, func(a, b Notice) int {
		if d := a.Time.Compare(b.Time); d != 0 {
			return d
		}
		return strings.Compare(a.ID+a.Host, b.ID+b.Host)
	})
}
