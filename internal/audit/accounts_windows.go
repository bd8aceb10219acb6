package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/inf"
	"ipcguard/internal/model"
)

// liveAccounts reads what Windows' own registry values do not document: the guest account through NetUserGetInfo, and
// the translation of names and the logon rights through a secedit export.
func (f *facts) liveAccounts(o *Options) {
	if t, err := securityExport(); err != nil {
		f.why("what only the security policy tells was not read: secedit: %v", err)
	} else {
		joined := gpo.Join(&gpo.GPO{Name: "secedit", Template: t})
		for i := range o.Catalog.Settings {
			s := &o.Catalog.Settings[i]
			section, key, ok := strings.Cut(s.GptTmpl, "/")
			if _, read := f.values[s.ID]; !ok || s.System != "windows" || read {
				continue
			}
			f.values[s.ID] = model.Value{} // the export contains every right that is granted to an account
			f.securitySetting(joined, s, section, key)
			f.origin[s.ID] = "secedit"
		}
	}
	switch disabled, err := guestDisabled(); {
	case err != nil:
		f.why("the guest account was not read: %v", err)
	default:
		v := model.Value{Present: true, Type: "policy", Data: 1}
		if disabled {
			v.Data = 0
		}
		f.values["EnableGuestAccount"], f.origin["EnableGuestAccount"] = v, "NetUserGetInfo"
	}
}

// seceditWait bounds secedit, which takes a second or two.
const seceditWait = time.Minute

// securityExport has secedit write the local security policy to a temporary file, and reads it.
func securityExport() (t *inf.File, err error) {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ipcguard-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "policy.inf")
	ctx, cancel := context.WithTimeout(context.Background(), seceditWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(system, "secedit.exe"), "/export", "/areas", "SECURITYPOLICY",
		"USER_RIGHTS", "/cfg", file, "/quiet")
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	if err := regular(file, 64<<20); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return inf.Parse(b)
}

// See USER_INFO_1 in lmaccess.h.
type userInfo1 struct {
	name, password *uint16
	age, privilege uint32
	home, comment  *uint16
	flags          uint32
	script         *uint16
}

const accountDisabled = 0x0002 // UF_ACCOUNTDISABLE

// guestDisabled looks up the guest account by RID, because it may be renamed.
func guestDisabled() (bool, error) {
	domain, err := accountDomain()
	if err != nil {
		return false, err
	}
	sid, err := windows.CreateWellKnownDomainSid(windows.WinAccountGuestSid, domain)
	if err != nil {
		return false, fmt.Errorf("its identifier: %w", err)
	}
	name, _, _, err := sid.LookupAccount("")
	if err != nil {
		return false, fmt.Errorf("its name: %w", err)
	}
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return false, err
	}
	var b *byte
	if err := windows.NetUserGetInfo(nil, wide, 1, &b); err != nil {
		return false, fmt.Errorf("NetUserGetInfo: %w", err)
	}
	defer windows.NetApiBufferFree(b)
	return (*userInfo1)(unsafe.Pointer(b)).flags&accountDisabled != 0, nil
}

// See LSA_OBJECT_ATTRIBUTES and POLICY_ACCOUNT_DOMAIN_INFO in ntsecapi.h.
type (
	lsaAttributes struct {
		length     uint32
		root       windows.Handle
		name       *windows.NTUnicodeString
		attributes uint32
		descriptor uintptr
		quality    uintptr
	}
	accountDomainInfo struct {
		name windows.NTUnicodeString
		sid  *windows.SID
	}
)

var (
	lsaDLL         = windows.NewLazySystemDLL("advapi32.dll")
	lsaOpen        = lsaDLL.NewProc("LsaOpenPolicy")
	lsaQuery       = lsaDLL.NewProc("LsaQueryInformationPolicy")
	lsaClose       = lsaDLL.NewProc("LsaClose")
	lsaFree        = lsaDLL.NewProc("LsaFreeMemory")
	errNoAccountID = errors.New("LsaQueryInformationPolicy told no domain of accounts")
)

// accountDomain returns the SID prefix of this machine's accounts; on a domain controller, the domain's.
func accountDomain() (*windows.SID, error) {
	const viewLocalInformation, accountDomainInformation = 1, 5
	a := lsaAttributes{}
	a.length = uint32(unsafe.Sizeof(a))
	var policy windows.Handle
	if s, _, _ := lsaOpen.Call(0, uintptr(unsafe.Pointer(&a)), viewLocalInformation,
		uintptr(unsafe.Pointer(&policy))); s != 0 {
		return nil, fmt.Errorf("LsaOpenPolicy: %w", windows.NTStatus(s))
	}
	defer lsaClose.Call(uintptr(policy)) //nolint:errcheck // it was open for reading
	var info *accountDomainInfo
	if s, _, _ := lsaQuery.Call(uintptr(policy), accountDomainInformation, uintptr(unsafe.Pointer(&info))); s != 0 {
		return nil, fmt.Errorf("LsaQueryInformationPolicy: %w", windows.NTStatus(s))
	}
	if info == nil {
		return nil, errNoAccountID
	}
	defer lsaFree.Call(uintptr(unsafe.Pointer(info))) //nolint:errcheck // there is nothing to do about it
	if info.sid == nil {
		return nil, errNoAccountID
	}
	return info.sid.Copy()
}
