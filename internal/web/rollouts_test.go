package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// TestRolloutFromSetting: one click on what fixes most plans for every host that the setting would fix, and what is
// left is handed over as files.
func TestRolloutFromSetting(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	body := p.ok("/settings?setting=restrict+anonymous")
	if !strings.Contains(body, ">Plan it for ") ||
		strings.Contains(s.login(store.RoleViewer).ok("/settings?setting=restrict+anonymous"), ">Plan it for ") {
		t.Error("the setting is not planned for an operator, or for a viewer")
	}
	a := p.post("/rollouts", "name", "restrict anonymous", "setting", "restrict anonymous", "query",
		"setting=restrict+anonymous")
	if a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	at := a.header.Get("Location")
	if err := s.fleet.PlanRollouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	body = p.ok(at)
	for _, want := range []string{
		"restrict anonymous", "alone", "to change", "to audit first", "samba, standalone",
		"Audit ",
	} {
		if !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("the rollout does not say %q", want)
		}
	}
	if strings.Contains(body, "hx-get") {
		t.Error("a rollout that is planned still asks")
	}
	check(t, at, body)
	if a := p.get(at + "/files.zip"); a.status != http.StatusOK || !strings.HasPrefix(a.body, "PK") || !strings.Contains(a.body, "groups/g01_samba_standalone/ansible/apply.yml") {
		t.Errorf("the archive: %d", a.status)
	}
	if s := p.ok(at + "/tickets/jira.csv"); !strings.Contains(s, "Set restrict anonymous = ") {
		t.Errorf("the tickets: %s", s)
	}
	if a := p.get(at + "/tickets/poem.csv"); a.status != http.StatusNotFound {
		t.Errorf("tickets as a poem: %d", a.status)
	}
	if a := p.post("/hosts/act", "which", "all", "filter", "verdict=exposed", "do", "plan"); a.header.Get("Location") != "/rollouts/new?query=verdict%3Dexposed" {
		t.Errorf("all of a filter lead to %s", a.header.Get("Location"))
	}
	if a := p.post("/hosts/act", "which", "ticked", "host", "1", "host", "2", "do", "plan"); a.header.Get("Location") != "/rollouts/new?host=1&host=2" {
		t.Errorf("ticked hosts lead to %s", a.header.Get("Location"))
	}
}

// TestRolloutTooOld: a rollout says which hosts changed after it was planned, and offers to plan them again.
func TestRolloutTooOld(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	at := p.post("/rollouts", "name", "berlin", "query", "tag=berlin").header.Get("Location")
	if err := s.fleet.PlanRollouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := `action="` + at + `/plan"><button class="main">Plan again`
	body := p.ok(at)
	if !strings.Contains(body, "Planned from what was known until") || strings.Contains(body, again) {
		t.Error("a fresh rollout does not say what it was planned from, or offers another plan as the next step")
	}
	h := s.host("10.1.0.1:445")
	if err := s.st.SaveDocument(t.Context(), h.ID, store.KindObserve, time.Now(), []byte(`{"schema":"x"}`)); err != nil {
		t.Fatal(err)
	}
	body = p.ok(at)
	for _, want := range []string{"1 host changed after the plan was made", again, `>newer than its plan<`} {
		if !strings.Contains(body, want) {
			t.Errorf("a rollout that is too old does not say %q", want)
		}
	}
	check(t, at, body)
	if body := p.ok(at + "?newer=yes"); !strings.Contains(body, h.Name) || strings.Count(body, ">newer than its plan<") != 1 {
		t.Error("the list of what is newer than its plan has other hosts")
	}
	if body := s.login(store.RoleViewer).ok(at); !strings.Contains(body, "changed after the plan") || strings.Contains(body, "Plan again") {
		t.Error("a viewer is not told, or may plan")
	}
}

// TestRolloutNothingLeft: a rollout whose hosts left the fleet has nothing left, and does not call them closed.
func TestRolloutNothingLeft(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	h := s.host("10.1.0.1:445")
	o := store.Rollout{Name: "gone", Strategy: "restrict"}
	if err := s.st.AddRollout(t.Context(), &o, store.HostFilter{IDs: []int64{h.ID}}); err != nil {
		t.Fatal(err)
	}
	if err := s.st.RecordPlanned(t.Context(), o.ID, []store.PlannedHost{{
		HostID: h.ID, State: store.RolloutOpen, Changes: []byte("1"), Plan: plainSeed().plan(),
		Closes: []string{"anonymous-lists-accounts"},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := s.st.RolloutPlanned(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.st.RetireHost(t.Context(), h.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.st.FollowRollouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body := s.login(store.RoleViewer).ok("/rollouts"); !strings.Contains(body, ">nothing left<") || strings.Contains(body, ">all closed<") {
		t.Error("the list of rollouts calls hosts closed that left the fleet")
	}
}
