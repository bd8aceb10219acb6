package packet

import (
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/layers"
)

// maxDepth bounds the layers of a packet: tunnels in tunnels make a dozen, a packet that nests on and on is forged.
const maxDepth = 24

// maxFragments bounds what the defragmenter may hold before it is thrown away as a whole: fragments of SMB traffic
// are rare, and a flood of first fragments must not cost memory. 4,096 fragments of 1,480 bytes are 6 MB.
const maxFragments = 4096

// slow decodes with gopacket.
type slow struct {
	defrag *ip4defrag.IPv4Defragmenter
	held   int
}

func (s *slow) decode(link layers.LinkType, data []byte, length int) (seg Segment, why Reason) {
	defer func() { // a decoder that is not ours, on bytes from anywhere
		if recover() != nil {
			seg, why = Segment{}, Damaged
		}
	}()
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
	return s.innermost(p, length-len(data), 0)
}

// innermost takes the last IP layer and the TCP behind it.
func (s *slow) innermost(p gopacket.Packet, cut, depth int) (Segment, Reason) {
	if depth > maxDepth || len(p.Layers()) > maxDepth {
		return Segment{}, Damaged
	}
	var ip gopacket.Layer
	for _, l := range p.Layers() {
		switch l.(type) {
		case *layers.IPv4, *layers.IPv6:
			ip = l
		}
	}
	switch ip := ip.(type) {
	case *layers.IPv4:
		if ip.Flags&layers.IPv4MoreFragments != 0 || ip.FragOffset != 0 {
			return s.reassemble(ip, depth)
		}
		b := append(append([]byte(nil), ip.Contents...), ip.Payload...)
		return settled(ipv4(b, max(cut, 0)))
	case *layers.IPv6:
		if p.Layer(layers.LayerTypeIPv6Fragment) != nil {
			return Segment{}, Fragment
		}
		b := append(append([]byte(nil), ip.Contents...), ip.Payload...)
		return settled(ipv6(b, max(cut, 0)))
	}
	if len(p.Layers()) == 0 || len(p.Layers()) == 1 && p.ErrorLayer() != nil {
		return Segment{}, LinkType
	}
	return Segment{}, NotTCP
}

// settled turns an answer of the fast path that asks for the slow one again into "no TCP in it".
func settled(seg Segment, why Reason, ok bool) (Segment, Reason) {
	if !ok {
		return Segment{}, NotTCP
	}
	return seg, why
}

func (s *slow) reassemble(ip *layers.IPv4, depth int) (Segment, Reason) {
	if s.defrag == nil || s.held >= maxFragments {
		s.defrag, s.held = ip4defrag.NewIPv4Defragmenter(), 0
	}
	c := *ip // the defragmenter keeps it
	c.Payload = append([]byte(nil), ip.Payload...)
	whole, err := s.defrag.DefragIPv4(&c)
	if err != nil {
		return Segment{}, Damaged
	}
	if whole == nil {
		s.held++
		return Segment{}, Fragment
	}
	seg := Segment{}
	seg.Src.IP, seg.Dst.IP = mapped(whole.SrcIP.To4()), mapped(whole.DstIP.To4())
	return settled(transport(seg, byte(whole.Protocol), whole.Payload, 0))
}
