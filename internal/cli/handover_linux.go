package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// besides makes the new process a child of systemd, as this one is, and reports whether it did. To stop the service,
// systemd would kill a child of this process at once instead of letting it end. See clone(2), CLONE_PARENT, which
// process 1 may not use.
func besides(cmd *exec.Cmd) bool {
	if os.Getenv("NOTIFY_SOCKET") == "" || os.Getpid() == 1 {
		return false
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}
	return true
}
