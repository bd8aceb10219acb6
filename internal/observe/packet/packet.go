// Package packet finds the TCP segment in a captured packet.
//
// What nearly every packet is, is cut by hand, without a copy:
//
//	[link: Ethernet, Linux cooked 1/2, loopback, raw IP] [802.1Q]* [PPPoE] [IPv4 | IPv6 + extension headers] [TCP] payload
//
// Everything else (tunnels, IP fragments, MPLS, other link types) goes the slow way through gopacket, down to
// the innermost TCP layer. What holds no TCP, or is damaged, is named with a Reason and counted by the caller.
package packet

import (
	"encoding/binary"

	"github.com/gopacket/gopacket/layers"
)

// Endpoint is one side of a TCP connection. IPv4 addresses are in their IPv6-mapped form. It is a plain array, so
// that it is a cheap key.
type Endpoint struct {
	IP   [16]byte
	Port uint16
}

// Segment is one TCP segment; Payload points into the packet.
type Segment struct {
	Src, Dst Endpoint
	Seq, Ack uint32
	Window   uint16 // as it is written; a SYN says how it is scaled later
	Scale    int8   // of a SYN: the shift of later windows, NoScale where none is offered
	Flags    Flags
	Payload  []byte
	Missing  int // bytes of payload that were on the wire and not in the capture, behind Payload
}

// Flags are TCP's flags. See RFC 9293 3.1.
type Flags uint8

// The flags that matter for following a connection.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Reason says why a packet gave no segment.
type Reason string

// The reasons.
const (
	OK        Reason = ""
	NotTCP    Reason = "not TCP"
	Truncated Reason = "cut by the snap length before the TCP payload"
	Damaged   Reason = "damaged headers"
	Fragment  Reason = "IP fragments whose rest is not there"
	Held      Reason = "IP fragment that is held until its rest comes"
	LinkType  Reason = "link type that cannot be read"
)

// Link types beyond those that layers names. See www.tcpdump.org/linktypes.html.
const (
	linkRawBSD   = 12
	linkRawOBSD  = 14
	linkLinuxSLL = 113
	linkSLL2     = 276
)

const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86DD
	etherVLAN  = 0x8100
	etherQinQ  = 0x88A8
	etherQinQ9 = 0x9100
	etherPPPoE = 0x8864

	protoTCP = 6
	protoUDP = 17
)

// maxTags bounds the stack of VLAN tags: two are in use, more than a few is a forged packet.
const maxTags = 4

// maxExtensions bounds the IPv6 extension headers: RFC 8200 4.1 names seven kinds, one of which may stand twice.
const maxExtensions = 8

// Decoder cuts packets. It keeps the state of IP fragments and must not be shared between goroutines.
type Decoder struct {
	slow slow
}

// Waiting is how many packets are fragments whose rest is not there, now or ever. Each of them was Held.
func (d *Decoder) Waiting() int64 { return d.slow.fragments.waiting() }

// Decode finds the segment in data, which is what the capture has of a packet of length bytes.
func (d *Decoder) Decode(link layers.LinkType, data []byte, length int) (Segment, Reason) {
	if seg, why, ok := fast(link, data, length); ok {
		return seg, why
	}
	return d.slow.decode(link, data, length)
}

// fast decodes the usual; false sends the packet the slow way.
func fast(link layers.LinkType, b []byte, length int) (Segment, Reason, bool) {
	cut := length - len(b)
	if cut < 0 {
		cut = 0
	}
	var proto uint16
	switch link {
	case layers.LinkTypeEthernet:
		if len(b) < 14 {
			return Segment{}, Damaged, true
		}
		proto = binary.BigEndian.Uint16(b[12:])
		b = b[14:]
		if proto <= maxLength8023 {
			if proto, b = llc(b); b == nil {
				return Segment{}, NotTCP, true
			}
		}
	case layers.LinkTypeRaw, linkRawBSD, linkRawOBSD:
		proto = ipVersion(b)
	case layers.LinkTypeNull, layers.LinkTypeLoop: // the family's number differs between systems; the version does not
		if len(b) < 4 {
			return Segment{}, Damaged, true
		}
		b = b[4:]
		proto = ipVersion(b)
	case linkLinuxSLL:
		if len(b) < 16 {
			return Segment{}, Damaged, true
		}
		proto = binary.BigEndian.Uint16(b[14:])
		b = b[16:]
	case linkSLL2:
		if len(b) < 20 {
			return Segment{}, Damaged, true
		}
		proto = binary.BigEndian.Uint16(b)
		b = b[20:]
	case layers.LinkTypeIPv4:
		proto = etherIPv4
	case layers.LinkTypeIPv6:
		proto = etherIPv6
	case layers.LinkTypeIEEE802_11, layers.LinkTypeIEEE80211Radio:
		var why Reason
		if proto, b, why = radio(link, b); why != OK {
			return Segment{}, why, true
		}
	default:
		return Segment{}, OK, false
	}
	for range maxTags {
		if proto != etherVLAN && proto != etherQinQ && proto != etherQinQ9 {
			break
		}
		if len(b) < 4 {
			return Segment{}, Damaged, true
		}
		proto = binary.BigEndian.Uint16(b[2:])
		b = b[4:]
	}
	if proto == etherPPPoE && len(b) >= 8 { // RFC 2516 4, then the protocol of RFC 1661 2
		switch binary.BigEndian.Uint16(b[6:]) {
		case 0x0021:
			proto = etherIPv4
		case 0x0057:
			proto = etherIPv6
		}
		b = b[8:]
	}
	switch proto {
	case etherIPv4:
		return ipv4(b, cut)
	case etherIPv6:
		return ipv6(b, cut)
	case 0x8847, 0x8848, 0x6558, 0x88BE: // MPLS, bridging, ERSPAN: IP may be inside
		return Segment{}, OK, false
	}
	return Segment{}, etherReason(proto), true
}

// maxLength8023 is the highest number that is a length instead of an EtherType. See IEEE 802.3 3.2.6.
const maxLength8023 = 1500

func ipVersion(b []byte) uint16 {
	if len(b) == 0 {
		return 0
	}
	switch b[0] >> 4 {
	case 4:
		return etherIPv4
	case 6:
		return etherIPv6
	}
	return 0
}

// See RFC 791 3.1.
func ipv4(b []byte, cut int) (Segment, Reason, bool) {
	if len(b) < 20 {
		return Segment{}, Damaged, true
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || head < 20 || head > len(b) {
		return Segment{}, Damaged, true
	}
	if total == 0 { // segmentation offload: the card would have filled it in
		total = len(b) + cut
	}
	if total < head {
		return Segment{}, Damaged, true
	}
	if binary.BigEndian.Uint16(b[6:])&0x3FFF != 0 { // more fragments, or an offset
		return Segment{}, OK, false
	}
	var seg Segment
	seg.Src.IP, seg.Dst.IP = mapped(b[12:16]), mapped(b[16:20])
	body, missing := body(b, head, total)
	return transport(seg, b[9], body, missing)
}

// See RFC 8200 3.
func ipv6(b []byte, cut int) (Segment, Reason, bool) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return Segment{}, Damaged, true
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 { // offload or a jumbogram
		total = len(b) + cut
	}
	var seg Segment
	copy(seg.Src.IP[:], b[8:24])
	copy(seg.Dst.IP[:], b[24:40])
	return behind(seg, b[6], b, 40, total)
}

// behind walks IPv6's extension headers from an offset, and takes what is behind them.
func behind(seg Segment, next byte, b []byte, at, total int) (Segment, Reason, bool) {
	for range maxExtensions {
		switch next {
		case 0, 43, 60, 135, 139, 140: // hop-by-hop, routing, destination, mobility, HIP, shim6
			if at+8 > len(b) {
				return Segment{}, Damaged, true
			}
			next, at = b[at], at+8+int(b[at+1])*8
		case 51: // authentication header, in units of four bytes
			if at+8 > len(b) {
				return Segment{}, Damaged, true
			}
			next, at = b[at], at+8+int(b[at+1])*4
		case 44: // fragment
			return Segment{}, OK, false
		default:
			if at > len(b) || at > total {
				return Segment{}, Damaged, true
			}
			body, missing := body(b, at, total)
			return transport(seg, next, body, missing)
		}
	}
	return Segment{}, Damaged, true
}

// body is what lies between at and total, and how much of it was not captured. Link padding is cut off.
func body(b []byte, at, total int) ([]byte, int) {
	end := min(total, len(b))
	return b[at:end], total - end
}

func mapped(b []byte) [16]byte {
	return [16]byte{10: 0xFF, 11: 0xFF, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

func transport(seg Segment, proto byte, b []byte, missing int) (Segment, Reason, bool) {
	switch proto {
	case protoTCP:
		why := tcp(&seg, b, missing)
		return seg, why, true
	case protoUDP:
		if len(b) >= 4 && (tunnel(b[0:2]) || tunnel(b[2:4])) {
			return Segment{}, OK, false
		}
		return Segment{}, NotTCP, true
	case 50:
		return Segment{}, "encrypted by IPsec (ESP)", true
	case 51: // of IPv4: the authentication header, in units of four bytes. See RFC 4302 2.
		if len(b) < 8 || (int(b[1])+2)*4 > len(b) {
			return Segment{}, Damaged, true
		}
		return transport(seg, b[0], b[(int(b[1])+2)*4:], missing)
	case 4, 41, 47: // IP in IP, IPv6 in IP, GRE
		return Segment{}, OK, false
	}
	return Segment{}, NotTCP, true
}

// tunnel tells the UDP ports whose payload may hold IP: VXLAN, Geneve, GTP-U, Teredo.
func tunnel(port []byte) bool {
	switch binary.BigEndian.Uint16(port) {
	case 4789, 8472, 6081, 2152, 3544:
		return true
	}
	return false
}

// See RFC 9293 3.1.
func tcp(seg *Segment, b []byte, missing int) Reason {
	if len(b) < 20 {
		if missing > 0 {
			return Truncated
		}
		return Damaged
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > len(b)+missing {
		return Damaged
	}
	seg.Src.Port, seg.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	seg.Seq, seg.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	seg.Flags, seg.Window = Flags(b[13]&0x1F), binary.BigEndian.Uint16(b[14:])
	if seg.Flags&SYN != 0 {
		seg.Scale = scale(b[20:min(head, len(b))])
	}
	if head > len(b) { // the cut is in the options
		missing -= head - len(b)
		head = len(b)
	}
	seg.Payload, seg.Missing = b[head:], missing
	return OK
}

// NoScale says that a SYN does not offer to scale windows.
const NoScale = -1

// maxScale is the largest shift. See RFC 7323 2.3.
const maxScale = 14

// scale finds the shift in the options of a SYN. See RFC 9293 3.2 and RFC 7323 2.2.
func scale(options []byte) int8 {
	for len(options) > 0 {
		switch kind := options[0]; {
		case kind == 0:
			return NoScale
		case kind == 1:
			options = options[1:]
		case len(options) < 2 || int(options[1]) < 2 || int(options[1]) > len(options):
			return NoScale
		case kind == 3 && options[1] == 3:
			return int8(min(options[2], maxScale))
		default:
			options = options[options[1]:]
		}
	}
	return NoScale
}
