package target

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestSambaKeepsOwnerAndAttributes edits a file with another owner, an access list and other attributes, through a
// chain of symbolic links, and undoes the edit.
func TestSambaKeepsOwnerAndAttributes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	s, path := silentSamba(t, applytest.Commented)
	dir := filepath.Dir(path)
	list := []byte{ // version 2; owner rw-, user 4321 r--, group r--, mask r--, other ---
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xE1, 0x10, 0, 0,
		4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
	}
	for _, err := range []error{
		os.Chown(path, 1234, 5678), os.Chmod(path, 0o640),
		unix.Setxattr(path, "system.posix_acl_access", list, 0),
		unix.Setxattr(path, "security.ipcguard", []byte("label"), 0),
		unix.Setxattr(path, "trusted.ipcguard", []byte{}, 0),
		os.Symlink(path, filepath.Join(dir, "absolute")), os.Symlink("absolute", filepath.Join(dir, "relative")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.config = filepath.Join(dir, "relative")
	look := func() apply.State {
		t.Helper()
		st, err := readFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	before := look()
	if len(before.Attrs) != 3 || before.UID != 1234 || before.GID != 5678 {
		t.Fatalf("before: %+v", before)
	}
	same := func(when string, now apply.State) {
		t.Helper()
		if now.UID != before.UID || now.GID != before.GID || now.Mode != before.Mode ||
			!maps.EqualFunc(now.Attrs, before.Attrs, bytes.Equal) {
			t.Errorf("%s: %+v, want %+v", when, now, before)
		}
		for link, to := range map[string]string{"absolute": path, "relative": "absolute"} {
			if got, err := os.Readlink(filepath.Join(dir, link)); err != nil || got != to {
				t.Errorf("%s: the link %s leads to %q, %v", when, link, got, err)
			}
		}
	}
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{
		applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
	}}
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
		Bytes: []byte("{}"), Target: s, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := look()
	same("applied", now)
	if bytes.Equal(now.Data, before.Data) {
		t.Error("nothing was written")
	}
	// A changed owner is a difference like any other.
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err == nil ||
		!strings.Contains(err.(*apply.ConflictError).Diffs[0], "owner 0:0") {
		t.Errorf("%v", err)
	}
	if _, err := e.Rollback(t.Context(), j.ID, true); err != nil {
		t.Fatal(err)
	}
	now = look()
	same("rolled back", now)
	if !bytes.Equal(now.Data, before.Data) {
		t.Errorf("%q", now.Data)
	}
}

// TestSambaKeepsRealLists edits a file whose access list, attributes and security label were set by the system's tools,
// in a directory with a default access list, and undoes the edit. The tools must print the same every time.
func TestSambaKeepsRealLists(t *testing.T) {
	peer.Need(t, "setfacl", "getfacl", "setfattr", "getfattr")
	path := applytest.WriteConf(t, applytest.Commented)
	dir := filepath.Dir(path)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("setfacl", "-m", "u:1:r,g:2:rw,m::rw", path)
	run("setfacl", "-d", "-m", "u:3:rwx,o::rwx", dir)
	run("setfattr", "-n", "user.note", "-v", "of the administrator", path)
	if os.Geteuid() == 0 {
		run("setfattr", "-n", "security.selinux", "-v", "system_u:object_r:samba_etc_t:s0\\000", path)
		run("chown", "4:5", path)
	}
	look := func() string {
		return run("getfacl", "-n", "-p", path) + run("getfattr", "-d", "-m", "-", "-e", "hex", "--absolute-names",
			path) + run("stat", "-c", "%a %u %g", path)
	}
	before := look()
	if want := []string{"user:1:r--", "user.note=", "group:2:rw-"}; !containsAll(before, want) ||
		os.Geteuid() == 0 && !strings.Contains(before, "security.selinux=") {
		t.Fatalf("before:\n%s", before)
	}
	s := OpenSambaOn(path, applytest.Quiet{})
	e := engineFor(t, s)
	plan := restrict()
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
		Bytes: []byte("{}"), Target: s, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := look(); now != before || applytest.Read(t, path) == applytest.Commented {
		t.Errorf("applied:\n%s\nbefore:\n%s", now, before)
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if now := look(); now != before || applytest.Read(t, path) != applytest.Commented {
		t.Errorf("rolled back:\n%s\nbefore:\n%s", now, before)
	}
}

func containsAll(s string, list []string) bool {
	return !slices.ContainsFunc(list, func(w string) bool { return !strings.Contains(s, w) })
}
