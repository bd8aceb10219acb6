package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// MachineOptions configure a machine.
type MachineOptions struct {
	Hostname string   // "labhost" when empty
	Network  bool     // a network of its own, with only lo
	Accounts []string // added to the machine's own /etc/passwd
	Files    map[string]string
}

// Machine is a small private machine inside this one: namespaces held open by one process. The process ends when its
// pipe closes, which happens however the test process ends, and then the kernel ends all other processes of the
// machine.
//
// If namespaces are not permitted (as in an unprivileged container), a machine without Network is an ordinary
// directory, its accounts are added to the system, and its processes are found by their open files.
type Machine struct {
	Dir string // private directory, removed at the end; the same path inside and outside

	isolated bool
	network  bool
	holder   *exec.Cmd
	leash    io.Closer
	once     sync.Once
}

// holderScript is the machine's first process: DIR HOSTNAME NETWORK [FROM TO]... It mounts, prints "ready", and then
// reads until the pipe closes. bash reaps the orphans that Samba's helpers become. If the test died and cannot do so,
// it ends the other processes and removes the directory.
const holderScript = `
set -e
dir=$1; shift
mount --make-rprivate /
mount -t proc proc /proc
echo "$1" > /proc/sys/kernel/hostname
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/samba
if [ "$2" = network ]; then ip link set lo up; fi
shift 2
while [ $# -gt 1 ]; do
  to=$(readlink -m "$2")
  if [ -d "$1" ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")"; [ -e "$to" ] || : > "$to"; fi
  mount --bind "$1" "$to"
  shift 2
done
echo ready
while read -r _; do :; done
set +e
kill -KILL -1 2>/dev/null
rm -rf "$dir"
`

// NewMachine returns a machine that lasts until the test ends.
func NewMachine(t testing.TB, o MachineOptions) *Machine {
	t.Helper()
	if reason := firstMissing("bash"); reason != "" {
		Need(t, "bash")
	}
	if o.Network {
		Need(t, "namespaces")
	}
	m, err := newMachine(o)
	if err != nil {
		t.Fatalf("peer: making a machine: %v", err)
	}
	t.Cleanup(func() {
		if err := m.close(); err != nil {
			t.Errorf("peer: ending a machine: %v", err)
		}
	})
	return m
}

func newMachine(o MachineOptions) (_ *Machine, err error) {
	dir, err := os.MkdirTemp("", "ipcguard-peer-")
	if err != nil {
		return nil, err
	}
	m := &Machine{Dir: dir, network: o.Network, isolated: canIsolate() == nil}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	// The guest account needs access to the shares below.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	for _, sub := range []string{"etc", "lib", "lib/private", "cache", "log", "run"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if !m.isolated {
		return m, addAccounts(o.Accounts)
	}
	return m, m.hold(o)
}

func (m *Machine) hold(o MachineOptions) error {
	mounts := []string{
		filepath.Join(m.Dir, "etc"), "/etc/samba",
		filepath.Join(m.Dir, "lib"), "/var/lib/samba",
		filepath.Join(m.Dir, "cache"), "/var/cache/samba",
		filepath.Join(m.Dir, "log"), "/var/log/samba",
	}
	files, err := accountFiles(o.Accounts)
	if err != nil {
		return err
	}
	if _, err := os.Stat("/etc/resolv.conf"); err == nil {
		// smbd resolves its clients' names if a list may contain one. A name server that does not answer, which the
		// test's system may have, would delay each connection by seconds; at an address of this machine the refusal is
		// immediate.
		files["/etc/resolv.conf"] = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
	}
	for path, text := range o.Files {
		files[path] = text
	}
	for path, text := range files {
		own := filepath.Join(m.Dir, "file"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
			return err
		}
		mounts = append(mounts, own, path)
	}
	hostname, network := o.Hostname, "shared"
	if hostname == "" {
		hostname = "labhost"
	}
	if o.Network {
		network = "network"
	}
	m.holder = exec.Command("bash",
		append([]string{"-c", holderScript, "holder", m.Dir, hostname, network}, mounts...)...)
	m.holder.Dir = "/" // the initial directory of Command's programs
	unshare(m.holder, o.Network)
	var complaint bytes.Buffer
	m.holder.Stderr = &complaint
	in, err := m.holder.StdinPipe()
	if err != nil {
		return err
	}
	m.leash = in
	out, err := m.holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.holder.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		_ = m.holder.Wait() // its output has ended, so it has too
		return fmt.Errorf("holder said %q: %s", line, lastLine(complaint.Bytes()))
	}
	return nil
}

// accountFiles returns the system's account files with the wanted accounts added, so that a Samba user needs no account
// on the real system.
func accountFiles(names []string) (map[string]string, error) {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nil, err
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return nil, err
	}
	users, groups := string(passwd), string(group)
	for i, name := range names {
		if strings.HasPrefix(users, name+":") || strings.Contains(users, "\n"+name+":") {
			continue
		}
		id := 61000 + i // above the range of people's accounts and below the dynamic range of systemd
		users += fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", name, id, id)
		groups += fmt.Sprintf("%s:x:%d:\n", name, id)
	}
	return map[string]string{"/etc/passwd": users, "/etc/group": groups}, nil
}

// addAccounts adds accounts on systems without namespaces: they remain, locked and without a home. Tests of other
// packages may add the same accounts at the same time.
func addAccounts(names []string) error {
	for _, name := range names {
		err := eventually(context.Background(), func(ctx context.Context) error {
			if exec.CommandContext(ctx, "id", name).Run() == nil {
				return nil
			}
			out, err := exec.CommandContext(ctx, "useradd", "-M", "-s", "/usr/sbin/nologin", name).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, lastLine(out))
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("adding account %s: %w", name, err)
		}
	}
	return nil
}

// Isolated reports whether the machine has its own processes, mounts and accounts.
func (m *Machine) Isolated() bool { return m.isolated }

// Command returns a command that runs inside the machine, in its root directory. When ctx ends, the command and its
// children are killed. A nil machine is this system itself.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if path, err := findProgram(name); err == nil {
		name = path
	}
	var cmd *exec.Cmd
	if m == nil || !m.isolated {
		cmd = exec.CommandContext(ctx, name, args...)
	} else {
		enter := []string{"--target", strconv.Itoa(m.holder.Process.Pid), "--mount", "--uts", "--pid", "--root", "--wd"}
		if m.network {
			enter = append(enter, "--net")
		}
		enter = append(append(enter, "--", name), args...)
		cmd = exec.CommandContext(ctx, "nsenter", enter...)
	}
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Dial connects from inside the machine's network. It has the signature of net.Dialer's DialContext.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if m == nil || !m.network {
		return d.DialContext(ctx, network, address)
	}
	var conn net.Conn
	err := m.InNetwork(func() (err error) {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens inside the machine's network.
func (m *Machine) Listen(network, address string) (net.Listener, error) {
	if m == nil || !m.network {
		return net.Listen(network, address)
	}
	var l net.Listener
	err := m.InNetwork(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// processes returns the machine's processes by their ids outside, without the first one. It leaves out zombies, which
// hold no resources and may stay for seconds while their parent is busy.
func (m *Machine) processes() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	belongs := m.holdsOurFiles
	if m.isolated {
		own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.holder.Process.Pid))
		if err != nil {
			return nil, nil // the first process is gone, and so are all others
		}
		belongs = func(pid int) bool {
			its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
			return err == nil && its == own && pid != m.holder.Process.Pid
		}
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != os.Getpid() && belongs(pid) && !ended(pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// ended reports whether a process is a zombie.
func ended(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	name := bytes.LastIndexByte(b, ')') // a name may contain anything
	return bytes.HasPrefix(b[name+1:], []byte(" Z"))
}

// holdsOurFiles recognizes a Samba process by its databases, because it overwrites its arguments and its environment.
func (m *Machine) holdsOurFiles(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if path, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(path, m.Dir+"/") {
			return true
		}
	}
	return false
}

// signal sends a signal to the machine's processes whose name has the prefix.
func (m *Machine) signal(prefix string, signal syscall.Signal) error {
	pids, err := m.processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || !strings.HasPrefix(string(name), prefix) {
			continue
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	return nil
}

// endAll ends every process of the machine except the first, first with SIGTERM and then with SIGKILL.
func (m *Machine) endAll() error {
	gone := func(context.Context) error {
		pids, err := m.processes()
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("processes %v are left", pids)
		}
		return err
	}
	ctx := context.Background() // a test's context has ended during cleanup
	if err := m.signal("", syscall.SIGTERM); err != nil {
		return err
	}
	if within(ctx, 3*time.Second, gone) == nil {
		return nil
	}
	// A helper that was starting at the time of the signal may appear late: repeat until none is left.
	return eventually(ctx, func(ctx context.Context) error {
		if err := m.signal("", syscall.SIGKILL); err != nil {
			return err
		}
		return gone(ctx)
	})
}

func (m *Machine) close() (err error) {
	m.once.Do(func() {
		switch {
		case m.holder != nil && m.holder.Process != nil:
			// Nothing survives the machine's first process, so SIGKILL is enough.
			_ = m.leash.Close()
			_ = m.holder.Process.Kill()
			_ = m.holder.Wait()
		case !m.isolated:
			err = m.endAll()
		}
		err = errors.Join(err, os.RemoveAll(m.Dir))
	})
	return err
}

// lastLine returns the last line of a program's output, for an error message.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
