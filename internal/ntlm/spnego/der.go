package spnego

import (
	"encoding/asn1"
	"errors"
	"fmt"
)

var errDER = errors.New("spnego: malformed token")

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errDER, fmt.Sprintf(format, a...))
}

// The tags that occur.
const (
	tagBitString     = 0x03
	tagOctetString   = 0x04
	tagOID           = 0x06
	tagEnumerated    = 0x0A
	tagGeneralString = 0x1B
	tagSequence      = 0x30
	tagApplication0  = 0x60
	tagContext0      = 0xA0
)

// element parses one element with a one-byte tag and a definite length.
func element(b []byte) (tag byte, content, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, malformed("an element of %d bytes", len(b))
	}
	tag = b[0]
	if tag&0x1F == 0x1F {
		return 0, nil, nil, malformed("a tag of several bytes")
	}
	n, b := int(b[1]), b[2:]
	if n >= 0x80 {
		size := n & 0x7F
		if size == 0 || size > 4 || size > len(b) {
			return 0, nil, nil, malformed("a length of %d bytes", size)
		}
		var long uint64
		for _, c := range b[:size] {
			long = long<<8 | uint64(c)
		}
		b = b[size:]
		if long > uint64(len(b)) {
			return 0, nil, nil, malformed("an element of %d bytes in %d", long, len(b))
		}
		n = int(long)
	}
	if n > len(b) {
		return 0, nil, nil, malformed("an element of %d bytes in %d", n, len(b))
	}
	return tag, b[:n:n], b[n:], nil
}

// only parses an element that fills b and has the wanted tag.
func only(b []byte, want byte) ([]byte, error) {
	tag, content, rest, err := element(b)
	switch {
	case err != nil:
		return nil, err
	case tag != want:
		return nil, malformed("tag 0x%02X where 0x%02X is due", tag, want)
	case len(rest) > 0:
		return nil, malformed("%d bytes behind an element", len(rest))
	}
	return content, nil
}

// present is only with a result that is not nil: an empty element differs from an absent one, and is written again.
func present(b []byte, want byte) ([]byte, error) {
	content, err := only(b, want)
	if content == nil {
		content = []byte{}
	}
	return content, err
}

// eachField parses a sequence that fills b, and calls field for each of its elements. Their tags must ascend.
func eachField(b []byte, field func(tag byte, content []byte) error) error {
	b, err := only(b, tagSequence)
	if err != nil {
		return err
	}
	for last := -1; len(b) > 0; {
		var tag byte
		var content []byte
		if tag, content, b, err = element(b); err != nil {
			return err
		}
		if int(tag) <= last {
			return malformed("element 0x%02X out of order", tag)
		}
		last = int(tag)
		if err := field(tag, content); err != nil {
			return err
		}
	}
	return nil
}

// maxArcs bounds the parts of an object identifier; the longest in use here has ten.
const maxArcs = 32

func parseOID(b []byte) (asn1.ObjectIdentifier, error) {
	if len(b) == 0 {
		return nil, malformed("an empty object identifier")
	}
	oid := make(asn1.ObjectIdentifier, 0, min(len(b)+1, maxArcs))
	arc := 0
	for i, c := range b {
		if arc > 1<<23 || len(oid) == maxArcs {
			return nil, malformed("an object identifier that is too long")
		}
		if arc == 0 && c == 0x80 {
			return nil, malformed("an object identifier with leading zeros")
		}
		if arc = arc<<7 | int(c&0x7F); c&0x80 != 0 {
			if i == len(b)-1 {
				return nil, malformed("an object identifier that is cut off")
			}
			continue
		}
		if len(oid) == 0 {
			first := min(arc/40, 2)
			oid = append(oid, first, arc-40*first)
		} else {
			oid = append(oid, arc)
		}
		arc = 0
	}
	return oid, nil
}

func appendOID(b []byte, oid asn1.ObjectIdentifier) []byte {
	if len(oid) < 2 {
		return appendElement(b, tagOID, nil)
	}
	var room [64]byte // more than any identifier in use takes
	content := appendArc(room[:0], oid[0]*40+oid[1])
	for _, arc := range oid[2:] {
		content = appendArc(content, arc)
	}
	return appendElement(b, tagOID, content)
}

func appendArc(b []byte, arc int) []byte {
	shift := 0
	for arc>>shift >= 0x80 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, byte(arc>>shift)|0x80)
	}
	return append(b, byte(arc&0x7F))
}

func appendElement(b []byte, tag byte, content []byte) []byte {
	return append(appendHead(b, tag, len(content)), content...)
}

// appendHead writes the tag and the length of an element with n bytes.
func appendHead(b []byte, tag byte, n int) []byte {
	b = append(b, tag)
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0x81, byte(n))
	case n < 1<<16:
		return append(b, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// elementLen returns the length of an element with n bytes, head and all.
func elementLen(n int) int {
	switch {
	case n < 0x80:
		return n + 2
	case n < 1<<8:
		return n + 3
	case n < 1<<16:
		return n + 4
	case n < 1<<24:
		return n + 5
	}
	return n + 6
}

// appendField writes a context-specific element around another one.
func appendField(b []byte, number, tag byte, content []byte) []byte {
	return appendElement(appendHead(b, tagContext0+number, elementLen(len(content))), tag, content)
}
