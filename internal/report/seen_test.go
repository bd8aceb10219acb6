package report

import (
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestSeen: an empty list is neither given nor refused, whatever another identity got; a refusal at the pipe, at the
// bind or at the call is a refusal.
func TestSeen(t *testing.T) {
	k, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	ok, no := model.Step{Outcome: model.Allowed}, model.Step{Outcome: model.Denied}
	asked := func(calls ...model.CallResult) model.IdentityResult {
		return model.IdentityResult{Identity: model.Anonymous, Session: ok, Tree: ok, Pipes: []model.PipeResult{
			{Pipe: "samr", Open: ok, Interfaces: []model.InterfaceResult{{Interface: "samr", Bind: ok, Calls: calls}}},
			{Pipe: "lsass", Open: model.Step{Outcome: model.Absent}},
			{Pipe: "srvsvc", Open: no},
			{Pipe: "svcctl", Open: ok, Interfaces: []model.InterfaceResult{{Interface: "svcctl", Bind: no}}},
		}}
	}
	users := func(o model.Outcome, d model.Disclosure, n int) model.CallResult {
		return model.CallResult{Call: "SamrEnumerateUsersInDomain", Opnum: 13, Outcome: o, Discloses: d, Count: n}
	}
	for name, x := range map[string]struct {
		call model.CallResult
		want model.Outcome
	}{
		"given":        {users(model.Allowed, model.DisclosesAccounts, 3), model.Allowed},
		"empty":        {users(model.Allowed, model.DisclosesNothing, 0), gaveNothing},
		"refused":      {users(model.Denied, "", 0), model.Denied},
		"no answer":    {users(model.Inconclusive, "", 0), model.Inconclusive},
		"another call": {model.CallResult{Call: "SamrConnect5", Outcome: model.Allowed}, ""},
	} {
		both := x.call // the other list of accounts
		if both.Call == "SamrEnumerateUsersInDomain" {
			both.Call = "SamrQueryDisplayInformation"
		}
		r := asked(x.call, both)
		if got := seenOf(k, &model.Scan{}, &r, model.DisclosesAccounts); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
		for kind, want := range map[model.Disclosure]model.Outcome{
			model.DisclosesShares:   model.Denied,
			model.DisclosesServices: model.Denied, model.DisclosesJobs: "",
		} {
			if got := seenOf(k, &model.Scan{}, &r, kind); got != want {
				t.Errorf("%s: %s is %q, want %q", name, kind, got, want)
			}
		}
	}
	guest := model.IdentityResult{Identity: model.Guest, Session: no}
	page := render(t, "html", Style{}, &model.Scan{
		Schema: model.SchemaScan, Target: "srv1", Verdict: model.Limited, Findings: []model.Finding{},
		Identities: []model.IdentityResult{asked(users(model.Allowed, model.DisclosesNothing, 0)), guest},
	}, &model.Scan{Schema: model.SchemaScan, Target: "srv2", Verdict: model.Unreachable})
	head := regexp.MustCompile(`(?s)<th scope="col">host</th>(<th scope="col">accounts.*?)</tr>`).FindStringSubmatch(
		page)
	row := regexp.MustCompile(`(?s)<tr><th scope="row"><a href="#h0">srv1</a> <span class="dim">scan</span></th>(.*?)</tr>`).FindStringSubmatch(page)
	if head == nil || row == nil {
		t.Fatalf("no matrix in\n%s", page)
	}
	columns, cells := strings.Split(head[1], "</th>"), strings.Split(row[1], "</td>")
	for i, column := range columns {
		want := map[string]string{`<th scope="col">accounts`: ">empty", `<th scope="col">shares`: ">shut"}[column]
		if !strings.HasSuffix(cells[i], want) {
			t.Errorf("%s: %s", column, cells[i])
		}
	}
	if !strings.Contains(page, "is given nothing of</th>") || !strings.Contains(page, "<td>accounts</td>") {
		t.Errorf("the table of identities does not tell")
	}
}
