package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestHarden: a host that a plan has closed has nothing left to close. What is wanted all the same is another goal,
// which takes nothing from what is needed, and after which nothing is weak that reaches strangers alone.
func TestHarden(t *testing.T) {
	closed := host{system: "windows", product: "win2019", role: model.Member, settings: map[string]any{
		"RestrictAnonymous": 0, "RestrictAnonymousSAM": 0, "EveryoneIncludesAnonymous": 1, "RestrictNullSessAccess": 1,
		"NullSessionPipes": []string{}, "NullSessionShares": []string{}, "EnableGuestAccount": 0,
		"LSAAnonymousNameLookup": 0,
	}}
	p := make1(t, Evidence{Audit: closed.audit(t)})
	if len(p.Changes) > 0 {
		t.Errorf("a closed host gets %v", changes(p))
	}
	for _, id := range []string{
		"RestrictAnonymous", "RestrictAnonymousSAM", "EveryoneIncludesAnonymous", "RequireSecuritySignature",
	} {
		if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool { return r.Setting == id }) {
			t.Errorf("%s is weak and not named: %v", id, p.Rejected)
		}
	}
	hard := make1(t, Evidence{Audit: closed.audit(t), Policy: Policy{Goal: Harden}})
	if got, want := changes(hard),
		[]string{
			"RestrictAnonymous=1", "RestrictAnonymousSAM=1", "EveryoneIncludesAnonymous=0",
		}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for _, ch := range hard.Changes {
		if len(ch.Closes) > 0 || !strings.Contains(ch.Why, "a second lock") || !ch.From.Present {
			t.Errorf("%+v", ch)
		}
	}
	if again := make1(t,
		Evidence{Audit: closed.planned(hard).audit(t), Policy: Policy{Goal: Harden}}); len(again.Changes) > 0 {
		t.Errorf("hardened, it still gets %v", changes(again))
	}
	kept := make1(t, Evidence{
		Audit: closed.audit(t), Policy: Policy{Goal: Harden, Avoid: []string{"RestrictAnonymous"}},
	})
	if slices.ContainsFunc(kept.Changes, func(c model.Change) bool { return c.Setting == "RestrictAnonymous" }) {
		t.Error("a setting that is to be avoided is set")
	}
	if _, err := Make(Evidence{Audit: closed.audit(t), Policy: Policy{Goal: "everything"}}); err == nil {
		t.Error("a goal that is none is taken")
	}
}
