package smb2

import "fmt"

// maxGap bounds the padding that encoding puts in front of a buffer for an offset that decoding kept; real padding
// is below 16 bytes, and Windows' READ responses leave 16 more.
const maxGap = 256

// fields reads the fixed part of a body, whose length open has checked.
type fields struct {
	b []byte
	i int
}

// open checks StructureSize and that the fixed part, of fixed bytes with StructureSize, is there.
func open(msg []byte, size uint16, fixed int) (fields, error) {
	if len(msg) < HeaderLen+fixed {
		return fields{}, fmt.Errorf("%w: %d bytes of body, %d wanted", ErrShort, max(0, len(msg)-HeaderLen), fixed)
	}
	if n := le.Uint16(msg[HeaderLen:]); n != size {
		return fields{}, fmt.Errorf("%w %d, %d wanted", ErrStructure, n, size)
	}
	return fields{msg[HeaderLen : HeaderLen+fixed], 2}, nil
}

func (f *fields) u8() byte {
	f.i++
	return f.b[f.i-1]
}

func (f *fields) u16() uint16 {
	f.i += 2
	return le.Uint16(f.b[f.i-2:])
}

func (f *fields) u32() uint32 {
	f.i += 4
	return le.Uint32(f.b[f.i-4:])
}

func (f *fields) u64() uint64 {
	f.i += 8
	return le.Uint64(f.b[f.i-8:])
}

func (f *fields) id() FileID {
	f.i += 16
	return FileID(f.b[f.i-16 : f.i])
}

// span cuts the buffer of n bytes at offset off out of a message; the body before it has fixed bytes. It moves end
// behind the buffer. An empty buffer may have any offset: senders write what they like there.
func span(msg []byte, fixed int, off, n uint32, end *int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if uint64(off) < uint64(HeaderLen+fixed) || uint64(off)+uint64(n) > uint64(len(msg)) {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", ErrBounds, n, off, len(msg))
	}
	*end = max(*end, int(off+n))
	return msg[off : off+n : off+n], nil
}

// place appends a buffer at offset want from base, or where align puts it if want is zero or already passed, and
// returns the offset to write into the field. An empty buffer takes no room and keeps the offset it had.
func place(dst []byte, base, want, align int, data []byte) ([]byte, int) {
	if len(data) == 0 {
		return dst, want
	}
	at := len(dst) - base
	if want < at || want > at+maxGap {
		want = (at + align - 1) &^ (align - 1)
	}
	for ; at < want; at++ {
		dst = append(dst, 0)
	}
	return append(dst, data...), want
}
