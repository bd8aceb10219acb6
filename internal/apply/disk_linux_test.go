package apply

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// small is a machine in which disks can be made small, full and read-only.
type small struct {
	*peer.Machine
	t           *testing.T
	state, conf string
}

func newSmall(t *testing.T) *small {
	t.Helper()
	peer.Need(t, "namespaces")
	m := &small{Machine: peer.NewMachine(t, peer.MachineOptions{}), t: t}
	m.state, m.conf = filepath.Join(m.Dir, "state"), filepath.Join(m.Dir, "conf", "smb.conf")
	return m
}

func (m *small) do(line string) string {
	m.t.Helper()
	out, err := m.Command(m.t.Context(), "bash", "-c", "set -e; "+line).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// fresh makes both directories anew, each a disk of so many pages of 4 KiB; 0 is no limit.
func (m *small) fresh(state, conf int) {
	m.t.Helper()
	size := func(pages int) string {
		if pages == 0 {
			return "16m"
		}
		return fmt.Sprintf("%dk", 4*pages)
	}
	for dir, pages := range map[string]int{m.state: state, filepath.Dir(m.conf): conf} {
		m.do(fmt.Sprintf("umount -q %[1]s || true; mkdir -p %[1]s; mount -t tmpfs -o size=%s tmpfs %[1]s", dir, size(pages)))
	}
	m.write(commented)
}

func (m *small) write(text string) {
	m.t.Helper()
	cmd := m.Command(m.t.Context(), "bash", "-c", "cat > "+m.conf)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
}

// child runs this test binary as an apply or a recovery on the machine.
func (m *small) child(role string) (said string, code int) {
	m.t.Helper()
	cmd := m.Command(m.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childState+"="+m.state, childFile+"="+m.conf, childPoint+"=-1", childWait+"=")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestFullDisk applies where the disk of the journal, or of smb.conf, is full after so many pages. Every time there is a
// clear message and the host is as before at once; or, where not even that can be written, after the recovery with room.
func TestFullDisk(t *testing.T) {
	m := newSmall(t)
	after := strings.Replace(commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1)
	t.Run("of the journal", func(t *testing.T) {
		m.t = t
		written := 0 // times that smb.conf had been written when the disk was full
		for pages := 1; ; pages++ {
			m.fresh(pages, 0)
			said, code := m.child("apply")
			now := m.do("cat " + m.conf)
			if code == 0 {
				if now != after {
					t.Errorf("%d pages: %s, and there is %q", pages, said, now)
				}
				t.Logf("full with 1 to %d pages, after smb.conf was written %d times", pages-1, written)
				if pages < 20 || written == 0 {
					t.Error("the disk was never full at the interesting moments")
				}
				break
			}
			if !strings.Contains(said, "no space left on device") {
				t.Fatalf("%d pages: %s", pages, said)
			}
			if strings.Contains(said, "everything was rolled back") {
				written++
			}
			if now != commented {
				t.Errorf("%d pages: %s, and there is %q", pages, said, now)
			}
			m.do("mount -o remount,size=16m " + m.state)
			if said, code := m.child("recover"); code != 0 || m.do("cat "+m.conf) != commented {
				t.Fatalf("%d pages: recovered: %d %s", pages, code, said)
			}
			if pages%5 == 0 {
				if said, code := m.child("apply"); code != 0 {
					t.Fatalf("with room again: %s", said)
				}
			}
		}
	})
	t.Run("of smb.conf", func(t *testing.T) {
		m.t = t
		m.fresh(0, 2)
		big := commented + strings.Repeat("# "+strings.Repeat("x", 60)+"\r\n", 70) // more than one page
		m.write(big)
		said, code := m.child("apply")
		if code == 0 || !strings.Contains(said, "no space left on device") || !strings.Contains(said, "everything was rolled back") {
			t.Errorf("exit %d: %s", code, said)
		}
		if now := m.do("cat " + m.conf); now != big {
			t.Errorf("there is %d bytes, want %d", len(now), len(big))
		}
		if left := strings.TrimSpace(m.do("ls -A " + filepath.Dir(m.conf))); left != "smb.conf" {
			t.Errorf("there is %s", left)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		m.t = t
		m.fresh(0, 0)
		m.do("mount -o remount,ro " + filepath.Dir(m.conf))
		said, code := m.child("apply")
		if code == 0 || !strings.Contains(said, "read-only file system") || !strings.Contains(said, "everything was rolled back") || m.do("cat "+m.conf) != commented {
			t.Errorf("smb.conf, exit %d: %s", code, said)
		}
		m.fresh(0, 0)
		m.do("mount -o remount,ro " + m.state)
		said, code = m.child("apply")
		if code == 0 || !strings.Contains(said, "read-only file system") || m.do("cat "+m.conf) != commented {
			t.Errorf("the state directory, exit %d: %s", code, said)
		}
	})
}

// TestSambaKeepsOwnerAndAttributes edits a file with another owner, an access list and attributes of its own, through a
// chain of symbolic links, and takes the edit back.
func TestSambaKeepsOwnerAndAttributes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	s, path := silentSamba(t, commented)
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
	look := func() State {
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
	same := func(when string, now State) {
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
	plan := model.Plan{Changes: []model.Change{samba("global", "restrict anonymous", absent, value(2))}}
	j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: s, Verify: good})
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
	if _, err := e.Rollback(t.Context(), j.ID, false); err == nil || !strings.Contains(err.(*ConflictError).Diffs[0], "owner 0:0") {
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
