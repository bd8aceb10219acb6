package apply

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
)

func TestWaits(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	written := Instant{Wall: wall, Uptime: time.Hour}
	later := func(d time.Duration) Instant { return Instant{Wall: wall.Add(d), Uptime: time.Hour + d} }
	service := func(s Started) func(string) (Started, error) {
		return func(string) (Started, error) { return s, nil }
	}
	refused := func(string) (Started, error) { return Started{}, errors.New("access is denied") }
	running := func(at time.Time, shared bool) func(string) (Started, error) {
		return service(Started{At: at, Running: true, Shared: shared})
	}
	for name, c := range map[string]struct {
		what         string
		written, now Instant
		started      func(string) (Started, error)
		want         Waiting
	}{
		"the machine runs on":                    {TheMachine, written, later(time.Minute), nil, StillWaiting},
		"the machine was started, uptime":        {TheMachine, written, Instant{Wall: wall.Add(time.Minute), Uptime: time.Second}, nil, Restarted},
		"started long ago, by the wall clock":    {TheMachine, written, Instant{Wall: wall.Add(9 * time.Hour), Uptime: 2 * time.Hour}, nil, Restarted},
		"the wall clock went back":               {TheMachine, written, Instant{Wall: wall.Add(-time.Hour), Uptime: 2 * time.Hour}, nil, StillWaiting},
		"another boot, by its name":              {TheMachine, Instant{wall, "a", time.Hour}, Instant{wall.Add(time.Hour), "b", 3 * time.Hour}, nil, Restarted},
		"the same boot, whatever the clocks say": {TheMachine, Instant{wall, "a", time.Hour}, Instant{wall.Add(9000 * time.Hour), "a", 2 * time.Hour}, nil, StillWaiting},
		"no clock":                               {TheMachine, Instant{Wall: wall}, Instant{Wall: wall.Add(time.Hour)}, nil, NotKnown},
		"a host from afar":                       {TheMachine, written, Instant{}, nil, NotKnown},
		"the service runs on":                    {"LanmanServer", written, later(time.Minute), running(wall.Add(-time.Second), false), StillWaiting},
		"the service was started":                {"LanmanServer", written, later(time.Minute), running(wall.Add(time.Second), false), Restarted},
		"in a process with others":               {"LanmanServer", written, later(time.Minute), running(wall.Add(-time.Second), true), NotKnown},
		"with others, in a new process":          {"LanmanServer", written, later(time.Minute), running(wall.Add(time.Second), true), Restarted},
		"the service does not run":               {"LanmanServer", written, later(time.Minute), service(Started{}), Restarted},
		"it cannot be asked":                     {"LanmanServer", written, later(time.Minute), refused, NotKnown},
		"it cannot be asked, after a boot":       {"LanmanServer", written, Instant{Wall: wall.Add(time.Minute), Uptime: 1}, refused, Restarted},
	} {
		if got, why := waits(c.what, c.written, c.now, c.started); got != c.want || why == "" {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}

func TestRestartOf(t *testing.T) {
	for where, want := range map[string]string{
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters\AutoShareServer`:       "LanmanServer",
		`HKLM\SYSTEM\CurrentControlSet\Services\Spooler\Start`:                                 "Spooler",
		`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Printers\RPC\RpcProtocols`:                "Spooler",
		`HKLM\SYSTEM\CurrentControlSet\Control\Lsa\RestrictAnonymous`:                          TheMachine,
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\DefaultSecurity\SrvsvcConnection`: "LanmanServer",
	} {
		p, err := valuePlace(where)
		if err != nil {
			t.Fatal(err)
		}
		if got := restartOf(model.Change{When: "service-restart"}, p); got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
		if got := restartOf(model.Change{When: "reboot"}, p); got != TheMachine {
			t.Errorf("%s: %q", where, got)
		}
		if got := restartOf(model.Change{When: "now"}, p); got != "" {
			t.Errorf("%s: %q", where, got)
		}
	}
}

// serving is a fake with services.
type serving struct {
	*fake
	started Started
}

func (s *serving) Started(context.Context, string) (Started, error) { return s.started, nil }

// TestWaitsForRestart goes from an apply that waits for a restart to the verification after it: what was excused is not
// any more.
func TestWaitsForRestart(t *testing.T) {
	f, _ := weakFake()
	host := &serving{f, Started{Running: true}}
	e := engineFor(t, host)
	now := Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Uptime: time.Hour}
	e.Clock = at(&now)
	e.Open = func(context.Context, string) (Target, error) { return host, nil }
	plan := model.Plan{Strategy: "block", Changes: []model.Change{
		{ID: "7", Where: lms + `\AutoShareServer`, To: dword(0), When: "service-restart", TakesEffect: "restart the Server service", Closes: []string{"anonymous-lists-accounts"}},
		{ID: "8", Where: lsa + `\RestrictAnonymousSAM`, To: dword(1), When: "now"},
	}}
	j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: host, Verify: good})
	if err != nil {
		t.Fatal(err)
	}
	v := &Verification{Target: practice(t, "samba"), Plan: &plan} // open to strangers, before and after
	look := func(want Waiting, check, closed Result) {
		t.Helper()
		if v.Waits, err = e.Waits(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if len(v.Waits) != 1 || v.Waits[0].State != want || v.Waits[0].For != "LanmanServer" || !strings.Contains(v.Waits[0].String(), "AutoShareServer") {
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
	look(StillWaiting, Unchecked, Unchecked)
	host.started.Shared = true
	look(NotKnown, Unchecked, Unchecked)
	host.started.At = now.Wall
	look(Restarted, Passed, Failed)
	f.host.ID = "another"
	if _, err := e.Waits(t.Context(), j.ID); err == nil {
		t.Error("another machine's restarts are taken for this one's")
	}
	f.host.ID = "fake-1"
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if list, err := e.Waits(t.Context(), j.ID); err != nil || list != nil {
		t.Errorf("rolled back, it waits for %v, %v", list, err)
	}
}
