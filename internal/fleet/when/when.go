// Package when computes when work is due and when it is allowed: cron schedules and time windows, both in a time zone.
//
//	"30 2 * * 1-5"            minute, hour, day of month, month, day of week; or @daily, @hourly, @every 6h …
//	"Mon-Fri 22:00-06:00"     a window; one that ends before it begins lasts into the next day
//	"Sat,Sun; 20:00-24:00"    several, apart by ";": all of Saturday and Sunday, and every evening
//
// The rules of the room, which is pure:
//
//   - Schedules follow the wall clock. A due time in the hour that is skipped in spring is moved by as much as the
//     clock jumped; one in the hour that is repeated in autumn is due once, the first time.
//   - An hourly schedule follows real time: a clock change neither skips nor doubles it.
//   - Due times strictly increase, and the one after a moment depends only on that moment: a restart changes nothing.
package when

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// maxText bounds a schedule or window as typed: the longest useful one names every minute, about 200 characters.
const maxText = 1024

// Schedule is a parsed cron line in a zone.
type Schedule struct {
	spec  *cron.SpecSchedule // in UTC: it computes wall clock times
	every time.Duration
	zone  *time.Location
}

// Zone returns a time zone by its IANA name; empty is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, errors.New("when: name the zone itself, such as Europe/Berlin: every server has another local time")
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("when: %q is no time zone such as Europe/Berlin", short(name))
	}
	return l, nil
}

// ParseSchedule parses a cron line.
func ParseSchedule(line, zone string) (*Schedule, error) {
	l, err := Zone(zone)
	if err != nil {
		return nil, err
	}
	line = strings.TrimSpace(line)
	if len(line) > maxText || strings.Contains(line, "TZ=") {
		return nil, fmt.Errorf("when: %q is no schedule: five fields, or @daily and the like; the zone is named apart",
			short(line))
	}
	p, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(line)
	if err != nil {
		return nil, fmt.Errorf("when: %q is no schedule: %w", short(line), err)
	}
	s := &Schedule{zone: l}
	switch p := p.(type) {
	case *cron.SpecSchedule:
		p.Location = time.UTC
		s.spec = p
		if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
			return nil, fmt.Errorf("when: %q never comes", short(line))
		}
	case cron.ConstantDelaySchedule:
		if s.every = p.Delay; s.every < time.Minute {
			return nil, fmt.Errorf("when: %q is more often than once a minute", short(line))
		}
	default:
		return nil, fmt.Errorf("when: %q is no schedule", short(line))
	}
	return s, nil
}

// everyHour is the hour field that contains all hours.
const everyHour = 1<<24 - 1

// Next returns the first due time after t; zero if there is none within five years.
func (s *Schedule) Next(t time.Time) time.Time {
	if s.every > 0 {
		return t.Truncate(time.Second).Add(s.every)
	}
	if s.spec.Hour&everyHour == everyHour {
		real := *s.spec
		real.Location = s.zone
		return real.Next(t).In(s.zone)
	}
	// Wall clock times before that of t may still be ahead of t if the clock was set forward, hence the step back.
	for w := wall(t.In(s.zone)).Add(-3 * time.Hour); ; {
		if w = s.spec.Next(w); w.IsZero() {
			return w
		}
		if at := instant(w, s.zone); at.After(t) {
			return at
		}
	}
}

// Last returns the latest due time at or before t and after since; zero if there is none. It stands for all due times
// missed meanwhile.
func (s *Schedule) Last(since, t time.Time) time.Time {
	var last time.Time
	at := since
	for n := 0; ; n++ {
		next := s.Next(at)
		if next.IsZero() || next.After(t) {
			return last
		}
		last, at = next, next
		if n == 1000 { // a long pause: restart a little before t
			if from := t.Add(-8 * 24 * time.Hour); from.After(at) && s.every == 0 {
				if next = s.Next(from); !next.After(t) {
					at = from
				}
			}
		}
	}
}

// wall returns what a clock shows, as a time in UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// instant returns the first time at which a clock of the zone shows w. If a clock change skips w, it returns the time
// as long after the change as w is after the start of the skipped time.
func instant(w time.Time, zone *time.Location) time.Time {
	// Zones are between -12 and +14 hours, and none changes twice within days: the offsets a day before and after are
	// those on both sides of a change.
	_, before := w.Add(-26 * time.Hour).In(zone).Zone()
	_, after := w.Add(26 * time.Hour).In(zone).Zone()
	first := w.Add(-time.Duration(before) * time.Second).In(zone)
	if before == after || wall(first).Equal(w) {
		return first
	}
	if second := w.Add(-time.Duration(after) * time.Second).In(zone); wall(second).Equal(w) {
		return second
	}
	return first
}

func short(s string) string {
	if r := []rune(s); len(r) > 64 {
		return string(r[:61]) + "..."
	}
	return s
}
