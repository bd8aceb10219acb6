package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// besides makes a process that systemd is to take for the service a child of systemd, as this one is, and tells whether
// it did. A child of this process is none of systemd's: told to stop the service, it would kill that at once, and not let
// it end. See clone(2), CLONE_PARENT, which the first process of all may not use.
func besides(cmd *exec.Cmd) bool {
	if os.Getenv("NOTIFY_SOCKET") == "" || os.Getpid() == 1 {
		return false
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}
	return true
}
