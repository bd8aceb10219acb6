//go:build !unix

package peer

import "os/exec"

// runAs does nothing: peers run only on Linux; this lets the package build elsewhere.
func runAs(*exec.Cmd, account) {}
