package sddl

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// SID is a security identifier in its text form S-1-…, or a symbolic one of an unknown domain, such as DOMAIN-512
// (Domain Admins, SDDL DA): its meaning is kept although its number is unknown.
type SID string

// SIDs that distinguish strangers from others.
const (
	System             SID = "S-1-5-18"
	Administrators     SID = "S-1-5-32-544"
	Everyone           SID = "S-1-1-0"
	Network            SID = "S-1-5-2"
	Anonymous          SID = "S-1-5-7"
	AuthenticatedUsers SID = "S-1-5-11"
	BuiltinUsers       SID = "S-1-5-32-545"
	BuiltinGuests      SID = "S-1-5-32-546"
	PreWindows2000     SID = "S-1-5-32-554"
	LocalGuest         SID = "DOMAIN-501"
	DomainGuests       SID = "DOMAIN-514"
	OwnerRights        SID = "S-1-3-4"
)

// The aliases of SDDL.
//
// See [MS-DTYP] 2.5.1.1 and 2.4.2.4.
var aliases = map[string]SID{
	"DA": "DOMAIN-512", "DG": "DOMAIN-514", "DU": "DOMAIN-513", "DD": "DOMAIN-516", "DC": "DOMAIN-515",
	"LA": "DOMAIN-500",
	"LG": "DOMAIN-501", "CA": "DOMAIN-517", "RS": "DOMAIN-553", "PA": "DOMAIN-520", "CN": "DOMAIN-522",
	"AP": "DOMAIN-525",
	"KA": "DOMAIN-526", "EK": "DOMAIN-527", "EA": "ROOT-519", "SA": "ROOT-518", "RO": "ROOT-498",
	"ED": "S-1-5-9", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547",
	"AO": "S-1-5-32-548", "SO": "S-1-5-32-549", "PO": "S-1-5-32-550", "BO": "S-1-5-32-551", "RE": "S-1-5-32-552",
	"RU": "S-1-5-32-554", "RD": "S-1-5-32-555", "NO": "S-1-5-32-556", "MU": "S-1-5-32-558", "LU": "S-1-5-32-559",
	"IS": "S-1-5-32-568", "CY": "S-1-5-32-569", "ER": "S-1-5-32-573", "CD": "S-1-5-32-574", "RA": "S-1-5-32-575",
	"ES": "S-1-5-32-576", "MS": "S-1-5-32-577", "HA": "S-1-5-32-578", "AA": "S-1-5-32-579", "RM": "S-1-5-32-580",
	"AU": "S-1-5-11", "PS": "S-1-5-10", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "SY": "S-1-5-18",
	"WD": "S-1-1-0",
	"IU": "S-1-5-4", "NU": "S-1-5-2", "SU": "S-1-5-6", "RC": "S-1-5-12", "WR": "S-1-5-33", "AN": "S-1-5-7",
	"LS": "S-1-5-19",
	"NS": "S-1-5-20", "AC": "S-1-15-2-1", "UD": "S-1-5-84-0-0-0-0-0", "AS": "S-1-18-1", "SS": "S-1-18-2",
	"LW": "S-1-16-4096", "ME": "S-1-16-8192", "MP": "S-1-16-8448", "HI": "S-1-16-12288", "SI": "S-1-16-16384",
}

var aliasOf = func() map[SID]string {
	m := make(map[SID]string, len(aliases))
	for a, s := range aliases {
		m[s] = a
	}
	return m
}()

// String returns the alias if there is one, else the text form.
func (s SID) String() string {
	if a, ok := aliasOf[s]; ok {
		return a
	}
	return string(s)
}

// Equal reports whether two SIDs are the same as far as is known: a symbolic one equals every SID of a domain with the
// same RID.
func (s SID) Equal(o SID) bool { return s.meaning() == o.meaning() }

// meaning returns what SIDs of any domain have in common. Root-domain groups and domain groups share no RIDs.
func (s SID) meaning() string {
	for _, p := range []string{"DOMAIN-", "ROOT-"} {
		if rest, ok := strings.CutPrefix(string(s), p); ok {
			return "RID-" + rest
		}
	}
	if rest, ok := strings.CutPrefix(string(s), "S-1-5-21-"); ok && strings.Count(rest, "-") == 3 {
		rid := rest[strings.LastIndexByte(rest, '-')+1:]
		if _, ok := aliasOf[SID("DOMAIN-"+rid)]; ok {
			return "RID-" + rid
		}
		if _, ok := aliasOf[SID("ROOT-"+rid)]; ok {
			return "RID-" + rid
		}
	}
	return string(s)
}

// maxSubs is the number of sub-authorities that fit an identifier ([MS-DTYP] 2.4.2.2).
const maxSubs = 15

// parseSID parses an alias or the text form, and returns the canonical text.
func parseSID(s string) (SID, error) {
	up := strings.ToUpper(s)
	if sid, ok := aliases[up]; ok {
		return sid, nil
	}
	f := strings.Split(up, "-")
	if len(f) < 3 || f[0] != "S" || f[1] != "1" || len(f) > 3+maxSubs {
		return "", fmt.Errorf("%.80q is neither an identifier nor an alias", s)
	}
	for i, p := range f[2:] {
		bits := 32
		if i == 0 {
			bits = 48
		}
		n, err := strconv.ParseUint(p, 0, bits)
		if err != nil || strings.HasPrefix(p, "+") {
			return "", fmt.Errorf("%.80q is no identifier", s)
		}
		f[i+2] = strconv.FormatUint(n, 10)
	}
	return SID(strings.Join(f, "-")), nil
}

// readSID parses the binary form and returns its length.
//
//	+0 revision 1 · +1 number of sub-authorities · +2 authority, 6 bytes big-endian · +8 sub-authorities
//
// See [MS-DTYP] 2.4.2.2.
func readSID(b []byte) (SID, int, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > maxSubs || len(b) < 8+4*int(b[1]) {
		return "", 0, fmt.Errorf("no identifier in %d bytes", len(b))
	}
	auth := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	var s strings.Builder
	fmt.Fprintf(&s, "S-1-%d", auth)
	n := 8 + 4*int(b[1])
	for i := 8; i < n; i += 4 {
		fmt.Fprintf(&s, "-%d", binary.LittleEndian.Uint32(b[i:]))
	}
	return SID(s.String()), n, nil
}

// appendSID writes the binary form. A symbolic SID has none.
func appendSID(b []byte, s SID) ([]byte, error) {
	f := strings.Split(string(s), "-")
	if f[0] != "S" {
		return nil, fmt.Errorf("%s belongs to a domain that is not known", s)
	}
	if len(f) < 3 || len(f) > 3+maxSubs {
		return nil, fmt.Errorf("%q is no identifier", string(s))
	}
	auth, err := strconv.ParseUint(f[2], 10, 48)
	if err != nil {
		return nil, err
	}
	b = append(b, 1, byte(len(f)-3), byte(auth>>40), byte(auth>>32), byte(auth>>24), byte(auth>>16), byte(auth>>8),
		byte(auth))
	for _, p := range f[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b, nil
}
