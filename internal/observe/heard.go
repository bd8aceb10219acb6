package observe

import (
	"cmp"
	"slices"
	"time"

	"ipcguard/internal/model"
)

const (
	// maxHeard bounds the kinds of records told by host: a collector has some thousands of hosts with three kinds each.
	maxHeard = 16 << 10
	// maxHeardDays bounds the days of one of them; nobody keeps such logs for longer than three years.
	maxHeardDays = 3 * 366
)

type heardKey struct {
	host, kind string
	layer      model.Layer
}

// Hear records that a kind of record was read of a host, whatever it says: that nobody appears in such records means
// something over their time, and nothing over any other.
func (c *Coverage) Hear(host string, layer model.Layer, kind string, t time.Time) {
	if t.IsZero() {
		return
	}
	c.hear(&model.Heard{Host: Clip(host), Layer: layer, Kind: kind, From: t, To: t, Count: 1, Days: []string{t.UTC().Format(time.DateOnly)}})
}

func (c *Coverage) hear(more *model.Heard) {
	key := heardKey{more.Host, more.Kind, more.Layer}
	at, ok := c.heard[key]
	if !ok {
		if len(c.Heard) >= maxHeard {
			return
		}
		if c.heard == nil {
			c.heard = map[heardKey]int{}
		}
		at = len(c.Heard)
		c.heard[key] = at
		c.Heard = append(c.Heard, model.Heard{Host: more.Host, Layer: more.Layer, Kind: more.Kind})
	}
	h := &c.Heard[at]
	h.From, h.To, h.Count = earlier(h.From, more.From), later(h.To, more.To), h.Count+more.Count
	for _, day := range more.Days {
		if n := len(h.Days); n > 0 && h.Days[n-1] == day { // records mostly come in order
			continue
		}
		if i, known := slices.BinarySearch(h.Days, day); !known && len(h.Days) < maxHeardDays {
			h.Days = slices.Insert(h.Days, i, day)
		}
	}
}

// heardInOrder is what was heard, in an order that does not depend on that of reading.
func (c *Coverage) heardInOrder() []model.Heard {
	out := slices.Clone(c.Heard)
	slices.SortFunc(out, func(a, b model.Heard) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Kind, b.Kind))
	})
	for i := range out {
		out[i].Days = slices.Clone(out[i].Days)
	}
	return out
}
