package packet

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// maxDepth bounds the layers of a packet: tunnels in tunnels make a dozen, a packet that nests on and on is forged.
const maxDepth = 24

// slow decodes with gopacket.
type slow struct {
	fragments fragments
}

func (s *slow) decode(link layers.LinkType, data []byte, length int) (seg Segment, why Reason) {
	defer func() { // a decoder that is not ours, on bytes from anywhere
		if recover() != nil {
			seg, why = Segment{}, Damaged
		}
	}()
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
	return s.innermost(p, max(length-len(data), 0))
}

// innermost takes the last IP layer and the TCP behind it.
func (s *slow) innermost(p gopacket.Packet, cut int) (Segment, Reason) {
	all := p.Layers()
	if len(all) > maxDepth {
		return Segment{}, Damaged
	}
	var ip gopacket.Layer
	var unknown Reason
	for _, l := range all {
		switch l := l.(type) {
		case *layers.IPv4, *layers.IPv6:
			ip = l
		case *layers.GRE:
			if l.Protocol == etherWCCP {
				return redirected(l.Payload, cut)
			}
			unknown = etherReason(uint16(l.Protocol))
		}
	}
	switch ip := ip.(type) {
	case *layers.IPv4:
		if ip.Flags&layers.IPv4MoreFragments != 0 || ip.FragOffset != 0 {
			return s.joinIPv4(ip, cut)
		}
		return settled(ipv4(whole(ip.Contents, ip.Payload), cut))(unknown)
	case *layers.IPv6:
		if f, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment); ok {
			return s.joinIPv6(ip, f, cut)
		}
		return settled(ipv6(whole(ip.Contents, ip.Payload), cut))(unknown)
	}
	switch {
	case len(all) == 0, len(all) == 1 && p.ErrorLayer() != nil:
		return Segment{}, LinkType
	case p.ErrorLayer() != nil:
		return Segment{}, Damaged
	}
	return Segment{}, NotTCP
}

func whole(header, payload []byte) []byte { return append(append([]byte(nil), header...), payload...) }

// settled turns an answer of the fast path that asks for the slow one again into what is not understood there.
func settled(seg Segment, why Reason, ok bool) func(unknown Reason) (Segment, Reason) {
	return func(unknown Reason) (Segment, Reason) {
		switch {
		case ok:
			return seg, why
		case unknown != OK:
			return Segment{}, unknown
		}
		return Segment{}, NotTCP
	}
}

func (s *slow) joinIPv4(ip *layers.IPv4, cut int) (Segment, Reason) {
	if cut > 0 {
		return Segment{}, Truncated
	}
	var seg Segment
	seg.Src.IP, seg.Dst.IP = mapped(ip.SrcIP.To4()), mapped(ip.DstIP.To4())
	k := datagramKey{src: seg.Src.IP, dst: seg.Dst.IP, id: uint32(ip.Id), proto: byte(ip.Protocol), version: 4}
	b, next, ok := s.fragments.add(k, byte(ip.Protocol), int(ip.FragOffset)*8, ip.Flags&layers.IPv4MoreFragments != 0, ip.Payload)
	if !ok {
		return Segment{}, Held
	}
	return settled(transport(seg, next, b, 0))(OK)
}

func (s *slow) joinIPv6(ip *layers.IPv6, f *layers.IPv6Fragment, cut int) (Segment, Reason) {
	if cut > 0 {
		return Segment{}, Truncated
	}
	var seg Segment
	copy(seg.Src.IP[:], ip.SrcIP.To16())
	copy(seg.Dst.IP[:], ip.DstIP.To16())
	b, next := f.Payload, byte(f.NextHeader)
	if f.FragmentOffset != 0 || f.MoreFragments { // else it is atomic, RFC 6946: a datagram by itself
		k := datagramKey{src: seg.Src.IP, dst: seg.Dst.IP, id: f.Identification, version: 6}
		var ok bool
		if b, next, ok = s.fragments.add(k, next, int(f.FragmentOffset)*8, f.MoreFragments, f.Payload); !ok {
			return Segment{}, Held
		}
	}
	return settled(behind(seg, next, b, 0, len(b)))(OK)
}

// redirected finds the packet that a router passed on to a cache. WCCPv2 puts four bytes in front of it, WCCPv1 none. See
// draft-mclaggan-wccp-v2rev1 3.12.
func redirected(b []byte, cut int) (Segment, Reason) {
	const header = 4
	if v := ipVersion(b); v == 0 && len(b) > header || v == etherIPv4 && (len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) > len(b)+cut) {
		b = b[min(header, len(b)):]
	}
	switch ipVersion(b) {
	case etherIPv4:
		return settled(ipv4(b, cut))(OK)
	case etherIPv6:
		return settled(ipv6(b, cut))(OK)
	}
	return Segment{}, etherReason(etherWCCP)
}
