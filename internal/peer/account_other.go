//go:build !unix

package peer

import "os/exec"

// runAs does nothing: peers are started on Linux only, and this lets the package be built elsewhere.
func runAs(*exec.Cmd, account) {}
