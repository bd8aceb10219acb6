package peer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// canIsolate tries once whether this process may create the namespaces of a machine and mount in them.
var canIsolate = sync.OnceValue(func() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may make them here")
	}
	for _, program := range []string{"nsenter", "mount", "bash"} {
		if _, err := findProgram(program); err != nil {
			return err
		}
	}
	cmd := exec.Command("bash", "-c",
		"mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /run")
	unshare(cmd, true)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s", err, lastLine(out))
	}
	return nil
})

// unshare gives the command new process, mount and host name namespaces, and a network if requested.
func unshare(cmd *exec.Cmd, network bool) {
	flags := uintptr(unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS)
	if network {
		flags |= unix.CLONE_NEWNET
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
}

// ownGroup makes a cancelled command end with its children: nsenter waits for the program it started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		if errors.Is(err, unix.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// InNetwork runs f on a thread inside the machine's network. Sockets that f opens stay in that network; goroutines that
// f starts do not. f must not resolve names.
func (m *Machine) InNetwork(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	away, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.holder.Process.Pid))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer away.Close()
	if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering the machine's network: %w", err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it ends with its goroutine and no other goroutine runs in the wrong network.
		return errors.Join(err, fmt.Errorf("leaving the machine's network: %w", back))
	}
	runtime.UnlockOSThread()
	return err
}
