package hive

import (
	"bytes"
	"encoding/binary"

	"ipcguard/internal/format/registry"
)

// builder builds small hives, good and bad, cell by cell.
type builder struct {
	data []byte // of the only bin, its header included
}

func newBuilder() *builder { return &builder{data: make([]byte, 32)} }

// add appends a cell and returns its offset.
func (b *builder) add(parts ...any) uint32 {
	var buf bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			buf.WriteString(s)
			continue
		}
		if err := binary.Write(&buf, binary.LittleEndian, p); err != nil {
			panic(err)
		}
	}
	off := uint32(len(b.data))
	n := (buf.Len() + 4 + 7) / 8 * 8
	cell := binary.LittleEndian.AppendUint32(nil, uint32(-n))
	cell = append(cell, buf.Bytes()...)
	b.data = append(b.data, append(cell, make([]byte, n-len(cell))...)...)
	return off
}

func (b *builder) value(name string, kind registry.Type, data []byte) uint32 {
	size, at := uint32(len(data)), uint32(0)
	switch {
	case len(data) <= 4:
		at = binary.LittleEndian.Uint32(append(bytes.Clone(data), 0, 0, 0, 0))
		size |= inline
	case len(data) > segmentSize:
		var list []uint32
		for rest := data; len(rest) > 0; {
			n := min(len(rest), segmentSize)
			list = append(list, b.add(rest[:n]))
			rest = rest[n:]
		}
		at = b.add("db", uint16(len(list)), b.add(list))
	default:
		at = b.add(data)
	}
	return b.add("vk", uint16(len(name)), size, at, uint32(kind), uint16(1), uint16(0), name)
}

// key adds a key; kids is the offset of its list.
func (b *builder) key(name string, kids, count uint32, values ...uint32) uint32 {
	list := uint32(noOffset)
	if len(values) > 0 {
		list = b.add(values)
	}
	return b.add("nk", uint16(0x20), uint64(0x1d0000000000000), uint32(0), uint32(0), count, uint32(0), kids,
		uint32(noOffset),
		uint32(len(values)), list, uint32(noOffset), uint32(noOffset), make([]byte, 20), uint16(len(name)), uint16(0),
		name)
}

// lh adds a list of subkeys with their hashes.
func (b *builder) lh(names []string, offs []uint32) uint32 {
	e := make([]uint32, 0, 2*len(offs))
	for i, o := range offs {
		hash, _, _ := hints(registry.Fold(names[i]))
		e = append(e, o, hash)
	}
	return b.add("lh", uint16(len(offs)), e)
}

// file closes the bin and puts the base block in front.
func (b *builder) file(root uint32) []byte {
	data := bytes.Clone(b.data)
	n := (len(data) + pageSize) / pageSize * pageSize
	data = binary.LittleEndian.AppendUint32(data, uint32(n-len(data)))
	data = append(data, make([]byte, n-len(data))...)
	copy(data, "hbin")
	binary.LittleEndian.PutUint32(data[8:], uint32(n))
	block := make([]byte, baseSize)
	copy(block, "regf")
	for at, v := range map[int]uint32{4: 7, 8: 7, 20: 1, 24: 5, 32: 1, 36: root, 40: uint32(n), 44: 1} {
		binary.LittleEndian.PutUint32(block[at:], v)
	}
	copy(block[48:], registry.EncodeUTF16("SYSTEM"))
	binary.LittleEndian.PutUint32(block[508:], checksum(block))
	return append(block, data...)
}

// small is a hive like a tiny SYSTEM.
func small(anonymous uint32) []byte {
	b := newBuilder()
	lsa := b.key("Lsa", noOffset, 0,
		b.value("RestrictAnonymous", registry.DWord, binary.LittleEndian.AppendUint32(nil, anonymous)),
		b.value("Big", registry.Binary, bytes.Repeat([]byte("0123456789"), 1700)),
		b.value("Pipes", registry.MultiSZ, registry.NewStrings("", "", []string{"samr", "lsarpc"}).Data))
	control := b.key("Control", b.lh([]string{"Lsa"}, []uint32{lsa}), 1)
	set := b.key("ControlSet002", b.add("lf", uint16(1), control, "Cont"), 1)
	sel := b.key("Select", noOffset, 0, b.value("Current", registry.DWord, []byte{2, 0, 0, 0}))
	leaf1, leaf2 := b.add("li", uint16(1), set), b.lh([]string{"Select"}, []uint32{sel})
	return b.file(b.key("ROOT", b.add("ri", uint16(2), leaf1, leaf2), 2))
}
