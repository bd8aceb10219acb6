package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// killed unwinds a run as if its process had been killed: nothing that it would have done on the way out is done, but
// for what the system does by itself.
type killed struct{}

// killAt makes a hook that kills at the nth point, counted from 0, and says what it was called.
func killAt(n int) (hook func(string), met *[]string) {
	met = &[]string{}
	return func(point string) {
		*met = append(*met, point)
		if len(*met) == n+1 {
			panic(killed{})
		}
	}, met
}

// survive runs f and tells whether it was killed.
func survive(f func()) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	f()
	return false
}

// crashCase is one way of running an apply to its end, or back.
type crashCase struct {
	name   string
	within time.Duration
	verify func(context.Context) (*Proof, error)
	then   func(*Engine, string) error // after the apply
}

func crashCases() []crashCase {
	return []crashCase{
		{"apply", 0, good, nil},
		{"apply that fails its proof", 0, bad, nil},
		{"apply and confirm", time.Hour, good, func(e *Engine, id string) error {
			_, err := e.Confirm(context.Background(), id)
			return err
		}},
		{"apply and roll back", 0, good, func(e *Engine, id string) error {
			_, err := e.Rollback(context.Background(), id, false)
			return err
		}},
	}
}

// TestKilledAnywhere kills an apply at every point where a step of the journal or of the target is made, and recovers;
// then kills the recovery at every point as well, and recovers again. The host must be exactly as before or exactly as
// after, and the journal must say which.
func TestKilledAnywhere(t *testing.T) {
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			points, recoveries := 0, 0
			for n := 0; ; n++ {
				second := -1 // where the recovery is killed
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
					// Every point of a recovery is met by one apply or another; all with all would be thousands.
					if runtime.GOOS == "windows" {
						break // under Wine each step takes 50 times as long; the code is the same
					}
					if second < 0 {
						second = n % recoveryStride
					} else {
						second += recoveryStride
					}
				}
			}
		})
	}
}

const recoveryStride = 7

// crashOnce kills at point n, and the recovery at point second unless it is negative. It tells whether there was such a
// point n, and whether a later point of the recovery is worth trying.
func crashOnce(t *testing.T, c crashCase, n, second int) (dead, again bool) {
	t.Helper()
	f, plan := weakFake()
	before := dump(f.tree, "HKLM")
	after := afterOf(t, plan)
	e := engineFor(t, f)
	var met *[]string
	e.Fault, met = killAt(n)
	f.fault = e.Fault
	dead = survive(func() {
		j, err := e.Apply(context.Background(), Request{Plan: plan, Bytes: []byte(`{}`), Target: f, Verify: c.verify, Within: c.within})
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
	e.Fault, f.fault = nil, func(string) {}
	if second >= 0 {
		e.Fault, met = killAt(second)
		f.fault = e.Fault
		again = survive(func() {
			if _, err := e.Recover(context.Background()); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		})
		if again {
			where += fmt.Sprintf(", recovery killed at %d (%s)", second, (*met)[second])
		}
		e.Fault, f.fault = nil, func(string) {}
	} else {
		again = true
	}
	found, err := e.Recover(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	says := "before" // no journal: nothing was begun
	for _, r := range found {
		if r.Err != nil {
			t.Fatalf("%s: %v", where, r.Err)
		}
		says = r.Host
	}
	got := dump(f.tree, "HKLM")
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
	writes, err := f.Resolve(t.Context(), plan.Changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		if err := f.Write(t.Context(), w.Place, w.After); err != nil {
			t.Fatal(err)
		}
	}
	return dump(f.tree, "HKLM")
}

// TestTornJournal cuts the steps of a journal at every byte, as a power cut may, and recovers.
func TestTornJournal(t *testing.T) {
	f, plan := weakFake()
	before, after := dump(f.tree, "HKLM"), afterOf(t, plan)
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte(`{}`), Target: f, Verify: good})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(j.Dir, stepsFile)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// A prefix that has lost steps of writes that were made cannot be: each is synced before the write. So the cuts are
	// in the last line, and what it said did not happen.
	start := len(whole) - 1
	for whole[start-1] != '\n' {
		start--
	}
	for cut := start; cut <= len(whole); cut++ {
		f, _ = weakFake()
		for _, w := range j.Writes {
			if err := f.Write(t.Context(), w.Place, w.After); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		e.Open = func(context.Context, string) (Target, error) { return f, nil }
		found, err := e.Recover(t.Context())
		if err != nil || len(found) != 1 || found[0].Err != nil {
			t.Fatalf("cut at %d of %d: %+v, %v", cut, len(whole), found, err)
		}
		want := before
		if cut == len(whole) {
			want = after
		}
		if got := dump(f.tree, "HKLM"); got != want {
			t.Fatalf("cut at %d of %d: recovery says %s, and the host is\n%s", cut, len(whole), found[0].Host, got)
		}
	}
	// Damage that no power cut makes is not guessed about.
	if err := os.WriteFile(name, append([]byte("x"), whole[1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ = weakFake()
	now := dump(f.tree, "HKLM")
	if _, err := e.Recover(t.Context()); err == nil {
		t.Error("a damaged journal is believed")
	}
	if _, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte(`{}`), Target: f, Verify: good}); err == nil {
		t.Error("applied although a journal cannot be read")
	}
	if dump(f.tree, "HKLM") != now {
		t.Error("something was touched")
	}
}
