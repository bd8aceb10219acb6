package web

import (
	"testing"
	"testing/quick"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The score never falls when a host becomes better, never rises when one becomes worse or is lost from sight, is 100
// for closed hosts alone, and nothing for hosts of which nobody knows anything.
func TestScore(t *testing.T) {
	of := func(exposed, limited, closed, unknown int) int {
		n, _ := scoreOf(store.TrendPoint{Exposed: exposed, Limited: limited, Closed: closed, Unknown: unknown})
		return n
	}
	if err := quick.Check(func(exposed, limited, closed, unknown uint16) bool {
		e, l, c, u := int(exposed)+1, int(limited)+1, int(closed)+1, int(unknown)+1
		n := of(e, l, c, u)
		// better
		return n >= 0 && n < 100 && of(e-1, l+1, c, u) >= n && of(e, l-1, c+1, u) >= n && of(e-1, l, c+1, u) >= n &&
			of(e, l-1, c, u+1) <= n && of(e, l, c-1, u+1) <= n && of(e-1, l, c, u+1) == n // lost from sight
	}, nil); err != nil {
		t.Error(err)
	}
	if of(0, 0, 7, 0) != 100 || of(0, 0, 0, 9) != 0 || of(1, 0, 999, 0) != 99 || of(0, 2, 0, 0) != 50 {
		t.Error(of(0, 0, 7, 0), of(0, 0, 0, 9), of(1, 0, 999, 0), of(0, 2, 0, 0))
	}
	if _, ok := scoreOf(store.TrendPoint{}); ok {
		t.Error("no host has a score")
	}
}

// A score says how good it is, and so does each bar of its history: a low one is not green.
func TestScoreGrade(t *testing.T) {
	day := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		p           store.TrendPoint
		word, class string
	}{
		{store.TrendPoint{Day: day, Exposed: 81, Closed: 19}, "bad", "exposed"},
		{store.TrendPoint{Day: day, Exposed: 50, Closed: 50}, "fair", "limited"},
		{store.TrendPoint{Day: day, Exposed: 20, Closed: 80}, "good", "closed"},
	} {
		s := newScore([]store.TrendPoint{c.p})
		if s.Word != c.word || s.Class != c.class || len(s.Bars) != 1 || s.Bars[0].Class != c.class {
			t.Errorf("%d: %s, %s, %+v", s.Now, s.Word, s.Class, s.Bars)
		}
	}
}

// The score says where it was a week and a month ago and which hosts moved it, as far as there were hosts.
func TestScoreMoved(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	var points []store.TrendPoint
	for i := range 20 {
		p := store.TrendPoint{Day: now.AddDate(0, 0, i-19), Exposed: 10}
		if i >= 15 {
			p.Exposed, p.Closed = 5, 6
		}
		points = append(points, p)
	}
	s := newScore(points)
	if s.Now != 54 || len(s.Before) != 1 ||
		s.Before[0] != (scoreBefore{"a week ago", 0, 54, "6 more closed, 5 fewer exposed"}) {
		t.Errorf("%+v", s)
	}
	if tiles := tilesOf(store.Counts{Exposed: 5}, points, ""); len(tiles[0].Since) != 1 || tiles[0].Since[0] != "−5 in a week" {
		t.Errorf("%+v", tiles[0])
	}
	if newScore(nil) != nil || newScore(make([]store.TrendPoint, 3)) != nil {
		t.Error("a score without hosts")
	}
}

// Many events of a host are one line, with the worst of them, and the worst hosts stand first.
func TestOneEach(t *testing.T) {
	events := []store.Event{
		{HostID: 1, Severity: model.Low, Text: "a"},
		{HostID: 2, Severity: model.Medium, Text: "b"},
		{HostID: 1, Severity: model.High, Text: "c"},
		{HostID: 1, Severity: model.High, Text: "d"},
		{HostID: 3, Text: "e"},
	}
	got := oneEach(events, len(events))
	if more := oneEach(events, 200)[0].More; more != "at least 2 more changes" {
		t.Errorf("of events that were not all read: %q", more)
	}
	if len(got) != 3 || got[0].Text != "c" || got[0].More != "2 more changes" || got[1].Text != "b" ||
		got[1].More != "" || got[2].Text != "e" {
		t.Errorf("%+v", got)
	}
	events = []store.Event{
		{HostID: 1, Severity: model.Info, Text: "ended", Kind: store.EventFindingEnded},
		{HostID: 1, Severity: model.Info, Text: "closed", Kind: store.EventBecameClosed},
		{HostID: 1, Severity: model.High, Text: "exposed", Kind: store.EventBecameExposed},
		{HostID: 2, Severity: model.High, Text: "opened", Kind: store.EventPipeOpened},
		{HostID: 2, Severity: model.Info, Text: "closed", Kind: store.EventBecameClosed},
	}
	got = oneEach(events, len(events))
	if len(got) != 2 || got[0].Text != "opened" || got[1].Text != "closed" || got[1].More != "2 more changes" {
		t.Errorf("closed since: %+v", got)
	}
	events = []store.Event{
		{HostID: 1, Host: "new", Severity: model.Low, Text: "new speaks SMB1 again."},
		{HostID: 1, Host: "old", Severity: model.High, Text: "old became exposed: x."},
		{Host: "ipcguard", Severity: model.Info, Text: "The worker w is silent."},
	}
	got = oneEach(events, len(events))
	if len(got) != 2 || got[0].Host != "new" || got[0].Said != "became exposed: x." || got[0].Bare ||
		got[1].Said != "The worker w is silent." || !got[1].Bare {
		t.Errorf("renamed since: %+v", got)
	}
}

// The worst sites and owners are those with the most exposed hosts, with the age of the one that is so for longest.
func TestWorst(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	got := worst([]store.Standing{
		{Owner: "ada", Site: "x", Verdict: model.Exposed, Hosts: 2, Oldest: day(5)},
		{Owner: "ada", Site: "y", Verdict: model.Exposed, Hosts: 1, Oldest: day(3)},
		{Owner: "ada", Site: "y", Verdict: model.Closed, Hosts: 7, Oldest: day(1)},
		{Owner: "bo", Site: "x", Verdict: model.Exposed, Hosts: 4, Oldest: day(9)},
		{Owner: "cy", Site: "x", Verdict: model.Limited, Hosts: 50, Oldest: day(2)},
	}, func(s store.Standing) string { return s.Owner }, func(n string) string { return "/" + n })
	if len(got) != 2 || got[0].Name != "bo" || got[1].Exposed != 3 || got[1].Hosts != 10 ||
		!got[1].Oldest.Equal(day(3)) {
		t.Errorf("%+v", got)
	}
}
