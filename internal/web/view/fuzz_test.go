package view

import (
	"net/url"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// FuzzQuery: the query of a URL is refused, or chooses what it says: no unknown word, no time that a database cannot
// hold, and nothing that a second reading would choose otherwise.
func FuzzQuery(f *testing.F) {
	f.Add("q=srv&site=office&verdict=exposed&least=high&unchanged=30&smb1=true")
	f.Add("verdict=%00&q=%ff&&;")
	f.Add("unseen=9007199254740993&logon=none")
	f.Add("q=a&q=b")
	f.Add("since=2026-11-22&until=9999-12-31T23:59:59Z&kind=became-exposed&after=1")
	f.Add("from=0000-01-01&to=1969-12-31T23:59:59-23:59")
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, query string) {
		h, err := ReadHosts(query, now)
		if err == nil && h.IDs != nil {
			t.Errorf("%q is accepted, and chooses nobody", query)
		}
		q, bad := url.ParseQuery(query)
		if bad != nil && err == nil {
			t.Errorf("%q is no query, and is accepted", query)
		}
		loose := Hosts(q, now)
		for _, at := range []time.Time{h.Unchanged, h.Unseen, loose.Unchanged, loose.Unseen} {
			if !at.IsZero() && (at.After(now) || at.Year() < 1900) {
				t.Errorf("%q chooses hosts since %v", query, at)
			}
		}
		e := Events(q)
		from, to := Span(q, now)
		for _, at := range []time.Time{e.Since, e.Until, from, to} {
			if !at.IsZero() && (at.Year() < 1969 || at.Year() > 9999) {
				t.Errorf("%q has the time %v", query, at)
			}
		}
		for _, text := range []string{loose.Text, loose.Site, loose.Finding, e.Site, Targets(q).Text} {
			if len(text) > 4*MaxParam {
				t.Errorf("a text of %d bytes", len(text))
			}
		}
		if k := Targets(q).Kind; k != "" && k != store.TargetHost && k != store.TargetRange {
			t.Errorf("%q chooses targets of the kind %q", query, k)
		}
	})
}
