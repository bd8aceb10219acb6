//go:build unix

package engine

import (
	"os/exec"
	"syscall"
)

// detach starts a process in its own session: no terminal hangup and no group interrupt reaches it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
