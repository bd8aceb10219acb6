package dcerpc

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Message is the argument list of one call in one direction: an XRequest or an XResponse of an interface's file.
type Message interface{ ndr(c *coder) }

// AppendNDR appends the little-endian NDR20 encoding of m, the stub of a request or response. Alignment counts from the
// end of dst.
func AppendNDR(dst []byte, m Message) []byte {
	c := coder{buf: dst, off: len(dst)}
	m.ndr(&c)
	return c.buf
}

// UnmarshalNDR decodes a stub. Bytes after the last argument are allowed: verification trailers follow there ([MS-RPCE]
// 2.2.2.13). An error wraps ErrTruncated or ErrMalformed.
func UnmarshalNDR(stub []byte, bigEndian bool, m Message) error {
	c := coder{buf: stub, dec: true, big: bigEndian}
	m.ndr(&c)
	if c.err != nil {
		return fmt.Errorf("%T: %w", m, c.err)
	}
	return nil
}

// Handle is a context handle, returned by one call and passed to later ones. See [C706] 14.2.16.6.
type Handle [20]byte

func (c *coder) handle(h *Handle) {
	c.align(4)
	c.raw(h[:])
}

// SID is a security identifier. See [MS-DTYP] 2.4.2.3 (RPC_SID).
type SID struct {
	Revision       uint8
	Authority      [6]byte
	SubAuthorities []uint32
}

// maxSubAuthorities is the limit of [MS-DTYP] 2.4.2.
const maxSubAuthorities = 15

// sid codes the conformant structure: the count precedes it, and is repeated inside.
func (c *coder) sid(s *SID) {
	n := c.count(len(s.SubAuthorities), 4)
	c.u8(&s.Revision)
	again := uint8(n)
	c.u8(&again)
	c.raw(s.Authority[:])
	if c.dec {
		if c.err == nil && (int(again) != n || n > maxSubAuthorities) {
			c.malformed("SID with %d and %d sub-authorities", n, again)
		}
		if c.err != nil {
			return
		}
		s.SubAuthorities = make([]uint32, n)
	}
	for i := range s.SubAuthorities {
		c.u32(&s.SubAuthorities[i])
	}
}

// String prints S-1-5-….
func (s SID) String() string {
	var a uint64
	for _, b := range s.Authority {
		a = a<<8 | uint64(b)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "S-%d-", s.Revision)
	if a >= 1<<32 { // [MS-DTYP] 2.4.2.1: hexadecimal from 2^32 on
		fmt.Fprintf(&b, "0x%012x", a)
	} else {
		fmt.Fprintf(&b, "%d", a)
	}
	for _, sub := range s.SubAuthorities {
		fmt.Fprintf(&b, "-%d", sub)
	}
	return b.String()
}

// Child returns s with one more sub-authority: an account of the domain s.
func (s SID) Child(rid uint32) SID {
	s.SubAuthorities = append(append(make([]uint32, 0, len(s.SubAuthorities)+1), s.SubAuthorities...), rid)
	return s
}

// NTSID returns S-1-5-subs…
func NTSID(subs ...uint32) SID {
	return SID{Revision: 1, Authority: [6]byte{5: 5}, SubAuthorities: subs}
}

// ustrHead codes the fixed part of an RPC_UNICODE_STRING: two lengths in bytes and the pointer. nil is a null
// pointer. See [MS-DTYP] 2.3.10.
func (c *coder) ustrHead(s **string) { c.ustrHeadExtra(s, 0) }

// ustrHeadExtra leaves extra bytes of room after the text, as STRING types that count a terminating zero do.
func (c *coder) ustrHeadExtra(s **string, extra uint16) {
	var length, maximum uint16
	if !c.dec && *s != nil {
		length = uint16(2 * len(utf16.Encode([]rune(**s))))
		maximum = length + extra
	}
	c.align(4)
	c.u16(&length)
	c.u16(&maximum)
	pointer(c, s)
}

// ustrBody codes the deferred characters.
func (c *coder) ustrBody(s *string) { c.ustrBodyExtra(s, 0) }

func (c *coder) ustrBodyExtra(s *string, extra int) {
	if s == nil {
		return
	}
	if c.dec {
		*s = c.chars(c.varying(0, 0, 2))
		return
	}
	units := utf16.Encode([]rune(*s))
	c.varying(len(units)+extra/2, len(units), 2)
	c.putChars(units)
}

// ustr codes a separate RPC_UNICODE_STRING: nothing comes between head and characters.
func (c *coder) ustr(s **string) {
	c.ustrHead(s)
	c.ustrBody(*s)
}

// Text returns the string behind a pointer, or an empty one.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Ptr returns a pointer to a string, also for the empty string.
func Ptr(s string) *string { return &s }
