package catalog

import (
	"slices"
	"testing"

	"ipcguard/internal/model"
)

// TestSeenWantsEveryWay: the refusal of one of two ways to the same data says nothing about the other, unless the
// refused call precedes both.
func TestSeenWantsEveryWay(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	yes := model.Step{Outcome: model.Allowed}
	refused := func(name string, ends bool) model.CallResult {
		return model.CallResult{Call: name, Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED", Ends: ends}
	}
	for _, v := range []struct {
		what  string
		kind  model.Disclosure
		calls []model.CallResult
		want  model.Outcome
	}{
		{
			"both", model.DisclosesPasswordPolicy,
			[]model.CallResult{
				refused("SamrGetDomainPasswordInformation", false),
				refused("SamrQueryInformationDomain", false),
			},
			model.Denied,
		},
		{
			"the second alone", model.DisclosesPasswordPolicy,
			[]model.CallResult{refused("SamrQueryInformationDomain", false)},
			model.NotTested,
		},
		{
			"the first alone", model.DisclosesPasswordPolicy,
			[]model.CallResult{refused("SamrGetDomainPasswordInformation", false)},
			model.NotTested,
		},
		{
			"the first, and what the second needs", model.DisclosesPasswordPolicy,
			[]model.CallResult{refused("SamrGetDomainPasswordInformation", false), refused("SamrConnect5", true)},
			model.Denied,
		},
		{
			"what the second needs", model.DisclosesPasswordPolicy,
			[]model.CallResult{refused("SamrConnect5", true)},
			model.NotTested,
		},
		{
			"one list of accounts", model.DisclosesAccounts,
			[]model.CallResult{refused("SamrEnumerateUsersInDomain", false)},
			model.NotTested,
		},
		{
			"what all lists need", model.DisclosesAccounts,
			[]model.CallResult{refused("SamrConnect5", true)},
			model.Denied,
		},
		{"nothing", model.DisclosesAccounts, nil, model.NotTested},
		{
			"one that was lost before another", model.DisclosesGroups,
			[]model.CallResult{{Call: "SamrEnumerateUsersInDomain", Outcome: model.Inconclusive}},
			model.Inconclusive,
		},
	} {
		r := &model.IdentityResult{Identity: model.Anonymous, Session: yes, Tree: yes}
		for i := range c.Pipes {
			p := model.PipeResult{Pipe: c.Pipes[i].Name, Open: model.Step{Outcome: model.Denied}}
			if slices.ContainsFunc(c.Pipes[i].Interfaces, func(b Bound) bool { return b.ID == "samr" }) {
				p.Open = yes
				p.Interfaces = []model.InterfaceResult{{Interface: "samr", Bind: yes, Calls: v.calls}}
			}
			r.Pipes = append(r.Pipes, p)
		}
		if seen := c.Seen(&model.Scan{}, r, v.kind); seen.Outcome != v.want {
			t.Errorf("%s: %s (%s), want %s", v.what, seen.Outcome, seen.By, v.want)
		}
	}
}
