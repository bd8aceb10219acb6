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
	day      string
}

// use counts a use on the day it happened. A row that stands for uses of several days tells no day of each, and is left out.
func (d *dayCounts) use(u *model.Use) {
	first, last := dayOf(u.First), dayOf(u.Last)
	if last != "" && (first == last || first == "") {
		d.add(model.Day{Day: last, Identity: u.Identity, Count: u.Count})
	}
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(dayLayout)
}

func (d *dayCounts) add(day model.Day) {
	key := dayKey{model.Identity(Clip(string(day.Identity))), day.Day}
	if _, ok := (*d)[key]; !ok && len(*d) >= maxDays {
		return
	}
	if *d == nil {
		*d = make(dayCounts)
	}
	(*d)[key] += day.Count
}

func (d dayCounts) list() []model.Day {
	out := make([]model.Day, 0, len(d))
	for key, n := range d {
		out = append(out, model.Day{Day: key.day, Identity: key.identity, Count: n})
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
		if _, err := time.Parse(dayLayout, day.Day); err == nil && day.Count > 0 {
			d.add(day)
		}
	}
	if len(o.Days) == 0 {
		for i := range o.Uses {
			d.use(&o.Uses[i])
		}
	}
}
