package evtx

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"
)

// builder builds a log file of one chunk, for cases that no available real log has.
type builder struct{ b []byte }

func newBuilder() *builder { return &builder{b: make([]byte, chunkHeaderSize)} }

func (w *builder) u8(v ...byte)     { w.b = append(w.b, v...) }
func (w *builder) u16(v uint16)     { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *builder) u32(v uint32)     { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *builder) u64(v uint64)     { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *builder) utf16(s string)   { w.b = append(w.b, encode16(s)...) }
func (w *builder) here() int        { return len(w.b) }
func (w *builder) set(at, v uint32) { binary.LittleEndian.PutUint32(w.b[at:], v) }

func encode16(s string) (out []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// name writes a name inline.
func (w *builder) name(s string) {
	w.u32(uint32(w.here() + 4))
	w.u32(0)
	w.u16(0)
	w.u16(uint16(len(utf16.Encode([]rune(s)))))
	w.utf16(s)
	w.u16(0)
}

// open writes an element's start; dep adds a dependency id.
func (w *builder) open(name string, dep int, attrs ...func()) {
	token := byte(tokenOpenElement)
	if len(attrs) > 0 {
		token |= tokenMore
	}
	w.u8(token)
	if dep >= 0 {
		w.u16(uint16(dep))
	}
	w.u32(0)
	w.name(name)
	if len(attrs) > 0 {
		at := w.here()
		w.u32(0)
		for _, a := range attrs {
			a()
		}
		w.set(uint32(at), uint32(w.here()-at-4))
	}
	w.u8(tokenCloseStart)
}

func (w *builder) end() { w.u8(tokenEndElement) }

func (w *builder) text(s string) {
	w.u8(tokenValue, byte(TypeString))
	w.u16(uint16(len(utf16.Encode([]rune(s)))))
	w.utf16(s)
}

func (w *builder) attr(name, value string) func() {
	return func() {
		w.u8(tokenAttribute)
		w.name(name)
		w.text(value)
	}
}

func (w *builder) sub(index int, t Type) {
	w.u8(tokenSubst)
	w.u16(uint16(index))
	w.u8(byte(t))
}

// template writes a template instance with its definition, written by body, and its values.
func (w *builder) template(vals []Value, body func()) {
	w.u8(tokenFragment, 1, 1, 0, tokenTemplate, 1)
	w.u32(1)
	w.u32(uint32(w.here() + 4))
	w.u32(0)
	w.b = append(w.b, make([]byte, 16)...)
	size := w.here()
	w.u32(0)
	w.u8(tokenFragment, 1, 1, 0)
	body()
	w.u8(tokenEOF)
	w.set(uint32(size), uint32(w.here()-size-4))
	w.values(vals)
}

func (w *builder) values(vals []Value) {
	w.u32(uint32(len(vals)))
	for _, v := range vals {
		w.u16(uint16(len(v.Data)))
		w.u8(byte(v.Type), 0)
	}
	for _, v := range vals {
		w.b = append(w.b, v.Data...)
	}
	w.u8(tokenEOF)
}

// record writes a record around body.
func (w *builder) record(id uint64, body func()) {
	start := w.here()
	w.b = append(w.b, recordSignature...)
	w.u32(0)
	w.u64(id)
	w.u64(132443454000000000)
	body()
	w.u32(0)
	size := uint32(w.here() - start)
	w.set(uint32(start+4), size)
	w.set(uint32(w.here()-4), size)
}

// file closes the chunk and prepends a file header.
func (w *builder) file() []byte {
	c := make([]byte, chunkSize)
	free := copy(c, w.b)
	copy(c, chunkSignature)
	binary.LittleEndian.PutUint32(c[40:], 128)
	binary.LittleEndian.PutUint32(c[48:], uint32(free))
	binary.LittleEndian.PutUint32(c[52:], crc32.ChecksumIEEE(c[chunkHeaderSize:free]))
	sum := crc32.Update(crc32.ChecksumIEEE(c[:120]), crc32.IEEETable, c[128:512])
	binary.LittleEndian.PutUint32(c[124:], sum)
	h := make([]byte, 4096)
	copy(h, fileSignature)
	binary.LittleEndian.PutUint64(h[24:], 2)
	binary.LittleEndian.PutUint32(h[32:], 128)
	binary.LittleEndian.PutUint16(h[36:], 1)
	binary.LittleEndian.PutUint16(h[38:], 3)
	binary.LittleEndian.PutUint16(h[40:], 4096)
	binary.LittleEndian.PutUint16(h[42:], 1)
	binary.LittleEndian.PutUint32(h[124:], crc32.ChecksumIEEE(h[:120]))
	return append(h, c...)
}

// everyType is a log with one event that has a value of every type.
func everyType() []byte {
	w := newBuilder()
	sid := []byte{1, 1, 0, 0, 0, 0, 0, 5, 7, 0, 0, 0}
	seven := []byte{7, 0, 0, 0, 0, 0, 0, 0}
	minus := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	ft := binary.LittleEndian.AppendUint64(nil, 132443454000000001)
	vals := []Value{
		{Type: TypeNull},
		{Type: TypeString, Data: encode16("a<b>&\"ü\U0001F600\x00")},
		{Type: TypeANSI, Data: []byte("caf\xe9\x00")},
		{Type: TypeInt8, Data: minus[:1]},
		{Type: TypeUint8, Data: minus[:1]},
		{Type: TypeInt16, Data: minus[:2]},
		{Type: TypeUint16, Data: minus[:2]},
		{Type: TypeInt32, Data: minus[:4]},
		{Type: TypeUint32, Data: minus[:4]},
		{Type: TypeInt64, Data: minus},
		{Type: TypeUint64, Data: minus},
		{Type: TypeReal32, Data: []byte{0, 0, 0xc0, 0x3f}},
		{Type: TypeReal64, Data: []byte{0, 0, 0, 0, 0, 0, 0x04, 0xc0}},
		{Type: TypeBool, Data: []byte{1, 0, 0, 0}},
		{Type: TypeBinary, Data: []byte{0xde, 0xad}},
		{Type: TypeGUID, Data: []byte{
			0xd2, 0x81, 0x4d, 0x2d, 0xbd, 0x94, 0x67, 0x46, 0xa2, 0xaf, 0x23, 0x43, 0xf9,
			0xd8, 0x34, 0x62,
		}},
		{Type: TypeSizeT, Data: seven},
		{Type: TypeFileTime, Data: ft},
		{Type: TypeSystemTime, Data: []byte{0xe4, 7, 9, 0, 2, 0, 22, 0, 7, 0, 45, 0, 38, 0, 207, 0}},
		{Type: TypeSID, Data: sid},
		{Type: TypeHexInt32, Data: seven[:4]},
		{Type: TypeHexInt64, Data: []byte{0x7f, 0x3f, 0x14, 0x07, 0, 0, 0, 0}},
		{Type: TypeArray | TypeString, Data: encode16("one\x00two\x00")},
		{Type: TypeArray | TypeANSI, Data: []byte("x\x00y\x00")},
		{Type: TypeArray | TypeUint16, Data: []byte{1, 0, 2, 0}},
		{Type: TypeArray | TypeSID, Data: append(append([]byte{}, sid...), sid...)},
		{Type: TypeArray | TypeHexInt32, Data: append(append([]byte{}, seven[:4]...), seven[:4]...)},
		{Type: TypeBool, Data: []byte{0, 0, 0, 0}},
		{Type: TypeUint16, Data: []byte{0x10, 0x12}},
		{Type: TypeInt32, Data: []byte{1, 2, 3}}, // a size that does not match its type
	}
	w.record(7, func() {
		w.template(vals, func() {
			w.open("Event", noDependency)
			w.open("System", noDependency)
			w.open("Provider", noDependency, w.attr("Name", "Made"))
			w.end()
			w.open("EventID", noDependency)
			w.sub(28, TypeUint16)
			w.end()
			w.open("TimeCreated", noDependency, func() {
				w.u8(tokenAttribute)
				w.name("SystemTime")
				w.sub(17, TypeFileTime)
			})
			w.end()
			w.open("Computer", noDependency)
			w.text("host")
			w.u8(tokenCharRef)
			w.u16('.')
			w.u8(tokenEntityRef)
			w.name("amp")
			w.end()
			w.end()
			w.open("EventData", noDependency)
			for i := range vals[:28] {
				w.open("Data", noDependency, w.attr("Name", string(rune('A'+i))))
				w.sub(i, vals[i].Type)
				w.end()
			}
			w.open("Data", 0, w.attr("Name", "gone"))
			w.text("depends on a null")
			w.end()
			w.open("Data", noDependency, w.attr("Name", "odd"))
			w.sub(29, TypeInt32)
			w.end()
			w.open("Data", noDependency, w.attr("Name", "missing"))
			w.sub(9999, TypeInt32)
			w.end()
			w.end()
			w.end()
		})
	})
	return w.file()
}

// nestedLog is an event whose data is BinXML inside a value, levels deep, each level naming the next one twice.
func nestedLog(levels int) []byte {
	w := newBuilder()
	w.record(1, func() { w.nest(levels) })
	return w.file()
}

func (w *builder) nest(levels int) {
	body := func() {
		w.open("E", noDependency)
		w.sub(0, TypeBinXML)
		w.sub(0, TypeBinXML)
		w.end()
	}
	if levels == 0 {
		w.template([]Value{{Type: TypeString, Data: encode16("leaf")}}, body)
		return
	}
	w.template([]Value{{Type: TypeBinXML}}, body)
	// The value follows the specification; its length is known when it is written.
	w.b = w.b[:len(w.b)-1]
	spec := w.here() - valueSpecSize
	start := w.here()
	w.nest(levels - 1)
	binary.LittleEndian.PutUint16(w.b[spec:], uint16(w.here()-start))
	w.u8(tokenEOF)
}
