package cli

import "golang.org/x/sys/windows"

// freeBytes returns how much space a disk has for this process, and its size.
func freeBytes(dir string) (free, size uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, &size, nil)
	return free, size, err
}
