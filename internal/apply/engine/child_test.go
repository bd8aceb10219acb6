package engine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/model"
)

// The test binary starts itself as a child; these variables control the child.
const (
	childRole  = "IPCTEST_CHILD"  // apply, guard or recover
	childState = "IPCTEST_STATE"  // directory
	childFile  = "IPCTEST_FILE"   // smb.conf, or a registry key
	childPoint = "IPCTEST_POINT"  // the point at which the child kills itself
	childWait  = "IPCTEST_WITHIN" // for the confirmation
	childID    = "IPCTEST_ID"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "apply":
		os.Exit(childApply())
	case "guard":
		os.Exit(childGuard())
	case "recover":
		os.Exit(childRecover())
	}
	os.Exit(m.Run())
}

func childEngine(fault func(string)) (*Engine, apply.Target, []model.Change) {
	target, changes := childTarget(os.Getenv(childFile), fault)
	return &Engine{
		State: os.Getenv(childState), Who: "child", Fault: fault,
		Open: func(context.Context, string) (apply.Target, error) { return target, nil },
	}, target, changes
}

// childApply applies and kills itself, as a power cut would: no code runs afterwards.
func childApply() int {
	point, err := strconv.Atoi(os.Getenv(childPoint))
	if err != nil {
		return 2
	}
	n := 0
	e, target, changes := childEngine(func(string) {
		if n == point {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Signal(syscall.SIGKILL)
			}
			if err == nil {
				select {}
			}
			os.Exit(2)
		}
		n++
	})
	within, _ := time.ParseDuration(os.Getenv(childWait)) // empty is none
	r := Request{
		Plan: model.Plan{Changes: changes}, Changes: applytest.Changes(target.System(), changes), Bytes: []byte("{}"),
		Target: target, Verify: applytest.Good, Within: within,
	}
	if within > 0 {
		r.Arm = func(ctx context.Context, j *Journal) error {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childRole+"=guard", childID+"="+j.ID)
			detach(cmd)
			if err := cmd.Start(); err != nil {
				return err
			}
			fmt.Println("guard", cmd.Process.Pid)
			return e.awaitGuard(ctx, j)
		}
	}
	j, err := e.Apply(context.Background(), r)
	if err != nil {
		fmt.Println(err)
		return 3
	}
	fmt.Println("applied", j.ID)
	return 0
}

// childRecover recovers and prints what it found.
func childRecover() int {
	e, _, _ := childEngine(func(string) {})
	found, err := e.Recover(context.Background())
	for _, r := range found {
		fmt.Println(r.Host, r.Did, r.Err)
		if r.Err != nil {
			return 1
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func childGuard() int {
	e, _, _ := childEngine(func(string) {})
	e.Who = "guard"
	if err := e.Watch(context.Background(), os.Getenv(childID)); err != nil {
		return 1
	}
	return 0
}

// startChild runs the child and returns its lines when it has ended.
func startChild(t *testing.T, state, file string, point int, within string) (lines map[string]string, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"=apply", childState+"="+state, childFile+"="+file,
		childPoint+"="+strconv.Itoa(point), childWait+"="+within)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = map[string]string{}
	for in := bufio.NewScanner(out); len(lines) < 2 && in.Scan(); {
		k, v, _ := strings.Cut(in.Text(), " ")
		lines[k] = v
	}
	err = cmd.Wait()
	code := cmd.ProcessState.ExitCode() // of a process that was killed: -1, on Windows 1
	return lines, err != nil && (code == -1 || code == 1)
}

// host is a real object that a child may change: a file or a registry key.
type host struct {
	name    string // for childFile
	target  apply.Target
	content func() string
	before  string
	after   string
}

// TestReallyKilled kills a process with SIGKILL at every point, and recovers in this one.
func TestReallyKilled(t *testing.T) {
	for n := 0; ; n++ {
		h := newHost(t)
		state := applytest.MemoryDir(t)
		_, killed := startChild(t, state, h.name, n, "")
		if !killed {
			t.Logf("killed at %d points", n)
			if n < 20 {
				t.Errorf("only %d points", n)
			}
			return
		}
		e := engineFor(t, h.target)
		e.State = state
		found, err := e.Recover(t.Context())
		if err != nil {
			t.Fatalf("killed at %d: %v", n, err)
		}
		want := h.before
		if len(found) == 1 && found[0].Host == "after" {
			want = h.after
		}
		if got := h.content(); got != want {
			t.Fatalf("killed at %d: recovery says %+v, and there is %q", n, found, got)
		}
	}
}

// awaitGone waits until a guard has ended.
func awaitGone(t *testing.T, e *Engine, id string) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		unlock, err := private.Lock(e.guardFile(id, ".lock"))
		if err == nil {
			unlock()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the guard of %s still watches: %v", id, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestGuard: a guard in its own process outlives the applying process, and undoes the apply.
func TestGuard(t *testing.T) {
	t.Run("nobody confirms", func(t *testing.T) {
		h := newHost(t)
		e := engineFor(t, h.target)
		lines, killed := startChild(t, e.State, h.name, -1, "2s")
		if killed || lines["applied"] == "" || lines["guard"] == "" {
			t.Fatalf("%v %v", lines, killed)
		}
		awaitGone(t, e, lines["applied"])
		if got := h.content(); got != h.before {
			t.Errorf("after the guard: %q", got)
		}
		j, err := e.open(lines["applied"])
		if err != nil || j.Phase() != PhaseUndone || j.Why() != "no confirmation came in time" {
			t.Errorf("%v: %+v", err, j)
		}
	})
	t.Run("confirmed", func(t *testing.T) {
		h := newHost(t)
		e := engineFor(t, h.target)
		lines, _ := startChild(t, e.State, h.name, -1, "1h")
		if _, err := e.Confirm(t.Context(), lines["applied"]); err != nil {
			t.Fatal(err)
		}
		awaitGone(t, e, lines["applied"])
		if got := h.content(); got != h.after {
			t.Errorf("what was confirmed is %q", got)
		}
	})
	t.Run("the process that applies is killed", func(t *testing.T) {
		h := newHost(t)
		e := engineFor(t, h.target)
		// Try the points in turn, up to one at which the host is changed.
		for n := 20; ; n++ {
			if _, killed := startChild(t, e.State, h.name, n, "1h"); !killed {
				t.Fatal("no such point")
			}
			all, err := e.History()
			if err != nil {
				t.Fatal(err)
			}
			j := all[len(all)-1]
			awaitGone(t, e, j.ID)
			if j.last(Wrote) == nil {
				if _, err := e.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if got := h.content(); got != h.before {
				t.Errorf("the guard did not take back what was cut short: %q", got)
			}
			return
		}
	})
}
