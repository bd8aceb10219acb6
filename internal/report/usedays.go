package report

import (
	"fmt"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// maxDrawn is how many days the time line shows, the last ones: a year and a month, the retention of a service.
const maxDrawn = 397

// Dimensions of the time line, in view box units.
const (
	daysLeft  = 170
	daysWidth = graphWidth - daysLeft - 36 // half of the last day's name stands beyond it
	laneTop   = 10
	lane      = 58
	laneBar   = 40 // the height of the highest bar
	widestBar = 44
)

// timeLine is the use by day, with a lane for each identity. Each has its own scale: a single null session would be
// invisible next to a million calls of users.
type timeLine struct {
	Height, Axis int
	Lanes        []dayLane
	Ticks        []dayTick
	First, Last  string
	Days         []string // oldest first, only days with use
	Earlier      int      // days with use before the first that is drawn
	Desc         string
}

type dayLane struct {
	Identity model.Identity
	Y        int // the base line
	Most     int64
	Total    int64
	Bars     []dayBar
	counts   map[string]int64
}

// On returns the use on a day, for the table.
func (l dayLane) On(day string) int64 { return l.counts[day] }

type dayBar struct {
	X, Y, W, H string
	Title      string
}

type dayTick struct {
	X     string
	Label string
}

const dayFormat = "2006-01-02"

// newTimeLine draws days; nil if there is none.
func newTimeLine(days []model.Day) *timeLine {
	known := make([]model.Day, 0, len(days))
	for _, d := range days {
		if _, err := time.Parse(dayFormat, d.Day); err == nil && d.Count > 0 {
			known = append(known, d)
		}
	}
	if len(known) == 0 {
		return nil
	}
	t := &timeLine{}
	for _, d := range known {
		t.Days = append(t.Days, d.Day)
	}
	slices.Sort(t.Days)
	t.Days = slices.Compact(t.Days)
	last, _ := time.Parse(dayFormat, t.Days[len(t.Days)-1])
	first, _ := time.Parse(dayFormat, t.Days[0])
	if oldest := last.AddDate(0, 0, 1-maxDrawn); first.Before(oldest) {
		first = oldest
		for t.Days[0] < first.Format(dayFormat) {
			t.Days = t.Days[1:]
			t.Earlier++
		}
	}
	t.First, t.Last = first.Format(dayFormat), last.Format(dayFormat)
	span := int(last.Sub(first).Hours()/24) + 1
	for _, id := range identityOrder {
		l := dayLane{Identity: id, Y: laneTop + len(t.Lanes)*lane + laneBar, counts: map[string]int64{}}
		if l.fill(known, first, span, t.First); l.Total > 0 {
			t.Lanes = append(t.Lanes, l)
		}
	}
	t.Axis = laneTop + len(t.Lanes)*lane
	t.Height = t.Axis + 20
	t.ticks(first, span)
	t.Desc = fmt.Sprintf("Uses by day from %s to %s, %s. The table below the picture has the same.", t.First, t.Last,
		number(len(t.Lanes), "kind")+" of identity")
	return t
}

// fill counts the days from one on, and draws their bars.
func (l *dayLane) fill(days []model.Day, first time.Time, span int, from string) {
	for _, d := range days {
		if d.Identity == l.Identity && d.Day >= from {
			l.counts[d.Day] += d.Count
			l.Most = max(l.Most, l.counts[d.Day])
			l.Total += d.Count
		}
	}
	step := float64(daysWidth) / float64(span)
	width := min(step*0.8, widestBar)
	for i := range span {
		day := first.AddDate(0, 0, i).Format(dayFormat)
		n := l.counts[day]
		if n == 0 {
			continue
		}
		height := max(2, laneBar*float64(n)/float64(l.Most)) // one in a million is still visible
		l.Bars = append(l.Bars, dayBar{
			X: fmt.Sprintf("%.1f", daysLeft+(float64(i)+0.5)*step-width/2), Y: fmt.Sprintf("%.1f", float64(l.Y)-height),
			W: fmt.Sprintf("%.1f", width), H: fmt.Sprintf("%.1f", height),
			Title: fmt.Sprintf("%s, %s: %d", day, l.Identity, n),
		})
	}
}

// ticks labels some of the days, including the first and the last.
func (t *timeLine) ticks(first time.Time, span int) {
	const most = 7
	n := min(span, most)
	step := float64(daysWidth) / float64(span)
	for i := range n {
		at := 0
		if n > 1 {
			at = i * (span - 1) / (n - 1)
		}
		t.Ticks = append(t.Ticks, dayTick{
			fmt.Sprintf("%.1f", daysLeft+(float64(at)+0.5)*step),
			first.AddDate(0, 0, at).Format(dayFormat),
		})
	}
}
