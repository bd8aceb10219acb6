package smb1

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// reader takes a block apart. The first failure sticks; what is read after it is zero.
type reader struct {
	m     []byte // the whole message: offsets count from its start
	words []byte
	pos   int // in m, behind what was read of the bytes
	end   int // in m, of the bytes
	uni   bool
	err   error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = malformed(format, a...)
	}
}

func (r *reader) word(n int) []byte {
	if n > len(r.words) {
		r.fail("the words end early")
		return make([]byte, n)
	}
	w := r.words[:n]
	r.words = r.words[n:]
	return w
}

func (r *reader) u8() byte    { return r.word(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.word(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.word(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.word(8)) }

// andX skips the link, which Parse has followed.
func (r *reader) andX() { r.word(4) }

// bytes takes n of the bytes.
func (r *reader) bytes(n int) []byte {
	if n < 0 || n > r.end-r.pos {
		r.fail("%d bytes are due and %d are left", n, r.end-r.pos)
		return nil
	}
	b := r.m[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) rest() []byte { return r.bytes(r.end - r.pos) }

// align skips padding before a UTF-16 string.
func (r *reader) align() {
	if r.uni && r.pos%2 == 1 && r.pos < r.end {
		r.pos++
	}
}

// padded reports whether a string that is due here begins one byte later, as impacket sends it: each of its characters,
// of which there are two or more, would have a low byte of zero.
func (r *reader) padded() bool {
	if !r.uni {
		return false
	}
	b, n := r.m[r.pos:r.end], 0
	for i := 0; i+1 < len(b) && (b[i] != 0 || b[i+1] != 0); i += 2 {
		if b[i] != 0 {
			return false
		}
		n++
	}
	return n > 1
}

// oem reads a string of one byte a character. The end of the bytes ends it too: old servers leave the last zero out.
func (r *reader) oem() string {
	b := r.m[r.pos:r.end]
	n := len(b)
	for i, c := range b {
		if c == 0 {
			n = i
			break
		}
	}
	r.pos += min(n+1, len(b))
	return fromOEM(b[:n])
}

// text reads an aligned string in the character set of the message.
func (r *reader) text() string {
	r.align()
	return r.textHere()
}

// textHere reads a string that is not aligned, as some are not.
func (r *reader) textHere() string {
	if !r.uni {
		return r.oem()
	}
	b := r.m[r.pos:r.end]
	n := len(b) &^ 1
	skip := len(b)
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			n, skip = i, i+2
			break
		}
	}
	r.pos += skip
	return fromUTF16(b[:n])
}

// textN reads a string of n bytes with no zero at its end, or with one that counts.
func (r *reader) textN(n int) string {
	r.align()
	b := r.bytes(n)
	if !r.uni {
		return strings.TrimRight(fromOEM(b), "\x00")
	}
	return strings.TrimRight(fromUTF16(b), "\x00")
}

// at takes n bytes at an offset from the start of the message, which must lie behind the words of this block. Data of
// large reads and writes may continue after ByteCount's end, because ByteCount has only 16 bits.
func (r *reader) at(offset, n uint32, begin int) []byte {
	if n == 0 {
		return nil
	}
	if uint64(offset)+uint64(n) > uint64(len(r.m)) {
		r.fail("data ends at %d of %d bytes", uint64(offset)+uint64(n), len(r.m))
		return nil
	}
	if int(offset) < begin {
		r.fail("data at %d lies before the bytes of its block, at %d", offset, begin)
		return nil
	}
	r.pos = min(max(r.pos, int(offset+n)), r.end)
	return r.m[offset : offset+n : offset+n]
}

// writer puts a block together at the end of a message.
type writer struct {
	b     []byte
	start int // of the message in b
	block int // of the block in b
	count int // of ByteCount in b; 0 while words are written
	uni   bool
}

func (w *writer) u8(v byte)    { w.b = append(w.b, v) }
func (w *writer) u16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *writer) raw(b []byte) { w.b = append(w.b, b...) }

// andX leaves room for the link.
func (w *writer) andX() { w.b = append(w.b, byte(NoAndX), 0, 0, 0) }

func (w *writer) setU16(pos int, v uint16) { binary.LittleEndian.PutUint16(w.b[pos:], v) }
func (w *writer) setU32(pos int, v uint32) { binary.LittleEndian.PutUint32(w.b[pos:], v) }

// at is the offset of the next byte from the start of the message.
func (w *writer) at() int { return len(w.b) - w.start }

// bytes ends the words and begins the bytes.
func (w *writer) bytes() {
	w.b[w.block] = byte((len(w.b) - w.block - 1) / 2)
	w.count = len(w.b)
	w.u16(0)
}

// pad writes zeros up to a multiple of n.
func (w *writer) pad(n int) {
	for w.at()%n != 0 {
		w.u8(0)
	}
}

// padTo writes zeros up to an offset; an offset of 0, or one that has been passed, is a multiple of n instead.
func (w *writer) padTo(offset uint32, n int) {
	if offset == 0 || int64(offset) < int64(w.at()) || offset > maxPadTo {
		w.pad(n)
		return
	}
	for w.at() < int(offset) {
		w.u8(0)
	}
}

// maxPadTo bounds the zeros that a wished offset may cost: offsets in messages on pipes have 16 bits.
const maxPadTo = 0xFFFF

func (w *writer) oem(s string) {
	w.raw(toOEM(s))
	w.u8(0)
}

func (w *writer) text(s string) {
	if w.uni {
		w.pad(2)
	}
	w.textHere(s)
}

func (w *writer) textHere(s string) {
	if !w.uni {
		w.oem(s)
		return
	}
	w.raw(toUTF16(s))
	w.u16(0)
}

func fromOEM(b []byte) string {
	for _, c := range b {
		if c >= 0x80 {
			var s strings.Builder
			for _, c := range b {
				s.WriteRune(rune(c)) // the code page is not on the wire
			}
			return s.String()
		}
	}
	return string(b)
}

func toOEM(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}

func fromUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

func toUTF16(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
