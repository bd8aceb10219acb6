package model

import "testing"

// TestAuditVerdict: an audit is exposed only by a scan's definition.
func TestAuditVerdict(t *testing.T) {
	type d = map[Disclosure]Outcome
	const unknown = Outcome("unknown")
	signing := []Finding{{ID: "signing-not-required", Severity: High}}
	for _, test := range []struct {
		name   string
		access map[Identity]Access
		want   Verdict
	}{
		{"nobody is known about", nil, VerdictInconclusive},
		{
			"a user alone",
			map[Identity]Access{User: {Tree: Allowed, Discloses: d{DisclosesAccounts: Allowed}}},
			VerdictInconclusive,
		},
		{"all refused", map[Identity]Access{
			Anonymous: {Session: Denied, Tree: Denied},
			Guest:     {Session: Denied, Tree: Denied},
		}, Closed},
		{"the share is shut", map[Identity]Access{
			Anonymous: {Session: Allowed, Tree: Denied, Discloses: d{DisclosesAccounts: Denied}},
		}, Closed},
		{
			"in, and given nothing",
			map[Identity]Access{Anonymous: {
				Session: Allowed, Tree: Allowed,
				Discloses: d{DisclosesAccounts: Denied, DisclosesEndpoints: Allowed},
			}},
			Limited,
		},
		{"given accounts", map[Identity]Access{Anonymous: {
			Session: Allowed, Tree: Allowed,
			Discloses: d{DisclosesAccounts: Allowed, DisclosesShares: unknown},
		}}, Exposed},
		{"files past a shut share", map[Identity]Access{
			Guest: {Session: Allowed, Tree: Denied, Discloses: d{DisclosesFiles: Allowed}},
		}, Exposed},
		{"not settled", map[Identity]Access{Anonymous: {
			Session: unknown, Tree: unknown,
			Discloses: d{DisclosesAccounts: unknown},
		}, Guest: {Session: Denied}}, VerdictInconclusive},
		{
			"a refused guest settles no anonymous",
			map[Identity]Access{
				Anonymous: {Session: Allowed, Tree: Allowed, Discloses: d{DisclosesAccounts: unknown}},
				Guest:     {Session: Denied},
			},
			VerdictInconclusive,
		},
	} {
		if got := (&Audit{Access: test.access, Findings: signing}).Verdict(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
