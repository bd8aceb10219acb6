package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"ipcguard/internal/observe/observetest"
)

// TestObserveMemory reads a capture of more than 60 MB with 7,000 clients, each with rows of its own and half
// of them with an open session, with observe's default memory: its process takes at most 100 MiB. The garbage collector
// stops the program while it works. Otherwise the program allocates meanwhile, more on a busy machine than on a quiet
// one.
func TestObserveMemory(t *testing.T) {
	const (
		clients = 7000
		most    = 100 << 20
	)
	dir := t.TempDir()
	path := filepath.Join(dir, "clients.pcap")
	m, done := observetest.Create(t, path)
	for i := range clients {
		m.Connect(i << 8) // an address of its own
		m.Logon(t)
		m.Calls(t, 12)
		if i%2 == 0 { // the rest stays open
			m.Disconnect()
		}
	}
	done()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 60e6 {
		t.Fatalf("the capture has %d bytes", info.Size())
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "ipcguard")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	measure := filepath.Join(dir, "measured")
	if err := os.Symlink(self, measure); err != nil {
		t.Fatal(err)
	}
	told := filepath.Join(dir, "peak")
	cmd := exec.CommandContext(t.Context(), measure, told, program, "observe", path, "--format", "json", "-o",
		filepath.Join(dir, "uses.json"))
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "HOME="+dir, "GOGC=", "GOMEMLIMIT=",
		"GODEBUG=gcstoptheworld=2")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	peak, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MB, %d MiB, exit %d", info.Size()/1e6, peak>>20, cmd.ProcessState.ExitCode())
	if code := cmd.ProcessState.ExitCode(); code != exitExposed {
		t.Errorf("exit %d: %s", code, out)
	}
	if peak > most {
		t.Errorf("%d MiB of memory at the peak, more than %d", peak>>20, most>>20)
	}
}
