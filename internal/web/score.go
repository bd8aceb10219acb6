package web

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ipcguard/internal/store"
)

// scoreOf returns the score of a day; it rises if a host improves, and falls if one becomes worse or is no longer seen.
func scoreOf(p store.TrendPoint) (n int, ok bool) {
	return store.Counts{Exposed: p.Exposed, Limited: p.Limited, Closed: p.Closed, Unknown: p.Unknown}.Score()
}

// score is the score now, its parts, and its history.
type score struct {
	Now    int
	Word   string        // how good that is
	Class  string        // its color
	Before []scoreBefore // a week and a month ago, if there were hosts
	Bars   []bar         // week by week
	Said   string        // the bars in words
	Width  int
}

type scoreBefore struct {
	When string
	Was  int
	By   int    // the change since then
	Why  string // the hosts that changed it
}

// The history has a bar for each week.
const (
	scoreBar    = 8
	scoreHeight = 40
)

// grade returns how good a score is, in a word and as the class of its color.
func grade(n int) (word, class string) {
	switch {
	case n < 50:
		return "bad", "exposed"
	case n < 80:
		return "fair", "limited"
	}
	return "good", "closed"
}

// newScore is nil if no host is known. points are those of each day, the last of today.
func newScore(points []store.TrendPoint) *score {
	if len(points) == 0 {
		return nil
	}
	now, ok := scoreOf(points[len(points)-1])
	if !ok {
		return nil
	}
	s := &score{Now: now}
	s.Word, s.Class = grade(now)
	for _, b := range []struct {
		when string
		days int
	}{{"a week ago", 7}, {"a month ago", 30}} {
		then, known := dayBefore(points, b.days)
		if was, ok := scoreOf(then); known && ok {
			s.Before = append(s.Before, scoreBefore{b.when, was, now - was, moved(then, points[len(points)-1])})
		}
	}
	var said []string
	for i, p := range weekly(points, weeksBack) {
		n, ok := scoreOf(p)
		if !ok {
			continue
		}
		h := max(1, n*scoreHeight/100)
		_, class := grade(n)
		s.Bars = append(s.Bars, bar{i * (scoreBar + 2), scoreHeight - h, scoreBar, h, class, day(p.Day) + ": " + number(n)})
		said = append(said, number(n))
		s.Width = (i + 1) * (scoreBar + 2)
	}
	s.Said = strings.Join(said, ", ")
	return s
}

// dayBefore returns the point of a day before the last.
func dayBefore(points []store.TrendPoint, days int) (store.TrendPoint, bool) {
	if i := len(points) - 1 - days; i >= 0 {
		return points[i], true
	}
	return store.TrendPoint{}, false
}

// moved returns which counts changed between two days.
func moved(then, now store.TrendPoint) string {
	var out []string
	for _, c := range []struct {
		by   int
		word string
	}{
		{now.Closed - then.Closed, "closed"},
		{now.Limited - then.Limited, "limited"},
		{now.Exposed - then.Exposed, "exposed"},
		{now.Unknown - then.Unknown, "not known"},
	} {
		switch {
		case c.by > 0:
			out = append(out, number(c.by)+" more "+c.word)
		case c.by < 0:
			out = append(out, number(-c.by)+" fewer "+c.word)
		}
	}
	if len(out) == 0 {
		return "as many hosts of each verdict"
	}
	return strings.Join(out, ", ")
}

// tile is the number of hosts with a verdict, and its change.
type tile struct {
	Class, Word, URL string
	Hosts            int
	Since            []string
}

func tilesOf(c store.Counts, points []store.TrendPoint, site string) []tile {
	count := func(class, word string, n int, of func(store.TrendPoint) int) tile {
		t := tile{Class: class, Word: word, Hosts: n, URL: listURL("/hosts", "verdict", class, "site", site)}
		for _, b := range []struct {
			word string
			days int
		}{{"week", 7}, {"month", 30}} {
			if then, ok := dayBefore(points, b.days); ok && then.Exposed+then.Limited+then.Closed+then.Unknown > 0 {
				t.Since = append(t.Since, signed(n-of(then))+" in a "+b.word)
			}
		}
		return t
	}
	return []tile{
		count("exposed", "exposed", c.Exposed, func(p store.TrendPoint) int { return p.Exposed }),
		count("limited", "limited", c.Limited, func(p store.TrendPoint) int { return p.Limited }),
		count("closed", "closed", c.Closed, func(p store.TrendPoint) int { return p.Closed }),
		count("unknown", "not known", c.Unknown, func(p store.TrendPoint) int { return p.Unknown }),
	}
}

// signed formats +3, −3 or ±0.
func signed(n int) string {
	switch {
	case n > 0:
		return "+" + number(n)
	case n < 0:
		return "−" + number(-n)
	}
	return "±0"
}

// standing is a site or an owner: the number of its exposed hosts, and how long the longest-exposed one has been
// unchanged.
type standing struct {
	Name, URL      string
	Exposed, Hosts int
	Oldest         time.Time
	Meter          meter
}

// mostWorst bounds each list of the worst: as many as somebody can work on in a week.
const mostWorst = 5

// worst sums standings by name, and returns those with the most exposed hosts. Those without any are omitted.
func worst(all []store.Standing, name func(store.Standing) string, path func(string) string) []standing {
	sums, order := map[string]*standing{}, []standing{}
	for _, s := range all {
		n := name(s)
		sum := sums[n]
		if sum == nil {
			sum = &standing{Name: n, URL: path(n)}
			sums[n] = sum
		}
		sum.Hosts += s.Hosts
		if s.Exposed() {
			sum.Exposed += s.Hosts
			if sum.Oldest.IsZero() || s.Oldest.Before(sum.Oldest) {
				sum.Oldest = s.Oldest
			}
		}
	}
	for _, sum := range sums {
		if sum.Exposed > 0 {
			sum.Meter = meter{sum.Exposed, sum.Hosts}
			order = append(order, *sum)
		}
	}
	arrange(order, "name", map[string]func(a, b standing) int{"name": by(func(s standing) string { return s.Name })})
	arrange(order, "-exposed",
		map[string]func(a, b standing) int{"exposed": by(func(s standing) int { return s.Exposed })})
	return order[:min(len(order), mostWorst)]
}

// openHost is one of the worst hosts, and the time since when its oldest finding is open.
type openHost struct {
	store.Host
	Since time.Time
}

// worstHosts returns the exposed hosts with the worst findings.
func (v *visit) worstHosts(site string) ([]openHost, error) {
	list, _, err := v.store.Hosts(v.ctx(), store.HostFilter{Site: site, Verdict: "exposed"},
		store.Page{Size: mostWorst, Sort: "-severity", Uncounted: true})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	ids := make([]int64, len(list))
	for i, h := range list {
		ids[i] = h.ID
	}
	since, err := v.store.OpenSince(v.ctx(), store.HostFilter{IDs: ids})
	out := make([]openHost, len(list))
	for i, h := range list {
		out[i] = openHost{h, since[h.ID]}
	}
	return out, err
}

// hostChange is what changed on one host, in one sentence.
type hostChange struct {
	store.Event
	Said  string // the event's text; without the host's name, which precedes it, if it begins with that
	Bare  bool   // it does not begin with that
	Place string // site or address, where other hosts of the list have the same name
	More  string
}

// mostShown is the number of hosts with changes on the first page, and mostRead the number of events read for them: one
// changed file makes about twenty events of a host.
const (
	mostShown = 12
	mostRead  = 150
)

// oneEach joins events, newest first, to one line for each host: its worst event, the newest of several, and the number
// of further ones, which is a minimum if events is incomplete. If a host became closed, that replaces its earlier
// events. A host that was renamed has its newest name. The worst hosts come first.
func oneEach(events []store.Event, all int) []hostChange {
	var out []hostChange
	at, n, closed := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, e := range events {
		key := fmt.Sprint(e.HostID)
		if e.HostID == 0 { // it is about the server itself, or about many hosts
			key = "of " + e.Host
		}
		n[key]++
		i, known := at[key]
		closes := e.Kind == store.EventBecameClosed
		said, begins := strings.CutPrefix(e.Text, e.Host+" ")
		if !known {
			at[key] = len(out)
			out = append(out, hostChange{Event: e, Said: said, Bare: !begins})
		} else if worse := e.Severity.Rank() > out[i].Severity.Rank(); !closed[key] &&
			(worse || closes && out[i].Severity.Rank() <= e.Severity.Rank()) {
			e.Host = out[i].Host
			out[i].Event, out[i].Said, out[i].Bare = e, said, !begins
		}
		closed[key] = closed[key] || closes
	}
	for key, i := range at {
		if more := n[key] - 1; more > 0 {
			out[i].More = plural(more, "more change", "more changes")
			if all > len(events) {
				out[i].More = "at least " + out[i].More
			}
		}
	}
	arrange(out, "-severity",
		map[string]func(a, b hostChange) int{"severity": by(func(t hostChange) int { return t.Severity.Rank() })})
	return out[:min(len(out), mostShown)]
}

// named gives the hosts of changes their present names, and where each is to those that have the same one. A host that
// has left the fleet keeps the name of its last event.
func (v *visit) named(told []hostChange) error {
	var ids []int64
	for _, t := range told {
		if t.HostID != 0 {
			ids = append(ids, t.HostID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, _, err := v.store.Hosts(v.ctx(), store.HostFilter{IDs: ids}, store.Page{Sort: "id", Uncounted: true})
	if err != nil {
		return err
	}
	address := map[int64]string{}
	for _, h := range list {
		address[h.ID] = h.Address
		for i := range told {
			if told[i].HostID == h.ID {
				told[i].Host = h.Name
			}
		}
	}
	for i, a := range told {
		for j, b := range told {
			switch {
			case i == j || a.HostID == 0 || a.Host != b.Host:
			case a.Site == b.Site:
				told[i].Place = cmp.Or(address[a.HostID], "retired")
			case told[i].Place == "":
				told[i].Place = a.Site
			}
		}
	}
	return nil
}
