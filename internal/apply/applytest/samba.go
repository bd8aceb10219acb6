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
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// Machine is the machine of a Samba server: its programs run there, and its processes have their IDs there.
type Machine struct {
	*peer.Samba
	Refuse string // a program that fails
}

// List implements target.System.
func (m Machine) List(dir string) ([]string, error) {
	out, err := m.Command(context.Background(), "ls", "-A", dir).Output()
	return strings.Fields(string(out)), err
}

// Run implements target.System.
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

// Named implements target.System.
func (m Machine) Named(pid int) string {
	out, err := m.Command(context.Background(), "cat", fmt.Sprintf("/proc/%d/comm", pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// Began implements target.System.
func (m Machine) Began(pid int) (time.Time, error) {
	out, err := m.Command(context.Background(), "ps", "-o", "etimes=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return time.Now().Add(-time.Duration(seconds) * time.Second), err
}

// Reread implements target.System.
func (m Machine) Reread(pid int) error {
	return m.Command(context.Background(), "kill", "-HUP", strconv.Itoa(pid)).Run()
}

// Quiet is a system without Samba: testparm accepts everything, and smbd does not run.
type Quiet struct{}

// Run implements target.System.
func (Quiet) Run(_ context.Context, name string, _ ...string) (string, error) {
	if name == "testparm" {
		return "", nil
	}
	return "", &exec.Error{Name: name, Err: errors.New("no server")}
}

// Named implements target.System.
func (Quiet) Named(int) string { return "" }

// Began implements target.System.
func (Quiet) Began(int) (time.Time, error) { return time.Time{}, errors.New("no such process") }

// Reread implements target.System.
func (Quiet) Reread(int) error { return nil }

// List implements target.System.
func (Quiet) List(string) ([]string, error) { return nil, nil }

// Commented is a configuration whose line ends, comments and share an edit must preserve.
const Commented = "# my server\r\n[global]\r\n\tworkgroup = X ; not a comment\r\n; restrict anonymous = " +
	"0\r\n\r\n[share]\r\n\tpath = /x\r\n"

// Value returns a parameter's value as a plan contains it.
func Value(v any) model.Value { return model.Value{Present: true, Data: v} }

// Absent is an absent parameter.
var Absent model.Value

// Parameter returns a change of one parameter of smb.conf.
func Parameter(section, name string, from, to model.Value) model.Change {
	return model.Change{ID: "1", Setting: name, Where: "[" + section + "] " + name, From: from, To: to}
}

// WriteConf writes an smb.conf into a new directory.
func WriteConf(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(MemoryDir(t), "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
