package smb2

import (
	"fmt"
	"net/netip"
)

// FSCTLQueryNetworkInterfaceInfo asks a server for its addresses. See [MS-SMB2] 2.2.31.
const FSCTLQueryNetworkInterfaceInfo = 0x001401FC

// The capabilities of a network interface. See [MS-SMB2] 2.2.32.5.
const (
	InterfaceRSS  = 0x00000001
	InterfaceRDMA = 0x00000002
)

// NetworkInterface is one address that a server tells its clients to open further channels to.
type NetworkInterface struct {
	Index        uint32
	Capabilities uint32
	LinkSpeed    uint64     // bits a second
	Address      netip.Addr // not valid where its family is unknown
}

const (
	// interfaceLen is the length of one entry, in bytes. See [MS-SMB2] 2.2.32.5.
	interfaceLen = 152

	// maxInterfaces is how many entries are read: 64 KiB, the longest answer that is asked for, have 431.
	maxInterfaces = 431

	familyIPv4 = 2    // InterNetwork
	familyIPv6 = 0x17 // InterNetworkV6
)

// ParseNetworkInterfaces reads the answer to FSCTLQueryNetworkInterfaceInfo.
func ParseNetworkInterfaces(b []byte) ([]NetworkInterface, error) {
	var out []NetworkInterface
	for len(b) > 0 {
		if len(b) < interfaceLen {
			return nil, fmt.Errorf("smb2: network interface: %w: %d bytes", ErrShort, len(b))
		}
		if len(out) == maxInterfaces {
			return nil, fmt.Errorf("smb2: network interfaces: %w", ErrCount)
		}
		i := NetworkInterface{Index: le.Uint32(b[4:]), Capabilities: le.Uint32(b[8:]), LinkSpeed: le.Uint64(b[16:])}
		switch address := b[24:]; le.Uint16(address) {
		case familyIPv4:
			i.Address = netip.AddrFrom4([4]byte(address[4:8]))
		case familyIPv6:
			i.Address = netip.AddrFrom16([16]byte(address[8:24])).Unmap()
		}
		out = append(out, i)
		next := le.Uint32(b)
		switch {
		case next == 0:
			return out, nil
		case next < interfaceLen || uint64(next) > uint64(len(b)):
			return nil, fmt.Errorf("smb2: network interface: %w: the next one at %d of %d", ErrBounds, next, len(b))
		}
		b = b[next:]
	}
	return out, nil
}
