package web

import (
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The trend is a bar for each week: closed at the bottom, then unknown, limited, and exposed on top. Its shapes only
// have classes, as the content security policy and both themes require.
const (
	trendWidth  = 720
	trendHeight = 190
	trendLeft   = 46 // for the numbers at the side
	trendBelow  = 22 // for the dates
	trendAbove  = 8
)

type bar struct {
	X, Y, W, H int
	Class      string
	Title      string
}

type mark struct {
	X, Y int
	Text string
}

type trend struct {
	Width, Height, Left, Right int
	Bars                       []bar
	Sides                      []mark // lines with numbers
	Below                      []mark // dates
	Points                     []store.TrendPoint
}

// weekly keeps the last point of each week, for the last weeks.
func weekly(points []store.TrendPoint, weeks int) []store.TrendPoint {
	var out []store.TrendPoint
	for _, p := range points {
		if len(out) == 0 && p.Exposed+p.Limited+p.Closed+p.Unknown == 0 {
			continue // there was no scan yet
		}
		year, week := p.Day.ISOWeek()
		if n := len(out); n > 0 {
			if y, w := out[n-1].Day.ISOWeek(); y == year && w == week {
				out[n-1] = p
				continue
			}
		}
		out = append(out, p)
	}
	return out[max(0, len(out)-weeks):]
}

// newTrend computes the points' positions.
func newTrend(points []store.TrendPoint) *trend {
	if len(points) == 0 {
		return nil
	}
	t := &trend{Width: trendWidth, Height: trendHeight, Left: trendLeft, Right: trendWidth, Points: points}
	most := 1
	for _, p := range points {
		most = max(most, p.Exposed+p.Limited+p.Closed+p.Unknown)
	}
	step, top := scale(most)
	floor, high := trendHeight-trendBelow, trendHeight-trendBelow-trendAbove
	y := func(n int) int { return floor - n*high/top }
	for n := 0; n <= top; n += step {
		t.Sides = append(t.Sides, mark{trendLeft - 6, y(n), number(n)})
	}
	slot := (trendWidth - trendLeft) * 100 / max(len(points), 8)
	every := max(1, len(points)/8)
	for i, p := range points {
		x, w := trendLeft+i*slot/100, max(2, slot/100-slot/400)
		below := 0
		for _, part := range []struct {
			class string
			n     int
		}{{"closed", p.Closed}, {"unknown", p.Unknown}, {"limited", p.Limited}, {"exposed", p.Exposed}} {
			if part.n > 0 {
				top, bottom := y(below+part.n), y(below)
				word := part.class
				if word == "unknown" {
					word = "not known"
				}
				t.Bars = append(t.Bars, bar{x, top, w, max(1, bottom-top), part.class, day(p.Day) + ": " +
					number(part.n) + " " + word})
			}
			below += part.n
		}
		if i%every == 0 && x < trendWidth-40 {
			t.Below = append(t.Below, mark{x, trendHeight - 6, p.Day.UTC().Format("2 Jan")})
		}
	}
	return t
}

// scale returns grid lines at 1, 2 or 5 times a power of ten, at most five.
func scale(most int) (step, top int) {
	step = 1
	for i := 0; most > step*4; i++ {
		if i%3 == 1 {
			step = step * 5 / 2
		} else {
			step *= 2
		}
	}
	return step, (most + step - 1) / step * step
}

// meter is a share of a total as one bar.
type meter struct{ Part, Whole int }

// Width returns the part's width of 100.
func (m meter) Width() int {
	if m.Whole <= 0 {
		return 0
	}
	w := m.Part * 100 / m.Whole
	if m.Part > 0 && w == 0 {
		w = 1
	}
	return min(w, 100)
}

// weeksBack is the length of the overview's trend.
const weeksBack = 52

func trendFrom(now time.Time) time.Time { return now.AddDate(0, 0, -7*weeksBack) }

// A bar of a host's history has a cell for each of the last days. The height of a cell says the same as its colour.
const (
	daysBack  = 91 // 13 weeks
	dayWidth  = 8
	dayHeight = 32
)

// days is the history of one host, a cell a day: the worst verdict of the day.
type days struct {
	Width, Height int
	Cells         []bar
	From          time.Time
	Says          string // the same in words
}

// newDays computes the cells from periods of scans; nil if no scan is that old.
func newDays(spans []store.Span, now time.Time) *days {
	today := now.UTC().Truncate(24 * time.Hour)
	d := &days{Width: daysBack * dayWidth, Height: dayHeight, From: today.AddDate(0, 0, 1-daysBack)}
	counts, since := map[string]int{}, 0
	for i := range daysBack {
		at := d.From.AddDate(0, 0, i)
		class := worstOn(spans, at)
		if class == "" {
			if len(spans) > 0 && spans[0].From.Before(at) {
				since++
			}
			continue
		}
		counts[class]++
		h := map[string]int{
			"exposed": dayHeight, "limited": dayHeight * 2 / 3, "closed": dayHeight / 3,
			"unknown": dayHeight / 6,
		}[class]
		d.Cells = append(d.Cells, bar{i * dayWidth, dayHeight - h, dayWidth - 1, h, class, day(at) + ": " +
			dayWords(class)})
	}
	if len(d.Cells) == 0 {
		return nil
	}
	var said []string
	for _, class := range []string{"exposed", "limited", "closed", "unknown"} {
		if n := counts[class]; n > 0 {
			said = append(said, dayWords(class)+" on "+plural(n, "day", "days"))
		}
	}
	if n := daysBack - len(d.Cells) - since; n > 0 {
		said = append(said, "not scanned yet on "+plural(n, "day", "days"))
	}
	if since > 0 {
		said = append(said, "not scanned since on "+plural(since, "day", "days"))
	}
	d.Says = strings.Join(said, ", ")
	return d
}

func dayWords(class string) string {
	if class == "unknown" {
		return "not known"
	}
	return class
}

// worstOn returns the class of a day's worst verdict; empty if there was none. Between two scans with the same result
// it is that one; nothing is known of the days after the last scan.
func worstOn(spans []store.Span, day time.Time) string {
	order := []string{"", "unknown", "closed", "limited", "exposed"}
	worst := 0
	for _, s := range spans {
		if !s.From.Before(day.AddDate(0, 0, 1)) || !s.Until.IsZero() && !s.Until.After(day) ||
			s.Until.IsZero() && s.Last.Before(day) {
			continue
		}
		class := "unknown"
		switch s.Snapshot.Verdict {
		case model.Exposed, model.Limited, model.Closed:
			class = string(s.Snapshot.Verdict)
		}
		worst = max(worst, slices.Index(order, class))
	}
	return order[worst]
}
