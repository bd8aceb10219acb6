package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/model"
)

// crashCase is one way to run an apply to its end, or to undo it.
type crashCase struct {
	name   string
	within time.Duration
	verify func(context.Context) (apply.Evidence, error)
	then   func(*Engine, string) error // after the apply
}

func crashCases() []crashCase {
	return []crashCase{
		{"apply", 0, applytest.Good, nil},
		{"apply that fails its proof", 0, applytest.Bad, nil},
		{"apply and confirm", time.Hour, applytest.Good, func(e *Engine, id string) error {
			_, err := e.Confirm(context.Background(), id)
			return err
		}},
		{"apply and roll back", 0, applytest.Good, func(e *Engine, id string) error {
			_, err := e.Rollback(context.Background(), id, false)
			return err
		}},
	}
}

// TestKilledAnywhere kills an apply at every point where the journal or the target makes a step, and recovers; then it
// kills the recovery at every point too, and recovers again. The host must be exactly as before or exactly as after,
// and the journal must say which.
func TestKilledAnywhere(t *testing.T) {
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			points, recoveries := 0, 0
			for n := 0; ; n++ {
				second := -1 // the point at which the recovery is killed
				for {
					dead, again := crashOnce(t, c, n, second)
					if !dead {
						t.Logf("%d points to be killed at, %d recoveries killed", points, recoveries)
						if points < 20 {
							t.Errorf("only %d points: the hooks are gone", points)
						}
						return
					}
					if second < 0 {
						points++
					} else {
						recoveries++
					}
					if !again {
						break
					}
					// Each point of a recovery is reached by some apply; all combinations would be thousands.
					if runtime.GOOS == "windows" {
						break // under Wine each step takes 50 times as long; the code is the same
					}
					if second < 0 {
						second = n % recoveryStride()
					} else {
						second += recoveryStride()
					}
				}
			}
		})
	}
}

// recoveryStride skips most points of each recovery. Each apply starts at another point, so every point is reached many
// times; the long tests reach them three times as often.
func recoveryStride() int {
	if os.Getenv("IPCGUARD_LONG") != "" {
		return 7
	}
	return 23
}

// crashOnce kills at point n, and the recovery at point second unless it is negative. It reports whether point n
// exists, and whether a later point of the recovery is worth trying.
func crashOnce(t *testing.T, c crashCase, n, second int) (dead, again bool) {
	t.Helper()
	f, plan := weakFake()
	before := applytest.Dump(f.Tree, "HKLM")
	after := afterOf(t, plan)
	e := engineFor(t, f)
	var met *[]string
	e.Fault, met = applytest.KillAt(n)
	f.Fault = e.Fault
	dead = applytest.Survive(func() {
		j, err := e.Apply(context.Background(),
			Request{
				Plan: plan, Changes: applytest.Changes("windows", plan.Changes), Bytes: []byte(`{}`), Target: f,
				Verify: c.verify, Within: c.within,
			})
		if err == nil && c.then != nil {
			if err := c.then(e, j.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
	if !dead {
		return false, false
	}
	where := fmt.Sprintf("killed at %d (%s)", n, (*met)[n])
	e.Fault, f.Fault = nil, func(string) {}
	if second >= 0 {
		e.Fault, met = applytest.KillAt(second)
		f.Fault = e.Fault
		again = applytest.Survive(func() {
			if _, err := e.Recover(context.Background()); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		})
		if again {
			where += fmt.Sprintf(", recovery killed at %d (%s)", second, (*met)[second])
		}
		e.Fault, f.Fault = nil, func(string) {}
	} else {
		again = true
	}
	found, err := e.Recover(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	says := "before" // no journal: nothing had started
	for _, r := range found {
		if r.Err != nil {
			t.Fatalf("%s: %v", where, r.Err)
		}
		says = r.Host
	}
	got := applytest.Dump(f.Tree, "HKLM")
	switch {
	case says == "before" && got == before, says == "after" && got == after:
	default:
		t.Fatalf("%s: recovery says %q, and the host is\n%s", where, says, got)
	}
	if left, _ := filepath.Glob(filepath.Join(e.State, "journal", draft+"*")); len(left) > 0 {
		t.Errorf("%s: %v is left", where, left)
	}
	return true, again
}

func afterOf(t *testing.T, plan model.Plan) string {
	t.Helper()
	f, _ := weakFake()
	writes, err := f.Resolve(t.Context(), applytest.Changes("windows", plan.Changes))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		if err := f.Write(t.Context(), w.Place, w.After, w.Before); err != nil {
			t.Fatal(err)
		}
	}
	return applytest.Dump(f.Tree, "HKLM")
}

// TestTornJournal truncates the steps of a journal at every byte, as a power cut may, and recovers.
func TestTornJournal(t *testing.T) {
	f, plan := weakFake()
	before, after := applytest.Dump(f.Tree, "HKLM"), afterOf(t, plan)
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(j.Dir, stepsFile)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// A prefix cannot lack steps of writes that were made: each step is synced and recorded in the ledger before its
	// write. So only the last line is cut, and its event did not happen.
	start := len(whole) - 1
	for whole[start-1] != '\n' {
		start--
	}
	restore := func(known int) {
		t.Helper()
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		acknowledged(t, e, j, known)
	}
	for cut := start; cut <= len(whole); cut++ {
		f, _ = weakFake()
		for _, w := range j.Writes {
			if err := f.Write(t.Context(), w.Place, w.After, w.Before); err != nil {
				t.Fatal(err)
			}
		}
		restore(len(j.Steps) - 1)
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		e.Open = func(context.Context, string) (apply.Target, error) { return f, nil }
		found, err := e.Recover(t.Context())
		if err != nil || len(found) != 1 || found[0].Err != nil {
			t.Fatalf("cut at %d of %d: %+v, %v", cut, len(whole), found, err)
		}
		want := before
		if cut == len(whole) {
			want = after
		}
		if got := applytest.Dump(f.Tree, "HKLM"); got != want {
			t.Fatalf("cut at %d of %d: recovery says %s, and the host is\n%s", cut, len(whole), found[0].Host, got)
		}
	}
	// What the ledger records was on disk, so such a line cannot be torn.
	restore(len(j.Steps))
	if err := os.WriteFile(name, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Recover(t.Context()); err == nil {
		t.Error("a line that was cut after the ledger knew it is taken for torn")
	}
	// Damage that no power cut causes is an error.
	if err := os.WriteFile(name, append([]byte("x"), whole[1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ = weakFake()
	now := applytest.Dump(f.Tree, "HKLM")
	if _, err := e.Recover(t.Context()); err == nil {
		t.Error("a damaged journal is believed")
	}
	if _, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	}); err == nil {
		t.Error("applied although a journal cannot be read")
	}
	if applytest.Dump(f.Tree, "HKLM") != now {
		t.Error("something was touched")
	}
}
