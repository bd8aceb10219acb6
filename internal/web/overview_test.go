package web

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// The first page says what to do before it says how it went: three settings, the one for most hosts first, each a link
// away from the hosts that it fixes and two from the plan of one.
func TestOverviewLeads(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleViewer)
	page := p.ok("/")
	first, trend := strings.Index(page, `<ol class="first">`), strings.Index(page, "The last weeks")
	if first < 0 || trend < first {
		t.Fatalf("the changes are at %d, the trend at %d", first, trend)
	}
	counts, err := s.st.SettingCounts(t.Context(), store.HostFilter{})
	if err != nil {
		t.Fatal(err)
	}
	most := counts[0].Hosts
	links := regexp.MustCompile(`class="button" href="([^"]+)#hosts"`).FindAllStringSubmatch(page, -1)
	if len(links) != 3 {
		t.Fatalf("%d changes lead to their hosts, want 3", len(links))
	}
	for _, l := range links {
		hosts := p.ok(html.UnescapeString(l[1]))
		if !strings.Contains(hosts, `id="hosts"`) {
			t.Errorf("%s has no list of hosts", l[1])
		}
		plans := regexp.MustCompile(`href="(/hosts/\d+)#plan"`).FindAllStringSubmatch(hosts, -1)
		if len(plans) == 0 || len(plans) > most {
			t.Fatalf("%s leads to %d plans, want 1 to %d", l[1], len(plans), most)
		}
		if host := p.ok(plans[0][1]); !strings.Contains(host, `<section id="plan">`) {
			t.Errorf("%s has no plan", plans[0][1])
		}
	}
}

// Of those who notice only they are named who notice the value that is wanted, each once.
func TestWhoNotices(t *testing.T) {
	s := &catalog.Setting{
		Wanted: []catalog.Wanted{{Value: 1}},
		Breaks: []catalog.Breakage{
			{Who: "trusts", Value: 1},
			{Who: "old clients", Value: 2},
			{Who: "everybody"},
			{Who: "trusts"},
		},
	}
	if got := strings.Join(whoNotices(s), ", "); got != "trusts, everybody" {
		t.Error(got)
	}
	if got := whoNotices(nil); got != nil {
		t.Error("a setting that the catalog lacks: ", got)
	}
}

// TestGraveFirst: a hundred small changes do not hide the grave one that came before them.
func TestGraveFirst(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	h, now := s.host("10.1.0.4:445"), time.Now().UTC()
	events := []store.Event{{
		At: now.Add(-time.Hour), Kind: store.EventBecameExposed, Severity: model.High,
		HostID: h.ID, Site: h.Site, Host: h.Name, Text: "The one that matters.",
	}}
	for i := range mostRead + 1 {
		events = append(events, store.Event{
			At:   now.Add(time.Duration(i) * time.Millisecond),
			Kind: store.EventSettingChanged, Severity: model.Low, HostID: h.ID + 1, Site: h.Site, Host: "other",
			Text: "A small one.",
		})
	}
	if err := s.st.InTx(t.Context(), func(tx *store.Tx) error { return tx.AddEvents(t.Context(), events) }); err != nil {
		t.Fatal(err)
	}
	if body := s.login(store.RoleViewer).ok("/"); !strings.Contains(body, "The one that matters.") {
		t.Errorf("the overview does not say it: %s", body)
	}
}

// TestToldOnce: since the last visit a host was renamed, and another one was found to be the same machine as a third:
// each is one line with its present name, once. Two hosts of one name are told apart.
func TestToldOnce(t *testing.T) {
	for kind, empty := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			s := newTestSiteOn(t, empty(t))
			site := store.Site{Name: "default"}
			if err := s.st.SaveSite(t.Context(), &site); err != nil {
				t.Fatal(err)
			}
			at := time.Now().UTC().Add(-time.Hour)
			look := func(n int, name, text string) int64 {
				t.Helper()
				at = at.Add(time.Second)
				r := &store.Result{
					Kind: store.RunScan, At: at, Verdict: model.Exposed,
					Snapshot: store.Snapshot{Verdict: model.Exposed},
					Host:     store.Host{SiteID: site.ID, Address: fmt.Sprintf("10.0.0.%d:445", n), Name: name},
					Events: []store.Event{{
						At: at, Kind: store.EventPipeOpened, Severity: model.Medium, Host: name,
						Text: name + " " + text + ".",
					}},
				}
				if _, err := s.st.RecordResult(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				return r.HostID
			}
			renamed := look(1, "before.example", "lets guest in")
			look(1, "after.example", "opens samr")
			keep := look(2, "keep.example", "opens srvsvc")
			if err := s.st.MergeHosts(t.Context(), keep, look(3, "gone.example", "opens lsarpc")); err != nil {
				t.Fatal(err)
			}
			twin := look(4, "twin.example", "opens winreg")
			look(5, "twin.example", "opens winreg")
			page := s.login(store.RoleViewer).ok("/")
			list := page[strings.Index(page, `<ul class="told">`):]
			list = list[:strings.Index(list, "</ul>")]
			for id, want := range map[int64]string{
				renamed: `">after.example</a> opens samr. <span class="dim">And 1 more change.</span>`,
				keep:    `">keep.example</a> opens lsarpc. <span class="dim">And 1 more change.</span>`,
				twin:    `">twin.example</a> <span class="dim">(10.0.0.4:445)</span> opens winreg. `,
			} {
				link := fmt.Sprintf(`href="/hosts/%d`, id)
				if strings.Count(list, link+`"`) != 1 || !strings.Contains(list, link+want) {
					t.Errorf("want once %s%s in\n%s", link, want, list)
				}
			}
			if n := strings.Count(list, "<li>"); n != 4 {
				t.Errorf("%d lines of four hosts", n)
			}
		})
	}
}

// TestOldAudits: the first page and the settings say which hosts changed since the audit that their counts are from,
// also to those who have seen the changes, and lead to them.
func TestOldAudits(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	for _, path := range []string{"/", "/settings"} {
		if body := p.ok(path); !strings.Contains(body, "last scan and, where it was audited, last audit") || strings.Contains(body, "since the last audit") {
			t.Errorf("%s does not say what it counts, or calls an audit old that is not", path)
		}
	}
	h, now := s.host("10.1.0.4:445"), time.Now().UTC()
	old := now.AddDate(0, -3, 0)
	audit := &store.Result{
		Kind: store.RunAudit, At: old, Host: store.Host{SiteID: h.SiteID, Address: h.Address, Name: h.Name},
		Snapshot: store.Snapshot{Settings: map[string]string{"a": "1"}}, Findings: []store.HostFinding{},
	}
	if _, err := s.st.RecordResult(t.Context(), audit); err != nil {
		t.Fatal(err)
	}
	p.post("/seen")
	for _, path := range []string{"/", "/settings"} {
		body := p.ok(path)
		for _, want := range []string{
			"1 host changed since the last audit", h.Name, old.Format(time.DateOnly), "Audit again",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		check(t, path, body)
	}
	list := p.ok("/hosts?audit=old")
	if !strings.Contains(list, "that changed since their last audit") || strings.Count(list, `name="host"`) != 1 {
		t.Error("the list of hosts with old audits has others")
	}
}

// TestNothingOpen: where no finding is listed, the pages say of how many hosts nothing is known, and a fleet without
// results is not called free of findings.
func TestNothingOpen(t *testing.T) {
	s := newTestSite(t)
	p := s.login(store.RoleViewer)
	for _, path := range []string{"/findings", "/settings", "/report"} {
		if body := p.ok(path); !strings.Contains(body, "what is open is not known") || strings.Contains(body, "No finding is open") {
			t.Errorf("%s calls a fleet that was never scanned free of findings", path)
		}
	}
	site := store.Site{Name: "default"}
	if err := s.st.SaveSite(t.Context(), &site); err != nil {
		t.Fatal(err)
	}
	for i, verdict := range []model.Verdict{model.Closed, model.Unreachable} {
		_, err := s.st.RecordResult(t.Context(), &store.Result{
			Kind: store.RunScan, At: time.Now(), Verdict: verdict, Snapshot: store.Snapshot{Verdict: verdict},
			Host: store.Host{SiteID: site.ID, Address: "10.0.0." + string(rune('1'+i)) + ":445"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"/":                    "No finding is open that a setting would close, but what strangers get from 1 of 2 hosts is",
		"/findings":            "No finding is open, but what strangers get from 1 of 2 hosts is not known.",
		"/findings?finding=x":  "No finding is open of this kind, but what strangers get from 1 of 2 hosts is not known.",
		"/findings?q=10.0.0.1": "<p>No finding is open.</p>",
		"/settings":            "No finding is open that a setting would close, but what strangers get from 1 of 2 hosts is",
		"/report":              "No finding is open, but what strangers get from 1 of 2 hosts is not known.",
	}
	for path, says := range want {
		if body := p.ok(path); !strings.Contains(body, says) {
			t.Errorf("%s does not say %q", path, says)
		}
	}
}
