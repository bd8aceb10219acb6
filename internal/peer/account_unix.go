//go:build unix

package peer

import (
	"os/exec"
	"syscall"
)

// runAs makes a command run as another account, in a process group of its own: an interrupt of the test must not end it
// before the test has cleaned up.
func runAs(cmd *exec.Cmd, a account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)},
		Setpgid:    true,
	}
}
