//go:build !windows

package console

import "os"

// Prepare has nothing to do: terminals take colours and cursor moves as they are.
func Prepare(...any) (restore func()) { return func() {} }

// Obeys tells whether a terminal takes colours and cursor moves.
func Obeys(*os.File) bool { return true }

// Elevated is about Windows, where an administrator's programs may as little as anybody's until they are started as one.
func Elevated() bool { return true }
