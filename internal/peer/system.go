package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// System is systemd as the first process of a machine inside a machine. It has only the given units and the targets
// that every service depends on: none of this system's own, which would clean up, log and set clocks.
//
// It is isolated against careless services: /run, /tmp and /var are its own and empty, everything else except the
// machine's directory is read-only, including kernel settings, and it sees only its own control groups.
type System struct {
	Machine *Machine
	Units   string // its /etc/systemd/system

	root   string // of a system with files of its own, see StartRoot
	boots  int
	group  string // its control group as seen by this system
	first  string // the id of systemd in the outer machine
	daemon *daemon

	lastWords string
}

// systemScript is the outer half: DIR GROUP BOOTID PIDFILE INNER ROOT. It joins its own control group and creates the
// namespaces.
const systemScript = `
set -e
mkdir -p "$2"
echo $$ > "$2/cgroup.procs"
exec unshare --pid --mount --cgroup --fork --kill-child bash -c "$5" inner "$1" "$3" "$4" "$6"
`

// innerScript is the inner half: DIR BOOTID PIDFILE. Only its own mounts are writable.
const innerScript = `
set -e
dir=$1
read -r pid _ < /proc/self/stat # this is the /proc of the outer machine still
echo "$pid" > "$3"
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/samba /run/keep
mount --bind "$dir" /run/keep
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /var
mkdir -p /var/tmp /var/log /var/lib "$dir"
ln -s /run /var/run
mount --move /run/keep "$dir"
for way in lib:lib cache:cache log:log; do
  mkdir -p "/var/${way#*:}/samba"
  mount --bind "$dir/${way%:*}" "/var/${way#*:}/samba"
done
mount --bind "$dir/units" /etc/systemd/system
mount --bind /proc/sys /proc/sys
mount --bind "$2" /proc/sys/kernel/random/boot_id
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,bind,ro /sys
while read -r _ _ _ _ at _; do
  case $at in
  /run|/run/*|/tmp|/tmp/*|/var|/var/*|/proc|/proc/sys/*|/sys|/sys/*|/dev|/dev/*|"$dir"|"$dir"/*|/etc/systemd/system) ;;
  *) mount -o remount,bind,ro "$at" ;;
  esac
done < /proc/self/mountinfo
if touch /ipcguard-was-here /etc/ipcguard-was-here 2>/dev/null; then echo "the system's own files could be written" >&2; exit 1; fi
unset LISTEN_FDS NOTIFY_SOCKET
export container=ipcguard SYSTEMD_UNIT_PATH=/etc/systemd/system
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --log-level=notice
`

// standing are the targets that services depend on, taken from this system.
var standing = []string{
	"multi-user.target", "basic.target", "sysinit.target", "shutdown.target", "network.target", "paths.target",
	"sockets.target", "slices.target", "timers.target",
}

// rootScript is the inner half for a system with files of its own: DIR BOOTID PIDFILE ROOT. It sees only its root and
// nothing that this system has mounted; it has the usual devices.
const rootScript = `
set -e
read -r pid _ < /proc/self/stat # this is the /proc of the outer machine still
echo "$pid" > "$3"
mount --make-rprivate /
mount --bind "$4" "$4"
cd "$4"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
unset LISTEN_FDS NOTIFY_SOCKET
export container=ipcguard
exec chroot . /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --log-level=notice
`

// StartRoot boots the system in a directory below the machine's, such as one from debootstrap. It starts everything
// that the system starts except terminals.
func StartRoot(t testing.TB, m *Machine, root string) *System {
	t.Helper()
	Need(t, "namespaces", "systemd")
	s := &System{Machine: m, Units: filepath.Join(root, "etc/systemd/system"), root: root}
	for _, name := range []string{
		"getty.target", "console-getty.service", "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service",
	} {
		if err := os.Symlink("/dev/null", filepath.Join(s.Units, name)); err != nil {
			t.Fatalf("peer: systemd: %v", err)
		}
	}
	s.start(t, s.groups())
	return s
}

// StartSystem boots systemd on a machine with these additional units, by name. Each of them is started at every boot.
func StartSystem(t testing.TB, m *Machine, units map[string]string) *System {
	t.Helper()
	Need(t, "namespaces", "systemd")
	s := &System{Machine: m, Units: filepath.Join(m.Dir, "units")}
	s.start(t, s.prepare(units))
	return s
}

// start boots the prepared system, and ends it with the test.
func (s *System) start(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("peer: systemd: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.off(), removeGroups(s.group)); err != nil {
			t.Errorf("peer: ending systemd: %v", err)
		}
		if t.Failed() {
			t.Logf("systemd's last words:\n%s", s.lastWords)
		}
	})
	s.Boot(t)
}

func (s *System) prepare(units map[string]string) error {
	wants := filepath.Join(s.Units, "multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	for _, name := range standing {
		b, err := os.ReadFile(filepath.Join("/lib/systemd/system", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.Units, name), b, 0o644); err != nil {
			return err
		}
	}
	for name, text := range units {
		if err := os.WriteFile(filepath.Join(s.Units, name), []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join("/etc/systemd/system", name), filepath.Join(wants, name)); err != nil {
			return err
		}
	}
	return s.groups()
}

// groups chooses the location of the system's control groups.
func (s *System) groups() error {
	groups := "/sys/fs/cgroup/unified" // with cgroup v1 beside it
	if _, err := os.Stat(groups); err != nil {
		groups = "/sys/fs/cgroup"
	}
	if _, err := os.Stat(filepath.Join(groups, "cgroup.procs")); err != nil {
		return fmt.Errorf("no control groups of version 2: %w", err)
	}
	s.group = filepath.Join(groups, filepath.Base(s.Machine.Dir))
	return nil
}

// Boot starts the system with a new boot id, and returns when systemd has started everything.
func (s *System) Boot(t testing.TB) {
	t.Helper()
	s.boots++
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		t.Fatal(err)
	}
	bootID := filepath.Join(s.Machine.Dir, fmt.Sprintf("boot-id-%d", s.boots))
	text := fmt.Sprintf("%x-%x-%x-%x-%x\n", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	if err := os.WriteFile(bootID, []byte(text), 0o444); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(s.Machine.Dir, fmt.Sprintf("systemd-%d", s.boots))
	script := innerScript
	if s.root != "" {
		script = rootScript
	}
	cmd := s.Machine.Command(context.WithoutCancel(t.Context()), "bash", "-c", systemScript, "outer", s.Machine.Dir,
		s.group, bootID, pidFile, script, s.root)
	var err error
	if s.daemon, err = startDaemon(cmd); err != nil {
		t.Fatalf("peer: systemd: %v", err)
	}
	err = s.daemon.await(t.Context(), func(ctx context.Context) error {
		b, err := os.ReadFile(pidFile)
		if err != nil || len(b) == 0 {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		s.first = strings.TrimSpace(string(b))
		out, err := s.Command(ctx, "systemctl", "is-system-running").Output()
		if state := strings.TrimSpace(string(out)); state != "running" {
			return fmt.Errorf("the system is %q: %w", state, err)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("peer: systemd: %v", err)
	}
}

// Command returns a command that runs inside the system.
func (s *System) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if path, err := findProgram(name); err == nil {
		name = path
	}
	enter := []string{"--target", s.first, "--mount", "--pid", "--cgroup"}
	if s.root != "" {
		enter = append(enter, "--root", "--wd")
	}
	enter = append(enter, "--", name)
	return s.Machine.Command(ctx, "nsenter", append(enter, args...)...)
}

// PowerCut ends every process of the system at once, as a power failure does. Boot restarts it.
func (s *System) PowerCut(t testing.TB) {
	t.Helper()
	if err := s.off(); err != nil {
		t.Fatalf("peer: systemd: %v", err)
	}
}

func (s *System) off() error {
	if s.daemon == nil {
		return nil
	}
	ctx := context.Background() // a test's context has ended during cleanup
	if pid, err := strconv.Atoi(s.first); err == nil && pid > 1 {
		// The kernel ends the remaining processes when the first process of the namespace ends.
		_ = s.Machine.Command(ctx, "kill", "-KILL", s.first).Run() // it may have ended by itself
	}
	s.lastWords = s.daemon.lastWords()
	err := eventually(ctx, func(context.Context) error {
		b, err := os.ReadFile(filepath.Join(s.group, "cgroup.events"))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && !bytes.Contains(b, []byte("populated 0")) {
			err = errors.New("it still runs")
		}
		return err
	})
	s.daemon = nil
	return err
}

// removeGroups removes empty control groups, innermost first.
func removeGroups(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeGroups(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, os.Remove(dir))
}
