package verify

import (
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
)

// lsarpcAlone leaves only one pipe open, with two calls.
func lsarpcAlone(u *model.Use) (model.Outcome, string) {
	switch {
	case u.Identity != model.Anonymous:
		return model.Denied, "refused at the logon"
	case u.Layer == model.LayerSession, u.Layer == model.LayerTree && u.Share == "IPC$":
		return model.Allowed, ""
	case !strings.EqualFold(u.Pipe, "lsarpc"):
		return model.Denied, "not one of the pipes"
	case u.Layer == model.LayerOpen, u.Layer == model.LayerBind, u.Call == "LsarOpenPolicy2",
		u.Call == "LsarQueryInformationPolicy":
		return model.Allowed, ""
	}
	return model.Denied, "not one of the calls"
}

// TestBehindNoGateway checks servers without a gateway against a policy: what they give fails, what the policy leaves
// open does not, and no check gets stronger when an observation is removed.
func TestBehindNoGateway(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	v := &Verification{Target: practice(t, "samba"), Policy: &Policy{Stranger: lsarpcAlone, Users: true}}
	p, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Passed || p.Result != Failed || resultOf(p, "policy: users") != Unchecked {
		t.Errorf("%s: %+v", p.Result, p.Checks)
	}
	failed, left := 0, 0
	said := map[string]Result{}
	for _, x := range p.Checks {
		said[x.Check] = x.Result
		switch x.Result {
		case Failed:
			failed++
			if strings.Contains(x.Check, "lsarpc: LsarOpenPolicy2") {
				t.Errorf("left open on purpose, and %s: %s", x.Check, x.Detail)
			}
		case Open:
			left++
		case Passed:
			if len(x.Looks) == 0 && strings.HasPrefix(x.Check, "policy:") {
				t.Errorf("%s passes without a look", x.Check)
			}
		}
	}
	if failed == 0 || left == 0 {
		t.Errorf("%d failed, %d left open: %+v", failed, left, p.Checks)
	}
	for i := range p.Scans {
		for n, take := range without(p.Scans[i]) {
			less := &Proof{Scans: clone(t, p.Scans)}
			take(less.Scans[i])
			v.behind(less, c)
			for _, x := range less.Checks {
				if was := said[x.Check]; modeltest.Stronger(x.Result, was) {
					t.Errorf("scan %d, observation %d: %s is %s (%s), and was %q", i, n, x.Check, x.Result, x.Detail,
						was)
				}
			}
		}
	}
}
