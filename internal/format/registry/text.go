package registry

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Errors of ReadText.
var (
	ErrTooLarge = errors.New("the file is too large")
	ErrCut      = errors.New("UTF-16 with an odd number of bytes: the file was cut")
)

// ReadText reads a Windows text file in UTF-16, in UTF-8, or in a single-byte code page, which is read as Latin-1.
// UTF-16 is recognized by its byte order mark or, if that is missing, by the zero bytes of its first characters. It
// holds the text once: a file of most bytes briefly takes at most three times as much. With ErrCut it returns what was
// read.
func ReadText(r io.Reader, most int64) (string, error) {
	in := &counted{r: r, left: most}
	b := bufio.NewReaderSize(in, 64<<10)
	var out strings.Builder
	out.Grow(int(min(size(r), most)))
	head, err := b.Peek(16)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", in.explain(err, most)
	}
	switch {
	case len(head) >= 2 && head[0] == 0xff && head[1] == 0xfe:
		_, _ = b.Discard(2) // they were peeked at, here and below
		err = readUTF16(&out, b, binary.LittleEndian)
	case len(head) >= 2 && head[0] == 0xfe && head[1] == 0xff:
		_, _ = b.Discard(2)
		err = readUTF16(&out, b, binary.BigEndian)
	case zeroEverySecond(head, 1):
		err = readUTF16(&out, b, binary.LittleEndian)
	case zeroEverySecond(head, 0):
		err = readUTF16(&out, b, binary.BigEndian)
	default:
		if len(head) >= 3 && string(head[:3]) == "\xef\xbb\xbf" {
			_, _ = b.Discard(3)
		}
		_, err = io.Copy(&out, b)
	}
	if err != nil && !errors.Is(err, ErrCut) {
		return "", in.explain(err, most)
	}
	if utf8.ValidString(out.String()) {
		return out.String(), err
	}
	return latin1(out.String()), err
}

// zeroEverySecond recognizes UTF-16 of ASCII characters: of the first bytes exactly those at odd positions (from 1) or
// at even ones are zero. It takes at least two characters to distinguish it from a text that happens to contain a zero.
func zeroEverySecond(head []byte, from int) bool {
	if len(head) < 4 {
		return false
	}
	for i, c := range head {
		if (i%2 == from) != (c == 0) {
			return false
		}
	}
	return true
}

// size returns the size of a reader if it is known: growing text is copied repeatedly.
func size(r io.Reader) int64 {
	switch r := r.(type) {
	case interface{ Len() int }:
		return int64(r.Len())
	case interface{ Stat() (fs.FileInfo, error) }:
		if st, err := r.Stat(); err == nil && st.Mode().IsRegular() {
			return st.Size()
		}
	}
	return 0
}

// counted ends a file that is too large.
type counted struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

func (c *counted) explain(err error, most int64) error {
	if errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("%w: more than %d MiB", ErrTooLarge, most>>20)
	}
	return err
}

func readUTF16(out *strings.Builder, r *bufio.Reader, o binary.ByteOrder) error {
	var unit [2]byte
	var high rune // of a surrogate pair, 0 outside of one
	for {
		n, err := io.ReadFull(r, unit[:])
		if high != 0 && err != nil {
			out.WriteRune(utf8.RuneError)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF) && n == 1:
			return ErrCut
		case err != nil:
			return err
		}
		c := rune(o.Uint16(unit[:]))
		if high != 0 {
			pair := utf16.DecodeRune(high, c)
			high = 0
			if out.WriteRune(pair); pair != utf8.RuneError {
				continue
			}
		}
		switch {
		case c >= 0xd800 && c < 0xdc00:
			high = c
		default:
			out.WriteRune(c) // an unpaired low surrogate becomes U+FFFD
		}
	}
}

func latin1(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for i := range len(s) {
		out.WriteRune(rune(s[i]))
	}
	return out.String()
}
