package applytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// Machine is Samba's machine: its programs run in it, and its processes have their numbers there.
type Machine struct {
	*peer.Samba
	Refuse string // a program that fails
}

// List is part of target.System.
func (m Machine) List(dir string) ([]string, error) {
	out, err := m.Command(context.Background(), "ls", "-A", dir).Output()
	return strings.Fields(string(out)), err
}

// Run is part of target.System.
func (m Machine) Run(ctx context.Context, name string, args ...string) (string, error) {
	if name == m.Refuse {
		return "error: refused", errors.New("exit status 1")
	}
	cmd := m.Command(ctx, name, args...)
	var out, trouble strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		return out.String() + trouble.String(), err
	}
	return out.String(), nil
}

// Named is part of target.System.
func (m Machine) Named(pid int) string {
	out, err := m.Command(context.Background(), "cat", fmt.Sprintf("/proc/%d/comm", pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// Reread is part of target.System.
func (m Machine) Reread(pid int) error {
	return m.Command(context.Background(), "kill", "-HUP", strconv.Itoa(pid)).Run()
}

// Quiet has no Samba: testparm agrees with everything, smbd does not run.
type Quiet struct{}

// Run is part of target.System.
func (Quiet) Run(_ context.Context, name string, _ ...string) (string, error) {
	if name == "testparm" {
		return "", nil
	}
	return "", &exec.Error{Name: name, Err: errors.New("no server")}
}

// Named is part of target.System.
func (Quiet) Named(int) string { return "" }

// Reread is part of target.System.
func (Quiet) Reread(int) error { return nil }

// List is part of target.System.
func (Quiet) List(string) ([]string, error) { return nil, nil }

// Commented is a configuration with ends of lines, comments and a share that an edit must keep.
const Commented = "# my server\r\n[global]\r\n\tworkgroup = X ; not a comment\r\n; restrict anonymous = 0\r\n\r\n[share]\r\n\tpath = /x\r\n"

// Value is a parameter's value as a plan has it.
func Value(v any) model.Value { return model.Value{Present: true, Data: v} }

// Absent is a parameter that is not there.
var Absent model.Value

// Parameter is a change of one parameter of smb.conf.
func Parameter(section, name string, from, to model.Value) model.Change {
	return model.Change{ID: "1", Setting: name, Where: "[" + section + "] " + name, From: from, To: to}
}

// WriteConf makes an smb.conf in a directory of its own.
func WriteConf(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(MemoryDir(t), "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
