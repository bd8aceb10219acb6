package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

// reportPages returns the pages that the command line writes, of the richest seeds that there are.
func reportPages(t *testing.T) map[string][]byte {
	t.Helper()
	scan, audit, use := pageScan(), pageAudit(), pageUse()
	made,
		err := plan.Make(plan.Evidence{Audit: audit, Scans: []*model.Scan{scan}, Policy: plan.Policy{Goal: "findings"}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	put := func(name string, write func(b *bytes.Buffer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out["/"+name] = b.Bytes()
	}
	document := func(b *bytes.Buffer, add func(*report.Document)) error {
		d, err := report.NewDocument(b, "html", report.Style{})
		if err != nil {
			return err
		}
		d.PlanWith(func(*model.Audit, []*model.Scan) *model.Plan { return made })
		add(d)
		return d.Close()
	}
	put("scan", func(b *bytes.Buffer) error { return document(b, func(d *report.Document) { d.AddScan(scan) }) })
	put("audit", func(b *bytes.Buffer) error {
		return document(b, func(d *report.Document) { d.AddScan(scan); d.AddAudit(audit) })
	})
	put("many", func(b *bytes.Buffer) error {
		other := *scan
		other.Target, other.Server.Name, other.Verdict, other.Identities = "srv9", "SRV9", model.Closed, nil
		return document(b, func(d *report.Document) { d.AddScan(scan); d.AddScan(&other); d.AddAudit(audit) })
	})
	put("plan", func(b *bytes.Buffer) error { return report.WritePlan(b, "html", made, report.Style{}, 0) })
	put("use", func(b *bytes.Buffer) error { return report.WriteObservation(b, "html", use, report.Style{}) })
	return out
}

func pageScan() *model.Scan {
	yes, no := model.Step{Outcome: model.Allowed}, model.Step{Outcome: model.Denied, Status: "STATUS_LOGON_FAILURE"}
	return &model.Scan{
		Schema: model.SchemaScan, Target: "srv1", Address: "192.0.2.1:445", Verdict: model.Exposed, Partial: true,
		Server: model.Server{Name: "SRV1", System: "samba"},
		Limits: []model.Limit{{Limit: model.LimitPages, Why: "1 page was read"}},
		Identities: []model.IdentityResult{
			{
				Identity: model.Anonymous, Session: yes, Tree: yes,
				Pipes: []model.PipeResult{{
					Pipe: "samr", Open: yes,
					Interfaces: []model.InterfaceResult{{Interface: "samr", Bind: yes, Calls: []model.CallResult{
						{
							Call: "SamrEnumerateUsersInDomain", Outcome: model.Allowed,
							Discloses: model.DisclosesAccounts,
							Count:     3,
						},
					}}},
				}},
			},
			{Identity: model.Guest, Session: no},
			{Identity: model.UnknownUser, Session: model.Step{Outcome: model.Inconclusive}},
		},
		Findings: []model.Finding{
			{
				ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous, Pipe: "samr",
				Evidence: "anonymous read 3 accounts", Fix: "restrict anonymous = 2.",
				Settings: []string{"restrict anonymous"}, Sources: []string{"D Q143474", "3 nessus"},
				Looks: []model.Look{{
					Asked: "SamrEnumerateUsersInDomain", Of: "192.0.2.1:445", Times: 1,
					Answer: "STATUS_SUCCESS",
				}},
			},
			{
				ID: "signing-not-required", Severity: model.Medium, Evidence: "signing is enabled",
				Fix: "server signing = mandatory.", Settings: []string{"server signing"},
			},
			{
				ID: "null-session-accepted", Severity: model.Low, Identity: model.Anonymous,
				Evidence: "a null session was accepted",
			},
			{ID: "pipe-firewall-active", Severity: model.Info, Evidence: "for the colours"},
		},
	}
}

func pageAudit() *model.Audit {
	given := map[model.Disclosure]model.Outcome{
		model.DisclosesAccounts: model.Allowed,
		model.DisclosesFiles:    model.OutcomeUnknown, model.DisclosesShares: model.Denied,
	}
	return &model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "smbconf", Name: "smb.conf"}, Host: "SRV1",
		Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone, Why: []string{"a"}},
		Partial:  true, Problems: []string{"a file was not read"},
		Settings: []model.Setting{{
			ID: "restrict anonymous", Where: "[global] restrict anonymous", Type: "int",
			Present: true, Configured: 0, Effective: 0, Basis: model.BasisConfigured, State: model.StateWeak,
			Why: "0",
		}},
		Access: map[model.Identity]model.Access{model.Anonymous: {
			Session: model.Allowed, Tree: model.Allowed,
			Pipes: map[string]model.Outcome{"samr": model.Allowed}, Discloses: given,
		}},
		Findings: []model.Finding{{
			ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous,
			Evidence: "the configuration gives accounts", Fix: "restrict anonymous = 2.",
		}},
		Shares:   []model.Share{{Name: "public", Guest: true, Path: "/srv"}},
		Services: []model.Service{{ID: "spoolss", Evidence: "it runs"}},
	}
}

func pageUse() *model.Observation {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	o := &model.Observation{Schema: model.SchemaObserve, Coverage: model.Coverage{From: at, To: at.Add(time.Hour)}}
	for _, id := range []model.Identity{
		model.Anonymous, model.Guest, model.UnknownUser, model.User, model.Machine,
		model.Unknown, model.Opaque,
	} {
		for _, outcome := range []model.Outcome{model.Allowed, model.Denied, model.Inconclusive} {
			o.Uses = append(o.Uses, model.Use{
				Client: "192.0.2.9", Server: "192.0.2.1", Identity: id, Share: "IPC$",
				Pipe: "samr", Call: "SamrConnect5", Layer: model.LayerCall, Outcome: outcome, Count: 2, First: at,
				Last: at,
			})
		}
		o.Days = append(o.Days, model.Day{Day: "2026-03-01", Identity: id, Count: 2})
	}
	return o
}

// TestReportAccessibility runs axe-core on the pages that the command line writes, as TestAccessibility does on those
// of the fleet: every rule in the light theme, contrast in the dark one, and whether they fit on a telephone.
func TestReportAccessibility(t *testing.T) {
	source := axeSource(t)
	pages := reportPages(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The checker is run in the page, which its own policy forbids: what is checked are its elements and colours.
		_, _ = w.Write(bytes.Replace(pages[r.URL.Path], []byte(`http-equiv="Content-Security-Policy"`),
			[]byte(`name="policy"`), 1))
	}))
	t.Cleanup(server.Close)
	p := (&testSite{server: server}).tab(t, browser(t))
	for path := range pages {
		p.size(1200, false)
		p.open(path)
		p.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('details').forEach(d => d.open = true)`),
			chromedp.Evaluate[chromedp.Void](source+";undefined"))
		for _, line := range eval[[]string](p, replaceRules(`{resultTypes: ['violations']}`)) {
			t.Errorf("%s in the light theme: %s", path, line)
		}
		p.size(1200, true)
		for _, line := range eval[[]string](p,
			replaceRules(`{runOnly: ['color-contrast'], resultTypes: ['violations']}`)) {
			t.Errorf("%s in the dark theme: %s", path, line)
		}
		for _, width := range []int64{390, 360} {
			p.size(width, true)
			if w := eval[int](p, `document.documentElement.scrollWidth`); int64(w) > width {
				t.Errorf("%s is %d pixels wide on a screen of %d", path, w, width)
			}
		}
		if n := eval[int](p, `document.querySelectorAll('h1').length`); n != 1 || strings.TrimSpace(p.text(".answer")) == "" {
			t.Errorf("%s has %d headings of its own, or no answer", path, n)
		}
	}
}
