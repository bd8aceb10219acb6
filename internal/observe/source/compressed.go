package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// maxExpansion bounds the window that a compressed stream may ask for, in bytes.
const maxExpansion = 64 << 20

// What a compressed stream may become: captures shrink to a third, logs to a twentieth, and a log that is mostly empty to a
// hundredth. A small stream is given more room.
const (
	maxRatio = 100
	freeSize = 256 << 20
)

// ErrExpands says that a compressed stream becomes more than any capture or log of its size.
var ErrExpands = fmt.Errorf("it unpacks to more than %d MiB and %d times its size", freeSize>>20, maxRatio)

// Decompress looks at the first bytes of r and unpacks gzip, bzip2, xz and zstd, as far as [ErrExpands] allows. A stream that is none
// of them is given as it is. One that is cut gives an error behind what could be unpacked: of xz nearly all up to the cut, of
// zstd whole blocks of up to 128 KiB, of bzip2 whole blocks of up to 900 kB.
func Decompress(r io.Reader) (io.Reader, error) {
	packed := &counter{r: r}
	b := bufio.NewReader(packed)
	head, _ := b.Peek(magicLen)
	var plain io.Reader
	var err error
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		plain, err = gzip.NewReader(b)
	case string(head) == "\xfd7zXZ\x00":
		plain, err = xz.NewReader(b, maxExpansion)
		plain = xzReader{plain}
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		plain, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxExpansion))
	case bytes.HasPrefix(head, []byte("BZh")):
		plain = bzip2.NewReader(b)
	default:
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return &bounded{r: plain, packed: func() int64 { return packed.n }}, nil
}

// xzReader tells a stream that is cut as other decompressors do.
type xzReader struct{ io.Reader }

// Read is part of io.Reader.
func (x xzReader) Read(p []byte) (int, error) {
	n, err := x.Reader.Read(p)
	if errors.Is(err, xz.ErrBuf) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

// Read is part of io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded ends a stream that becomes too large. packed says how long it was.
type bounded struct {
	r      io.Reader
	packed func() int64
	n      int64
}

// Read is part of io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > freeSize && b.n/maxRatio > b.packed() {
		return 0, ErrExpands
	}
	return n, err
}

// Peek gives the beginning of what a stream holds when it is unpacked, up to size bytes: as much as is needed for known to tell
// what it is, and at the end of the stream what there is. The stream that is returned begins there again. Where nothing could
// be unpacked, head is that of the packed stream, which [Describe] tells.
func Peek(r io.Reader, size int, known func(head []byte) bool) (stream *bufio.Reader, head []byte) {
	packed := bufio.NewReader(r)
	magic, _ := packed.Peek(magicLen)
	magic = bytes.Clone(magic)
	plain, err := Decompress(packed)
	if err != nil {
		return packed, magic
	}
	b := bufio.NewReaderSize(plain, size)
	if head = Sniff(b, known); len(head) == 0 {
		head = magic
	}
	return b, head
}

// magicLen is the length of the longest mark that a compressed stream begins with.
const magicLen = 6
