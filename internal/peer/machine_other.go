//go:build !linux

package peer

import (
	"errors"
	"os/exec"
	"time"
)

var errNotLinux = errors.New("peers are started on Linux only")

func canIsolate() error                       { return errNotLinux }
func unshare(*exec.Cmd, bool)                 {}
func ownGroup(*exec.Cmd)                      {}
func (*Machine) InNetwork(func() error) error { return errNotLinux }

// SelfCPU is measured on Linux only.
func SelfCPU() (time.Duration, error) { return 0, errNotLinux }
