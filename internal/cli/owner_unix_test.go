//go:build unix

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ipcguard/internal/peer"
)

// What root writes for the fleet's server belongs to the server's account, which does not make root give away anything
// else.
func TestGiveToOwner(t *testing.T) {
	peer.Need(t, "namespaces") // which root has
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "mine")
	owner := func(path string) string {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		of := info.Sys().(*syscall.Stat_t)
		return fmt.Sprint(of.Uid, " ", of.Gid)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, path := range []string{mine, file("written"), file("linked")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink(mine, file("symlink")), os.Link(file("linked"), file("link")),
		syscall.Mkfifo(file("fifo"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if err := giveToOwner(file("written")); err != nil || owner(file("written")) != "65534 65534" {
		t.Errorf("it belongs to %s, %v", owner(file("written")), err)
	}
	for _, name := range []string{"symlink", "linked", "fifo", "none"} {
		if err := giveToOwner(file(name)); err == nil {
			t.Errorf("%s was given away", name)
		}
	}
	if err := giveToOwner(mine); err != nil {
		t.Error(err)
	}
	if owner(mine) != "0 0" || owner(file("linked")) != "0 0" {
		t.Errorf("given away: %s, %s", owner(mine), owner(file("linked")))
	}
	if ownedHere(dir) || !ownedHere(filepath.Dir(mine)) || ownedHere(mine) || ownedHere(file("none")) {
		t.Error("whose is what?")
	}
}

// A command about the server's database says that there is none, and makes none.
func TestNoDatabase(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{"check", "password ada", "rekey", "backup " + filepath.Join(dir, "b.db")} {
		var out bytes.Buffer
		a := &app{stdout: &out, stderr: &out}
		c := a.root()
		c.SetArgs(append(strings.Fields("serve "+args), "--state", dir))
		err := c.ExecuteContext(t.Context())
		var hint hinted
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &hint) || !strings.Contains(hint.hint, "--state") {
			t.Errorf("%s: %v", args, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%v was made, %v", files, err)
	}
}

// The shell offers the words of a flag that takes one of a few.
func TestComplete(t *testing.T) {
	for args, want := range map[string]string{
		"scan --format ": "text json jsonl csv html sarif ocsf", "plan --goal ": "strangers harden findings",
		"export x --as ": "reg powershell gpo ansible smbconf", "serve --log ": "text json",
		"audit --role ": "workstation member standalone domain-controller",
		"ser":           "serve", "serve re": "rekey restore",
	} {
		var out bytes.Buffer
		c := (&app{stdout: &out, stderr: &bytes.Buffer{}}).root()
		c.SetArgs(append([]string{"__completeNoDesc"}, strings.Split(args, " ")...))
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Error(err)
		}
		words, rest, _ := strings.Cut(out.String(), "\n:")
		if got := strings.Join(strings.Fields(words), " "); got != want || !strings.HasPrefix(rest, "4") {
			t.Errorf("%s: %q, %q, want %q", args, got, rest, want)
		}
	}
}
