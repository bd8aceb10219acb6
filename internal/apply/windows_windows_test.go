package apply

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	winreg "golang.org/x/sys/windows/registry"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// testKey is a key of the test's own, on a real registry.
func testKey(t *testing.T) string {
	t.Helper()
	key := fmt.Sprintf(`HKLM\SYSTEM\CurrentControlSet\Services\ipcguard-test-%d`, os.Getpid())
	k, _, err := winreg.CreateKey(winreg.LOCAL_MACHINE, subkey(key), winreg.ALL_ACCESS|winreg.WOW64_64KEY)
	if err != nil {
		t.Skipf("needs the right to write HKLM: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := winreg.DeleteKey(winreg.LOCAL_MACHINE, subkey(key)); err != nil && !errors.Is(err, winreg.ErrNotExist) {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return key
}

// dumpKey is a key with its values and the keys below it.
func dumpKey(t *testing.T, key string) string {
	t.Helper()
	k, err := openKey(key, winreg.READ)
	if err != nil {
		return err.Error()
	}
	defer k.Close()
	var b strings.Builder
	fmt.Fprintln(&b, key)
	names, err := k.ReadValueNames(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		s, err := (&Windows{}).Read(t.Context(), Place{RegistryValue, key, n})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s %s %x\n", n, s.Type, s.Data)
	}
	kids, err := k.ReadSubKeyNames(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range kids {
		b.WriteString(dumpKey(t, key+`\`+n))
	}
	return b.String()
}

func TestWindowsConforms(t *testing.T) {
	key := testKey(t)
	w := &Windows{func(string) {}}
	conform(t, subject{
		target: w, key: key, fault: &w.fault,
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
		dump:  func(t *testing.T) string { return dumpKey(t, key) },
		names: []string{"A", "B", "C", "D"},
	})
}

func TestWindowsMakesAndRemovesKeys(t *testing.T) {
	key := testKey(t)
	w := &Windows{func(string) {}}
	before := dumpKey(t, key)
	plan := model.Plan{Changes: []model.Change{{ID: "1", Where: key + `\New\Deep\Value`, To: dword(1)}}}
	e := engineFor(t, w)
	j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: w, Verify: good})
	if err != nil {
		t.Fatal(err)
	}
	if got := dumpKey(t, key); !strings.Contains(got, `New\Deep`) {
		t.Errorf("after the apply:\n%s", got)
	}
	if j, err = e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := dumpKey(t, key); got != before {
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
	if now := SystemClock(); now.Uptime <= 0 {
		t.Errorf("clock %+v", now)
	}
}

// TestWindowsEnds waits for nothing: a lock that is held keeps others out, and a process that ends lets go.
func TestWindowsLock(t *testing.T) {
	e := &Engine{State: memoryDir(t)}
	unlock, err := e.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("two locks: %v", err)
	}
	unlock()
	again, err := e.lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestTask(t *testing.T) {
	text := task(`C:\Program Files\ipcguard & co\ipcguard.exe`, []string{"recover", "--state", `C:\State Dir`, "--guard", "x"}, "x")
	for _, want := range []string{`<Command>C:\Program Files\ipcguard &amp; co\ipcguard.exe</Command>`, `&#34;C:\State Dir&#34;`, "<BootTrigger>", "S-1-5-18"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestWindowsStarted asks when services were started. Which ones run differs, that some do does not.
func TestWindowsStarted(t *testing.T) {
	w := &Windows{func(string) {}}
	now := SystemClock()
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
		// Wine counts the time since boot from the machine's own start, which may lie days before.
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
