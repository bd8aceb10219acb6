package report

import (
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

func TestProofAnswer(t *testing.T) {
	for _, test := range []struct {
		name     string
		verified bool
		checks   []Proved
		beside   []string
		want     string
	}{
		{"verified", true, []Proved{
			{Check: "control:answers", Result: model.Passed},
			{Check: "closed:anonymous-lists-accounts", Result: model.Passed},
			{Check: "closed:anonymous-reads-files", Result: model.Passed},
			{Check: "logon:user", Result: model.Unchecked, Note: true},
		}, nil, "h: verified: asked again and refused: accounts and disk shares"},
		{
			"verified by refusals to strangers", true,
			[]Proved{
				{Check: "closed:anonymous-lists-accounts", Result: model.Passed, Unauthenticated: true},
				{Check: "logon:", Result: model.Passed},
			},
			nil,
			"h: verified: asked again and refused: accounts; 1 check passed; no key proves the answers to 1 check (unauthenticated)",
		},
		{
			"still open", false,
			[]Proved{
				{Check: "closed:anonymous-lists-accounts", Result: model.Failed},
				{Check: "closed:guest-lists-shares", Result: string(model.Inconclusive)},
				{Check: "closed:anonymous-reads-files", Result: model.Unchecked},
				{Check: "tcp:a:1", Result: model.Failed},
			},
			nil,
			"h: NOT VERIFIED: strangers (anonymous) are still given accounts; 1 check failed; no answer that counts about shares; not asked, or not refused: disk shares",
		},
		{
			"nothing to close", false,
			[]Proved{
				{Check: "control:answers", Result: model.Passed},
				{Check: NothingToClose, Result: model.Unchecked},
			},
			[]string{"anonymous-lists-accounts"},
			"h: NOT VERIFIED: nothing was to be closed; this was not to be closed, and strangers (anonymous) are given it: accounts",
		},
		{
			"left open by the plan's word", true,
			[]Proved{
				{Check: "closed:anonymous-lists-accounts", Result: model.Passed},
				{Check: "left:anonymous-reads-files", Result: model.Open, Note: true},
			},
			[]string{"anonymous-reads-files"},
			"h: verified: asked again and refused: accounts; left open to strangers (anonymous), as the plan says: disk shares",
		},
		{
			"left without the plan's knowing", false,
			[]Proved{
				{Check: "closed:anonymous-lists-accounts", Result: model.Passed},
				{Check: "left:guest-reads-files", Result: model.Unchecked},
				{Check: "left:anonymous-pipe:x", Result: model.Open},
			},
			nil,
			"h: NOT VERIFIED: asked again and refused: accounts; not closed by the plan, and open to strangers (guest) or not known: disk shares; 1 pipe or share is left by the plan",
		},
		{
			"not seen by the earlier scan", false,
			[]Proved{
				{Check: "closed:anonymous-lists-accounts", Result: model.Passed},
				{Check: "unseen:anonymous-lists-shares", Result: model.Passed},
				{Check: "unseen:anonymous-reads-files", Result: model.Open},
				{Check: "unseen:guest-reads-files", Result: model.Unchecked},
			},
			[]string{"anonymous-reads-files"},
			"h: NOT VERIFIED: asked again and refused: accounts; open to strangers (anonymous), and not seen by the earlier scan: disk shares; not known about strangers (guest), neither from the earlier scan nor now: disk shares; refused to strangers (anonymous) now, and not seen by the earlier scan: shares",
		},
		{
			"waiting", false,
			[]Proved{{Check: "closed:anonymous-lists-accounts", Result: model.Waiting}},
			nil,
			"h: NOT VERIFIED: closes with a restart: accounts",
		},
		{
			"the user is refused", false,
			[]Proved{{Check: "control:user", Result: model.Failed}},
			nil,
			"h: NOT VERIFIED: 1 check failed",
		},
		{"nothing", false, nil, nil, "h: NOT VERIFIED: nothing was asked"},
	} {
		if got := ProofAnswer("h", test.verified, test.checks, test.beside).String(); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestWhatIfAnswer(t *testing.T) {
	to := func(name string, v model.Value) model.Change { return model.Change{Setting: name, To: v} }
	two := to("restrict anonymous", model.Value{Present: true, Type: "int", Data: 2})
	for want, x := range map[string]*WhatIf{
		"h: with restrict anonymous = 2: 2 of 3 uses that were seen would be refused; silence does not count":                                                           {Changes: []model.Change{two}, Refused: Fate{Uses: 2}, Unchanged: 1},
		"h: with restrict anonymous = 2: nothing that was seen would be refused; silence counts":                                                                        {Changes: []model.Change{two}, Unchanged: 1, Enough: true},
		"h: with restrict anonymous = 2: no use was seen that it could refuse; silence does not count":                                                                  {Changes: []model.Change{two}},
		"h: with restrict anonymous = 2 and no NullSessionPipes: 1 of 1 use that was seen has an end that is not known; silence counts":                                 {Changes: []model.Change{two, to("NullSessionPipes", model.Value{})}, NotKnown: Fate{Uses: 1}, Enough: true},
		"h: with restrict anonymous = 2: 1 of 2 uses that were seen may be refused; 1 of 2 uses that were seen would be refused if it was a stranger's; silence counts": {Changes: []model.Change{two}, Possible: Fate{Uses: 1}, Unjudged: Fate{Uses: 1}, Enough: true},
	} {
		x.Target = "h"
		if got := WhatIfAnswer(x).String(); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		var b strings.Builder
		if err := WriteWhatIf(&b, x, Style{}, 120); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(b.String()), " "); !strings.HasPrefix(text, want+".") {
			t.Errorf("the text begins with something else: %s", text)
		}
	}
}

// TestPlanSaysItOnce: a plan without changes says so only in its first sentence.
func TestPlanSaysItOnce(t *testing.T) {
	var b strings.Builder
	if err := WritePlan(&b, "text", &model.Plan{Target: "h", Strategy: "restrict"}, Style{}, 120); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(strings.ToLower(b.String()), "nothing to change"); n != 1 {
		t.Errorf("%d times in %s", n, b.String())
	}
}

// TestUntriedSharesAreNotShut: if one stranger was refused at logon and another could log on but did not request disk
// shares, neither the matrix nor the picture says that they are closed.
func TestUntriedSharesAreNotShut(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	no, yes := model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}, model.Step{Outcome: model.Allowed}
	scan := func(shares ...model.ShareResult) *model.Scan {
		return &model.Scan{Target: "h", Verdict: model.Closed, Identities: []model.IdentityResult{
			{Identity: model.Anonymous, Session: yes, Tree: no, Shares: shares},
			{Identity: model.Guest, Session: no},
			{Identity: model.UnknownUser, Session: no},
		}}
	}
	for _, test := range []struct {
		name    string
		scan    *model.Scan
		cell    model.Outcome
		picture string
	}{
		{"untried", scan(), model.NotTested, "nothing through IPC$; whether disk shares open is not settled"},
		{
			"tried", scan(model.ShareResult{Name: "a", Type: "disk", Tree: no}), model.Denied,
			"nothing: nobody without an account comes through the door",
		},
	} {
		d := &Document{catalog: c}
		d.AddScan(test.scan)
		if got := d.hosts[0].Cells[model.DisclosesFiles].Outcome; got != test.cell {
			t.Errorf("%s: the matrix says %q", test.name, got)
		}
		if got := d.hosts[0].Cells[model.DisclosesAccounts].Outcome; got != model.Denied {
			t.Errorf("%s: accounts, which are behind IPC$, are %q", test.name, got)
		}
		if got := nothing(d.hosts[0].doors); got != test.picture {
			t.Errorf("%s: the picture says %q", test.name, got)
		}
	}
	if mark(model.NotTested) != "?" {
		t.Errorf("what was not asked is shown as %q", mark(model.NotTested))
	}
}
