package packet

import (
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// rare uses gopacket to find the first IP packet after a link header that this package does not parse; cut more bytes
// were on the wire.
func (d *Decoder) rare(link layers.LinkType, data []byte, cut int) (seg Segment, why Reason) {
	defer func() { // a third-party decoder on untrusted bytes
		if recover() != nil {
			seg, why = Segment{}, Damaged
		}
	}()
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4, *layers.IPv6:
		b := append(append([]byte(nil), ip.LayerContents()...), ip.LayerPayload()...)
		return d.network(ipVersion(b), b, cut)
	}
	switch n := len(p.Layers()); {
	case n == 0, n == 1 && p.ErrorLayer() != nil:
		return Segment{}, LinkType
	case p.ErrorLayer() != nil:
		return Segment{}, Damaged
	}
	return Segment{}, NotTCP
}
