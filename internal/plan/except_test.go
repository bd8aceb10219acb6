package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// told is a logon with NTLM at a server, as the log of another host tells it.
func told(by, client, server string) model.Use {
	u := use(client, model.User, "", "", -1)
	u.Layer, u.Share, u.Package, u.Log, u.Server, u.ToldBy = model.LayerSession, "", model.PackageNTLM, true, server, by
	return u
}

// TestExceptionsInDomain ends NTLM in a domain: the servers at which the controller logged it become exceptions, before
// the switch, and what has no name that a list could have is told as refused.
func TestExceptionsInDomain(t *testing.T) {
	h := host{
		system: "windows", product: "win2019", role: model.DomainController,
		settings: map[string]any{"RestrictNTLMInDomain": 0, "DCAllowedNTLMServers": []string{"OLD"}},
	}
	self := told("", "10.0.0.9", "10.0.0.1")
	kerberos := told("", "10.0.0.8", "10.0.0.1")
	kerberos.Package = model.PackageKerberos
	o := month(told("DC1", "PC1", "NAS1"), told("DC1", "PC2", "FS1"), told("DC1", "PC3", "old"), self, kerberos)
	o.Servers = []string{"DC1", "10.0.0.1"}
	e := Evidence{Audit: h.audit(t), Observed: o, Policy: Policy{Want: []string{"RestrictNTLMInDomain=7"}}}
	p := make1(t, e)
	if got, want := changes(p),
		[]string{"DCAllowedNTLMServers=OLD, FS1, NAS1", "RestrictNTLMInDomain=7"}; !slices.Equal(got, want) {
		t.Fatalf("changes %q, want %q; rejected %v", got, want, p.Rejected)
	}
	if model.Text(p.Changes[0].From.Data) != "OLD" || !strings.Contains(p.Changes[0].Why, "FS1, NAS1") {
		t.Errorf("the way back, or the reason: %+v", p.Changes[0])
	}
	if err := Verify(p); err != nil {
		t.Error(err)
	}
	var seen []string
	for _, b := range p.Breaks {
		if b.Certainty != "documented" {
			seen = append(seen, b.Certainty+" "+b.Who)
		}
	}
	if !slices.Equal(seen, []string{"possible 10.0.0.9"}) { // the controller itself may be on the list by its name
		t.Errorf("refused although excepted, or not told: %q of %+v", seen, p.Breaks)
	}
	e.Policy.Avoid = []string{"DCAllowedNTLMServers"}
	p = make1(t, e)
	if got, want := changes(p), []string{"RestrictNTLMInDomain=7"}; !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
		return strings.HasSuffix(r.Why, "NTLM ends at FS1, NAS1")
	}) {
		t.Errorf("where NTLM ends is not told: %v", p.Rejected)
	}
	if !slices.ContainsFunc(p.Breaks, func(b model.Break) bool { return b.Who == "PC1" && b.Certainty == "observed" }) {
		t.Errorf("who is refused is not told: %+v", p.Breaks)
	}
	// the host's own settings say nothing of other hosts
	a, err := WhatIf(Evidence{Audit: h.audit(t), Observed: o}, []Setting{{"RequireSecuritySignature", "1"}})
	if err != nil || slices.ContainsFunc(slices.Concat(a.Refused, a.Possible), func(r Replay) bool {
		return r.Use.ToldBy != ""
	}) {
		t.Errorf("%v: signing of the controller is held against another server: %+v", err, a)
	}
	h.unread = []string{"DCAllowedNTLMServers"}
	a, err = WhatIf(Evidence{Audit: h.audit(t), Observed: o}, []Setting{{"RestrictNTLMInDomain", "7"}})
	if err != nil || len(a.Possible) != 4 ||
		!strings.Contains(a.Possible[0].Why, "which servers are excepted is not known: DCAllowedNTLMServers") {
		t.Errorf("%v: that the list is what is not known is not said: %+v", err, a.Possible)
	}
}

// TestUntold plans and predicts with logons of which a log does not tell the result, as in the audit of NTLM: who would
// be refused is named as with those that succeeded, and it is said that they may never have been let in.
func TestUntold(t *testing.T) {
	untoldAt := func(u model.Use) model.Use {
		u.Outcome = model.Inconclusive
		return u
	}
	dc := host{
		system: "windows", product: "win2019", role: model.DomainController,
		settings: map[string]any{"RestrictNTLMInDomain": 0, "DCAllowedNTLMServers": []string{}},
	}
	o := month(untoldAt(told("DC1", "PC1", "NAS1")), untoldAt(told("DC1", "PC2", "FS1")))
	o.Servers = []string{"DC1"}
	e := Evidence{Audit: dc.audit(t), Observed: o, Policy: Policy{Want: []string{"RestrictNTLMInDomain=7"}}}
	want := []string{"DCAllowedNTLMServers=FS1, NAS1", "RestrictNTLMInDomain=7"}
	if got := changes(make1(t, e)); !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	e.Policy.Avoid = []string{"DCAllowedNTLMServers"}
	if p := make1(t, e); !slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
		return b.Who == "PC1" && b.Certainty == "observed" && strings.HasSuffix(b.Because, untold)
	}) {
		t.Errorf("who is refused, or that he may never have been let in, is not told: %+v", p.Breaks)
	}
	h := host{
		system: "windows", product: "win2019", role: model.Member,
		settings: map[string]any{"RestrictReceivingNTLMTraffic": 0},
	}
	audited, ran := untoldAt(told("", "PC3", "10.0.0.1")), untoldAt(told("", "PC4", "10.0.0.1"))
	ran.Package = model.PackageNTLMv1
	failed := untoldAt(told("", "PC5", "10.0.0.1"))
	failed.Status = "STATUS_NO_LOGON_SERVERS"
	captured := untoldAt(told("", "PC6", "10.0.0.1"))
	captured.Log = false
	uses := []model.Use{audited, ran, failed, captured}
	a, err := WhatIf(Evidence{Audit: h.audit(t), Observed: month(uses...)},
		[]Setting{{"RestrictReceivingNTLMTraffic", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, r := range a.Refused {
		who = append(who, r.Use.Client)
		if r.Before != model.OutcomeUnknown || r.After != model.Denied || !strings.HasSuffix(r.Why, untold) {
			t.Errorf("%s: before %s, after %s, %s", r.Use.Client, r.Before, r.After, r.Why)
		}
	}
	if !slices.Equal(who, []string{"PC3", "PC4"}) || a.Unchanged < 2 {
		t.Errorf("refused %q, unchanged %d, possible %+v", who, a.Unchanged, a.Possible)
	}
	own, thought := untoldAt(told("PC1", "PC1", "nas1")), untoldAt(told("PC1", "PC1", "nas2"))
	own.Package = model.PackageNTLMv2
	h.settings = map[string]any{"RestrictSendingNTLMTraffic": 0, "ClientAllowedNTLMServers": []string{}}
	o = month(own, thought)
	o.Servers = []string{"PC1"}
	a, err = WhatIf(Evidence{Audit: h.audit(t), Observed: o}, []Setting{{"RestrictSendingNTLMTraffic", "2"}})
	if err != nil || len(a.Refused) != 1 || a.Refused[0].Use.Server != "nas1" || len(a.Possible) != 1 ||
		strings.Contains(a.Possible[0].Why, untold) {
		t.Errorf("%v: one ran, and one was thought of: %+v, %+v", err, a.Refused, a.Possible)
	}
}

// TestExceptionsOfClient ends outgoing NTLM. Before Windows 11 24H2 event 8001 names what would be refused; since then
// it is written for Kerberos, too, and excepts nothing.
func TestExceptionsOfClient(t *testing.T) {
	considered := told("PC1", "PC1", "nas1.corp.example")
	considered.Outcome = model.Inconclusive
	ran := told("PC1", "PC1", "10.0.0.7")
	incoming := told("", "10.0.0.9", "PC1")
	for product, want := range map[string][]string{
		"win10-1607": {"ClientAllowedNTLMServers=nas1.corp.example", "RestrictSendingNTLMTraffic=2"},
		"win11-24H2": {"RestrictSendingNTLMTraffic=2"},
	} {
		h := host{
			system: "windows", product: product, role: model.Member,
			settings: map[string]any{"RestrictSendingNTLMTraffic": 1},
		}
		o := month(considered, ran, incoming)
		o.Servers = []string{"PC1", "10.0.0.1"}
		p := make1(t, Evidence{
			Audit: h.audit(t), Observed: o, Policy: Policy{Want: []string{"RestrictSendingNTLMTraffic=2"}},
		})
		got := slices.DeleteFunc(changes(p), func(c string) bool { return !strings.Contains(c, "NTLM") })
		if !slices.Equal(got, want) {
			t.Errorf("%s: changes %q, want %q; rejected %v", product, got, want, p.Rejected)
		}
		for _, b := range p.Breaks {
			if b.Who == "10.0.0.9" {
				t.Errorf("%s: incoming NTLM is held against what this machine sends: %+v", product, b)
			}
		}
		if !slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
			return b.Who == "PC1" && b.Certainty != "documented"
		}) {
			t.Errorf("%s: what is refused is not told: %+v", product, p.Breaks)
		}
		if product == "win11-24H2" && !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
			return r.Setting == "ClientAllowedNTLMServers" && strings.HasPrefix(r.Why, "nas1.corp.example: ")
		}) {
			t.Errorf("the server that may be meant is not told: %v", p.Rejected)
		}
	}
}

// TestWeakNetlogonTold names the accounts that lose Netlogon once a controller of Samba insists on encryption.
func TestWeakNetlogonTold(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.DomainController,
		settings: map[string]any{"server schannel require seal": false},
	}
	o := month()
	o.Notices = []model.Notice{
		{
			ID: model.NoticeSchannel, Client: "NAS2$", Setting: "server schannel require seal",
			What:     "its Netlogon would be refused",
			Evidence: "Samba's log",
		},
		{
			ID: model.NoticeSchannel, Client: "NAS9$", Setting: "server require schannel",
			What: "its Netlogon would be refused", Evidence: "Samba's log",
		},
		{ID: "other", Client: "NAS9$"},
	}
	p := make1(t, Evidence{
		Audit: h.audit(t), Observed: o, Policy: Policy{Want: []string{"server schannel require seal=yes"}},
	})
	var who []string
	for _, b := range p.Breaks {
		who = append(who, b.Who)
	}
	if !slices.Contains(changes(p), "server schannel require seal=yes") || !slices.Contains(who, "NAS2$") ||
		slices.Contains(who, "NAS9$") {
		t.Errorf("changes %q, breaks %+v", changes(p), p.Breaks)
	}
	o.Uses = append(o.Uses,
		model.Use{
			Client: "10.9.9.9", Identity: model.Machine, Account: "OLD$", Share: "IPC$", Pipe: "netlogon",
			Interface: "netlogon", Layer: model.LayerCall, Outcome: model.Allowed, Count: 3,
		})
	o.Uses = append(o.Uses,
		model.Use{
			Client: "10.9.9.8", Identity: model.User, Account: "ann", Share: "IPC$", Pipe: "srvsvc",
			Interface: "srvsvc", Layer: model.LayerCall, Outcome: model.Allowed, Count: 3,
		})
	for value, want := range map[string]int{"yes": 1, "no": 0} {
		a, err := WhatIf(Evidence{Audit: h.audit(t), Observed: o}, []Setting{{"server schannel require seal", value}})
		if err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(a.Breaks, func(b model.Break) bool { return b.Who == "NAS2$" })
		if len(a.Possible) != want || len(a.NotKnown) != 0 || told != (want == 1) ||
			want == 1 && a.Possible[0].Use.Account != "OLD$" {
			t.Errorf("at %s possible %+v, not known %+v, breaks %+v", value, a.Possible, a.NotKnown, a.Breaks)
		}
	}
	o.Uses = nil
	p = make1(t, Evidence{Audit: h.audit(t), Observed: o})
	if slices.ContainsFunc(p.Breaks, func(b model.Break) bool { return b.Who == "NAS2$" }) {
		t.Errorf("told although nothing of Netlogon changes: %+v", p.Breaks)
	}
}

// TestOldCiphersExcepted writes the lines that except accounts from the end of Netlogon's old ciphers, with the word of
// each: no for MD5, yes for DES.
func TestOldCiphersExcepted(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.DomainController,
		settings: map[string]any{"reject md5 clients": false, "allow nt4 crypto": true, "restrict anonymous": 2},
	}
	audit := h.audit(t)
	audit.AccountLines = []model.AccountLine{}
	o := month()
	for _, n := range [][2]string{
		{"NAS2$", "server reject md5 schannel"}, {"NAS2$", "allow nt4 crypto"}, {"NAS3$", "server reject md5 schannel"},
	} {
		o.Notices = append(o.Notices, model.Notice{
			ID: model.NoticeSchannel, Client: n[0], Setting: n[1], What: "its Netlogon is refused", Evidence: "Samba's log",
		})
	}
	e := Evidence{
		Audit: audit, Observed: o,
		Policy: Policy{Want: []string{"reject md5 clients=yes", "allow nt4 crypto=no"}},
	}
	p := make1(t, e)
	var got []string
	for _, c := range p.Changes {
		got = append(got, c.Where+"="+model.Text(c.To.Data))
	}
	slices.Sort(got)
	want := []string{
		"[global] allow nt4 crypto:NAS2$=yes", "[global] allow nt4 crypto=no", "[global] reject md5 clients=yes",
		"[global] server reject md5 schannel:NAS2$=no", "[global] server reject md5 schannel:NAS3$=no",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q; rejected %v", got, want, p.Rejected)
	}
	if err := Verify(p); err != nil {
		t.Error(err)
	}
	for _, b := range p.Breaks {
		if strings.HasPrefix(b.Who, "NAS") {
			t.Errorf("excepted, and told as refused: %+v", b)
		}
	}
}

// TestWeakNetlogonExcepted writes, where the lines of accounts were read, those that except the accounts of Samba's
// log: before the switch, with what stands there now as the way back.
func TestWeakNetlogonExcepted(t *testing.T) {
	const seal = "server schannel require seal"
	notice := func(account, option, what string) model.Notice {
		return model.Notice{
			ID: model.NoticeSchannel, Client: account, Setting: option,
			What: fmt.Sprintf(what, option+":"+account), Evidence: "Samba's log",
		}
	}
	const without, alone = "its Netlogon would be refused without '%s = no'",
		"its Netlogon goes on by the exception '%s = no' alone"
	h := host{
		system: "samba", product: "samba", role: model.DomainController,
		settings: map[string]any{seal: false, "server schannel": "auto", "restrict anonymous": 2},
	}
	audit := h.audit(t)
	line := func(account string, on bool) model.AccountLine {
		return model.AccountLine{
			Setting: seal + ":ACCOUNT", Account: account, Where: "[global] " + seal + ":" + account,
			Value: model.Value{Present: true, Type: "bool", Data: on, Raw: model.Hex("Yes")},
		}
	}
	audit.AccountLines = []model.AccountLine{line("OLD$", false), line("nas3$", true)}
	o := month()
	o.Notices = []model.Notice{
		notice("NAS2$", seal, without), notice("NAS3$", seal, without), notice("OLD$", seal, alone),
		notice("OLD$", seal, without),
		notice("ZERO$", "server require schannel", without), notice("A B", seal, without),
	}
	machine := func(account string) model.Use {
		return model.Use{
			Client: "10.9.9.9", Identity: model.Machine, Account: account, Share: "IPC$", Pipe: "netlogon",
			Interface: "netlogon", Layer: model.LayerCall, Outcome: model.Allowed, Count: 3,
		}
	}
	o.Uses = append(o.Uses, machine(`LAB\NAS2$`), machine("old$"), machine("OTHER$"))
	e := Evidence{Audit: audit, Observed: o, Policy: Policy{Want: []string{seal + "=yes"}}}
	p := make1(t, e)
	want := []string{seal + ":ACCOUNT=no", seal + ":ACCOUNT=no", seal + "=yes"}
	if got := changes(p); !slices.Equal(got, want) {
		t.Fatalf("changes %q, want %q; rejected %v", got, want, p.Rejected)
	}
	if a, b := p.Changes[0], p.Changes[1]; a.Where != "[global] "+seal+":NAS2$" || a.From.Present ||
		b.Where != "[global] "+seal+":NAS3$" || b.From.Data != true || string(b.From.Raw) != "Yes" {
		t.Errorf("places and ways back: %+v, %+v", a, b)
	}
	if err := Verify(p); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
		return strings.HasPrefix(r.Why, `"A B" is no name`)
	}) {
		t.Errorf("what no line is written for is not told: %+v", p.Rejected)
	}
	told := func(list []model.Break) (who []string) {
		for _, b := range list {
			if b.Certainty != "documented" {
				who = append(who, b.Who)
			}
		}
		return who
	}
	if got := told(p.Breaks); !slices.Equal(got, []string{"10.9.9.9 (OTHER$)", "A B"}) {
		t.Errorf("may stop: %q, %+v", got, p.Breaks)
	}
	e.Policy.Avoid = append(e.Policy.Avoid, seal+":ACCOUNT")
	if p := make1(t, e); !slices.Equal(changes(p), want[2:]) || !slices.Contains(told(p.Breaks), "NAS2$") {
		t.Errorf("to be avoided: changes %q, breaks %+v", changes(p), p.Breaks)
	}
	for more, want := range map[string]string{
		"":                 "10.9.9.9 10.9.9.9 A B NAS2$ NAS3$",
		seal + ":NAS2$=no": "10.9.9.9 A B NAS3$",
		seal + ":OTHER$=0": "10.9.9.9 A B NAS2$ NAS3$",
		"Server  Schannel Require Seal:OLD$=absent": "10.9.9.9 10.9.9.9 10.9.9.9 A B NAS2$ NAS3$ OLD$ OLD$",
	} {
		ask := []Setting{{seal, "yes"}}
		if name, value, ok := strings.Cut(more, "="); ok {
			ask = append(ask, Setting{name, value})
		}
		a, err := WhatIf(Evidence{Audit: audit, Observed: o}, ask)
		if err != nil {
			t.Errorf("%s: %v", more, err)
			continue
		}
		got := told(a.Breaks)
		for _, r := range a.Possible {
			got = append(got, r.Use.Client)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want || len(a.Changes) != len(ask) {
			t.Errorf("with %q may stop %q, want %q; changes %+v", more, got, want, a.Changes)
		}
	}
	for _, name := range []string{seal + ":ACCOUNT", seal + ":", seal + ":a;b$"} {
		if _, err := WhatIf(Evidence{Audit: audit}, []Setting{{name, "no"}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Make(Evidence{Audit: audit, Policy: Policy{Want: []string{seal + ":ACCOUNT=no"}}}); err == nil {
		t.Error("the line of every account was wanted, and taken")
	}
}
