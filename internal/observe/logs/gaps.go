package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/observe"
)

// numberedEvent is an event with its number in its log. Windows numbers a log's events consecutively, so a missing
// number is a missing event.
type numberedEvent interface{ EventRecordID() uint64 }

// setBack is how far a log's time may go back between two events without a notice: events of several processors are
// slightly out of order.
const setBack = 5 * time.Minute

// stretch is a part of one log without a missing number.
type stretch struct {
	logName
	source string

	first, last uint64 // its lowest and its highest number
	from, to    time.Time
}

// logName is one log of one host.
type logName struct{ host, channel string }

// numbering is what one file contains of one log.
type numbering struct {
	parts []stretch // the last one is still growing
	n     uint64    // events
	holes uint64    // missing numbers beyond those between parts
}

const (
	// maxParts bounds the stretches of one log in one file. A log has a hole where it was overwritten before it was
	// read; a file with more holes contains selected events.
	maxParts = 64

	// dense is the least average number of events between holes in a file of all events. A file of selected events has
	// holes everywhere, which mean nothing: consecutive events are rarely of the same kind.
	dense = 50

	// shortest is the least duration of a reported hole within one file: shippers lose single events, which is no
	// silence.
	shortest = time.Minute

	// maxLogs bounds the logs of one file: a collector has those of a few thousand hosts.
	maxLogs = 16 << 10
)

// number handles the number of an event, in the order of the file.
func (w *windowsLog) number(e winEvent, n uint64) {
	if n == 0 {
		return
	}
	if name := (logName{e.Computer(), e.Channel()}); w.now == nil || name != w.nowName {
		name = logName{observe.Clip(name.host), observe.Clip(name.channel)}
		l := w.numbered[name]
		if l == nil {
			if len(w.numbered) >= maxLogs {
				return
			}
			if w.numbered == nil {
				w.numbered = map[logName]*numbering{}
			}
			l = &numbering{}
			w.numbered[name] = l
		}
		w.now, w.nowName = l, name
	}
	l, t := w.now, e.Time()
	l.n++
	if len(l.parts) > 0 {
		s := &l.parts[len(l.parts)-1]
		switch {
		case n >= s.first && n <= s.last: // repeated
			return
		case n == s.last+1:
			if !t.IsZero() && s.to.Sub(t) > setBack {
				w.notice(e, "clock-set-back", "",
					fmt.Sprintf("its clock went back by %s: times of before and after do not compare",
						s.to.Sub(t).Round(time.Second)),
					fmt.Sprintf("event number %d of the log %s is dated %s, and the one before it %s", n, s.channel,
						t.UTC().Format(time.DateTime), s.to.UTC().Format(time.DateTime)))
			}
			s.last, s.to = n, t
			return
		case n == s.first-1: // the newest events come first
			s.first, s.from = n, t
			return
		}
	}
	if len(l.parts) >= maxParts {
		l.holes++
		return
	}
	l.parts = append(l.parts, stretch{logName: w.nowName, source: w.source, first: n, last: n, from: t, to: t})
}

// fileEnds keeps what a file contains of its logs, except those with selected events. The number of small files, as in
// an archive, is bounded like that of hosts.
func (w *windowsLog) fileEnds() {
	for _, l := range w.numbered {
		if holes := l.holes + uint64(len(l.parts)) - 1; holes > 0 && l.n/holes < dense {
			continue
		}
		w.stretches = append(w.stretches, l.parts[:min(len(l.parts), maxHosts-len(w.stretches))]...)
	}
	w.numbered, w.now = nil, nil
}

// gaps notes what is missing between the files of one log. Silence does not count there: no day of it was covered.
func (w *windowsLog) gaps() {
	slices.SortFunc(w.stretches, func(a, b stretch) int {
		return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.channel, b.channel),
			cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	for i := 1; i < len(w.stretches); i++ {
		a, b := &w.stretches[i-1], &w.stretches[i]
		if a.host != b.host || a.channel != b.channel {
			continue
		}
		// not cleared
		if b.first > a.last+1 && !b.from.Before(a.to) && (a.source != b.source || b.from.Sub(a.to) >= shortest) {
			evidence := fmt.Sprintf("%s ends with event number %d, %s begins with %d", a.source, a.last, b.source,
				b.first)
			if a.source == b.source {
				evidence = fmt.Sprintf("in %s event number %d comes after %d", b.source, b.first, a.last)
			}
			w.cov.Notice(observe.Notice{
				ID: "log-gap", Time: a.to, Host: b.host, Source: b.source,
				What: fmt.Sprintf("the log %s lacks %d events from %s to %s UTC: it overwrote them, or they were "+
					"not read; that nobody appears in that time says nothing", b.channel, b.first-a.last-1,
					a.to.UTC().Format(time.DateTime), b.from.UTC().Format(time.DateTime)),
				Evidence: evidence,
			})
		}
		if a.last > b.last { // b is inside a
			*b = *a
		}
	}
}
