package dcerpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Errors that a decoder wraps.
var (
	ErrTruncated = errors.New("dcerpc: data ends early")
	ErrMalformed = errors.New("dcerpc: malformed data")
)

// coder walks a layout in either direction: with dec set it reads buf into the given fields, else it appends the fields
// to buf. So a struct's layout is written only once, and encoding and decoding agree. The first error sticks and
// everything after it reads as zero.
//
// Both directions support both byte orders, so that tests can compare them; the package itself sends little endian.
//
// NDR20 aligns every primitive to its own size, counted from the start of the stub. See [C706] chapter 14.
type coder struct {
	buf  []byte
	off  int // decoding: next byte to read; encoding: origin of the alignment
	dec  bool
	big  bool
	err  error
	refs uint32
}

// firstReferent and its step are those of Windows; any non-zero number would do. See [C706] 14.3.10.
const firstReferent = 0x00020000

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *coder) malformed(format string, a ...any) {
	c.fail(fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, a...)))
}

// left returns how many bytes remain to be read.
func (c *coder) left() int { return len(c.buf) - c.off }

func (c *coder) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > c.left() {
		c.fail(fmt.Errorf("%w: %d bytes wanted at offset %d, %d left", ErrTruncated, n, c.off, c.left()))
		return nil
	}
	b := c.buf[c.off : c.off+n : c.off+n]
	c.off += n
	return b
}

func (c *coder) align(n int) {
	if c.dec {
		if pad := -c.off & (n - 1); pad > 0 {
			c.take(pad)
		}
		return
	}
	for (len(c.buf)-c.off)&(n-1) != 0 {
		c.buf = append(c.buf, 0)
	}
}

func (c *coder) u8(v *uint8) {
	if !c.dec {
		c.buf = append(c.buf, *v)
	} else if b := c.take(1); b != nil {
		*v = b[0]
	} else {
		*v = 0
	}
}

func (c *coder) u16(v *uint16) {
	c.align(2)
	if !c.dec {
		if c.big {
			c.buf = binary.BigEndian.AppendUint16(c.buf, *v)
		} else {
			c.buf = binary.LittleEndian.AppendUint16(c.buf, *v)
		}
		return
	}
	switch b := c.take(2); {
	case b == nil:
		*v = 0
	case c.big:
		*v = binary.BigEndian.Uint16(b)
	default:
		*v = binary.LittleEndian.Uint16(b)
	}
}

func (c *coder) u32(v *uint32) {
	c.align(4)
	if !c.dec {
		if c.big {
			c.buf = binary.BigEndian.AppendUint32(c.buf, *v)
		} else {
			c.buf = binary.LittleEndian.AppendUint32(c.buf, *v)
		}
		return
	}
	switch b := c.take(4); {
	case b == nil:
		*v = 0
	case c.big:
		*v = binary.BigEndian.Uint32(b)
	default:
		*v = binary.LittleEndian.Uint32(b)
	}
}

func (c *coder) u64(v *uint64) {
	c.align(8)
	if !c.dec {
		if c.big {
			c.buf = binary.BigEndian.AppendUint64(c.buf, *v)
		} else {
			c.buf = binary.LittleEndian.AppendUint64(c.buf, *v)
		}
		return
	}
	switch b := c.take(8); {
	case b == nil:
		*v = 0
	case c.big:
		*v = binary.BigEndian.Uint64(b)
	default:
		*v = binary.LittleEndian.Uint64(b)
	}
}

// num codes the 32-bit kinds: statuses, masks, times.
func num[T ~uint32](c *coder, v *T) {
	n := uint32(*v)
	c.u32(&n)
	*v = T(n)
}

// hyper codes a 64-bit integer that is declared as two 32-bit halves, and so aligned to four: FILETIME,
// OLD_LARGE_INTEGER. The low half comes first in both byte orders.
func (c *coder) hyper32(v *uint64) {
	low, high := uint32(*v), uint32(*v>>32)
	c.u32(&low)
	c.u32(&high)
	*v = uint64(high)<<32 | uint64(low)
}

// skip codes n meaningless bytes.
func (c *coder) skip(n int) {
	if c.dec {
		c.take(n)
		return
	}
	for range n {
		c.buf = append(c.buf, 0)
	}
}

// raw codes exactly len(b) bytes.
func (c *coder) raw(b []byte) {
	if !c.dec {
		c.buf = append(c.buf, b...)
	} else if src := c.take(len(b)); src != nil {
		copy(b, src)
	}
}

func (c *coder) uuid(u *UUID) {
	c.align(4)
	if c.dec {
		c.raw(u[:])
		if !c.big {
			turn(u)
		}
		return
	}
	w := *u
	if !c.big {
		turn(&w)
	}
	c.raw(w[:])
}

// turn converts the first three fields of a UUID between the printed and the little-endian order.
func turn(u *UUID) {
	u[0], u[1], u[2], u[3] = u[3], u[2], u[1], u[0]
	u[4], u[5] = u[5], u[4]
	u[6], u[7] = u[7], u[6]
}

func (c *coder) syntax(s *SyntaxID) {
	c.uuid(&s.UUID)
	version := uint32(s.Minor)<<16 | uint32(s.Major)
	c.u32(&version)
	s.Major, s.Minor = uint16(version), uint16(version>>16)
}

// pointer codes the referent identifier of a unique pointer and reports whether data follows. When decoding, *p is a
// new T or nil. The data itself is deferred: the caller codes it where [C706] 14.3.12.3 places it.
func pointer[T any](c *coder, p **T) bool {
	id := uint32(0)
	if *p != nil {
		id = c.referent()
	}
	c.u32(&id)
	if c.dec {
		*p = nil
		if id != 0 && c.err == nil {
			*p = new(T)
		}
	}
	return *p != nil
}

// pointerIf codes the referent identifier of a pointer whose data is in a plain field: present says whether there is
// data when encoding, the result whether there is when decoding.
func (c *coder) pointerIf(present bool) bool {
	id := uint32(0)
	if present {
		id = c.referent()
	}
	c.u32(&id)
	return id != 0 && c.err == nil
}

func (c *coder) referent() uint32 {
	c.refs++
	return firstReferent + 4*(c.refs-1)
}

// count codes an array's number of elements, each of which takes at least size bytes: a number that the remaining bytes
// cannot hold is an error before anything is allocated.
func (c *coder) count(n int, size int) int {
	v := uint32(n)
	c.u32(&v)
	if c.dec {
		if c.err == nil && uint64(v)*uint64(size) > uint64(c.left()) {
			c.malformed("%d elements of %d bytes in %d bytes", v, size, c.left())
		}
		if c.err != nil {
			return 0
		}
	}
	return int(v)
}

// conformant codes the maximum count of a conformant array and, when decoding, allocates the slice.
func conformant[T any](c *coder, s *[]T, size int) {
	n := c.count(len(*s), size)
	if c.dec {
		*s = make([]T, n)
	}
}

// octets codes a conformant array of bytes.
func (c *coder) octets(b *[]byte) {
	conformant(c, b, 1)
	c.raw(*b)
}

// varying codes maximum count, offset and actual count, and returns the actual count. The maximum is the sender's
// allocation; this package never allocates it.
func (c *coder) varying(maximum, actual int, size int) int {
	m, offset := uint32(maximum), uint32(0)
	c.u32(&m)
	c.u32(&offset)
	n := c.count(actual, size)
	if c.dec && c.err == nil && (offset != 0 || uint32(n) > m) {
		c.malformed("varying array: maximum %d, offset %d, actual %d", m, offset, n)
		return 0
	}
	return n
}

// str codes a conformant varying string of 16-bit characters that ends with a zero: [string] wchar_t *.
func (c *coder) str(s *string) {
	if c.dec {
		n := c.varying(0, 0, 2)
		*s = trimZero(c.chars(n))
		return
	}
	u := units(*s)
	c.varying(len(u), len(u), 2)
	c.putChars(u)
}

func (c *coder) putChars(units []uint16) {
	for _, u := range units {
		c.u16(&u)
	}
}

// chars reads n 16-bit characters.
func (c *coder) chars(n int) string {
	b := c.take(2 * n)
	if len(b) == 0 {
		return ""
	}
	units := make([]uint16, n)
	for i := range units {
		if c.big {
			units[i] = binary.BigEndian.Uint16(b[2*i:])
		} else {
			units[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
	}
	return string(utf16.Decode(units))
}

func trimZero(s string) string {
	if n := len(s); n > 0 && s[n-1] == 0 {
		return s[:n-1]
	}
	return s
}

// optStr codes a unique pointer to a string if nothing is deferred in between: a top-level argument.
func (c *coder) optStr(s **string) {
	if pointer(c, s) {
		c.str(*s)
	}
}
