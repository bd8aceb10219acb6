//go:build !windows

package cli

import "os"

// console has nothing to do: terminals take colours and cursor moves as they are.
func console(...any) (restore func()) { return func() {} }

func obeys(*os.File) bool { return true }

// elevated is about Windows, where an administrator's programs may as little as anybody's until they are started as one.
func elevated() bool { return true }
