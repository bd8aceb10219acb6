package catalog

import (
	"slices"
	"strings"

	"ipcguard/internal/format/sddl"
)

// manyPeople are the RIDs of a domain's groups that contain all users or machines: Domain Users, Guests, Computers; and
// of the guest account.
var manyPeople = []string{"513", "514", "515", "501"}

// broad returns the trustees that a filter on remote account calls admits and that are more than administrators, the
// system and single accounts or groups of a domain. Microsoft Defender for Identity needs its own account there.
func broad(d *sddl.Descriptor) []sddl.SID {
	if d.DACL == nil {
		return []sddl.SID{sddl.Everyone}
	}
	var out []sddl.SID
	for _, e := range d.DACL.ACEs {
		if e.Denies() || e.Trustee.Equal(sddl.Administrators) || e.Trustee.Equal(sddl.System) {
			continue
		}
		id := string(e.Trustee)
		number := id[strings.LastIndexByte(id, '-')+1:]
		domain := strings.HasPrefix(id, "S-1-5-21-") || strings.HasPrefix(id, "DOMAIN-") ||
			strings.HasPrefix(id, "ROOT-")
		if !domain || slices.Contains(manyPeople, number) {
			out = append(out, e.Trustee)
		}
	}
	return out
}
