package when

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Window is the time when work is allowed. The zero value is always open.
type Window struct {
	parts []part
	zone  *time.Location
}

// part is a range of minutes that begins on some days of the week.
type part struct {
	days       [7]bool // by time.Weekday
	begin, end int     // minutes from midnight; end may be on the next day
}

// day is the length of a day in minutes.
const day = 24 * 60

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseWindow parses a window; an empty text is always open.
func ParseWindow(text, zone string) (Window, error) {
	l, err := Zone(zone)
	if err != nil {
		return Window{}, err
	}
	w := Window{zone: l}
	text = strings.TrimSpace(text)
	if text == "" {
		return w, nil
	}
	if len(text) > maxText {
		return Window{}, fmt.Errorf("when: %q is too long for a window", short(text))
	}
	for entry := range strings.SplitSeq(text, ";") {
		p, err := parsePart(entry)
		if err != nil {
			return Window{}, fmt.Errorf("when: %q is no window such as Mon-Fri 22:00-06:00: %w", short(text), err)
		}
		w.parts = append(w.parts, p)
	}
	return w, nil
}

func parsePart(entry string) (part, error) {
	p := part{begin: 0, end: day}
	fields := strings.Fields(entry)
	if len(fields) == 0 || len(fields) > 2 {
		return p, fmt.Errorf("%q: want days, hours, or both", short(strings.TrimSpace(entry)))
	}
	hours := fields[len(fields)-1]
	if !strings.Contains(hours, ":") {
		if len(fields) == 2 {
			return p, fmt.Errorf("%q: want hours such as 22:00-06:00", short(hours))
		}
		return p, p.readDays(fields[0])
	}
	first, last, ok := strings.Cut(hours, "-")
	if !ok {
		return p, fmt.Errorf("%q: want two times with a hyphen between", short(hours))
	}
	var err error
	if p.begin, err = clock(first); err != nil {
		return p, err
	}
	if p.end, err = clock(last); err != nil {
		return p, err
	}
	switch {
	case p.begin == p.end || p.begin == day:
		return p, fmt.Errorf("%q: is no time at all; leave the hours out for whole days", short(hours))
	case p.end < p.begin:
		p.end += day
	}
	if len(fields) == 1 {
		p.days = [7]bool{true, true, true, true, true, true, true}
		return p, nil
	}
	return p, p.readDays(fields[0])
}

func (p *part) readDays(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(item, "-")
		a, err := weekday(first)
		if err != nil {
			return err
		}
		b := a
		if ranged {
			if b, err = weekday(last); err != nil {
				return err
			}
		}
		for d := a; ; d = (d + 1) % 7 {
			p.days[d] = true
			if d == b {
				break
			}
		}
	}
	return nil
}

func weekday(text string) (int, error) {
	lower := strings.ToLower(text)
	for i, name := range weekdays {
		if lower == name || strings.HasPrefix(strings.ToLower(time.Weekday(i).String()), lower) && len(lower) >= 3 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no day: Mon, Tue, Wed, Thu, Fri, Sat or Sun", short(text))
}

func clock(text string) (int, error) {
	h, m, _ := strings.Cut(text, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	if err1 != nil || err2 != nil || len(m) != 2 || minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, fmt.Errorf("%q is no time of day between 00:00 and 24:00", short(text))
	}
	return int(hour)*60 + int(minute), nil
}

// Always reports whether the window is always open.
func (w Window) Always() bool { return len(w.parts) == 0 }

// Open reports whether work is allowed at t.
func (w Window) Open(t time.Time) bool {
	if w.Always() {
		return true
	}
	t = t.In(w.zone)
	minute := t.Hour()*60 + t.Minute()
	today := int(t.Weekday())
	for _, p := range w.parts {
		if p.days[today] && minute >= p.begin && minute < p.end {
			return true
		}
		if p.days[(today+6)%7] && minute+day < p.end {
			return true
		}
	}
	return false
}

// Next returns when the window opens next: t itself if it is open.
func (w Window) Next(t time.Time) time.Time {
	if w.Open(t) {
		return t
	}
	return w.edge(t, func(p part) int { return p.begin }, true)
}

// End returns when the open window closes; zero if it never does, or is not open.
func (w Window) End(t time.Time) time.Time {
	if w.Always() || !w.Open(t) {
		return time.Time{}
	}
	return w.edge(t, func(p part) int { return p.end }, false)
}

// edge returns the first boundary after t from which on work is allowed, or is not, as open says.
func (w Window) edge(t time.Time, minute func(part) int, open bool) time.Time {
	var found time.Time
	local := t.In(w.zone)
	for d := -1; d <= 14; d++ {
		date := time.Date(local.Year(), local.Month(), local.Day()+d, 0, 0, 0, 0, time.UTC)
		for _, p := range w.parts {
			if !p.days[int(date.Weekday())] {
				continue
			}
			at := instant(date.Add(time.Duration(minute(p))*time.Minute), w.zone)
			if at.After(t) && w.Open(at) == open && (found.IsZero() || at.Before(found)) {
				found = at
			}
		}
	}
	return found
}
