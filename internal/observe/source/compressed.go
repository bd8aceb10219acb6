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

// maxExpansion bounds the window that a compressed stream may request, in bytes.
const maxExpansion = 64 << 20

// The maximum expansion of a compressed stream: captures shrink to a third, logs to a twentieth, and a mostly empty log
// to a hundredth. A small stream may expand more.
const (
	maxRatio = 100
	freeSize = 256 << 20
)

// ErrExpands means that a compressed stream expands to more than any capture or log of its size.
var ErrExpands = fmt.Errorf("it unpacks to more than %d MiB and %d times its size", freeSize>>20, maxRatio)

// Decompress detects gzip, bzip2, xz and zstd by the first bytes of r, and decompresses within [ErrExpands]. Any other
// stream is returned as it is. A truncated one gives an error after what could be decompressed: of xz nearly all up to
// the end, of zstd whole blocks of up to 128 KiB, of bzip2 whole blocks of up to 900 kB.
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

// xzReader reports a truncated stream as other decompressors do.
type xzReader struct{ io.Reader }

// Read implements io.Reader.
func (x xzReader) Read(p []byte) (int, error) {
	n, err := x.Reader.Read(p)
	if errors.Is(err, xz.ErrBuf) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// counter counts the bytes read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded ends a stream that expands too much. packed returns its compressed length.
type bounded struct {
	r      io.Reader
	packed func() int64
	n      int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > freeSize && b.n/maxRatio > b.packed() {
		return 0, ErrExpands
	}
	return n, err
}

// Peek returns the beginning of a stream's decompressed content, up to size bytes: as much as known needs to recognize
// it, or, at the end of the stream, all. The returned stream begins at the same position. If nothing could be
// decompressed, head is that of the compressed stream, for [Describe].
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

// magicLen is the length of the longest magic number of a compressed stream.
const magicLen = 6
