package observe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
)

const (
	// maxNotices bounds the notices; more of the same kind say nothing new.
	maxNotices = 1000

	// maxCounted bounds the keys in each of Coverage's maps.
	maxCounted = 1000
)

// Coverage collects what a result is based on. Its zero value is ready to use.
type Coverage struct {
	model.Coverage

	heard  map[heardKey]int // indices in Heard
	unread int              // files that could not be read
	clocks clocks
}

// Notice is one finding made while reading.
type Notice = model.Notice

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
	if (*m)[key] += n; (*m)[key] == 0 { // a count was corrected
		delete(*m, key)
	}
}

// Note adds a note once.
func (c *Coverage) Note(text string) {
	if !slices.Contains(c.Notes, text) && len(c.Notes) < maxNotices {
		c.Notes = append(c.Notes, text)
	}
}

// maxUnread bounds the unreadable files that are named.
const maxUnread = 50

// Unread names a file that could not be read, and why.
func (c *Coverage) Unread(path string, why error) {
	if c.unread++; c.unread <= maxUnread {
		c.Note(fmt.Sprintf("not read: %s: %v", path, why))
	} else if c.unread == maxUnread+1 {
		c.Note(fmt.Sprintf("not read: more files than the %d that are named", maxUnread))
	}
}

// Notice adds a notice; a repeated one is counted and keeps its first time.
func (c *Coverage) Notice(n Notice) {
	n.Count = max(n.Count, 1)
	n.What, n.Evidence = Clip(n.What), Clip(n.Evidence)
	for i := range c.Notices {
		if m := &c.Notices[i]; m.ID == n.ID && m.Host == n.Host && m.Client == n.Client && m.What == n.What {
			m.Count += n.Count
			m.Time = earlier(m.Time, n.Time)
			return
		}
	}
	if len(c.Notices) >= maxNotices {
		c.CountUnreadable("notices beyond the first "+strconv.Itoa(maxNotices), n.Count)
		return
	}
	c.Notices = append(c.Notices, n)
}

// Complete notes which uses were dropped, and sorts the notes so that the order of reading does not matter.
func (c *Coverage) Complete(a *Aggregator) {
	for id, n := range a.GivenUp() {
		c.Note(fmt.Sprintf("%d uses by %s identities found no room in the memory for rows and are not listed", n, id))
	}
	c.sortNotes()
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
