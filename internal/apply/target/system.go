package target

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"ipcguard/internal/apply/program"
)

// System is what a Samba server's target cannot do for itself: it runs Samba's programs and reaches its processes. Tests
// that keep Samba in a machine of its own have their own.
type System interface {
	// Run gives a program's standard output, and with an error its complaint as well.
	Run(ctx context.Context, name string, args ...string) (output string, err error)
	// Named tells the name of a process, empty where there is none.
	Named(pid int) string
	Reread(pid int) error              // tells it to read its configuration again
	List(dir string) ([]string, error) // the names in a folder
}

// local is this machine.
type local struct{}

// List is part of System.
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
