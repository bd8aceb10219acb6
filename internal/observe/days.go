package observe

import (
	"cmp"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// maxDays bounds what is counted: seven identities on the days of ten years. A capture may say of its packets what it likes.
const maxDays = 7 * 3653

// dayCounts counts uses by day and identity; a row keeps its first and last time alone.
type dayCounts map[dayKey]int64

type dayKey struct {
	identity model.Identity
	day      int64 // since 1970, in UTC
}

// use counts a use on the day it happened. A row that stands for uses of several days tells no day of each, and is left out.
func (d *dayCounts) use(u *model.Use) {
	if last := dayOf(u.Last); !u.Last.IsZero() && (u.First.IsZero() || dayOf(u.First) == last) {
		d.add(u.Identity, last, u.Count)
	}
}

func dayOf(t time.Time) int64 {
	const seconds = 24 * 60 * 60
	s := t.Unix()
	if s < 0 {
		s -= seconds - 1
	}
	return s / seconds
}

func (d *dayCounts) add(who model.Identity, day, n int64) {
	key := dayKey{model.Identity(Clip(string(who))), day}
	have, ok := (*d)[key]
	if !ok && len(*d) >= maxDays {
		return
	}
	if *d == nil {
		*d = make(dayCounts)
	}
	(*d)[key] = have + n
}

func (d dayCounts) list() []model.Day {
	out := make([]model.Day, 0, len(d))
	for key, n := range d {
		day := time.Unix(0, 0).UTC().AddDate(0, 0, int(key.day)).Format(dayLayout)
		out = append(out, model.Day{Day: day, Identity: key.identity, Count: n})
	}
	slices.SortFunc(out, func(a, b model.Day) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Identity, b.Identity))
	})
	return out
}

// merge takes the days of another result. One that does not tell them, of an older version or of rows alone, has those of
// its rows that happened on one day.
func (d *dayCounts) merge(o *model.Observation) {
	for _, day := range o.Days {
		if t, err := time.Parse(dayLayout, day.Day); err == nil && day.Count > 0 {
			d.add(day.Identity, dayOf(t), day.Count)
		}
	}
	if len(o.Days) == 0 {
		for i := range o.Uses {
			d.use(&o.Uses[i])
		}
	}
}
