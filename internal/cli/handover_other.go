//go:build !linux

package cli

import "os/exec"

// besides does nothing: systemd is on Linux only.
func besides(*exec.Cmd) bool { return false }
