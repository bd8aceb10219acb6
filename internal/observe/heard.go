package observe

import (
	"cmp"
	"slices"
	"time"

	"ipcguard/internal/model"
)

const (
	// maxHeard bounds the kinds of records by host: a collector has a few thousand hosts with three kinds each.
	maxHeard = 16 << 10
	// maxHeardDays bounds their days; nobody keeps such logs for more than three years.
	maxHeardDays = 3 * 366
)

type heardKey struct {
	host, kind string
	layer      model.Layer
}

// Hear records that a kind of record was read from a host. Only over that time does it mean something that nobody
// appears in such records.
func (c *Coverage) Hear(host string, layer model.Layer, kind string, t time.Time) {
	if t.IsZero() {
		return
	}
	c.hear(&model.Heard{
		Host: Clip(host), Layer: layer, Kind: kind, From: t, To: t, Count: 1,
		Days: []string{t.UTC().Format(time.DateOnly)},
	})
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

// heardInOrder returns the times sorted, so that the order of reading does not matter.
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
