package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// A plan for an old release sets no parameter that came later, whatever it is asked for, and says what is there in its
// place.
func TestOldRelease(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	const ipc, whole = "IPC$:server smb encrypt", "server smb encrypt"
	encryption := Policy{Avoid: []string{
		"restrict anonymous", "IPC$:invalid users", "IPC$:valid users", "IPC$:hosts deny",
	}}
	for version, knows := range map[string]bool{"": true, "4.13.13-Debian": false, "4.14.0": true, "4.25.1": true} {
		h := sambaOpen
		h.version = version
		a := h.audit(t)
		told := func(rejected []model.Rejected, setting string) bool {
			return slices.ContainsFunc(rejected, func(r model.Rejected) bool {
				return r.Setting == setting && strings.Contains(r.Why, "from 4.14 on; "+version) &&
					strings.Contains(r.Why, "there smb encrypt is the same")
			})
		}
		p := make1(t, Evidence{Audit: a, Policy: encryption})
		if got := slices.Contains(changes(p), ipc+"=required"); got != knows || told(p.Rejected, ipc) == knows {
			t.Errorf("%q: %q, rejected %+v", version, changes(p), p.Rejected)
		}
		block := make1(t, Evidence{
			Audit: a, Policy: Policy{Strategy: Block, Means: "encryption", AcceptBreakage: true},
		})
		if got := slices.Contains(changes(block), whole+"=required"); got != knows ||
			!knows && !strings.Contains(block.Refused, "does nothing here") {
			t.Errorf("%q: a block makes %q: %s", version, changes(block), block.Refused)
		}
		other := make1(t, Evidence{Audit: a, Policy: Policy{Strategy: Block, AcceptBreakage: true}})
		for _, r := range other.Rejected {
			if r.Setting == "encryption" && strings.HasPrefix(r.Why, "it does nothing here") == knows {
				t.Errorf("%q: the other way is told as %q", version, r.Why)
			}
		}
		_, err := Make(Evidence{Audit: a, Policy: Policy{Want: []string{whole + "=required"}}})
		var input *InputError
		if knows != (err == nil) ||
			!knows && (!errors.As(err, &input) || !strings.Contains(input.Why, "would do nothing")) {
			t.Errorf("%q: wanted: %v", version, err)
		}
		for _, goal := range Goals() {
			weak := weakHosts[1]
			weak.version = version
			for _, policy := range []Policy{{Goal: goal}, {Goal: goal, Avoid: encryption.Avoid}} {
				for _, ch := range make1(t, Evidence{Audit: weak.audit(t), Policy: policy}).Changes {
					if why := c.Setting(ch.Setting).MissingIn(version); why != "" {
						t.Errorf("%q, goal %s: %s: %s", version, goal, ch.Setting, why)
					}
				}
			}
		}
	}
}
