package private

import (
	"crypto/sha1" //nolint:gosec // the system's own way from a service's name to its identifier
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows"
)

// Program refuses a program that accounts other than the system and administrators could replace, or next to which they
// could put a library.
func Program(path string) error {
	t, err := whom()
	if err != nil {
		return err
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if err := unchangeable(p, func(sid *windows.SID) bool {
			return t.is(sid, true) || sid.Equals(t.installer)
		}); err != nil {
			return err
		}
	}
	return checkAbove(path)
}

// unchangeable refuses a path that untrusted accounts own or may change.
func unchangeable(path string, trusted func(*windows.SID) bool) error {
	const change = windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_ALL | windows.GENERIC_WRITE |
		windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA // in a directory: create a file or a directory
	h, err := handle(path)
	if err != nil {
		return err
	}
	owner, aces, err := security(path, h)
	_ = windows.CloseHandle(h)
	if err != nil {
		return err
	}
	if !trusted(owner) {
		return &Error{Path: path, Why: "it belongs to " + named(owner), Mend: Moved(path)}
	}
	if list := strangers(aces, change, trusted); len(list) > 0 {
		return &Error{
			Path: path, Why: named(list...) + " may write to it",
			Mend: "icacls " + quoted(path, `"`) + " /reset",
		}
	}
	return nil
}

// ForService creates a directory that only SYSTEM, Administrators and the account of one service may use. An existing
// directory is given to them with its contents.
func ForService(dir, service string) error {
	t, err := whom()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := Make(dir); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := checkAbove(dir); err != nil {
		return err
	}
	h, err := handle(dir)
	if err != nil {
		return err
	}
	owner, _, err := security(dir, h)
	_ = windows.CloseHandle(h)
	if err != nil {
		return err
	}
	if !t.is(owner, true) {
		return &Error{Path: dir, Why: "it belongs to " + named(owner), Mend: Moved(dir)}
	}
	text := "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + serviceSID(service) + ")"
	if !t.admin {
		text += "(A;OICI;FA;;;" + t.me.String() + ")"
	}
	sd, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return err
	}
	list, _, err := sd.DACL()
	if err != nil {
		return err
	}
	const what = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, nil, nil, list, nil)
}

// Home creates a directory for the state of serve or worker, or checks an existing one and its contents: only SYSTEM,
// Administrators, the user who runs this and the account of the service may use it. It does not check the parents
// again: a replacement by another account would belong to that account.
func Home(dir, service string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return Make(dir)
	}
	t, err := whom()
	if err != nil {
		return err
	}
	own, err := windows.StringToSid(serviceSID(service))
	if err != nil {
		return err
	}
	h, err := handle(dir)
	if err != nil {
		return err
	}
	err = check(dir, h, true, t.me, own)
	_ = windows.CloseHandle(h)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// The directory keeps others from reading them, but another account may have put one there earlier.
	for _, e := range entries {
		err := unchangeable(filepath.Join(dir, e.Name()), func(sid *windows.SID) bool {
			return t.is(sid, true) || sid.Equals(own)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// serviceSID returns the SID of NT SERVICE\NAME: S-1-5-80 and the SHA-1 of the upper-case name.
func serviceSID(name string) string {
	h := sha1.New()
	for _, u := range utf16.Encode([]rune(strings.ToUpper(name))) {
		_, _ = h.Write(binary.LittleEndian.AppendUint16(nil, u)) // a hash accepts every write
	}
	var b strings.Builder
	b.WriteString("S-1-5-80")
	for sum := h.Sum(nil); len(sum) > 0; sum = sum[4:] {
		fmt.Fprintf(&b, "-%d", binary.LittleEndian.Uint32(sum))
	}
	return b.String()
}
