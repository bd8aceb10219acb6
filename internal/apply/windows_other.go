//go:build !windows

package apply

// OpenWindows opens this machine, which is none.
func OpenWindows() (Target, error) {
	return nil, &RefusedError{
		Where: "windows:", Why: "this is no Windows machine",
		Instead: "--target winreg://HOST applies from afar, ipcguard export writes files for other tools",
	}
}
