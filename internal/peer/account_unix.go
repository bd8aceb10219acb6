//go:build unix

package peer

import (
	"os/exec"
	"syscall"
)

// runAs starts a program as another account, in a group of its own: what interrupts the test does not end it before it has
// cleared away.
func runAs(cmd *exec.Cmd, a account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}, Setpgid: true}
}
