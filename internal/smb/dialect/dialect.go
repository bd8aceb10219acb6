package dialect

import "fmt"

// Dialect is an SMB dialect: the revision number of [MS-SMB2] 2.2.3, and 1 for NT LM 0.12.
type Dialect uint16

// The dialects of the package.
const (
	SMB1   Dialect = 0x0001
	SMB202 Dialect = 0x0202
	SMB210 Dialect = 0x0210
	SMB300 Dialect = 0x0300
	SMB302 Dialect = 0x0302
	SMB311 Dialect = 0x0311
)

// All lists every dialect, oldest first.
func All() []Dialect { return []Dialect{SMB1, SMB202, SMB210, SMB300, SMB302, SMB311} }

// Name names the dialect that an SMB2 message carries; empty for a number that is none of SMB2 and 3, such as the
// wildcard. See [MS-SMB2] 2.2.3.
func Name(number uint16) string {
	switch d := Dialect(number); d {
	case SMB202, SMB210, SMB300, SMB302, SMB311:
		return d.String()
	}
	return ""
}

// String is the dialect as people write it: "NT LM 0.12", "2.0.2" … "3.1.1".
func (d Dialect) String() string {
	switch d {
	case SMB1:
		return "NT LM 0.12"
	case SMB202:
		return "2.0.2"
	case SMB210:
		return "2.1"
	case SMB300:
		return "3.0"
	case SMB302:
		return "3.0.2"
	case SMB311:
		return "3.1.1"
	}
	return fmt.Sprintf("0x%04X", uint16(d))
}
