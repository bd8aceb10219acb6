package target

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/model"
)

// TestSambaKeepsOwnerAndAttributes edits a file with another owner, an access list and attributes of its own, through a
// chain of symbolic links, and takes the edit back.
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
		if now.UID != before.UID || now.GID != before.GID || now.Mode != before.Mode || !maps.EqualFunc(now.Attrs, before.Attrs, bytes.Equal) {
			t.Errorf("%s: %+v, want %+v", when, now, before)
		}
		for link, to := range map[string]string{"absolute": path, "relative": "absolute"} {
			if got, err := os.Readlink(filepath.Join(dir, link)); err != nil || got != to {
				t.Errorf("%s: the link %s leads to %q, %v", when, link, got, err)
			}
		}
	}
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2))}}
	j, err := e.Apply(t.Context(), engine.Request{Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"), Target: s, Verify: applytest.Good})
	if err != nil {
		t.Fatal(err)
	}
	now := look()
	same("applied", now)
	if bytes.Equal(now.Data, before.Data) {
		t.Error("nothing was written")
	}
	// An owner that somebody else changed is a difference like any other.
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err == nil || !strings.Contains(err.(*apply.ConflictError).Diffs[0], "owner 0:0") {
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
