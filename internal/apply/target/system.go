package target

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"ipcguard/internal/apply/program"
)

// System runs Samba's programs and reaches its processes for the Samba target. Tests that run Samba in a separate
// machine have their own.
type System interface {
	// Run returns a program's standard output, and on error also its standard error.
	Run(ctx context.Context, name string, args ...string) (output string, err error)
	// Named returns the name of a process, or an empty string.
	Named(pid int) string
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

func (local) Reread(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}
