package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

var day1 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// use is an observed row.
func use(client string, id model.Identity, pipe, call string, opnum int) model.Use {
	u := model.Use{
		Schema: model.SchemaUse, Client: client, Server: "10.0.0.1", Identity: id, Share: "IPC$", Pipe: pipe,
		Call: call, Opnum: opnum,
		Layer: model.LayerCall, Outcome: model.Allowed, Count: 2, First: day1, Last: day1.AddDate(0, 0, 30),
	}
	switch {
	case pipe == "":
		u.Layer, u.Opnum = model.LayerTree, -1
	case call == "":
		u.Layer, u.Opnum = model.LayerOpen, -1
	}
	if pipe != "" {
		u.Interface = pipe
	}
	return u
}

// month is an observation that is long and readable enough for silence to count.
func month(uses ...model.Use) *Observed {
	o := &Observed{Uses: uses, From: day1, To: day1.AddDate(0, 0, 30), Read: 100}
	for _, l := range []model.Layer{model.LayerSession, model.LayerTree, model.LayerOpen} {
		o.Heard = append(o.Heard, heard("10.0.0.1", l, 31))
	}
	return o
}

// heard are records of one layer, one a day.
func heard(host string, l model.Layer, days int) model.Heard {
	h := model.Heard{
		Host: host, Layer: l, Kind: "records of " + string(l), From: day1, To: day1.AddDate(0, 0, days-1),
		Count: int64(days),
	}
	for i := range days {
		h.Days = append(h.Days, day1.AddDate(0, 0, i).Format(time.DateOnly))
	}
	return h
}

func has(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}

var sambaOpen = host{system: "samba", product: "samba", role: model.Standalone}

// scanOf is a scan that was given, or refused, accounts.
func scanOf(o model.Outcome) *model.Scan {
	call := model.CallResult{Call: "SamrEnumerateUsersInDomain", Opnum: 13, Outcome: o}
	if o == model.Allowed {
		call.Discloses, call.Count = model.DisclosesAccounts, 3
	}
	display := call // the other list of accounts
	display.Call, display.Opnum = "SamrQueryDisplayInformation", 40
	ok := model.Step{Outcome: model.Allowed}
	return &model.Scan{
		Schema: model.SchemaScan, Target: "nas", Address: "10.0.0.1:445", Verdict: model.Exposed,
		Server: model.Server{System: "samba"},
		Identities: []model.IdentityResult{{
			Identity: model.Anonymous, Session: ok, Tree: ok,
			Pipes: []model.PipeResult{{Pipe: "samr", Open: ok, Interfaces: []model.InterfaceResult{{
				Interface: "samr", UUID: "12345778-1234-abcd-ef00-0123456789ac", Version: "1.0", Bind: ok,
				Calls: []model.CallResult{call, display},
			}}}, {Pipe: "lsass", Open: model.Step{Outcome: model.Absent}}},
		}},
	}
}

// TestContradictions: what a scan and an audit say differently gives a question and no changes; what cannot be compared
// does not.
func TestContradictions(t *testing.T) {
	closed := sambaOpen
	closed.settings = map[string]any{"restrict anonymous": 2}
	other := scanOf(model.Allowed)
	other.Server.System = "windows"
	unreachable := scanOf(model.Allowed)
	unreachable.Verdict = model.Unreachable
	lost := scanOf(model.Inconclusive)
	for _, test := range []struct {
		name     string
		host     host
		scan     *model.Scan
		policy   Policy
		question string
		changes  int
	}{
		{"open, and the scan agrees", sambaOpen, scanOf(model.Allowed), Policy{}, "", 1},
		{
			"closed by configuration, open by scan", closed, scanOf(model.Allowed),
			Policy{},
			"anonymous gets accounts: denied by the configuration, allowed by the scan", 0,
		},
		{
			"open by configuration, closed by scan", sambaOpen, scanOf(model.Denied),
			Policy{},
			"allowed by the configuration, denied by the scan", 0,
		},
		{"another system", sambaOpen, other, Policy{}, "is it the same host?", 0},
		{"unreachable says nothing", closed, unreachable, Policy{}, "", 0},
		{"no answer is none", closed, lost, Policy{}, "", 0},
		{
			"a declared role that the audit denies", sambaOpen, scanOf(model.Allowed),
			Policy{Role: model.DomainController},
			"which of the two", 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := make1(t, Evidence{Audit: test.host.audit(t), Scans: []*model.Scan{test.scan}, Policy: test.policy})
			if test.question == "" && p.Question != "" || !strings.Contains(p.Question, test.question) {
				t.Errorf("question %q, want %q", p.Question, test.question)
			}
			if len(p.Changes) != test.changes {
				t.Errorf("%d changes, want %d: %v", len(p.Changes), test.changes, changes(p))
			}
		})
	}
}

// What was not read is the first cause that a contradiction has.
func TestContradictionByWhatWasNotRead(t *testing.T) {
	closed := sambaOpen
	closed.settings = map[string]any{"restrict anonymous": 2}
	a := closed.audit(t)
	a.Unread = "smb.conf:2: include: /etc/samba/%m.conf"
	p := make1(t, Evidence{Audit: a, Scans: []*model.Scan{scanOf(model.Allowed)}})
	if !strings.Contains(p.Question, "what was not read may say so (smb.conf:2") {
		t.Errorf("%q", p.Question)
	}
}

// TestScanSettles: what the model leaves open and a scan was refused costs no change, and is not told as open.
func TestScanSettles(t *testing.T) {
	h := host{
		system: "windows", product: "win2008", role: model.Member,
		settings: map[string]any{"NullSessionPipes": []string{}}, unread: []string{"EnableGuestAccount"},
	}
	before := make1(t, Evidence{Audit: h.audit(t)})
	if !has(before.Residual, "guest") {
		t.Fatalf("a guest account that was not read leaves nothing open: %q", before.Residual)
	}
	refused := model.Step{Outcome: model.Denied, Status: "STATUS_LOGON_FAILURE"}
	s := &model.Scan{
		Schema: model.SchemaScan, Target: "srv", Verdict: model.Closed,
		Identities: []model.IdentityResult{
			{Identity: model.Guest, Session: refused}, {Identity: model.UnknownUser, Session: refused},
		},
	}
	after := make1(t, Evidence{Audit: h.audit(t), Scans: []*model.Scan{s}})
	if slices.ContainsFunc(after.Residual, func(s string) bool { return strings.HasPrefix(s, "guest") }) {
		t.Errorf("the scan was refused as guest, and still: %q", after.Residual)
	}
}

// TestObserved: strangers who were seen at data lose it and are named; those at a pipe with nothing behind it keep it;
// those who signed in are told to go on.
func TestObserved(t *testing.T) {
	h := host{
		system: "windows", product: "win2019", role: model.Member,
		settings: map[string]any{
			"NullSessionPipes": []string{"samr", "COMNAP", "evilpipe"}, "RestrictAnonymousSAM": 0,
			"RestrictRemoteSAM": "",
		},
	}
	e := Evidence{Audit: h.audit(t), Observed: month(
		use("10.0.0.5", model.Anonymous, "COMNAP", "", -1),
		use("10.0.0.6", model.Anonymous, "samr", "SamrEnumerateUsersInDomain", 13),
		use("10.0.0.8", model.Anonymous, "evilpipe", "", -1),
		use("10.0.0.7", model.User, `sql\query`, "", -1),
	)}
	p := make1(t, e)
	if got := changes(p); !slices.Equal(got, []string{"NullSessionPipes=COMNAP"}) {
		t.Errorf("changes %q", got)
	}
	var seen []string
	for _, b := range p.Breaks {
		if b.Certainty == "observed" {
			seen = append(seen, b.Who)
		}
	}
	if !slices.Equal(seen, []string{"10.0.0.6"}) {
		t.Errorf("seen to break: %q of %v", seen, p.Breaks)
	}
	if !has([]string{fmt.Sprint(p.Keeps)}, `sql\query`) || !slices.Contains(p.Checks, `pipe:sql\query`) {
		t.Errorf("keeps %v, checks %q", p.Keeps, p.Checks)
	}
	if !has(p.Residual, "comnap stays open") {
		t.Errorf("residual %q", p.Residual)
	}
	if p.Warnings = slices.DeleteFunc(p.Warnings, func(s string) bool {
		return strings.Contains(s, "rule")
	}); has(p.Warnings, "looked") {
		t.Errorf("a month was looked at, and still: %q", p.Warnings)
	}
}

// TestBlock: each way says what it takes and leaves, is refused while something is in use or nobody looked, and prefers
// to restrict.
func TestBlock(t *testing.T) {
	win := host{
		system: "windows", product: "win2019", role: model.Member,
		shares:   []model.Share{{Name: "C$", Default: true}, {Name: "ADMIN$", Default: true}, {Name: "data"}},
		services: []string{"spoolss", "svcctl"},
	}
	client := host{system: "windows", product: "win10-22H2", role: model.Workstation}
	quiet := month()
	busy := month(use("10.0.0.7", model.User, `sql\query`, "", -1))
	for _, test := range []struct {
		name    string
		host    host
		policy  Policy
		seen    *Observed
		changes []string
		refused string
		warning []string
	}{
		{name: "nobody looked", host: win, refused: "nobody can say"},
		{
			name: "quiet", host: win, seen: quiet, changes: []string{"LanmanServer.Start=4"},
			warning: []string{
				"all other shares go too, not IPC$ alone: C$, ADMIN$", "stop working: Print spooler (printing",
			},
		},
		{
			name: "somebody", host: win, seen: busy,
			refused: `blocking would stop what is in use: 10.0.0.7: opens sql\query as user`,
		},
		{
			name: "declared", host: win, policy: Policy{Needs: []string{"sqlserver"}}, seen: quiet,
			refused: "SQL Server, default instance",
		},
		{
			name: "accepted", host: win, policy: Policy{AcceptBreakage: true}, seen: busy,
			changes: []string{"LanmanServer.Start=4"},
		},
		{
			name: "pipe firewall", host: win,
			policy: Policy{Means: "pipe-firewall", Needs: []string{"sqlserver"}, AcceptBreakage: true}, seen: busy,
			changes: []string{`AllowedPipes=sql\query`, "PipeFirewallActive=1"}, warning: []string{"never tested here"},
		},
		{
			name: "host firewall", host: win, policy: Policy{Means: "host-firewall"}, seen: quiet,
			changes: []string{"host-firewall=139, 445"},
		},
		{
			name: "server's own shares", host: win, policy: Policy{Means: "auto-share"},
			changes: []string{"AutoShareServer=0"}, warning: []string{"IPC$ does not"},
		},
		{
			name: "workstation's own shares", host: client, policy: Policy{Means: "auto-share"},
			changes: []string{"AutoShareWks=0"},
		},
		{
			name: "samba", host: sambaOpen, seen: quiet, changes: []string{"IPC$:hosts deny=ALL"},
			warning: []string{"disk shares stay"},
		},
		{
			name: "samba, strangers alone", host: sambaOpen, policy: Policy{Means: "restrict-anonymous"}, seen: busy,
			changes: []string{"restrict anonymous=2"},
		},
		{
			name: "samba, encryption", host: sambaOpen, policy: Policy{Means: "encryption"}, seen: quiet,
			changes: []string{"server smb encrypt=required"},
		},
		{
			name: "no such way", host: sambaOpen, policy: Policy{Means: "magic"}, seen: quiet,
			refused: "no way to block samba",
		},
		{
			name: "not read", host: host{
				system: "windows", product: "win2019", role: model.Member, unread: []string{"LanmanServer.Start"},
			}, seen: quiet, refused: "was not read",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.policy.Strategy = Block
			p := make1(t, Evidence{Audit: test.host.audit(t), Policy: test.policy, Observed: test.seen})
			if got := changes(p); !slices.Equal(got, test.changes) && len(got)+len(test.changes) > 0 {
				t.Errorf("changes %q, want %q; refused %q", got, test.changes, p.Refused)
			}
			if test.refused == "" && p.Refused != "" || !strings.Contains(p.Refused, test.refused) {
				t.Errorf("refused %q, want %q", p.Refused, test.refused)
			}
			for _, w := range test.warning {
				if !has(p.Warnings, w) {
					t.Errorf("warnings %q lack %q", p.Warnings, w)
				}
			}
			for _, ch := range p.Changes {
				if exported := test.policy.Means == "pipe-firewall" ||
					test.policy.Means == "host-firewall"; ch.ExportOnly != exported {
					t.Errorf("%s: export only is %v", ch.Setting, ch.ExportOnly)
				}
			}
		})
	}
	p := make1(t, Evidence{Audit: win.audit(t), Policy: Policy{Strategy: Block}, Observed: busy})
	if !strings.Contains(p.Refused, "--strategy restrict") {
		t.Errorf("no advice: %q", p.Refused)
	}
	if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
		return r.Setting == "AutoShareServer" && strings.Contains(r.Why, "does not block IPC$")
	}) {
		t.Errorf("nothing said of AutoShareServer: %v", p.Rejected)
	}
	p = make1(t, Evidence{Audit: win.audit(t), Policy: Policy{Strategy: Block, Means: "auto-share"}, Observed: quiet})
	if !has(p.Residual, "user still opens lsarpc") {
		t.Errorf("IPC$ stays after AutoShareServer 0, and the plan says %q", p.Residual)
	}
}

// TestDocument: a plan that was read is the plan that was written; one that was edited, is newer or none is told apart.
func TestDocument(t *testing.T) {
	h := host{system: "windows", product: "win2019", role: model.Member, settings: windowsOpen}
	p := make1(t, Evidence{Audit: h.audit(t), Tool: "v1"})
	b, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := changes(back); !slices.Equal(got, changes(p)) {
		t.Errorf("read %q, wrote %q", got, changes(p))
	}
	for _, test := range []struct {
		name, old, new string
		want           error
	}{
		{"a value", `"data": 1`, `"data": 0`, ErrEdited},
		{"a word", `"strategy": "restrict"`, `"strategy": "block"`, ErrEdited},
		{"a field of tomorrow", `"tool": "v1"`, `"tool": "v1", "approval": "x"`, ErrNewer},
		{"twice", `"tool": "v1"`, `"tool": "v1", "Tool": "v2"`, ErrEdited},
		{"newer", "ipcguard.plan/1", "ipcguard.plan/2", ErrNewer},
		{"another document", "ipcguard.plan/1", "ipcguard.scan/1", ErrNotAPlan},
		{"no hash", p.Hash, "", ErrUnsealed},
		{"another hash", p.Hash, "sha256:00", ErrEdited},
		{"cut", `"strategy"`, `"stra`, ErrNotAPlan},
	} {
		text := strings.Replace(string(b), test.old, test.new, 1)
		if text == string(b) {
			t.Fatalf("%s: nothing was changed", test.name)
		}
		if _, err := Read([]byte(text)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := Read(append(b, b...)); err == nil {
		t.Errorf("two plans in a row: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	c, err := catalog.Load()
	if err != nil {
		f.Fatal(err)
	}
	_ = c
	p := make1(f, Evidence{Audit: sambaOpen.audit(f)})
	b, _ := json.Marshal(p)
	f.Add(b)
	f.Add([]byte(`{"schema":"ipcguard.plan/1","hash":"sha256:00","changes":[{"to":{"data":1e99}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := Read(again); err != nil || q.Hash != p.Hash {
			t.Fatalf("a plan that was read cannot be read again: %v\n%s", err, bytes.TrimSpace(again))
		}
	})
}

// TestWhatIf: uses are asked again, encrypted ones as users, and silence is weighed.
func TestWhatIf(t *testing.T) {
	unseen := use("10.0.0.4", model.Unknown, "samr", "SamrEnumerateUsersInDomain", 13)
	e := Evidence{Audit: sambaOpen.audit(t), Observed: month(
		use("10.0.0.5", model.Anonymous, "lsarpc", "LsarOpenPolicy2", 44),
		use("10.0.0.6", model.Machine, "netlogon", "", -1),
		use("10.0.0.7", model.Opaque, "srvsvc", "", -1),
		use("10.0.0.8", model.User, "samr", "SamrEnumerateUsersInDomain", 13), unseen,
	)}
	for value, want := range map[string][3]int{"2": {1, 0, 1}, "1": {0, 0, 1}, "0": {0, 0, 0}} {
		a, err := WhatIf(e, []Setting{{"restrict anonymous", value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{len(a.Refused), len(a.Possible), len(a.Unjudged)}; got != want {
			t.Errorf("restrict anonymous = %s: refused, possible, unjudged %v, want %v", value, got, want)
		}
		if !a.Coverage.Enough || a.Unchanged+len(a.Refused)+len(a.Possible)+len(a.Unjudged) != 5 {
			t.Errorf("coverage %+v, unchanged %d", a.Coverage, a.Unchanged)
		}
	}
	for name, o := range map[string]*Observed{
		"a day":      {Uses: nil, From: day1, To: day1.AddDate(0, 0, 1), Read: 5},
		"unreadable": {From: day1, To: day1.AddDate(0, 0, 30), Read: 5, Unreadable: 5},
		"nothing":    {},
	} {
		if g := Weigh(o, 0); g.Enough || g.Why == "" {
			t.Errorf("%s: %+v", name, g)
		}
	}
	if _, err := WhatIf(e, []Setting{{"restrict anonymous", "lots"}}); err == nil {
		t.Error("a word was taken for a number")
	}
	var in *InputError
	if _, err := WhatIf(e, []Setting{{"restrict anonymous", "2"}, {"Restrict Anonymous", "0"}}); !errors.As(err, &in) {
		t.Errorf("a setting that is set twice: %v", err)
	}
	bound := Replay{Use: model.Use{
		Client: "10.0.0.5", Identity: model.Anonymous, Layer: model.LayerBind, Pipe: "lsass", Interface: "lsarpc",
		Count: 1,
	}}
	if b := bound.Break("", ""); b.What != "binds lsarpc through lsass as anonymous (once)" {
		t.Errorf("a bind is told as %q", b.What)
	}
	if _, err := WhatIf(e, []Setting{{"nosuch", "1"}}); !errors.As(err, &in) || in.Hint == "" {
		t.Errorf("an unknown setting: %v", err)
	}
}

// TestStoredAudit: an audit that is read without its access table makes the same plan as the whole.
func TestStoredAudit(t *testing.T) {
	whole := sambaOpen.audit(t)
	b, err := json.Marshal(whole)
	if err != nil || len(whole.Access) == 0 {
		t.Fatalf("%v, access to %d identities", err, len(whole.Access))
	}
	read, err := ReadAudit(b)
	if err != nil || read.Access != nil {
		t.Fatalf("%v, access %v", err, read.Access)
	}
	if a, b := make1(t, Evidence{Audit: whole}), make1(t, Evidence{Audit: read}); a.Hash != b.Hash ||
		len(a.Changes) == 0 {
		t.Errorf("plans %s and %s, %d changes", a.Hash, b.Hash, len(a.Changes))
	}
	if _, err := ReadAudit([]byte(`{"settings":{}}`)); err == nil {
		t.Error("an audit of another form was read")
	}
}

// FuzzReadAudit: an audit reads as the decoder alone reads it, and whatever else comes is refused by the decoder.
func FuzzReadAudit(f *testing.F) {
	b, err := json.Marshal(sambaOpen.audit(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	indented, _ := json.MarshalIndent(json.RawMessage(b), "", "  ")
	f.Add(indented)
	for _, s := range []string{
		``, `{`, `{"`, `{"access"`, `{"access":`, `{"access":{`, `{"access":"\\\"}","host":"h"}`,
		`{"a\"ccess":1,"access":[{"]":"}"}],"host":"x"}`,
		`{"access":1,"access":2,"host":"y"}`, `{"host":"z","access":-1.5e3}`, `{"access":null}`, `[{"access":{}}]`,
		` {"ACCESS":{}} `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := &StoredAudit{}
		err := json.Unmarshal(b, whole)
		read, err2 := ReadAudit(b)
		if err != nil {
			return // a table that is no JSON is not looked at
		}
		if err2 != nil {
			t.Fatalf("%q: %v", b, err2)
		}
		x, _ := json.Marshal(whole.Audit)
		y, _ := json.Marshal(read)
		if len(whole.Settings) > 0 && !bytes.Equal(x, y) {
			t.Fatalf("%s\nand\n%s", x, y)
		}
	})
}
