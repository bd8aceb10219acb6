package target

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"ipcguard/internal/apply/program"
)

// System runs Samba's programs and reaches its processes for the Samba target. Tests that run Samba in a separate
// machine have their own.
type System interface {
	// Run returns a program's standard output, and on error also its standard error.
	Run(ctx context.Context, name string, args ...string) (output string, err error)
	// Named returns the name of a process, or an empty string.
	Named(pid int) string
	Began(pid int) (time.Time, error)  // when a process was started
	Reread(pid int) error              // makes it reload its configuration
	List(dir string) ([]string, error) // the names in a folder
}

// local is this machine.
type local struct{}

// List implements System.
func (local) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, nil
}

func (local) Run(ctx context.Context, name string, args ...string) (string, error) {
	return program.Run(ctx, name, args...)
}

func (local) Named(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// ticks are the clock ticks in a second that the kernel counts in: sysconf(_SC_CLK_TCK), 100 on every Linux that Go
// runs on.
const ticks = 100

// Began is part of System. See proc_pid_stat(5), field 22, and proc_uptime(5).
func (local) Began(pid int) (time.Time, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}, err
	}
	up, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}, err
	}
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ") // a name may hold anything
	fields := strings.Fields(rest)                                                      // from field 3 on
	var started uint64
	var seconds float64
	if len(fields) < 20 {
		return time.Time{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	if _, err := fmt.Sscan(fields[19], &started); err != nil {
		return time.Time{}, err
	}
	if _, err := fmt.Sscan(string(up), &seconds); err != nil {
		return time.Time{}, err
	}
	ago := time.Duration((seconds - float64(started)/ticks) * float64(time.Second))
	return time.Now().Add(-ago), nil
}

func (local) Reread(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}
