//go:build !windows

package console

import "os"

// Prepare does nothing: terminals understand colours and cursor moves.
func Prepare(...any) (restore func()) { return func() {} }

// Obeys reports whether a terminal understands colours and cursor moves.
func Obeys(*os.File) bool { return true }

// Elevated is true: only Windows withholds an administrator's rights from a program that was not started as
// administrator.
func Elevated() bool { return true }
