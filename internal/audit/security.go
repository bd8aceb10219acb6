package audit

import (
	"encoding/binary"
	"errors"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// accounts reads the security settings in SAM and SECURITY that no plain registry value holds: the guest account, and
// whether strangers may translate names and SIDs.
func (w *windowsReader) accounts() {
	w.guestAccount()
	w.nameLookup()
}

// guestAccount reads the fixed part of account 501: its control bits are at offset 56, and bit 0 is "disabled" (the
// layout is that of third-party descriptions; the bit is [MS-SAMR] 2.2.1.12's USER_ACCOUNT_DISABLED).
func (w *windowsReader) guestAccount() {
	if w.platform.Role == model.DomainController {
		return // a domain controller's accounts are in the directory; its SAM holds those of the recovery mode
	}
	const key = `HKLM\SAM\SAM\Domains\Account\Users\000001F5`
	v, err := w.in.Value(key, "F")
	switch {
	case errors.Is(err, registry.ErrNotExist):
	case err != nil:
		w.problem("%s: %v", key, err)
	case len(v.Data) < 58:
		w.problem("%s: %d bytes where at least 58 belong", key, len(v.Data))
	default:
		enabled := 1
		if binary.LittleEndian.Uint16(v.Data[56:])&1 != 0 {
			enabled = 0
		}
		w.values["EnableGuestAccount"] = model.Value{Present: true, Type: "policy", Data: enabled}
		w.origin["EnableGuestAccount"] = key
	}
}

// policyLookupNames is POLICY_LOOKUP_NAMES, [MS-LSAD] 2.2.1.1.2.
const policyLookupNames = 0x800

// nameLookup reads the descriptor of the policy object. See [MS-GPSB] 2.2.1.1, LSAAnonymousNameLookup.
func (w *windowsReader) nameLookup() {
	const key = `HKLM\SECURITY\Policy\SecDesc`
	v, err := w.in.Value(key, "")
	if errors.Is(err, registry.ErrNotExist) {
		return
	}
	if err != nil {
		w.problem("%s: %v", key, err)
		return
	}
	d, err := sddl.ParseBinary(v.Data)
	if err != nil {
		w.problem("%s: %v", key, err)
		return
	}
	lookup := 0
	if d.Check(sddl.Token{sddl.Anonymous}, policyLookupNames, sddl.Generic{}) == sddl.Granted {
		lookup = 1
	}
	w.values["LSAAnonymousNameLookup"] = model.Value{Present: true, Type: "policy", Data: lookup}
	w.origin["LSAAnonymousNameLookup"] = key
}
