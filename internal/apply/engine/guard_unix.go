//go:build unix

package engine

import (
	"os/exec"
	"syscall"
)

// detach gives a process a session of its own: no terminal that hangs up, no group that is interrupted.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
