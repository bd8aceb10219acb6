//go:build !windows

package cli

import "golang.org/x/sys/unix"

// freeBytes returns how much space a disk has for this process, and its size.
func freeBytes(dir string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := uint64(s.Bsize) // the type differs by system
	return uint64(s.Bavail) * block, uint64(s.Blocks) * block, nil
}
