// Package packet finds the TCP segment in a captured packet.
//
// Packets are cut by hand, without a copy:
//
//	[link: Ethernet, 802.11, Linux cooked 1/2, loopback, raw IP] [802.1Q]* [LLC | PPPoE | MPLS]
//	[IPv4 | IPv6 + extension headers, fragments joined] [GRE, ERSPAN, VXLAN, Geneve, GTP-U, Teredo, TZSP, IP, and so on inside] [TCP] payload
//
// What other link types hold is found by gopacket. What holds no TCP, or is damaged, is named with a Reason and counted
// by the caller.
package packet

import (
	"encoding/binary"

	"github.com/gopacket/gopacket/layers"
)

// Endpoint is one side of a TCP connection. IPv4 addresses are IPv6-mapped. It is a plain array to be a cheap map key.
type Endpoint struct {
	IP   [16]byte
	Port uint16
}

// Segment is one TCP segment; Payload points into the packet.
type Segment struct {
	Src, Dst Endpoint
	Seq, Ack uint32
	Window   uint16 // as in the header; a SYN says how later ones are scaled
	Scale    int8   // of a SYN: the shift of later windows, NoScale if none is offered
	Flags    Flags
	Payload  []byte
	Missing  int // payload bytes that were on the wire and were not captured, after Payload
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

// Reason says why a packet has no segment.
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

// Link types that package layers lacks. See www.tcpdump.org/linktypes.html.
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

	etherMPLS      = 0x8847
	etherMPLSMulti = 0x8848
	etherBridged   = 0x6558 // an Ethernet frame in GRE

	protoTCP = 6
	protoUDP = 17
)

// maxTags bounds the stack of VLAN tags, and of MPLS labels: two are common, more than a few is a forged packet.
const maxTags = 4

// maxExtensions bounds the IPv6 extension headers: RFC 8200 4.1 names seven kinds, one of which may occur twice.
const maxExtensions = 8

// maxDepth bounds nested packets, including failed attempts: a mirror of what a tunnel carries makes three.
const maxDepth = 10

// Decoder finds segments. It keeps the state of IP fragments and must not be shared between goroutines.
type Decoder struct {
	fragments fragments
	depth     int // of the current packet
}

// Waiting returns the number of packets that are fragments of incomplete datagrams. Each of them was counted as Held.
func (d *Decoder) Waiting() int64 { return d.fragments.waiting() }

// Decode returns the segment in data, the captured part of a packet of length bytes.
func (d *Decoder) Decode(link layers.LinkType, data []byte, length int) (Segment, Reason) {
	d.depth = 0
	cut := max(length-len(data), 0)
	proto, b, why, ok := behindLink(link, data)
	switch {
	case !ok:
		return d.rare(link, data, cut)
	case why != OK:
		return Segment{}, why
	}
	return d.network(proto, b, cut)
}

// behindLink parses the link's header. It returns false if the link type is not a usual one.
func behindLink(link layers.LinkType, b []byte) (proto uint16, rest []byte, why Reason, ok bool) {
	header, at := 0, -1 // of the EtherType
	switch link {
	case layers.LinkTypeEthernet:
		header, at = 14, 12
	case linkLinuxSLL:
		header, at = 16, 14
	case linkSLL2:
		header, at = 20, 0
	case layers.LinkTypeNull, layers.LinkTypeLoop: // the family's number differs between systems; the version does not
		header = 4
	case layers.LinkTypeRaw, linkRawBSD, linkRawOBSD, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
	case layers.LinkTypeIEEE802_11, layers.LinkTypeIEEE80211Radio:
		proto, rest, why = radio(link, b)
		return proto, rest, why, true
	default:
		return 0, nil, OK, false
	}
	if len(b) < header {
		return 0, nil, Damaged, true
	}
	if rest = b[header:]; at < 0 {
		return ipVersion(rest), rest, OK, true
	}
	return binary.BigEndian.Uint16(b[at:]), rest, OK, true
}

// network parses what an EtherType stands for; cut more bytes were on the wire.
func (d *Decoder) network(proto uint16, b []byte, cut int) (Segment, Reason) {
	if d.depth++; d.depth > maxDepth {
		return Segment{}, Damaged
	}
	for range maxTags {
		if proto != etherVLAN && proto != etherQinQ && proto != etherQinQ9 {
			break
		}
		if len(b) < 4 {
			return Segment{}, Damaged
		}
		proto = binary.BigEndian.Uint16(b[2:])
		b = b[4:]
	}
	if proto <= maxLength8023 && proto > 0 {
		if proto, b = llc(b); b == nil {
			return Segment{}, NotTCP
		}
	}
	switch proto {
	case etherIPv4:
		return d.ipv4(b, cut)
	case etherIPv6:
		return d.ipv6(b, cut)
	case etherPPPoE: // RFC 2516 4
		if len(b) < 6 {
			return Segment{}, Damaged
		}
		return d.ppp(b[6:], cut)
	case etherMPLS, etherMPLSMulti:
		return d.mpls(b, cut)
	case etherBridged:
		return d.ethernet(b, cut)
	}
	return Segment{}, etherReason(proto)
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
func (d *Decoder) ipv4(b []byte, cut int) (Segment, Reason) {
	if len(b) < 20 {
		return Segment{}, Damaged
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || head < 20 || head > len(b) {
		return Segment{}, Damaged
	}
	if total == 0 { // segmentation offload: the card would have filled it in
		total = len(b) + cut
	}
	if total < head {
		return Segment{}, Damaged
	}
	var seg Segment
	seg.Src.IP, seg.Dst.IP = mapped(b[12:16]), mapped(b[16:20])
	body, missing := body(b, head, total)
	if part := binary.BigEndian.Uint16(b[6:]); part&0x3FFF != 0 { // more fragments, or an offset
		k := datagramKey{
			src: seg.Src.IP, dst: seg.Dst.IP, id: uint32(binary.BigEndian.Uint16(b[4:])), proto: b[9],
			version: 4,
		}
		return d.join(seg, k, b[9], int(part&0x1FFF)*8, part&0x2000 != 0, body, missing)
	}
	return d.transport(seg, b[9], body, missing)
}

// See RFC 8200 3.
func (d *Decoder) ipv6(b []byte, cut int) (Segment, Reason) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return Segment{}, Damaged
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 { // offload or a jumbogram
		total = len(b) + cut
	}
	var seg Segment
	copy(seg.Src.IP[:], b[8:24])
	copy(seg.Dst.IP[:], b[24:40])
	return d.behind(seg, b[6], b, 40, total)
}

// behind parses IPv6's extension headers from an offset, and what follows them.
func (d *Decoder) behind(seg Segment, next byte, b []byte, at, total int) (Segment, Reason) {
	for range maxExtensions {
		switch next {
		case 0, 43, 60, 135, 139, 140: // hop-by-hop, routing, destination, mobility, HIP, shim6
			if at+8 > len(b) {
				return Segment{}, Damaged
			}
			next, at = b[at], at+8+int(b[at+1])*8
		case 51: // authentication header, in units of four bytes
			if at+8 > len(b) {
				return Segment{}, Damaged
			}
			next, at = b[at], at+8+int(b[at+1])*4
		case 44: // fragment
			return d.fragmentIPv6(seg, b, at, total)
		default:
			if at > len(b) || at > total {
				return Segment{}, Damaged
			}
			body, missing := body(b, at, total)
			return d.transport(seg, next, body, missing)
		}
	}
	return Segment{}, Damaged
}

// body returns the bytes between at and total, and how many were not captured. Link padding is removed.
func body(b []byte, at, total int) ([]byte, int) {
	end := min(total, len(b))
	return b[at:end], total - end
}

func mapped(b []byte) [16]byte {
	return [16]byte{10: 0xFF, 11: 0xFF, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

// fragmentIPv6 handles a fragment whose header is at an offset. See RFC 8200 4.5.
func (d *Decoder) fragmentIPv6(seg Segment, b []byte, at, total int) (Segment, Reason) {
	if at+8 > len(b) || at+8 > total {
		return Segment{}, Damaged
	}
	next, part, id := b[at], binary.BigEndian.Uint16(b[at+2:]), binary.BigEndian.Uint32(b[at+4:])
	if part&^6 == 0 { // atomic, RFC 6946: a complete datagram
		return d.behind(seg, next, b, at+8, total)
	}
	body, missing := body(b, at+8, total)
	k := datagramKey{src: seg.Src.IP, dst: seg.Dst.IP, id: id, version: 6}
	return d.join(seg, k, next, int(part&^7), part&1 != 0, body, missing)
}

// join handles a fragment, and the datagram if that is now complete.
func (d *Decoder) join(seg Segment, k datagramKey, next byte, offset int, more bool, b []byte, missing int) (Segment,
	Reason,
) {
	if missing > 0 {
		return Segment{}, Truncated
	}
	whole, next, ok := d.fragments.add(k, next, offset, more, b)
	switch {
	case !ok:
		return Segment{}, Held
	case k.version == 4:
		return d.transport(seg, next, whole, 0)
	}
	return d.behind(seg, next, whole, 0, len(whole))
}

func (d *Decoder) transport(seg Segment, proto byte, b []byte, missing int) (Segment, Reason) {
	switch proto {
	case protoTCP:
		why := tcp(&seg, b, missing)
		return seg, why
	case protoUDP:
		return d.udp(b, missing)
	case 50:
		return Segment{}, "encrypted by IPsec (ESP)"
	case 51: // of IPv4: the authentication header, in units of four bytes. See RFC 4302 2.
		if len(b) < 8 || (int(b[1])+2)*4 > len(b) {
			return Segment{}, Damaged
		}
		return d.transport(seg, b[0], b[(int(b[1])+2)*4:], missing)
	case 4, 41: // IP in IP
		return d.network(ipVersion(b), b, missing)
	case 47:
		return d.gre(b, missing)
	}
	return Segment{}, NotTCP
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

// NoScale means that a SYN does not offer window scaling.
const NoScale = -1

// maxScale is the largest shift. See RFC 7323 2.3.
const maxScale = 14

// scale returns the shift in the options of a SYN. See RFC 9293 3.2 and RFC 7323 2.2.
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
