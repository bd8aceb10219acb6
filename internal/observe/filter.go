package observe

import (
	"golang.org/x/net/bpf"
)

// tunnelPorts are the UDP ports whose payload may hold IP: VXLAN and its older port, Geneve, GTP-U, Teredo.
var tunnelPorts = []uint32{4789, 8472, 6081, 2152, 3544}

// glimpse is how many bytes of a packet are captured if only elsewhere needs it: Ethernet, IP and TCP with their
// longest headers, and an SMB2 header after that of its session message, are 206 bytes.
const glimpse = 256

// program is a packet filter under construction, with jumps to its three ends.
type program struct {
	ins     []bpf.Instruction
	accept  []int // jumps to the end that accepts the packet
	drop    []int
	glimpse []int // jumps to the end that accepts its beginning
}

func (p *program) add(i ...bpf.Instruction) { p.ins = append(p.ins, i...) }

func (p *program) to(list *[]int) {
	*list = append(*list, len(p.ins))
	p.add(bpf.Jump{})
}

// take accepts the packet when the accumulator is one of values.
func (p *program) take(values ...uint32) {
	for _, v := range values {
		p.add(bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v, SkipTrue: 1})
		p.to(&p.accept)
	}
}

// when runs body when the accumulator is v.
func (p *program) when(v uint32, body func()) {
	p.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: 1})
	at := len(p.ins)
	p.add(bpf.Jump{})
	body()
	p.to(&p.drop)
	p.ins[at] = bpf.Jump{Skip: uint32(len(p.ins) - at - 1)}
}

// elsewhere accepts the beginning of a packet between unwatched ports whose TCP payload begins with an SMB message. tcp
// is the offset of its header after X. Of SMB2 it accepts one message in 256, by its number; that includes number 0,
// the NEGOTIATE of each connection. So a busy server on another port does not displace the watched packets. See
// startsSMB.
func (p *program) elsewhere(tcp uint32) {
	p.add(bpf.LoadIndirect{Off: tcp + 12, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xF0},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
	p.add(bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}) // X: and the header's length
	p.add(bpf.LoadIndirect{Off: tcp, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1})
	p.to(&p.drop)
	p.add(bpf.LoadIndirect{Off: tcp + 4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0xFF534D42, SkipTrue: 1})
	p.to(&p.glimpse)
	p.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xFE534D42, SkipTrue: 1})
	p.to(&p.drop)
	const messageID = 4 + 24 // its lowest byte
	p.add(bpf.LoadIndirect{Off: tcp + messageID, Size: 1}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1})
	p.to(&p.glimpse)
}

// filter accepts Ethernet packets with TCP to or from the ports, packets that may contain such packets (IP fragments,
// tunnels, tags), and the beginning of some SMB packets between other ports. The kernel has already removed the
// outermost VLAN tag.
func filter(ports []uint16) []bpf.Instruction {
	watched := make([]uint32, len(ports))
	for i, v := range ports {
		watched[i] = uint32(v)
	}
	p := new(program)
	const etherType, ipv4, ipv6 = 12, 14, 14
	p.add(bpf.LoadAbsolute{Off: etherType, Size: 2})
	p.take(0x8100, 0x88A8, 0x9100, 0x8864, 0x8847, 0x8848, 0x6558, 0x88BE) // tags, PPPoE, MPLS, bridging, ERSPAN
	p.when(0x0800, func() {
		p.add(bpf.LoadAbsolute{Off: ipv4 + 9, Size: 1})
		p.take(4, 41, 47) // IP in IP, IPv6 in IP, GRE
		p.when(6, func() {
			p.add(bpf.LoadAbsolute{Off: ipv4 + 6, Size: 2},
				bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1FFF, SkipTrue: 1})
			p.to(&p.accept) // a later fragment, without ports
			p.add(bpf.LoadMemShift{Off: ipv4})
			for _, off := range []uint32{0, 2} {
				p.add(bpf.LoadIndirect{Off: ipv4 + off, Size: 2})
				p.take(watched...)
			}
			p.elsewhere(ipv4)
		})
		p.when(17, func() {
			p.add(bpf.LoadAbsolute{Off: ipv4 + 6, Size: 2},
				bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1FFF, SkipTrue: 1})
			p.to(&p.accept)
			p.add(bpf.LoadMemShift{Off: ipv4})
			for _, off := range []uint32{0, 2} {
				p.add(bpf.LoadIndirect{Off: ipv4 + off, Size: 2})
				p.take(tunnelPorts...)
			}
		})
	})
	p.when(0x86DD, func() {
		p.add(bpf.LoadAbsolute{Off: ipv6 + 6, Size: 1})
		p.take(0, 43, 44, 51, 60, 135, 4, 41, 47) // extension headers and tunnels: parsed later
		p.when(6, func() {
			for _, off := range []uint32{0, 2} {
				p.add(bpf.LoadAbsolute{Off: ipv6 + 40 + off, Size: 2})
				p.take(watched...)
			}
			p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: 0})
			p.elsewhere(ipv6 + 40)
		})
		p.when(17, func() {
			for _, off := range []uint32{0, 2} {
				p.add(bpf.LoadAbsolute{Off: ipv6 + 40 + off, Size: 2})
				p.take(tunnelPorts...)
			}
		})
	})
	for _, end := range []struct {
		jumps []int
		taken uint32 // bytes of the packet
	}{{p.drop, 0}, {p.accept, 1 << 18}, {p.glimpse, glimpse}} {
		for _, i := range end.jumps {
			p.ins[i] = bpf.Jump{Skip: uint32(len(p.ins) - i - 1)}
		}
		p.add(bpf.RetConstant{Val: end.taken})
	}
	return p.ins
}
