package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"ipcguard/internal/model"
)

// came returns an observation in which clients logged on.
func (s *suite) came(uses ...model.Use) []byte {
	s.Helper()
	for i := range uses {
		u := &uses[i]
		u.Layer, u.Count, u.Server = model.LayerSession, 1, "10.0.0.1"
		if u.Outcome == "" {
			u.Outcome = model.Allowed
		}
		if u.Identity == "" {
			u.Identity = model.User
		}
		u.First, u.Last = s.clock(), s.clock().Add(time.Minute)
	}
	b, err := json.Marshal(model.Observation{Schema: model.SchemaObserve, Uses: uses})
	s.ok(err)
	return b
}

// logonsOf returns the hosts' weakest logons, and the clients' ways with the number of hosts.
func (s *suite) logonsOf(f HostFilter) string {
	s.Helper()
	hosts, _, err := s.Hosts(s.ctx, f, Page{})
	s.ok(err)
	var words []string
	for _, h := range hosts {
		words = append(words, fmt.Sprintf("%s=%s", strings.Replace(h.Name, "HOST", "h", 1), h.Logon))
	}
	words = append(words, "|")
	ways, total, err := s.ClientLogons(s.ctx, f, Page{})
	s.ok(err)
	if total != len(ways) {
		s.Errorf("%d ways of %d", len(ways), total)
	}
	for _, w := range ways {
		words = append(words, fmt.Sprintf("%s:%s:%s:%d", w.Client, w.Strength, w.Package, w.Hosts))
	}
	return strings.Join(words, " ")
}

func TestClientLogons(t *testing.T) {
	onBoth(t, func(s *suite) {
		v1 := model.Use{Client: "c1", Package: model.PackageNTLMv1}
		v2 := model.Use{Client: "c1", Package: model.PackageNTLMv2, Signed: model.True}
		kerberos := model.Use{Client: "c2", Package: model.PackageKerberos, Signed: model.True}
		refused := model.Use{Client: "c3", Package: model.PackageLM, Outcome: model.Denied}
		unanswered := model.Use{Client: "c4", Package: model.PackageLM, Outcome: model.Inconclusive}
		audited := model.Use{Client: "c5", Package: model.PackageNTLMv1, Outcome: model.Inconclusive, Log: true}
		targets := s.targets("a", "b", "c")
		run := s.run(RunScan)
		ids := make([]int64, 3)
		for i := range targets {
			ids[i] = s.record(s.scan(run, targets[i], i+1, model.Closed)).ID
		}
		keep := func(host int64, uses ...model.Use) {
			s.Helper()
			s.ok(s.SaveDocument(s.ctx, host, KindObserve, s.clock(), s.came(uses...)))
		}
		want := func(what string, f HostFilter, want string) {
			s.Helper()
			same(s, what, s.logonsOf(f), want)
		}
		want("nothing observed", HostFilter{}, "h1= h2= h3= |")
		keep(ids[0], audited)
		want("told without the result", HostFilter{}, "h1=broken h2= h3= | c5:broken:ntlmv1:1")
		keep(ids[0], v1, v2, refused, unanswered)
		keep(ids[1], v2, kerberos)
		all := "h1=broken h2=ntlm h3= | c1:broken:ntlmv1:1 c1:ntlm:ntlmv2:2 c2:strong:kerberos:1"
		want("observed", HostFilter{}, all)
		want("by logon", HostFilter{Logon: model.StrengthNTLM}, "h2=ntlm | c1:ntlm:ntlmv2:2")
		want("by client", HostFilter{Client: "c1"}, "h1=broken h2=ntlm | c1:broken:ntlmv1:1 c1:ntlm:ntlmv2:2")
		want("by client's logon", HostFilter{Client: "c1", Logon: model.StrengthNTLM},
			"h1=broken h2=ntlm | c1:ntlm:ntlmv2:2")
		want("elsewhere", HostFilter{Within: Sites{}}, "|")
		if hosts, _, err := s.Hosts(s.ctx, HostFilter{}, Page{Sort: "-logon"}); err != nil ||
			hosts[0].Logon != model.StrengthBroken || hosts[2].Logon != "" {
			s.Errorf("the weakest first: %+v, %v", hosts, err)
		}
		same(s, "of no site", s.only(Sites{}), 0)
		same(s, "of this site", s.only(Sites{s.site.ID}), 3)
		if ways, total, err := s.ClientLogons(s.ctx, HostFilter{Text: "C2"}, Page{}); err != nil || total != 1 ||
			ways[0].Client != "c2" {
			s.Errorf("by text: %+v of %d, %v", ways, total, err)
		}
		s.fails(s.SaveDocument(s.ctx, ids[0], KindObserve, s.clock(), []byte("no JSON")), ErrAsked)
		want("after what is no observation", HostFilter{}, all)

		// A database with the schema before the table of logons keeps its documents, and the migration derives the
		// rest.
		const beforeLogons = 6
		s.ok(s.withGoose(func(p *goose.Provider) error {
			_, err := p.DownTo(s.ctx, beforeLogons)
			return err
		}))
		if _, err := s.exec(s.ctx, `SELECT count(*) FROM logons`); err == nil {
			s.Fatal("the older schema has the table")
		}
		s.ok(s.Migrate(s.ctx))
		want("migrated", HostFilter{}, all)
		_, err := s.Meta(s.ctx, metaLogons)
		s.fails(err, ErrNotFound) // nothing is left to read

		keep(ids[0], v2)
		want("a later observation", HostFilter{}, "h1=ntlm h2=ntlm h3= | c1:ntlm:ntlmv2:2 c2:strong:kerberos:1")
		keep(ids[0], v1)
		s.ok(s.MergeHosts(s.ctx, ids[1], ids[0])) // has an observation of its own
		want("merged", HostFilter{}, "h2=ntlm h3= | c1:ntlm:ntlmv2:1 c2:strong:kerberos:1")
		s.ok(s.MergeHosts(s.ctx, ids[2], ids[1])) // has none
		want("taken over", HostFilter{}, "h3=ntlm | c1:ntlm:ntlmv2:1 c2:strong:kerberos:1")
		s.consistent()
		s.ok(s.DeleteHost(s.ctx, ids[2]))
		want("removed", HostFilter{}, "|")
	})
}

// only counts the ways visible to a user with some sites.
func (s *suite) only(sites Sites) int {
	s.Helper()
	_, total, err := Only(s.Store, sites, 0).ClientLogons(s.ctx, HostFilter{}, Page{})
	s.ok(err)
	return total
}

// Names come from clients and may contain anything at any length.
func TestHostileClientLogons(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		host := s.record(s.scan(s.run(RunScan), target, 1, model.Closed))
		long := strings.Repeat("€", 4000)
		s.ok(s.SaveDocument(s.ctx, host.ID, KindObserve, s.clock(), s.came(
			model.Use{Client: "\x00\x1b[31m<script>", Package: model.PackageNTLMv1, Dialect: long},
			model.Use{Client: long + "1", Package: long},
			model.Use{Client: long + "2", Package: long}, model.Use{Client: "%_\\", Package: model.PackageNTLMv2},
			model.Use{Client: ""})))
		ways, total, err := s.ClientLogons(s.ctx, HostFilter{}, Page{})
		s.ok(err)
		if total != 4 {
			s.Errorf("%d ways", total)
		}
		for _, w := range ways {
			if len(w.Client) > maxLogonText || len(w.Dialect) > maxLogonText || strings.Contains(w.Client, "\x00") {
				s.Errorf("kept %q, %q", w.Client, w.Dialect)
			}
			hosts, _, err := s.Hosts(s.ctx, HostFilter{Client: w.Client, Logon: w.Strength}, Page{})
			s.ok(err)
			if len(hosts) != 1 && w.Client != "" {
				s.Errorf("%d hosts of %q", len(hosts), w.Client)
			}
		}
	})
}

// Times and counts come from a file: none of them breaks the list, and no invalid time is stored.
func TestForgedClientLogons(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		host := s.record(s.scan(s.run(RunScan), target, 1, model.Closed))
		body := `{"schema":"ipcguard.observe/1","uses":[
			{"client":"a","identity":"user","package":"lm","layer":"session","outcome":"allowed","count":9223372036854775807,"first":"9999-12-31T00:00:00Z","last":"0001-01-01T00:00:00Z"},
			{"client":"a","identity":"user","package":"lm","layer":"session","outcome":"allowed","count":9223372036854775807,"first":"2026-01-01T00:00:00Z"},
			{"client":"b","identity":"nonsense","package":"nonsense","layer":"nonsense","outcome":"nonsense","count":-1}]}`
		s.ok(s.SaveDocument(s.ctx, host.ID, KindObserve, s.clock(), []byte(body)))
		ways, _, err := s.ClientLogons(s.ctx, HostFilter{}, Page{Sort: "client"})
		s.ok(err)
		for _, w := range ways {
			if w.FirstSeen.After(w.LastSeen) && !w.LastSeen.IsZero() {
				s.Errorf("%+v", w)
			}
		}
		if h, err := s.Host(s.ctx, host.ID); err != nil || h.Logon == "" {
			s.Errorf("%+v, %v", h, err)
		}
	})
}
