package packet

import "encoding/binary"

// Tunnels and mirrors carry packets in packets. Each function parses what follows the outer header; cut more bytes were
// on the wire.

// ethernet parses a frame inside another packet.
func (d *Decoder) ethernet(b []byte, cut int) (Segment, Reason) {
	if len(b) < 14 {
		return Segment{}, short(cut)
	}
	return d.network(binary.BigEndian.Uint16(b[12:]), b[14:], cut)
}

// short returns why a header is incomplete.
func short(cut int) Reason {
	if cut > 0 {
		return Truncated
	}
	return Damaged
}

// ppp parses a frame of the point-to-point protocol, with or without HDLC's leading bytes. See RFC 1661 2 and RFC 1662
// 3.1.
func (d *Decoder) ppp(b []byte, cut int) (Segment, Reason) {
	if len(b) >= 2 && b[0] == 0xFF && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return Segment{}, short(cut)
	}
	proto := binary.BigEndian.Uint16(b)
	if b[0]&1 != 0 { // compressed to one byte
		proto = uint16(b[0])
		b = b[1:]
	} else {
		b = b[2:]
	}
	switch proto {
	case 0x0021:
		return d.network(etherIPv4, b, cut)
	case 0x0057:
		return d.network(etherIPv6, b, cut)
	case 0x00FD, 0x00FB, 0x0053, 0x0055:
		return Segment{}, "compressed or encrypted by PPP"
	}
	return Segment{}, NotTCP
}

// mpls parses a stack of labels. The labels do not say what follows: IP has its version there, and a pseudowire a
// control word that begins with 0, or the frame itself. See RFC 3032 2.1 and RFC 4385 3.
func (d *Decoder) mpls(b []byte, cut int) (Segment, Reason) {
	for range maxTags {
		if len(b) < 5 {
			return Segment{}, short(cut)
		}
		bottom := b[2]&1 != 0
		if b = b[4:]; !bottom {
			continue
		}
		if proto := ipVersion(b); proto != 0 {
			return d.network(proto, b, cut)
		}
		const controlWord = 4
		if b[0]>>4 == 0 && len(b) >= controlWord {
			if seg, why := d.ethernet(b[controlWord:], cut); why == OK || why == Held {
				return seg, why
			}
		}
		return d.ethernet(b, cut)
	}
	return Segment{}, Damaged
}

// Protocols of GRE that are not EtherTypes of something else.
const (
	greERSPAN  = 0x88BE // of type II with a sequence number, of type I without
	greERSPAN3 = 0x22EB
	grePPP     = 0x880B
)

// See RFC 2784 2, RFC 2890 2 and, of version 1, RFC 2637 4.1.
func (d *Decoder) gre(b []byte, cut int) (Segment, Reason) {
	const checksum, routing, key, sequence, ack = 0x80, 0x40, 0x20, 0x10, 0x80 // ack stands in the second byte
	if len(b) < 4 {
		return Segment{}, short(cut)
	}
	flags, version, proto := b[0], b[1]&7, binary.BigEndian.Uint16(b[2:])
	at := 4
	for _, option := range []bool{flags&(checksum|routing) != 0, flags&key != 0, flags&sequence != 0, version == 1 &&
		b[1]&ack != 0} {
		if option {
			at += 4
		}
	}
	switch {
	case flags&routing != 0:
		return Segment{}, "GRE with a route in it is not followed"
	case version > 1:
		return Segment{}, Damaged
	case at > len(b):
		return Segment{}, short(cut)
	}
	switch b = b[at:]; proto {
	case 0: // a keep-alive
		return Segment{}, NotTCP
	case etherWCCP:
		return d.redirected(b, cut)
	case grePPP:
		if len(b) == 0 { // only an acknowledgement
			return Segment{}, NotTCP
		}
		return d.ppp(b, cut)
	case greERSPAN:
		if flags&sequence != 0 {
			return d.mirrored(b, 8, cut)
		}
		return d.mirrored(b, 0, cut)
	case greERSPAN3:
		return d.erspan3(b, cut)
	}
	return d.network(proto, b, cut)
}

// mirrored parses the frame after a switch's own header.
func (d *Decoder) mirrored(b []byte, header, cut int) (Segment, Reason) {
	if len(b) < header {
		return Segment{}, short(cut)
	}
	return d.ethernet(b[header:], cut)
}

// erspan3 parses a header of twelve bytes, which ends with the kind of frame and whether eight more follow. See
// draft-foschiano-erspan 4.3.
func (d *Decoder) erspan3(b []byte, cut int) (Segment, Reason) {
	const header, more = 12, 8
	if len(b) < header {
		return Segment{}, short(cut)
	}
	at := header
	if b[11]&1 != 0 {
		at += more
	}
	if kind := b[10] >> 2 & 0x1F; kind == 2 && at < len(b) { // an IP packet, not a frame
		return d.network(ipVersion(b[at:]), b[at:], cut)
	}
	return d.mirrored(b, at, cut)
}

// UDP ports of tunnels.
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
	portGeneve     = 6081
	portGTPU       = 2152
	portTeredo     = 3544
	portTZSP       = 37008
)

// udp tries known tunnels. Other programs may use the same ports: what does not contain a segment counts as other UDP.
func (d *Decoder) udp(b []byte, cut int) (Segment, Reason) {
	const header = 8
	if len(b) < header {
		return Segment{}, NotTCP
	}
	for _, port := range [2]uint16{binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b)} {
		var inside func([]byte, int) (Segment, Reason)
		switch port {
		case portVXLAN, portVXLANLinux:
			inside = d.vxlan
		case portGeneve:
			inside = d.geneve
		case portGTPU:
			inside = d.gtp
		case portTeredo:
			inside = d.teredo
		case portTZSP:
			inside = d.tzsp
		default:
			continue
		}
		seg, why := inside(b[header:], cut)
		if why == Damaged {
			why = NotTCP
		}
		return seg, why
	}
	return Segment{}, NotTCP
}

// See RFC 7348 5.
func (d *Decoder) vxlan(b []byte, cut int) (Segment, Reason) {
	if len(b) < 8 || b[0]&8 == 0 {
		return Segment{}, NotTCP
	}
	return d.ethernet(b[8:], cut)
}

// See RFC 8926 3.4.
func (d *Decoder) geneve(b []byte, cut int) (Segment, Reason) {
	if len(b) < 8 || b[0]>>6 != 0 {
		return Segment{}, NotTCP
	}
	at := 8 + int(b[0]&0x3F)*4
	if at > len(b) {
		return Segment{}, NotTCP
	}
	return d.network(binary.BigEndian.Uint16(b[2:]), b[at:], cut)
}

// See 3GPP TS 29.281 5.1 and 5.2.1.
func (d *Decoder) gtp(b []byte, cut int) (Segment, Reason) {
	const packet = 255
	if len(b) < 8 || b[0]>>5 != 1 || b[1] != packet {
		return Segment{}, NotTCP
	}
	at := 8
	if b[0]&7 != 0 { // a sequence number, the number of a packet, or more headers
		if at += 4; at > len(b) {
			return Segment{}, NotTCP
		}
		for next := b[at-1]; b[0]&4 != 0 && next != 0; next = b[at-1] {
			if at >= len(b) || b[at] == 0 {
				return Segment{}, NotTCP
			}
			if at += int(b[at]) * 4; at > len(b) {
				return Segment{}, NotTCP
			}
		}
	}
	return d.network(ipVersion(b[at:]), b[at:], cut)
}

// See RFC 4380 5.1.1.
func (d *Decoder) teredo(b []byte, cut int) (Segment, Reason) {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 { // authentication
		at := 13 + int(b[2]) + int(b[3])
		if at > len(b) {
			return Segment{}, NotTCP
		}
		b = b[at:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 { // where the packet came from
		b = b[8:]
	}
	return d.network(ipVersion(b), b, cut)
}

// tzsp parses what a MikroTik router mirrors: a version, a kind, the link, and fields with their lengths up to an end.
func (d *Decoder) tzsp(b []byte, cut int) (Segment, Reason) {
	const header, ethernet, padding, end = 4, 1, 0, 1
	if len(b) < header || b[0] != 1 || binary.BigEndian.Uint16(b[2:]) != ethernet {
		return Segment{}, NotTCP
	}
	for at := header; at < len(b); {
		switch kind := b[at]; {
		case kind == end:
			return d.ethernet(b[at+1:], cut)
		case kind == padding:
			at++
		case at+1 >= len(b):
			return Segment{}, NotTCP
		default:
			at += 2 + int(b[at+1])
		}
	}
	return Segment{}, NotTCP
}

// redirected parses the packet that a router passed on to a cache. WCCPv2 has four bytes before it, WCCPv1 none. See
// draft-mclaggan-wccp-v2rev1 3.12.
func (d *Decoder) redirected(b []byte, cut int) (Segment, Reason) {
	const header = 4
	if v := ipVersion(b); v == 0 && len(b) > header || v == etherIPv4 && (len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) > len(b)+cut) {
		b = b[min(header, len(b)):]
	}
	if v := ipVersion(b); v != 0 {
		return d.network(v, b, cut)
	}
	return Segment{}, etherReason(etherWCCP)
}
