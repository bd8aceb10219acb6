//go:build unix

package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writable holds the mode bits by which others than the owner may write.
const writable = 0o022

// maxLinks bounds a chain of symbolic links, as the kernel does.
const maxLinks = 40

// locks returns the directory of locks that belong to no state directory: no other account can create or hold them.
func locks() string {
	if os.Geteuid() != 0 {
		if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "ipcguard")
		}
		return filepath.Join(os.TempDir(), "ipcguard-"+strconv.Itoa(os.Geteuid()))
	}
	if _, err := os.Stat("/run"); err == nil {
		return "/run/ipcguard"
	}
	return "/var/run/ipcguard"
}

func mkdir(dir string) error { return syscall.Mkdir(dir, 0o700) }

func rename(from, to string) error { return os.Rename(from, to) }

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

// Open opens a file that must be private; os.O_CREATE creates it if it is missing.
func Open(path string, flag int) (*os.File, error) {
	// Without O_NONBLOCK, opening a named pipe waits for its other end.
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, &Error{Path: path, Why: "it is a symbolic link", Mend: "rm " + quoted(path, "'")}
	}
	if err != nil {
		return nil, err
	}
	if err := checkFile(path, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func checkFile(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return &Error{Path: path, Why: "it is no regular file", Mend: "rm -r " + quoted(path, "'")}
	case !ok:
		return fmt.Errorf("%s: the system tells no owner", path)
	case int(st.Uid) != os.Geteuid():
		return &Error{Path: path, Why: "it belongs to " + account(st.Uid), Mend: Moved(path)}
	case mode.Perm()&writable != 0:
		return &Error{
			Path: path, Why: fmt.Sprintf("others may write it (mode %04o)", mode.Perm()),
			Mend: "chmod go-w " + quoted(path, "'"),
		}
	case st.Nlink != 1:
		return &Error{Path: path, Why: fmt.Sprintf("it has %d names (hard links)", st.Nlink), Mend: Moved(path)}
	}
	return nil
}

// Secret refuses a file that others may read.
func Secret(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &Error{
			Path: path, Why: fmt.Sprintf("others may read it (mode %04o)", info.Mode().Perm()),
			Mend: "chmod 600 " + quoted(path, "'"),
		}
	}
	return nil
}

// Dir checks only a directory; the caller has checked its parents.
func Dir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return &Error{Path: dir, Why: "it is a symbolic link", Mend: Moved(dir)}
	case !info.IsDir():
		return &Error{Path: dir, Why: "it is no directory", Mend: Moved(dir)}
	case !ok:
		return fmt.Errorf("%s: the system tells no owner", dir)
	case int(st.Uid) != os.Geteuid():
		return &Error{Path: dir, Why: fmt.Sprintf("it belongs to %s, and this is %s", account(st.Uid),
			account(uint32(os.Geteuid()))), Mend: Moved(dir)}
	case info.Mode().Perm()&writable != 0:
		return &Error{
			Path: dir, Why: fmt.Sprintf("others may write to it (mode %04o)", info.Mode().Perm()),
			Mend: "chmod go-w " + quoted(dir, "'"),
		}
	}
	return nil
}

// Moved returns the command that moves a path away without deleting it.
func Moved(path string) string {
	return "mv " + quoted(path, "'") + " " + quoted(path+".refused", "'")
}

// checkAbove checks every parent of a directory, through symbolic links.
func checkAbove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	at, rest, links := "/", strings.TrimPrefix(filepath.Dir(dir), "/"), 0
	for {
		if err := above(at); err != nil {
			return err
		}
		if rest == "" {
			return nil
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it will be created below what was checked
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if err := ours(next, info); err != nil {
			return err
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%s: more than %d symbolic links", dir, maxLinks)
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(at, to)
		}
		at, rest = "/", strings.TrimPrefix(filepath.Join(to, rest), "/")
	}
}

// above refuses a directory in which others may replace what is below it.
func above(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &Error{Path: dir, Why: "it is no directory"}
	}
	if err := ours(dir, info); err != nil {
		return err
	}
	if info.Mode().Perm()&writable != 0 && info.Mode()&fs.ModeSticky == 0 {
		return &Error{
			Path: dir,
			Why: fmt.Sprintf("others may write to it (mode %04o), and so put another directory in the place of one "+
				"below it", info.Mode().Perm()),
			Mend: "chmod go-w " + quoted(dir, "'"),
		}
	}
	return nil
}

// ours refuses a path that belongs neither to this account nor to root.
func ours(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: the system tells no owner", path)
	}
	if uid := int(st.Uid); uid != os.Geteuid() && uid != 0 {
		return &Error{
			Path: path, Why: "it belongs to " + account(st.Uid) +
				", who can put another directory in the place of one below it",
			Mend: "chown root " + quoted(path, "'") + "   # or name a directory elsewhere with --state",
		}
	}
	return nil
}

// account returns the name of an owner.
func account(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username + " (uid " + id + ")"
	}
	return "uid " + id
}
