package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/observe"
)

// numberedEvent is an event that tells its number in its log. Windows numbers a log's events one by one, so that a number that is
// left out is an event that is not there.
type numberedEvent interface{ EventRecordID() uint64 }

// setBack is how far a log's clock may go back between two events without a word: events of several processors stand a little
// out of order.
const setBack = 5 * time.Minute

// stretch is what one file has of one log.
type stretch struct {
	host, channel, source string

	first, last, n uint64 // the lowest and the highest number, and how many there are
	from, to       time.Time
}

// whole tells whether no number is left out in it. A file of chosen events has holes of its own, which say nothing.
func (s *stretch) whole() bool { return s.n > 0 && s.last-s.first == s.n-1 }

// number takes the number of an event, in the order of the file.
func (w *windowsLog) number(e winEvent, n uint64) {
	if n == 0 {
		return
	}
	s, t := &w.now, e.Time()
	if s.n == 0 {
		*s = stretch{host: observe.Clip(e.Computer()), channel: observe.Clip(e.Channel()), source: w.source, first: n, last: n, from: t, to: t}
	}
	if n == s.last+1 && !t.IsZero() && s.to.Sub(t) > setBack {
		w.notice(e, "clock-set-back", "", fmt.Sprintf("its clock went back by %s: times of before and after do not compare", s.to.Sub(t).Round(time.Second)),
			fmt.Sprintf("event number %d of the log %s is dated %s, and the one before it %s", n, s.channel, t.UTC().Format(time.DateTime), s.to.UTC().Format(time.DateTime)))
	}
	s.n++
	if n < s.first {
		s.first, s.from = n, t
	}
	if n > s.last {
		s.last, s.to = n, t
	}
}

// fileEnds keeps what a file had of a log. Many small files, as an archive may have, are bounded as hosts are.
func (w *windowsLog) fileEnds() {
	if w.now.whole() && len(w.stretches) < maxHosts {
		w.stretches = append(w.stretches, w.now)
	}
	w.now = stretch{}
}

// gaps tells what is missing between the files of one log. Silence does not count there: no day of it was heard.
func (w *windowsLog) gaps() {
	slices.SortFunc(w.stretches, func(a, b stretch) int {
		return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.channel, b.channel), cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	for i := 1; i < len(w.stretches); i++ {
		a, b := &w.stretches[i-1], &w.stretches[i]
		if a.host != b.host || a.channel != b.channel {
			continue
		}
		if b.first > a.last+1 && !b.from.Before(a.to) { // else the log was cleared, and counts anew
			w.cov.Notice(observe.Notice{
				ID: "log-gap", Time: a.to, Host: b.host, Source: b.source,
				What:     fmt.Sprintf("the log %s lacks %d events from %s to %s UTC: it overwrote them, or their file was not read; that nobody appears in that time says nothing", b.channel, b.first-a.last-1, a.to.UTC().Format(time.DateTime), b.from.UTC().Format(time.DateTime)),
				Evidence: fmt.Sprintf("%s ends with event number %d, %s begins with %d", a.source, a.last, b.source, b.first),
			})
		}
		if a.last > b.last { // b lies within a
			*b = *a
		}
	}
}
