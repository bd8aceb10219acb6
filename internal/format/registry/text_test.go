package registry

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestReadText(t *testing.T) {
	wide := func(o binary.AppendByteOrder, units ...uint16) string {
		var b []byte
		for _, u := range append([]uint16{0xfeff}, units...) {
			b = o.AppendUint16(b, u)
		}
		return string(b)
	}
	little, big := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	face := utf16.Encode([]rune("😀"))
	for _, c := range []struct {
		name, in, want string
		err            error
	}{
		{"empty", "", "", nil},
		{"ASCII", "a\r\nb", "a\r\nb", nil},
		{"UTF-8 with a mark", "\xef\xbb\xbfä", "ä", nil},
		{"Latin-1", "\xe4b", "äb", nil},
		{"UTF-16", wide(little, 'a', 0xe4), "aä", nil},
		{"big-endian", wide(big, 'a', 0xe4), "aä", nil},
		{"pair", wide(little, face...), "😀", nil},
		{"half a pair", wide(little, face[0], 'a'), "\ufffda", nil},
		{"half a pair at the end", wide(little, face[0]), "\ufffd", nil},
		{"halves the wrong way round", wide(little, face[1], face[0], face[0], face[1]), "\ufffd\ufffd😀", nil},
		{"cut", wide(little, 'a') + "b", "a", ErrCut},
		{"without a mark", wide(little, 'a', 'b')[2:], "ab", nil},
		{"big-endian without a mark", wide(big, 'a', 'b')[2:], "ab", nil},
		{"one character without a mark", wide(little, 'a')[2:], "a\x00", nil},
		{"zeros", "\x00\x00\x00\x00", "\x00\x00\x00\x00", nil},
		{"mark alone", "\xff\xfe", "", nil},
		{"too large", strings.Repeat("x", 101), "", ErrTooLarge},
	} {
		if got, err := ReadText(strings.NewReader(c.in), 100); got != c.want || !errors.Is(err, c.err) ||
			c.err == nil && err != nil {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func FuzzReadText(f *testing.F) {
	f.Add([]byte("\xff\xfea\x00\x00\xd8"))
	f.Add([]byte("\xe4"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadText(strings.NewReader(string(b)), 1<<20)
		if len(got) > 3*len(b) || err != nil && !errors.Is(err, ErrCut) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(b), err)
		}
		if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe && err == nil && got != DecodeUTF16(b[2:]) {
			t.Fatalf("%q, DecodeUTF16 reads %q", got, DecodeUTF16(b[2:]))
		}
	})
}
