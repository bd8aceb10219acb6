package verify

import (
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestVerifyNothingToClose: after an earlier scan without findings there is nothing to prove, and what strangers are
// given now is reported.
func TestVerifyNothingToClose(t *testing.T) {
	for _, verdict := range []model.Verdict{model.Closed, model.Limited, model.Unreachable, model.VerdictInconclusive} {
		earlier := &model.Scan{Verdict: verdict, Findings: []model.Finding{
			{ID: "null-session-accepted", Identity: model.Anonymous}, {ID: "signing-not-required"},
		}}
		p, err := (&Verification{Target: practice(t, "samba"), Earlier: earlier}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.Passed || p.Result != Unchecked || resultOf(p, "closed:nothing") != Unchecked {
			t.Errorf("after %s: %s, %+v", verdict, p.Result, p.Checks)
		}
		if resultOf(p, "control:seen-before") != "none" {
			t.Errorf("after %s: an exposure was seen before", verdict)
		}
		if !strings.Contains(strings.Join(p.Beside, " "), "anonymous-lists-accounts") {
			t.Errorf("after %s: beside %v", verdict, p.Beside)
		}
	}
}

// TestJudgeNeedsALook: an answering server, and notes of what cannot be seen, verify nothing.
func TestJudgeNeedsALook(t *testing.T) {
	p := &Proof{Checks: []Check{
		{Check: "control:answers", Result: Passed},
		{Check: "restart:x", Result: Passed, Note: true},
		{Check: "closed:weak-setting", Result: Unchecked, Note: true},
	}}
	if p.Judge(); p.Passed || p.Result != Unchecked || !p.Proves() {
		t.Errorf("%+v", p)
	}
	p.Checks = append(p.Checks, Check{Check: "logon:user", Result: Passed})
	if p.Judge(); !p.Passed {
		t.Errorf("%+v", p)
	}
}

// TestSigningBehindEncryption: whether encryption stands in for signing is not known from a refused null session.
func TestSigningBehindEncryption(t *testing.T) {
	for status, want := range map[string]Result{"STATUS_ACCESS_DENIED": Inconclusive, "STATUS_LOGON_FAILURE": Failed} {
		s := &model.Scan{
			Server: model.Server{System: "samba", Dialects: []string{"3.1.1"}, Signing: "enabled", Encryption: true},
			Identities: []model.IdentityResult{{
				Identity: model.Anonymous, Session: model.Step{Outcome: model.Denied, Status: status},
			}},
		}
		c := &doors{scans: []*model.Scan{s}}
		if v := c.posture("signing-not-required"); v.result != want {
			t.Errorf("%s: %+v", status, v)
		}
		s.Server.EncryptionRequired = true
		if v := c.posture("signing-not-required"); v.result != Passed {
			t.Errorf("encryption is required: %+v", v)
		}
	}
}

func anonymousTold(shares ...model.ShareResult) *model.Scan {
	yes := model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"}
	return &model.Scan{
		Server: model.Server{Dialects: []string{"3.1.1"}},
		Identities: []model.IdentityResult{{
			Identity: model.Anonymous, Dialect: "3.1.1", Session: yes, Tree: yes,
			Shares: shares,
		}},
	}
}

// TestSharesOnSomebodysWord: a share name that the user gives is only the user's claim, and a share that does not exist
// proves nothing.
func TestSharesOnSomebodysWord(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	told := func(o model.Outcome) model.ShareResult {
		return model.ShareResult{
			Name: "Given", Type: "disk", Tree: model.Step{Outcome: o},
			Open: model.Step{Outcome: model.NotTested},
		}
	}
	for _, test := range []struct {
		name   string
		tree   model.Outcome
		opened opened
		want   Result
		detail string
	}{
		{
			"the user's word, refused", model.Denied,
			opened{count: 1, given: []string{"given"}},
			Passed,
			"word of who named them",
		},
		{
			"the user's word, not there", model.Absent,
			opened{count: 1, given: []string{"given"}},
			Unchecked,
			"may be another",
		},
		{
			"seen before, refused", model.Denied,
			opened{count: 1, names: []string{"given"}},
			Passed,
			"every share that stood open",
		},
		{
			"seen before, gone", model.Absent,
			opened{count: 1, names: []string{"given"}, given: []string{"given"}},
			Passed, "every share that stood open",
		},
		{"one of two", model.Denied, opened{count: 2, names: []string{"given"}}, Unchecked, "2 shares stood open"},
	} {
		d := &doors{catalog: c, scans: []*model.Scan{anonymousTold(told(test.tree))}, opened: test.opened}
		if v := d.of("anonymous-reads-files"); v.result != test.want || !strings.Contains(v.detail, test.detail) {
			t.Errorf("%s: %s: %s", test.name, v.result, v.detail)
		}
	}
}

// TestPassesHaveLooks: every check that passes has its evidence.
func TestPassesHaveLooks(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	no := model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}
	gone := model.ShareResult{Type: "disk", Tree: model.Step{Outcome: model.Absent, Status: "STATUS_BAD_NETWORK_NAME"}}
	admin, c1, public := gone, gone, gone
	admin.Name, c1.Name, public.Name = "ADMIN$", "C$", "public"
	shut := anonymousTold(admin, c1, public)
	dropped := anonymousTold()
	dropped.Identities[0].ClosedBy = "the server drops the connection"
	refused := anonymousTold()
	refused.Identities[0].Session = no
	atIPC := anonymousTold(admin, c1, public)
	atIPC.Identities[0].Tree = no
	for _, s := range []*model.Scan{shut, dropped, refused, atIPC} {
		for _, id := range []model.Identity{model.Guest, model.UnknownUser} {
			s.Identities = append(s.Identities, model.IdentityResult{Identity: id, Session: no})
		}
	}
	passed := 0
	for name, s := range map[string]*model.Scan{
		"shut": shut, "dropped": dropped, "refused": refused,
		"at IPC$": atIPC,
	} {
		d := &doors{catalog: c, scans: []*model.Scan{s}, opened: opened{count: 1, names: []string{"public"}}}
		for _, promise := range promises(c) {
			if v := d.of(promise); v.result == Passed {
				if passed++; len(v.looks) == 0 {
					t.Errorf("%s: %s passes without a look", name, promise)
				}
			}
		}
	}
	if passed < 40 {
		t.Errorf("%d passes: the servers are not shut", passed)
	}
}
