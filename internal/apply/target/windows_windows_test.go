package target

import (
	"strings"
	"testing"
	"time"

	winreg "golang.org/x/sys/windows/registry"

	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

func TestWindowsConforms(t *testing.T) {
	key := applytest.RegistryKey(t)
	w := &Windows{Places: applytest.AnyPlace}
	stride := 1
	if testing.Short() {
		stride = 7 // each point writes a journal to disk, which takes a second under Wine
	}
	conform(t, subject{
		target: w, key: key, fault: &w.Fault, stride: stride,
		set: func(t *testing.T, v registry.Value) {
			k, err := openKey(v.Key, winreg.SET_VALUE)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			if err := setValue(k, v.Name, v.Type, v.Data); err != nil {
				t.Fatal(err)
			}
		},
		dump:  func(t *testing.T) string { return applytest.DumpKey(t, w, key) },
		names: []string{"A", "B", "C", "D"},
	})
}

func TestWindowsMakesAndRemovesKeys(t *testing.T) {
	key := applytest.RegistryKey(t)
	w := &Windows{Places: applytest.AnyPlace}
	before := applytest.DumpKey(t, w, key)
	plan := model.Plan{Changes: []model.Change{{ID: "1", Where: key + `\New\Deep\Value`, To: applytest.DWord(1)}}}
	e := engineFor(t, w)
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte("{}"), Target: w, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := applytest.DumpKey(t, w, key); !strings.Contains(got, `New\Deep`) {
		t.Errorf("after the apply:\n%s", got)
	}
	if j, err = e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := applytest.DumpKey(t, w, key); got != before {
		t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
	}
	if records, err := e.Records(j); err != nil || len(records) != 2 {
		t.Errorf("records %v, %v", records, err)
	}
}

func TestWindowsHost(t *testing.T) {
	h, err := (&Windows{}).Host(t.Context())
	if err != nil || h.Name == "" {
		t.Errorf("%v, %v", h, err)
	}
	if now := engine.SystemClock(); now.Uptime <= 0 {
		t.Errorf("clock %+v", now)
	}
}

// TestWindowsStarted asks when services were started. Which ones run differs; some always do.
func TestWindowsStarted(t *testing.T) {
	w := &Windows{Places: applytest.AnyPlace}
	now := engine.SystemClock()
	running := 0
	for _, name := range []string{"RpcSs", "EventLog", "PlugPlay", "Schedule"} {
		s, err := w.Started(t.Context(), name)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if !s.Running {
			continue
		}
		running++
		// Wine counts the time since boot from the real machine's start, which may lie days before.
		if s.At.After(time.Now()) || s.At.Before(now.Wall.Add(-now.Uptime).Add(-time.Minute)) {
			t.Errorf("%s runs since %v, the machine since %v", name, s.At, now.Wall.Add(-now.Uptime))
		}
	}
	if running == 0 {
		t.Error("no service runs")
	}
	if s, err := w.Started(t.Context(), "ipcguard-no-such-service"); err == nil {
		t.Errorf("a service that there is not: %+v", s)
	}
}
