//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownedHere reports whether a directory belongs to the account of this process.
func ownedHere(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && int(of.Uid) == os.Geteuid()
}

// giveToOwner gives a file that root wrote to the account that its directory belongs to, such as that of the fleet's
// server, which could not read it. The account can put anything there: only a plain file with one name is given away.
func giveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	to, ok := dir.Sys().(*syscall.Stat_t)
	if !ok || to.Uid == 0 {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if of, ok := info.Sys().(*syscall.Stat_t); !ok || !info.Mode().IsRegular() || of.Nlink != 1 {
		return fmt.Errorf("%s is no plain file", path)
	}
	return f.Chown(int(to.Uid), int(to.Gid))
}
