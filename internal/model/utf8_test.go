package model

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

func TestUTF8(t *testing.T) {
	const text = "srv1\r\nGrüße 日本 😀\r\n"
	units := utf16.Encode([]rune(text))
	little, big := []byte{0xff, 0xfe}, []byte{0xfe, 0xff}
	for _, u := range units {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	for _, c := range []struct{ name, in, want string }{
		{"plain", text, text},
		{"with a mark", "\ufeff" + text, text},
		{"UTF-16, little", string(little), text},
		{"UTF-16, big", string(big), text},
		{"nothing", "", ""},
		{"a mark alone", "\xff\xfe", ""},
		{"one byte", "\xff", "\xff"},
		{"cut", string(little[:5]), "s\ufffd"},
		{"a half", "\xff\xfe\x00\xd8a\x00", "\ufffda"},
	} {
		if got := string(UTF8Text([]byte(c.in))); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		got, err := io.ReadAll(UTF8(iotest.OneByteReader(strings.NewReader(c.in))))
		if err != nil || string(got) != c.want {
			t.Errorf("%s, byte by byte: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}
