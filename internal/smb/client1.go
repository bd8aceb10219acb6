package smb

import (
	"encoding/binary"
	"slices"
)

// appendNegotiate1 appends the SMB1 NEGOTIATE request that a server may answer in either family.
// See [MS-SMB2] 3.2.4.2.2.1 and [MS-CIFS] 2.2.4.52.1.
func appendNegotiate1(dst []byte, o *Options) []byte {
	const unicode, extendedSecurity, longNames, ntStatus = 0x8000, 0x0800, 0x0001, 0x4000
	flags2 := uint16(unicode | extendedSecurity | longNames | ntStatus)
	if o.NoExtendedSecurity {
		flags2 &^= extendedSecurity
	}
	if o.OEM {
		flags2 &^= unicode
	}
	dst = append(dst, 0xFF, 'S', 'M', 'B', 0x72, 0, 0, 0, 0, 0x18)
	dst = binary.LittleEndian.AppendUint16(dst, flags2)
	dst = append(dst, make([]byte, 12)...)
	dst = append(dst, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0, 0, 0) // no tree, a process id, no user, MID 0
	var data []byte
	for _, d := range []struct {
		name   string
		wanted bool
	}{
		{"NT LM 0.12", slices.Contains(o.Dialects, SMB1)},
		{"SMB 2.002", slices.Contains(o.Dialects, SMB202)},
		{"SMB 2.???", slices.ContainsFunc(o.Dialects, func(d Dialect) bool { return d >= SMB210 })},
	} {
		if d.wanted {
			data = append(append(append(data, 2), d.name...), 0)
		}
	}
	dst = append(dst, 0) // WordCount
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(data)))
	return append(dst, data...)
}

// newClient1 takes the connection over when the server answered in SMB1.
func newClient1(*Conn, []byte) (backend, error) {
	return nil, broken("the server chose SMB1, and this client speaks SMB2 and SMB3").at(layerNegotiate)
}
