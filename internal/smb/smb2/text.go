package smb2

import (
	"time"
	"unicode/utf16"
)

// Text is UTF-16LE as it lies in a message.
type Text []byte

// String decodes the text; an odd last byte is dropped and a lone surrogate becomes U+FFFD.
func (t Text) String() string {
	ascii := len(t)%2 == 0
	for i := 0; ascii && i < len(t); i += 2 {
		ascii = t[i] < 0x80 && t[i+1] == 0
	}
	if ascii { // nearly every name
		b := make([]byte, len(t)/2)
		for i := range b {
			b[i] = t[2*i]
		}
		return string(b)
	}
	u := make([]uint16, len(t)/2)
	for i := range u {
		u[i] = le.Uint16(t[2*i:])
	}
	return string(utf16.Decode(u))
}

// EncodeText creates the text of a string.
func EncodeText(s string) Text {
	t := make(Text, 0, 2*len(s))
	for _, r := range s {
		if r < 0x10000 {
			t = le.AppendUint16(t, uint16(r))
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		t = le.AppendUint16(le.AppendUint16(t, uint16(hi)), uint16(lo))
	}
	return t
}

// filetimeUnix is 1970-01-01 in FILETIME: 100 ns since 1601-01-01. See [MS-DTYP] 2.3.3.
const filetimeUnix = 116444736000000000

// FileTime turns a FILETIME into a time; zero, and what Go cannot say in nanoseconds, is the zero time.
func FileTime(v uint64) time.Time {
	if v == 0 || v > 1<<63-1 {
		return time.Time{}
	}
	d := int64(v) - filetimeUnix
	return time.Unix(d/1e7, d%1e7*100).UTC()
}

// FileTimeOf is the FILETIME of a time.
func FileTimeOf(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix()*1e7 + int64(t.Nanosecond()/100) + filetimeUnix)
}
