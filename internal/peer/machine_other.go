//go:build !linux

package peer

import (
	"errors"
	"os/exec"
)

var errNotLinux = errors.New("peers are started on Linux only")

func canIsolate() error                       { return errNotLinux }
func unshare(*exec.Cmd, bool)                 {}
func ownGroup(*exec.Cmd)                      {}
func (*Machine) InNetwork(func() error) error { return errNotLinux }
