//go:build !windows

package target

import "ipcguard/internal/apply"

// OpenWindows opens this machine, which is none.
func OpenWindows() (apply.Target, error) {
	return nil, &apply.RefusedError{
		Where: "windows:", Why: "this is no Windows machine",
		Instead: "--target winreg://HOST applies from afar, ipcguard export writes files for other tools",
	}
}
