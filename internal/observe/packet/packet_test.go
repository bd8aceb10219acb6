package packet

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"ipcguard/internal/peer"
)

type source interface {
	ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	LinkType() layers.LinkType
}

// each calls f with every packet of every capture.
func each(t testing.TB, f func(file string, link layers.LinkType, data []byte, ci gopacket.CaptureInfo)) {
	for _, pattern := range []string{"*/*.pcap", "*/*.pcapng", "*/*.pcap.gz"} {
		files, _ := filepath.Glob(filepath.Join(peer.Shared(t, "captures"), pattern))
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".gz") {
				z, err := gzip.NewReader(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				b, _ = io.ReadAll(z)
			}
			var r source
			r, err = pcapgo.NewReader(bytes.NewReader(b))
			if err != nil {
				r, err = pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for {
				data, ci, err := r.ZeroCopyReadPacketData()
				if err != nil {
					break
				}
				f(filepath.Base(name), r.LinkType(), data, ci)
			}
		}
	}
}

// TestAgainstGopacket holds the short cut against the library on every packet of the captures.
func TestAgainstGopacket(t *testing.T) {
	packets, segments := 0, 0
	var d Decoder
	each(t, func(file string, link layers.LinkType, data []byte, ci gopacket.CaptureInfo) {
		packets++
		got, why := d.Decode(link, data, ci.Length)
		p := gopacket.NewPacket(data, link, gopacket.NoCopy)
		l, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if l == nil {
			if why == OK {
				t.Errorf("%s packet %d: a segment where gopacket has none", file, packets)
			}
			return
		}
		segments++
		if why != OK {
			t.Errorf("%s packet %d: %s", file, packets, why)
			return
		}
		if got.Src.Port != uint16(l.SrcPort) || got.Dst.Port != uint16(l.DstPort) || got.Seq != l.Seq ||
			got.Ack != l.Ack ||
			(got.Flags&SYN != 0) != l.SYN || (got.Flags&FIN != 0) != l.FIN || (got.Flags&RST != 0) != l.RST {
			t.Errorf("%s packet %d: %+v, gopacket %+v", file, packets, got, l)
		}
		if ci.Length == len(data) && !bytes.Equal(got.Payload, l.Payload) {
			t.Errorf("%s packet %d: payload of %d bytes, gopacket %d", file, packets, len(got.Payload), len(l.Payload))
		}
		src := p.NetworkLayer().NetworkFlow().Src().Raw()
		if !bytes.HasSuffix(got.Src.IP[:], src) {
			t.Errorf("%s packet %d: from %x, gopacket %x", file, packets, got.Src.IP, src)
		}
	})
	t.Logf("%d packets, %d segments", packets, segments)
	if segments < 1000 {
		t.Errorf("only %d segments", segments)
	}
}

// serialize builds a packet with gopacket.
func serialize(t *testing.T, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

// tagged puts a VLAN tag into a frame.
func tagged(kind uint16, frame []byte) []byte {
	out := append(append([]byte(nil), frame[:12]...), byte(kind>>8), byte(kind), 0, 7)
	return append(out, frame[12:]...)
}

// snap makes a frame of the older kind, with its length and LLC, of one with an EtherType.
func snap(frame []byte) []byte {
	n := len(frame) - 12 + 6
	out := append(append([]byte(nil), frame[:12]...), byte(n>>8), byte(n), 0xAA, 0xAA, 3, 0, 0, 0)
	return append(out, frame[12:]...)
}

// TestWithoutTCP calls nothing unread that a mirror or a tunnel carries beside TCP.
func TestWithoutTCP(t *testing.T) {
	arp := append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	stp := append(make([]byte, 12), 0, 38, 0x42, 0x42, 3, 0, 0, 0, 0, 0)
	outer := func(gre string) []byte {
		return serialize(t, &layers.IPv4{
			Version: 4, TTL: 9, Protocol: layers.IPProtocolGRE,
			SrcIP: []byte{127, 0, 0, 1}, DstIP: []byte{127, 0, 0, 2},
		}, gopacket.Payload(gre))
	}
	for name, b := range map[string][]byte{
		"ARP in GRE": outer("\x00\x00\x65\x58" + string(arp)), "STP in GRE": outer("\x00\x00\x65\x58" + string(stp)),
		"ARP in ERSPAN": outer("\x00\x00\x88\xbe" + string(arp)), "a probe": outer("\x00\x00\x00\x00"),
		"STP behind a tag": outer("\x00\x00\x65\x58" + string(tagged(0x8100, stp))),
	} {
		var d Decoder
		if _, why := d.Decode(layers.LinkTypeRaw, b, len(b)); why != NotTCP {
			t.Errorf("%s: %q", name, why)
		}
	}
	// Endlessly nested packets cost no more than a few.
	var d Decoder
	nested := bytes.Repeat([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x88\x47\x00\x00\x01\x09"), 4000)
	if _, why := d.Decode(layers.LinkTypeEthernet, nested, len(nested)); why == OK || d.depth > maxDepth+4 {
		t.Errorf("%q at depth %d", why, d.depth)
	}
}

func TestTunnels(t *testing.T) {
	mac := []byte{2, 0, 0, 0, 0, 1}
	eth := func(t layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: t}
	}
	v4 := func(p layers.IPProtocol, last byte) *layers.IPv4 {
		return &layers.IPv4{
			Version: 4, TTL: 9, Protocol: p, SrcIP: []byte{127, 0, 0, last},
			DstIP: []byte{127, 0, 0, 99},
		}
	}
	v6 := func(p layers.IPProtocol) *layers.IPv6 {
		return &layers.IPv6{Version: 6, HopLimit: 9, NextHeader: p, SrcIP: make([]byte, 16), DstIP: make([]byte, 16)}
	}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 445, Seq: 7, ACK: true}
	load := gopacket.Payload("\xfeSMB, and more than Ethernet pads")
	for name, b := range map[string][]byte{
		"plain": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"ipv6":  serialize(t, eth(layers.EthernetTypeIPv6), v6(layers.IPProtocolTCP), tcp, load),
		"two vlans": serialize(t, eth(layers.EthernetTypeQinQ),
			&layers.Dot1Q{VLANIdentifier: 1, Type: layers.EthernetTypeDot1Q},
			&layers.Dot1Q{VLANIdentifier: 2, Type: layers.EthernetTypeIPv4}, v4(layers.IPProtocolTCP, 1), tcp, load),
		"ip in ip": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolIPv4, 3), v4(layers.IPProtocolTCP,
			1), tcp, load),
		"gre": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: layers.EthernetTypeIPv4}, v4(layers.IPProtocolTCP, 1), tcp, load),
		"vxlan": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP, 3),
			&layers.UDP{SrcPort: 1, DstPort: 4789}, &layers.VXLAN{ValidIDFlag: true, VNI: 5},
			eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"pppoe": serialize(t, eth(layers.EthernetTypePPPoESession),
			&layers.PPPoE{Version: 1, Type: 1, Length: 40 + 34 + 2}, &layers.PPP{PPPType: layers.PPPTypeIPv4},
			v4(layers.IPProtocolTCP, 1), tcp, load),
		"mpls": serialize(t, eth(layers.EthernetTypeMPLSUnicast), &layers.MPLS{Label: 1, StackBottom: true, TTL: 9},
			v4(layers.IPProtocolTCP, 1), tcp, load),
		"0x9100": tagged(0x9100, serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: layers.EthernetTypeIPv4}, v4(layers.IPProtocolTCP, 1), tcp, load)),
		"llc": tagged(0x8100, snap(serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp,
			load))),
		"bridged": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: etherBridged}, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"erspan 1": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: greERSPAN}, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"erspan 2": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: greERSPAN, SeqPresent: true}, gopacket.Payload("\x10\x05\x00\x01\x00\x00\x00\x00"),
			eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"erspan 3": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			&layers.GRE{Protocol: greERSPAN3, SeqPresent: true},
			gopacket.Payload("\x20\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01platform"), eth(layers.EthernetTypeIPv4),
			v4(layers.IPProtocolTCP, 1), tcp, load),
		"geneve": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP, 3),
			&layers.UDP{SrcPort: 1, DstPort: 6081}, gopacket.Payload("\x01\x00\x65\x58\x00\x00\x01\x00opts"),
			eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"gtp": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP, 3),
			&layers.UDP{SrcPort: 1, DstPort: 2152},
			gopacket.Payload("\x34\xff\x00\x00\x00\x00\x00\x01\x00\x00\x00\x85\x01ab\x00"), v4(layers.IPProtocolTCP, 1),
			tcp, load),
		"teredo": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP, 3),
			&layers.UDP{SrcPort: 1, DstPort: 3544}, gopacket.Payload("\x00\x01\x00\x0012345678\x00\x00\x00ppiiii"),
			v6(layers.IPProtocolTCP), tcp, load),
		"tzsp": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP, 3),
			&layers.UDP{SrcPort: 1, DstPort: 37008}, gopacket.Payload("\x01\x00\x00\x01\x0a\x01\x2a\x00\x01"),
			eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
		"pptp": serialize(t, eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolGRE, 3),
			gopacket.Payload("\x30\x81\x88\x0b\x00\x40\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\xff\x03\x00\x21"),
			v4(layers.IPProtocolTCP, 1), tcp, load),
		"pseudowire": serialize(t, eth(layers.EthernetTypeMPLSUnicast), &layers.MPLS{Label: 1, TTL: 9},
			&layers.MPLS{Label: 2, StackBottom: true, TTL: 9}, gopacket.Payload("\x00\x00\x00\x00"),
			eth(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP, 1), tcp, load),
	} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			s, why := d.Decode(layers.LinkTypeEthernet, b, len(b))
			if why != OK || s.Dst.Port != 445 || !bytes.Equal(s.Payload, load) || s.Seq != 7 {
				t.Errorf("%q %+v", why, s)
			}
			if s, why := d.Decode(layers.LinkTypeEthernet, b[:len(b)-2], len(b)); why != OK || len(s.Payload) != len(load)-2 || s.Missing != 2 {
				t.Errorf("cut by two bytes: %q %+v", why, s)
			}
		})
	}
}

func TestFragments(t *testing.T) {
	tcp := serialize(t, &layers.TCP{SrcPort: 40000, DstPort: 445, Seq: 7},
		gopacket.Payload(bytes.Repeat([]byte("x"), 3000)))
	frag := func(from, to int, more layers.IPv4Flag) []byte {
		return serialize(t, &layers.IPv4{
			Version: 4, TTL: 9, Id: 5, Flags: more, FragOffset: uint16(from / 8), Protocol: layers.IPProtocolTCP,
			SrcIP: []byte{127, 0, 0, 1}, DstIP: []byte{127, 0, 0, 99},
		}, gopacket.Payload(tcp[from:to]))
	}
	var d Decoder
	for i, b := range [][]byte{
		frag(0, 1480, layers.IPv4MoreFragments), frag(1480, 2960, layers.IPv4MoreFragments),
		frag(2960, len(tcp), 0),
	} {
		s, why := d.Decode(layers.LinkTypeRaw, b, len(b))
		if i < 2 && why != Held {
			t.Errorf("fragment %d: %q", i, why)
		}
		if i == 2 && (why != OK || len(s.Payload) != 3000 || s.Dst.Port != 445) {
			t.Errorf("the whole: %q, %d bytes", why, len(s.Payload))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(1), bytes.Repeat([]byte{0x45, 8, 0, 6}, 20))
	f.Add(uint8(101), bytes.Repeat([]byte{0x60, 41, 44}, 30))
	var d Decoder
	f.Fuzz(func(t *testing.T, link uint8, b []byte) {
		s, why := d.Decode(layers.LinkType(link), b, len(b)+int(link))
		if why == OK && (len(s.Payload) > len(b)+65536 || s.Missing < 0) {
			t.Fatalf("%d bytes of payload and %d missing in %d", len(s.Payload), s.Missing, len(b))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var packets [][]byte
	var links []layers.LinkType
	each(b, func(_ string, link layers.LinkType, data []byte, _ gopacket.CaptureInfo) {
		packets, links = append(packets, bytes.Clone(data)), append(links, link)
	})
	var d Decoder
	for i := 0; b.Loop(); i++ {
		k := i % len(packets)
		d.Decode(links[k], packets[k], len(packets[k]))
	}
}
