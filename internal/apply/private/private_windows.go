package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// trust holds the accounts that may write what this process trusts: SYSTEM and Administrators, and the user of a
// process that is no administrator.
type trust struct {
	system, admins, installer *windows.SID
	me                        *windows.SID
	admin                     bool
}

// trustedInstaller owns the directories of Windows itself.
const trustedInstaller = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

func whom() (*trust, error) {
	t := &trust{}
	var err error
	if t.system, err = windows.CreateWellKnownSid(windows.WinLocalSystemSid); err != nil {
		return nil, err
	}
	if t.admins, err = windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid); err != nil {
		return nil, err
	}
	if t.installer, err = windows.StringToSid(trustedInstaller); err != nil {
		return nil, err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	t.me = user.User.Sid
	t.admin, err = windows.Token(0).IsMember(t.admins)
	return t, err
}

func (t *trust) is(sid *windows.SID, me bool) bool {
	return sid.Equals(t.system) || sid.Equals(t.admins) || me && sid.Equals(t.me)
}

// descriptor returns the security of new files and directories: nothing is inherited.
func (t *trust) descriptor(dir bool) (*windows.SecurityAttributes, error) {
	owner, flags := "BA", ""
	if dir {
		flags = "OICI"
	}
	list := fmt.Sprintf("(A;%[1]s;FA;;;SY)(A;%[1]s;FA;;;BA)", flags)
	if !t.admin {
		owner = t.me.String()
		list += fmt.Sprintf("(A;%s;FA;;;%s)", flags, owner)
	}
	sd, err := windows.SecurityDescriptorFromString("O:" + owner + "D:P" + list)
	if err != nil {
		return nil, err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return sa, nil
}

// locks returns the directory of locks that belong to no state directory: no other account can create or hold them.
func locks() string {
	if t, err := whom(); err == nil && t.admin {
		if data := os.Getenv("ProgramData"); data != "" {
			return filepath.Join(data, "ipcguard-locks")
		}
	}
	return filepath.Join(os.TempDir(), "ipcguard-locks")
}

func mkdir(dir string) error {
	t, err := whom()
	if err != nil {
		return err
	}
	sa, err := t.descriptor(true)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	return windows.CreateDirectory(name, sa)
}

// rename waits for a reader of the old file: Windows does not replace an open file. This program keeps it open for less
// than a millisecond, virus scanners for a few hundred.
func rename(from, to string) error {
	const most, pause = 2 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(most); ; time.Sleep(pause) {
		err := os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
			time.Now().After(end) {
			return err
		}
	}
}

func create(path string) (*os.File, error) {
	return open(path, windows.GENERIC_WRITE, windows.CREATE_NEW)
}

// open opens a file itself, not the target of a link; a new file is private from the start.
func open(path string, access, how uint32) (*os.File, error) {
	t, err := whom()
	if err != nil {
		return nil, err
	}
	sa, err := t.descriptor(false)
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	const flags = windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_OPEN_REPARSE_POINT
	h, err := windows.CreateFile(name, access|windows.READ_CONTROL, share, sa, how, flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// Open opens a file that must be private; os.O_CREATE creates it if it is missing.
func Open(path string, flag int) (*os.File, error) {
	access, how := uint32(windows.GENERIC_READ), uint32(windows.OPEN_EXISTING)
	switch {
	case flag&os.O_APPEND != 0:
		access = windows.FILE_APPEND_DATA | windows.SYNCHRONIZE
	case flag&os.O_RDWR != 0:
		access |= windows.GENERIC_WRITE
	case flag&os.O_WRONLY != 0:
		access = windows.GENERIC_WRITE
	}
	if flag&os.O_CREATE != 0 {
		how = windows.OPEN_ALWAYS
	}
	f, err := open(path, access|windows.FILE_READ_ATTRIBUTES, how)
	if err != nil {
		return nil, err
	}
	if err := check(path, windows.Handle(f.Fd()), false); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Secret adds nothing to the checks of Open: no other account has any right to a private file.
func Secret(string) error { return nil }

// Dir checks only a directory; the caller has checked its parents.
func Dir(dir string) error {
	h, err := handle(dir)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return check(dir, h, true)
}

// handle opens a path itself, not the target of a link, to check it.
func handle(path string) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	const flags = windows.FILE_FLAG_BACKUP_SEMANTICS | windows.FILE_FLAG_OPEN_REPARSE_POINT
	h, err := windows.CreateFile(name, windows.READ_CONTROL|windows.FILE_READ_ATTRIBUTES, share, nil,
		windows.OPEN_EXISTING, flags, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return h, nil
}

// check refuses a path that is not a plain file or directory, belongs to another account, or is open to another
// account. also lists accounts that may own and use it in addition to the usual ones.
func check(path string, h windows.Handle, dir bool, also ...*windows.SID) error {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0:
		return &Error{Path: path, Why: "it is a reparse point: a link, or a mount", Mend: Moved(path)}
	case (info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0) != dir:
		return &Error{
			Path: path, Why: "it is a file where a directory is expected, or the other way round",
			Mend: Moved(path),
		}
	case !dir && info.NumberOfLinks != 1:
		return &Error{
			Path: path, Why: fmt.Sprintf("it has %d names (hard links)", info.NumberOfLinks),
			Mend: Moved(path),
		}
	}
	t, err := whom()
	if err != nil {
		return err
	}
	owner, aces, err := security(path, h)
	if err != nil {
		return err
	}
	me := !t.admin
	trusted := func(sid *windows.SID) bool { return t.is(sid, me) || slices.ContainsFunc(also, sid.Equals) }
	if t.admin && !trusted(owner) && owner.Equals(t.me) && !keepsOwners(path, dir) {
		me = true
	}
	if !trusted(owner) {
		return &Error{Path: path, Why: "it belongs to " + named(owner), Mend: Moved(path)}
	}
	if list := strangers(aces, ^uint32(0), trusted); len(list) > 0 {
		return &Error{Path: path, Why: "it is open to " + named(list...) +
			", and not to SYSTEM and Administrators alone", Mend: t.narrowed(path, list, dir)}
	}
	return nil
}

// strangers returns the untrusted accounts that have some of the rights: each once, and nil for all entries of an
// unknown kind.
func strangers(aces []ace, rights uint32, trusted func(*windows.SID) bool) (list []*windows.SID) {
	for _, a := range aces {
		if a.inheritOnly || a.mask&rights == 0 || a.sid != nil && trusted(a.sid) {
			continue
		}
		if !slices.ContainsFunc(list, func(sid *windows.SID) bool {
			return sid == a.sid || sid != nil && a.sid != nil && sid.Equals(a.sid)
		}) {
			list = append(list, a.sid)
		}
	}
	return list
}

// keepsOwners reports whether a path's file system stores the owner given to a new file. One that gives everything to
// the user, as Wine's does, cannot say who created a file.
func keepsOwners(path string, dir bool) bool {
	if !dir {
		path = filepath.Dir(path)
	}
	f, err := os.CreateTemp(path, Probe)
	if err != nil {
		return true
	}
	name := f.Name()
	_ = f.Close()
	if os.Remove(name) != nil {
		return true
	}
	if f, err = create(name); err != nil {
		return true
	}
	owner, _, err := security(name, windows.Handle(f.Fd()))
	_ = f.Close()
	_ = os.Remove(name)
	t, terr := whom()
	return err != nil || terr != nil || !owner.Equals(t.me)
}

// ace is one allowing entry of an access list. Sid is nil if the kind of entry is unknown.
type ace struct {
	sid         *windows.SID
	mask        uint32
	inheritOnly bool
}

func security(path string, h windows.Handle) (*windows.SID, []ace, error) {
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: its security: %w", path, err)
	}
	return entries(path, sd)
}

// entries returns the owner and the allowing entries of a descriptor.
func entries(path string, sd *windows.SECURITY_DESCRIPTOR) (*windows.SID, []ace, error) {
	owner, _, err := sd.Owner()
	if err != nil || owner == nil {
		return nil, nil, &Error{Path: path, Why: "it has no owner"}
	}
	dacl, _, err := sd.DACL()
	if err != nil || dacl == nil {
		return nil, nil, &Error{Path: path, Why: "it has no access list, so that everybody may do everything"}
	}
	var list []ace
	for i := range uint32(dacl.AceCount) {
		var p *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(dacl, i, &p); err != nil {
			return nil, nil, fmt.Errorf("%s: its access list: %w", path, err)
		}
		const denied, inheritOnly = 1, 0x08 // [MS-DTYP] 2.4.4.1
		a := ace{mask: uint32(p.Mask), inheritOnly: p.Header.AceFlags&inheritOnly != 0}
		switch p.Header.AceType {
		case windows.ACCESS_ALLOWED_ACE_TYPE:
			a.sid = (*windows.SID)(unsafe.Pointer(&p.SidStart))
		case denied:
			continue
		}
		list = append(list, a)
	}
	return owner, list, nil
}

// checkAbove checks every parent of a directory: no other account may replace a directory below it.
func checkAbove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	t, err := whom()
	if err != nil {
		return err
	}
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		if _, err := os.Lstat(up); errors.Is(err, fs.ErrNotExist) {
			continue // it will be created below what is checked
		}
		if err := t.above(up); err != nil {
			return err
		}
	}
	return nil
}

func (t *trust) above(dir string) error {
	h, err := handle(dir)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		return &Error{
			Path: dir,
			Why:  "it is a reparse point: a link, or a mount; name the directory that it leads to with --state",
		}
	}
	owner, aces, err := security(dir, h)
	if err != nil {
		return err
	}
	// The owner of a directory above is also trusted if it is the user who runs this process: C:\Users\NAME is theirs.
	if !t.is(owner, true) && !owner.Equals(t.installer) {
		return &Error{Path: dir, Why: "it belongs to " + named(owner) +
			", who can put another directory in the place of one below it"}
	}
	// An account with one of these rights can delete or rename what is below, or grant the right.
	const deleteChild = 0x40 // FILE_DELETE_CHILD
	const dangerous = deleteChild | windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_ALL
	list := strangers(aces, dangerous, func(sid *windows.SID) bool {
		return t.is(sid, true) || sid.Equals(t.installer)
	})
	if len(list) > 0 {
		return &Error{
			Path: dir, Why: named(list...) + " may put another directory in the place of one below it",
			Mend: "icacls " + quoted(dir, `"`) + " /remove:g " + icaclsNames(list),
		}
	}
	return nil
}

// mostNamed bounds an error, and a command that a person types, for an access list with hundreds of entries. The next
// error names the others.
const mostNamed = 16

func named(list ...*windows.SID) string {
	var names []string
	for _, sid := range list[:min(len(list), mostNamed)] {
		names = append(names, name(sid))
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func name(sid *windows.SID) string {
	if sid == nil {
		return "somebody by an entry of a kind that is not known"
	}
	if account, domain, _, err := sid.LookupAccount(""); err == nil {
		if domain != "" {
			account = domain + `\` + account
		}
		return account + " (" + sid.String() + ")"
	}
	return sid.String()
}

func icaclsNames(list []*windows.SID) string {
	var names []string
	for _, sid := range list[:min(len(list), mostNamed)] {
		if sid == nil {
			names = append(names, "NAME")
			continue
		}
		names = append(names, "*"+sid.String())
	}
	return strings.Join(names, " ")
}

// Moved returns the command that moves a path away without deleting it.
func Moved(path string) string {
	return "move " + quoted(path, `"`) + " " + quoted(path+".refused", `"`)
}

// narrowed returns the command that leaves access only to SYSTEM, Administrators, and the user of a process that is no
// administrator.
func (t *trust) narrowed(path string, list []*windows.SID, dir bool) string {
	flags := ""
	if dir {
		flags = "(OI)(CI)"
	}
	text := fmt.Sprintf("icacls %s /inheritance:r /remove:g %s /grant:r *S-1-5-18:%[3]sF *S-1-5-32-544:%[3]sF",
		quoted(path, `"`), icaclsNames(list), flags)
	if !t.admin {
		text += fmt.Sprintf(" *%s:%sF", t.me, flags)
	}
	return text
}
