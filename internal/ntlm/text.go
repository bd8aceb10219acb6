package ntlm

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// EncodeText encodes s in the character set that the flags select: UTF-16LE, or one byte a character. The protocol does
// not transmit the OEM code page; characters up to U+00FF are written as that byte and others as '?'.
func EncodeText(s string, f Flags) []byte {
	if f&NegotiateUnicode != 0 {
		return encodeUTF16(s)
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}

// DecodeText is the inverse of EncodeText. An odd last byte of UTF-16 is ignored.
func DecodeText(b []byte, f Flags) string {
	if f&NegotiateUnicode != 0 {
		return decodeUTF16(b)
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func encodeUTF16(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if r1, r2 := utf16.EncodeRune(r); r1 != unicode.ReplacementChar {
			b = append(b, byte(r1), byte(r1>>8), byte(r2), byte(r2>>8))
			continue
		}
		b = append(b, byte(r), byte(r>>8))
	}
	return b
}

func decodeUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return string(utf16.Decode(u))
}
