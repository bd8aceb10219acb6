package verify

import (
	"context"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/model"
)

// serving is a fake with services.
type serving struct {
	*applytest.Fake
	started apply.Started
}

func (s *serving) Started(context.Context, string) (apply.Started, error) { return s.started, nil }

// TestWaitsForRestart applies a change that needs a restart and verifies after it: the exception for the pending
// restart no longer holds.
func TestWaitsForRestart(t *testing.T) {
	f, _ := applytest.Weak(target.ResolveValues)
	host := &serving{f, apply.Started{Running: true}}
	e := engineFor(t, host)
	now := engine.Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Uptime: time.Hour}
	e.Clock = func() engine.Instant { return now }
	e.Open = func(context.Context, string) (apply.Target, error) { return host, nil }
	plan := model.Plan{Strategy: "block", Changes: []model.Change{
		{
			ID: "7", Where: applytest.LMS + `\AutoShareServer`, To: applytest.DWord(0), When: "service-restart",
			TakesEffect: "restart the Server service", Closes: []string{"anonymous-lists-accounts"},
		},
		{ID: "8", Where: applytest.LSA + `\RestrictAnonymousSAM`, To: applytest.DWord(1), When: "now"},
	}}
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte("{}"), Target: host, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &Verification{Target: practice(t, "samba"), Plan: &plan} // open to strangers, before and after
	look := func(want apply.Waiting, check, closed Result) {
		t.Helper()
		if v.Waits, err = e.Waits(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if len(v.Waits) != 1 || v.Waits[0].State != want || v.Waits[0].For != "LanmanServer" ||
			!strings.Contains(v.Waits[0].String(), "AutoShareServer") {
			t.Fatalf("%+v, want %s", v.Waits, want)
		}
		p, err := v.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if resultOf(p, "restart:") != check || resultOf(p, "closed:") != closed {
			t.Errorf("%s: %+v", want, p.Checks)
		}
	}
	host.started.At = now.Wall.Add(-time.Minute)
	now.Wall, now.Uptime = now.Wall.Add(time.Minute), now.Uptime+time.Minute
	look(apply.StillWaiting, Waiting, Waiting)
	host.started.Shared = true
	look(apply.NotKnown, Unchecked, Unchecked)
	host.started.At = now.Wall
	look(apply.Restarted, Passed, Failed)
	f.Machine.ID = "another"
	if _, err := e.Waits(t.Context(), j.ID); err == nil {
		t.Error("another machine's restarts are taken for this one's")
	}
	f.Machine.ID = "fake-1"
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if list, err := e.Waits(t.Context(), j.ID); err != nil || list != nil {
		t.Errorf("rolled back, it waits for %v, %v", list, err)
	}
}
