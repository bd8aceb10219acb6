package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// Dimensions of the picture of clients by strength, in view box units.
const (
	maxLanes   = 40 // number of clients drawn, the weakest; the table has all
	strengthAt = daysLeft
	laneHigh   = 18
	barHigh    = 10
	thinnest   = 4.0 // minimum width of a bar, so that a single logon is visible
)

// logonPicture draws when each client logged on with which strength: a lane a client, with a bar from the first to the
// last time. A bar does not mean continuous use.
type logonPicture struct {
	Height, Axis int
	Legend       []model.Strength
	Lanes        []logonLane
	Ticks        []dayTick
	More         int // clients that are not drawn
	Desc         string
}

type logonLane struct {
	Label, Name string
	Y           int
	Bars        []logonBar
}

type logonBar struct {
	Strength model.Strength
	X, W     string
	Y        int
	Title    string
}

// newLogonPicture draws logons, which are sorted weakest first; nil if none has a time.
func newLogonPicture(logons []model.Logon) *logonPicture {
	from, to := spanOf(logons)
	if from.IsZero() {
		return nil
	}
	p := &logonPicture{}
	scale := float64(graphWidth-strengthAt-36) / max(1, to.Sub(from).Seconds())
	lanes := map[string]int{}
	for i := range logons {
		l := &logons[i]
		if l.First.IsZero() {
			continue
		}
		at, ok := lanes[l.Client]
		if !ok {
			at = len(lanes)
			lanes[l.Client] = at
			if at >= maxLanes {
				p.More++
				continue
			}
			p.Lanes = append(p.Lanes, logonLane{
				Label: shorten(cmp.Or(Clean(l.Client), "(not known)"), 22),
				Name:  Clean(l.Client), Y: laneTop + (at+1)*laneHigh,
			})
		}
		if at >= maxLanes {
			continue
		}
		if !slices.Contains(p.Legend, l.Strength) {
			p.Legend = append(p.Legend, l.Strength)
		}
		x, w := strengthAt+l.First.Sub(from).Seconds()*scale, max(thinnest, l.Last.Sub(l.First).Seconds()*scale)
		lane := &p.Lanes[at]
		lane.Bars = append(lane.Bars, logonBar{
			Strength: l.Strength, X: fmt.Sprintf("%.1f", x), W: fmt.Sprintf("%.1f", w), Y: lane.Y - barHigh,
			Title: fmt.Sprintf("%s, %s: %s", l.Client, l.Strength, LogonWay(l)),
		})
	}
	for i := range p.Lanes { // the weakest is drawn on top
		slices.Reverse(p.Lanes[i].Bars)
	}
	p.Axis = laneTop + len(p.Lanes)*laneHigh + 6
	p.Height = p.Axis + 20
	for _, t := range []time.Time{from, from.Add(to.Sub(from) / 2), to} {
		p.Ticks = append(p.Ticks, dayTick{
			fmt.Sprintf("%.1f", strengthAt+t.Sub(from).Seconds()*scale),
			t.UTC().Format(dayFormat),
		})
	}
	if to.Sub(from) < 48*time.Hour {
		p.Ticks = p.Ticks[:1]
	}
	p.Desc = fmt.Sprintf("%s by strength, from %s to %s. The table below the picture has the same.",
		number(len(lanes), "client"), from.UTC().Format(dayFormat), to.UTC().Format(dayFormat))
	return p
}

func spanOf(logons []model.Logon) (from, to time.Time) {
	for i := range logons {
		l := &logons[i]
		if !l.First.IsZero() && (from.IsZero() || l.First.Before(from)) {
			from = l.First
		}
		if l.Last.After(to) {
			to = l.Last
		}
	}
	return from, to
}
