package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/peer"
)

// small is a machine whose disks can be made small, full and read-only.
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

// fresh recreates both directories, each on a disk of so many pages of 4 KiB; 0 is no limit.
func (m *small) fresh(state, conf int) {
	m.t.Helper()
	size := func(pages int) string {
		if pages == 0 {
			return "16m"
		}
		return fmt.Sprintf("%dk", 4*pages)
	}
	for dir, pages := range map[string]int{m.state: state, filepath.Dir(m.conf): conf} {
		m.do(fmt.Sprintf("umount -q %[1]s || true; mkdir -p %[1]s; mount -t tmpfs -o mode=700,size=%s tmpfs %[1]s", dir,
			size(pages)))
	}
	m.write(applytest.Commented)
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
	cmd.Env = append(os.Environ(), childRole+"="+role, childState+"="+m.state, childFile+"="+m.conf, childPoint+"=-1",
		childWait+"=")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestFullDisk applies while the disk of the journal, or of smb.conf, fills up after so many pages. There is always a
// clear message, and the host is as before: at once, or, if not even the undo can be written, after a recovery with
// free space.
func TestFullDisk(t *testing.T) {
	m := newSmall(t)
	after := strings.Replace(applytest.Commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1)
	t.Run("of the journal", func(t *testing.T) {
		m.t = t
		written := 0 // how often smb.conf had been written when the disk was full
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
			if !strings.Contains(said, "no space left on device") || strings.Contains(said, "apply: apply:") {
				t.Fatalf("%d pages: %s", pages, said)
			}
			if strings.Contains(said, "everything was rolled back") {
				written++
			}
			if now != applytest.Commented {
				t.Errorf("%d pages: %s, and there is %q", pages, said, now)
			}
			m.do("mount -o remount,size=16m " + m.state)
			if said, code := m.child("recover"); code != 0 || m.do("cat "+m.conf) != applytest.Commented {
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
		big := applytest.Commented + strings.Repeat("# "+strings.Repeat("x", 60)+"\r\n", 70) // more than one page
		m.write(big)
		said, code := m.child("apply")
		if code == 0 || !strings.Contains(said, "no space left on device") ||
			strings.Contains(said, "apply: apply:") || !strings.Contains(said, "everything was rolled back") {
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
		if code == 0 || !strings.Contains(said, "read-only file system") ||
			!strings.Contains(said, "everything was rolled back") || m.do("cat "+m.conf) != applytest.Commented {
			t.Errorf("smb.conf, exit %d: %s", code, said)
		}
		m.fresh(0, 0)
		m.do("mount -o remount,ro " + m.state)
		said, code = m.child("apply")
		if code == 0 || !strings.Contains(said, "read-only file system") || m.do("cat "+m.conf) != applytest.Commented {
			t.Errorf("the state directory, exit %d: %s", code, said)
		}
	})
}
