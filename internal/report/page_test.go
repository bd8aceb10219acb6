package report

import (
	"bytes"
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

var update = flag.Bool("update", false, "write the golden pages anew")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// seenServer is a Windows server that gives accounts to null sessions and guests, and one disk share.
func seenServer() *model.Scan {
	yes, no := model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"},
		model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}
	samr := func(n int) []model.PipeResult {
		return []model.PipeResult{
			{Pipe: "samr", Open: yes, Interfaces: []model.InterfaceResult{
				{Interface: "samr", Bind: yes, Calls: []model.CallResult{
					{
						Call: "SamrEnumerateUsersInDomain", Outcome: model.Allowed, Status: "STATUS_SUCCESS",
						Discloses: model.DisclosesAccounts, Count: n, More: true,
					},
				}},
			}},
			{Pipe: "srvsvc", Open: no},
		}
	}
	look := []model.Look{{
		Asked: "SamrEnumerateUsersInDomain through samr", Of: "192.0.2.1:445", As: model.Anonymous,
		Times: 1, First: noon, Last: noon, Answer: "STATUS_SUCCESS: 8 accounts",
	}}
	return &model.Scan{
		Schema: model.SchemaScan, Target: "srv1", Address: "192.0.2.1:445", Started: noon, Verdict: model.Exposed,
		Server: model.Server{
			Name: "SRV1", System: "windows", Build: 17763, Role: model.Member,
			Dialects: []string{"3.1.1"}, Signing: "enabled",
		},
		Limits: []model.Limit{{Limit: model.LimitPages, Identity: model.Anonymous, Why: "1 page of accounts was read"}},
		Identities: []model.IdentityResult{
			{Identity: model.Anonymous, Session: yes, Tree: yes, Pipes: samr(8)},
			{
				Identity: model.Guest, Session: yes, Tree: yes, Pipes: samr(2),
				Shares: []model.ShareResult{{Type: "disk", Tree: yes, Open: yes}}, SharesLeft: 1,
			},
			{Identity: model.UnknownUser, Session: no},
		},
		Findings: []model.Finding{
			{
				ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous, Pipe: "samr",
				Evidence: "anonymous read more than 8 accounts through samr", Fix: "RestrictAnonymousSAM = 1.",
				Settings: []string{"RestrictAnonymousSAM", "RestrictAnonymous", "NullSessionPipes"},
				Sources: []string{
					"D Q143474",
					"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "D MS-SRVS 3.1.6.17",
					"3 nessus",
				}, Looks: look,
			},
			{
				ID: "guest-lists-accounts", Severity: model.High, Identity: model.Guest, Pipe: "samr",
				Evidence: "guest read 2 accounts through samr", Fix: "Disable the guest account.",
				Settings: []string{"RestrictAnonymousSAM", "EnableGuestAccount"},
			},
			{
				ID: "guest-reads-files", Severity: model.High, Identity: model.Guest,
				Evidence: "guest opened the root folder of 1 disk share for reading",
				Settings: []string{"EnableGuestAccount"},
			},
			{
				ID: "signing-not-required", Severity: model.Medium,
				Evidence: "the server does not require signing (signing is enabled)",
				Fix:      "RequireSecuritySignature = 1.", Settings: []string{"RequireSecuritySignature"},
			},
		},
	}
}

// readServer is what an audit of the same server says.
func readServer() *model.Audit {
	given := func(o model.Outcome) model.Access {
		return model.Access{
			Session: model.Allowed, Tree: model.Allowed,
			Pipes: map[string]model.Outcome{"samr": model.Allowed},
			Discloses: map[model.Disclosure]model.Outcome{
				model.DisclosesAccounts: model.Allowed,
				model.DisclosesFiles:    o,
			},
		}
	}
	return &model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "hive", Name: "SYSTEM", Parts: []string{"SYSTEM"}},
		Host: "SRV1",
		Platform: model.Platform{
			System: "windows", Product: "win2019", Name: "Windows Server 2019", Build: 17763,
			Role: model.Member,
		},
		Settings: []model.Setting{{
			ID:    "RestrictAnonymousSAM",
			Where: `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\RestrictAnonymousSAM`, Type: "REG_DWORD", Present: true,
			Configured: 0, Effective: 0, Basis: model.BasisConfigured, State: model.StateWeak,
			Why: "0 lists accounts.",
		}},
		Access: map[model.Identity]model.Access{
			model.Anonymous: given(model.Denied),
			model.Guest:     given(model.OutcomeUnknown),
		},
		Findings: []model.Finding{
			{
				ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous, Pipe: "samr",
				Evidence: "the configuration gives accounts to anonymous callers", Fix: "RestrictAnonymousSAM = 1.",
				Settings: []string{"RestrictAnonymousSAM"},
			},
			{
				ID: "weak-setting", Severity: model.Medium, Setting: "SMB1", Evidence: "SMB1 is 1",
				Fix:      "Set SMB1 to 0.",
				Settings: []string{"SMB1"},
			},
		},
	}
}

// plannedServer is the plan for it.
func plannedServer() *model.Plan {
	dword := func(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
	return &model.Plan{
		Schema: model.SchemaPlan, Target: "srv1", Platform: readServer().Platform, Strategy: "restrict", Made: noon,
		By: "admin on srv0",
		Changes: []model.Change{
			{
				ID: "1", Setting: "SMB1", Where: `HKLM\…\SMB1`, From: dword(1), To: dword(0),
				Closes: []string{"smb1-enabled"}, TakesEffect: "after a restart", Reach: "everyone",
				Why: "SMB1 has no encryption.",
			},
			{
				ID: "2", Setting: "RestrictAnonymousSAM", Where: `HKLM\…\RestrictAnonymousSAM`, From: dword(0),
				To: dword(1), Closes: []string{
					"anonymous-lists-accounts", "guest-lists-accounts",
					"unknown-user-lists-accounts",
				}, TakesEffect: "at once", Why: "1 keeps accounts from strangers.",
				Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts"},
			},
		},
		Breaks: []model.Break{{
			Who: "clients of Windows XP", What: "they are refused", Certainty: "documented",
			Because: "SMB1 becomes 0",
		}},
		Left: []model.Left{{
			Finding: "guest-reads-files", Severity: model.High, Identity: model.Guest,
			Setting: "EnableGuestAccount", Why: "it was not read",
		}},
		Residual: []string{"files: not known for guest"}, Rejected: []model.Rejected{}, Keeps: []model.Keep{},
		Warnings: []string{},
		Hash:     "h", Fingerprint: "f",
	}
}

// golden compares a page with its file, and shows what a reader would see first.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "page", name)
	_, body, _ := strings.Cut(got, "</style>") // the style is reviewed, not compared
	if *update {
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != body {
		t.Errorf("%s is not the page any more: look at what changed, then go test ./internal/report -run "+
			"TestGoldenPages -update\n%s", path, firstDifference(string(want), body))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want " + w[i] + "\ngot  " + g[i]
		}
	}
	return "one of them ends earlier"
}

// pages are the four kinds of pages, a closed host and a page of many hosts.
func pages(t *testing.T) map[string]string {
	t.Helper()
	style := Style{Now: noon}
	out := map[string]string{"scan.html": render(t, "html", style, seenServer())}
	closed := &model.Scan{
		Schema: model.SchemaScan, Target: "srv2", Address: "192.0.2.2:445", Started: noon, Verdict: model.Closed,
		Reason: "anonymous is refused at logon STATUS_ACCESS_DENIED",
		Identities: []model.IdentityResult{{
			Identity: model.Anonymous,
			Session:  model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"},
		}},
	}
	out["closed.html"] = render(t, "html", style, closed)
	out["many.html"] = render(t, "html", style, seenServer(), closed)
	var b bytes.Buffer
	d, err := NewDocument(&b, "html", style)
	if err != nil {
		t.Fatal(err)
	}
	d.PlanWith(func(*model.Audit, []*model.Scan) *model.Plan { return plannedServer() })
	d.AddScan(seenServer())
	d.AddAudit(readServer())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	out["audit.html"] = b.String()
	var p, u bytes.Buffer
	if err := WritePlan(&p, "html", plannedServer(), style, 0); err != nil {
		t.Fatal(err)
	}
	out["plan.html"] = p.String()
	if err := WriteObservation(&u, "html", watchedServer(), style); err != nil {
		t.Fatal(err)
	}
	out["use.html"] = u.String()
	return out
}

func watchedServer() *model.Observation {
	return &model.Observation{
		Schema: model.SchemaObserve, Coverage: model.Coverage{
			From: noon, To: noon.Add(48 * time.Hour),
			Read: map[string]int64{"packets": 9},
		},
		Days: []model.Day{{Day: "2026-03-01", Identity: model.Anonymous, Count: 5}},
		Uses: []model.Use{{
			Client: "192.0.2.9", Server: "192.0.2.1", Identity: model.Anonymous, Share: "IPC$",
			Pipe: "samr", Interface: "samr", Call: "SamrEnumerateUsersInDomain", Layer: model.LayerCall,
			Outcome: model.Allowed, Status: "STATUS_SUCCESS", Count: 5, First: noon, Last: noon,
		}},
	}
}

func TestGoldenPages(t *testing.T) {
	for name, page := range pages(t) {
		golden(t, name, page)
	}
}

var htmlTags = regexp.MustCompile(`<[^>]*>`)

// TestOneSentence: text and page begin with the same words, those of the answer.
func TestOneSentence(t *testing.T) {
	all := pages(t)
	var audit, plan, use bytes.Buffer
	w, err := NewAuditWriter(&audit, "text", Style{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(readServer()); err != nil {
		t.Fatal(err)
	}
	if err := WritePlan(&plan, "text", plannedServer(), Style{}, 200); err != nil {
		t.Fatal(err)
	}
	if err := WriteObservation(&use, "text", watchedServer(), Style{}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ page, text, says string }{
		{"scan.html", render(t, "text", Style{}, seenServer()), ScanAnswer(seenServer()).Says},
		{"audit.html", audit.String(), AuditAnswer(readServer()).Says},
		{"plan.html", plan.String(), PlanAnswer(plannedServer()).Says},
		{"use.html", use.String(), UseAnswer(watchedServer())[0]},
	} {
		head := strings.Join(strings.Fields(x.text[:min(len(x.text), 600)]), " ")
		if !strings.Contains(head, x.says) || x.says == "" {
			t.Errorf("%s: the text begins %q, and the answer is %q", x.page, head, x.says)
		}
		_, body, _ := strings.Cut(all[x.page], "<body>")
		body, _, _ = strings.Cut(body, "<svg")
		if seen := strings.Join(strings.Fields(html.UnescapeString(htmlTags.ReplaceAllString(body, " "))),
			" "); !strings.Contains(seen, x.says) {
			t.Errorf("%s: the page begins %q, and the answer is %q", x.page, seen, x.says)
		}
	}
}

// TestAnswers: the sentence says what was given, to whom, and the limits.
func TestAnswers(t *testing.T) {
	partial := seenServer()
	partial.Partial = true
	unknown := readServer()
	unknown.Access, unknown.Findings, unknown.Partial = nil, nil, true
	refused := plannedServer()
	refused.Changes, refused.Refused, refused.Residual, refused.Left = nil, "something in use stops", nil, nil
	for _, x := range []struct{ got, want string }{
		{
			ScanAnswer(partial).String(),
			"srv1 (192.0.2.1:445): exposed: strangers (anonymous, guest) are given more than 8 accounts and 1 disk share; 1 disk share tried, 1 not tried; partial: not everything was asked or answered",
		},
		{
			AuditAnswer(readServer()).String(),
			"SYSTEM (SRV1): exposed: the configuration gives strangers (anonymous, guest) accounts; not known: disk shares; 1 other finding",
		},
		{
			AuditAnswer(unknown).String(),
			"SYSTEM (SRV1): unknown: what strangers get was not settled; partial: not everything could be read",
		},
		{
			PlanAnswer(plannedServer()).String(),
			"srv1: plan to restrict: 2 changes close accounts to strangers (anonymous, guest, unknown-user), and 1 other finding; 1 thing stops or may stop (1 documented); 1 thing stays open or not known; 1 finding is left as it is",
		},
		{PlanAnswer(refused).String(), "srv1: plan to restrict: no changes: refused"},
	} {
		if x.got != x.want {
			t.Errorf("got  %s\nwant %s", x.got, x.want)
		}
	}
}

// TestCards: findings of one kind are one card, whatever the identity and the witness, and each card's advice is only
// for this system.
func TestCards(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := newDocument(nil, "html", Style{Now: noon})
	d.AddScan(seenServer())
	d.AddAudit(readServer())
	all := d.sections()
	if len(all) != 1 {
		t.Fatalf("a scan and an audit of one host are %d sections", len(all))
	}
	titles := map[string]int{}
	for _, k := range all[0].Cards {
		titles[k.Title]++
		for _, f := range k.Fixes {
			for _, other := range []string{"Samba:", "Windows:", "ksmbd:", "restrict anonymous"} {
				if strings.Contains(f.Text, other) {
					t.Errorf("the advice for a Windows server says %q", f.Text)
				}
			}
		}
	}
	for title, n := range titles {
		if n != 1 {
			t.Errorf("%d cards %q", n, title)
		}
	}
	accounts := all[0].Cards[0]
	if len(accounts.Proofs) != 3 || strings.Join(accounts.Who, " ") != "anonymous guest" || len(accounts.Fixes) != 2 {
		t.Errorf("the card of accounts: %+v", accounts)
	}
	for cited, want := range map[string]string{
		"D Q143474":          "https://github.com/jeffpar/kbarchive/blob/master/kb/143/Q143474/README.md",
		"D MS-SRVS 3.1.6.17": "https://learn.microsoft.com/openspecs/windows_protocols/ms-srvs/35bfc501-d580-4714-bf26-fd554a31ce53",
		"D MS-SAMR 3.1.5":    "https://learn.microsoft.com/openspecs/windows_protocols/ms-samr/",
		"D AUD event-5145":   "https://learn.microsoft.com/windows/security/threat-protection/auditing/event-5145",
		"3 nessus":           "",
	} {
		if got := c.Link(cited); got != want {
			t.Errorf("%s leads to %q, want %q", cited, got, want)
		}
	}
	if got := settingLink(c,
		"restrict anonymous"); got != "https://www.samba.org/samba/docs/current/man-html/smb.conf.5.html#RESTRICTANONYMOUS" {
		t.Errorf("restrict anonymous leads to %q", got)
	}
}

// TestPicture: every kind of data that is given is in the picture with who gets it, every change is where it cuts, and
// what is refused is drawn as refused.
func TestPicture(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	doors, ways := scanWays(c, seenServer())
	p := newPicture(c, "x", "srv1", doors, ways, planMoves(c, plannedServer()))
	if len(p.Cuts) != 1 || p.Cuts[0].N != 1 {
		t.Errorf("cuts: %+v", p.Cuts)
	}
	for _, want := range []string{
		"accounts: given to anonymous, guest; at 1, RestrictAnonymousSAM",
		"disk shares: given to guest.", "unknown-user: session denied, IPC$ not-tested",
	} {
		if !strings.Contains(p.Desc, want) {
			t.Errorf("the description lacks %q: %s", want, p.Desc)
		}
	}
	for _, n := range p.Nodes {
		if n.Y < 0 || n.Y+n.H > p.Height || n.X+n.W > p.Width {
			t.Errorf("%s lies outside of the picture", n.Label)
		}
	}
	lost := seenServer()
	for i := range lost.Identities {
		lost.Identities[i] = model.IdentityResult{
			Identity: lost.Identities[i].Identity,
			Session:  model.Step{Outcome: model.Inconclusive},
		}
	}
	doors, ways = scanWays(c, lost)
	if p := newPicture(c, "x", "srv1", doors, ways, nil); !strings.Contains(p.Nothing, "not everything is settled") {
		t.Errorf("a server that did not answer: %q", p.Nothing)
	}
}
