package observe

import (
	"cmp"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// maxDays bounds the counts: seven identities on the days of ten years. A capture can contain arbitrary times.
const maxDays = 7 * 3653

// dayCounts counts uses by day and identity; a row has only its first and last time.
type dayCounts map[dayKey]int64

type dayKey struct {
	identity model.Identity
	day      int64 // since 1970, in UTC
}

// use counts a use on its day. A row for uses of several days is omitted, because it does not give their days.
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

// merge adds the days of another result. If a result has none, because it is from an older version or has only rows,
// its rows that happened on one day are counted.
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
