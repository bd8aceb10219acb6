package web

import (
	"time"

	"ipcguard/internal/store"
)

// The trend is a bar for each week: closed at the bottom, what is not known above it, then limited, exposed on top.
// Its shapes carry classes alone, so that the content security policy and both themes hold for them too.
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

// weekly keeps the last point of each week, the last weeks of them: a trend is looked at from afar.
func weekly(points []store.TrendPoint, weeks int) []store.TrendPoint {
	var out []store.TrendPoint
	for _, p := range points {
		if len(out) == 0 && p.Exposed+p.Limited+p.Closed+p.Unknown == 0 {
			continue // nobody had looked yet
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

// newTrend lays the points out.
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
				t.Bars = append(t.Bars, bar{x, top, w, max(1, bottom-top), part.class, day(p.Day) + ": " + number(part.n) + " " + part.class})
			}
			below += part.n
		}
		if i%every == 0 && x < trendWidth-40 {
			t.Below = append(t.Below, mark{x, trendHeight - 6, p.Day.UTC().Format("2 Jan")})
		}
	}
	return t
}

// scale picks lines at 1, 2 or 5 times a power of ten, five at most.
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

// meter is a share of a whole as one bar.
type meter struct{ Part, Whole int }

// Width is the part's width of 100.
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

// weeksBack is how far the overview's trend goes.
const weeksBack = 52

func trendFrom(now time.Time) time.Time { return now.AddDate(0, 0, -7*weeksBack) }
