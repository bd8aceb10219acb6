package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket/layers"
)

// etherWCCP marks packets that a router redirects, inside GRE.
const etherWCCP = 0x883E

// withoutTCP are the EtherTypes without IP. Others that are not followed are counted by number. See IANA's IEEE 802
// numbers.
var withoutTCP = map[uint16]bool{
	0x0806: true, 0x8035: true, // ARP, RARP
	0x0842: true, 0x9000: true, // wake on LAN, loop test
	0x8137: true, 0x809B: true, 0x80F3: true, // IPX, AppleTalk
	// 802.3 and 802.1 control, PTP
	0x8808: true, 0x8809: true, 0x88CC: true, 0x88F5: true, 0x88F6: true, 0x88F7: true, 0x8902: true,
	0x8863: true, 0x888E: true, 0x88C7: true, // PPPoE discovery, 802.1X, its pre-authentication
	// PROFINET, EtherCAT, GOOSE, sampled values, MRP
	0x8892: true, 0x88A4: true, 0x88B8: true, 0x88BA: true, 0x88E3: true,
	0x887B: true, 0x88E1: true, 0x8912: true, 0x893A: true, 0x8899: true, // HomePlug, 1905.1, Realtek
	0x88A2: true, 0x8906: true, 0x8914: true, // ATA and Fibre Channel over Ethernet
	0x6002: true, 0x6003: true, 0x6004: true, // DEC
}

// etherReason returns the reason for an EtherType that is not followed.
func etherReason(proto uint16) Reason {
	switch {
	case proto == 0, withoutTCP[proto]:
		return NotTCP
	case proto == 0x88E5:
		return "encrypted by MACsec"
	}
	return Reason(fmt.Sprintf("EtherType 0x%04X is not followed", proto))
}

// llc parses what follows 802.3's length or 802.11's header: an EtherType in SNAP, or none. See IEEE 802.2 and RFC
// 1042.
func llc(b []byte) (proto uint16, rest []byte) {
	const snap = 8
	if len(b) < snap || b[0] != 0xAA || b[1] != 0xAA || b[2] != 3 {
		return 0, nil
	}
	if oui := [3]byte(b[3:6]); oui != [3]byte{} && oui != [3]byte{0, 0, 0xF8} { // 802.1H's tunnel
		return 0, nil
	}
	return binary.BigEndian.Uint16(b[6:]), b[snap:]
}

// radio finds the data in an 802.11 frame, after radiotap's header if there is one. Whether a frame check sequence
// follows does not matter: the IP header says where the packet ends. See IEEE 802.11 9.2.3 and radiotap.org.
func radio(link layers.LinkType, b []byte) (proto uint16, rest []byte, why Reason) {
	if link == layers.LinkTypeIEEE80211Radio {
		if len(b) < 4 || int(binary.LittleEndian.Uint16(b[2:])) > len(b) {
			return 0, nil, Damaged
		}
		b = b[binary.LittleEndian.Uint16(b[2:]):]
	}
	const short, address = 24, 6
	if len(b) < 2 {
		return 0, nil, Damaged
	}
	kind, flags := b[0], b[1]
	if kind>>2&3 != 2 || kind&0x40 != 0 { // not a data frame, or one without data
		return 0, nil, NotTCP
	}
	at := short
	if flags&3 == 3 { // between access points
		at += address
	}
	qos := at
	if kind&0x80 != 0 {
		at += 2
		if flags&0x80 != 0 { // HT control
			at += 4
		}
	}
	switch {
	case len(b) < at:
		return 0, nil, Damaged
	case flags&0x40 != 0:
		return 0, nil, "encrypted by the radio link (802.11)"
	case kind&0x80 != 0 && b[qos]&0x80 != 0:
		return 0, nil, "802.11 frames that carry several packets (A-MSDU) are not followed"
	}
	proto, rest = llc(b[at:])
	if rest == nil {
		return 0, nil, NotTCP
	}
	return proto, rest, OK
}
