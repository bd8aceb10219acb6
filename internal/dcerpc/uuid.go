package dcerpc

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID holds the 16 bytes in printed order. On the wire the first three fields depend on the packet's byte order.
type UUID [16]byte

// String prints 8-4-4-4-12 lower case hexadecimal digits.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseUUID parses the printed form, with or without braces.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	t := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	if len(t) != 36 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
		return u, fmt.Errorf("dcerpc: %q is not a UUID", s)
	}
	if _, err := hex.Decode(u[:], []byte(strings.ReplaceAll(t, "-", ""))); err != nil {
		return u, fmt.Errorf("dcerpc: %q is not a UUID: %w", s, err)
	}
	return u, nil
}

// mustUUID is for the constants of this package.
func mustUUID(s string) UUID {
	u, err := ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}

// SyntaxID names an interface (abstract syntax) or an encoding (transfer syntax) with its version.
//
// See [C706] 12.6.3.1 p_syntax_id_t.
type SyntaxID struct {
	UUID         UUID
	Major, Minor uint16
}

// String prints "uuid vMAJOR.MINOR".
func (s SyntaxID) String() string { return fmt.Sprintf("%s v%d.%d", s.UUID, s.Major, s.Minor) }

// Version prints "MAJOR.MINOR".
func (s SyntaxID) Version() string { return fmt.Sprintf("%d.%d", s.Major, s.Minor) }

func syntax(uuid string, major, minor uint16) SyntaxID {
	return SyntaxID{mustUUID(uuid), major, minor}
}

// The transfer syntaxes. See [MS-RPCE] 2.2.4.12 and 3.3.1.5.6.
var (
	NDR20 = syntax("8a885d04-1ceb-11c9-9fe8-08002b104860", 2, 0)
	NDR64 = syntax("71710533-beba-4937-8319-b5dbef9ccc36", 1, 0)
)

// featurePrefix begins the transfer syntax with which a client offers bind-time features; the bits follow in the
// ninth byte. See [MS-RPCE] 2.2.2.14.
var featurePrefix = [8]byte{0x6c, 0xb7, 0x1c, 0x2c, 0x98, 0x12, 0x45, 0x40}

// The bits of a bind-time feature negotiation.
const (
	FeatureSecurityContextMultiplexing = 0x01
	FeatureKeepConnectionOnOrphan      = 0x02
)

// Features reports whether s is a bind-time feature negotiation, and which bits it offers.
func (s SyntaxID) Features() (bits uint8, ok bool) {
	if [8]byte(s.UUID[:8]) != featurePrefix || s.Major != 1 {
		return 0, false
	}
	return s.UUID[8], true
}
