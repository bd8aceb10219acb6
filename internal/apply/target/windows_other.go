//go:build !windows

package target

import "ipcguard/internal/apply"

// OpenWindows fails: this machine does not run Windows.
func OpenWindows() (apply.Target, error) {
	return nil, &apply.RefusedError{
		Where: "windows:", Why: "this is no Windows machine",
		Instead: "--target winreg://HOST applies from afar, ipcguard export writes files for other tools",
	}
}
