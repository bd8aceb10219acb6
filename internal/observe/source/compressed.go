package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
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
// of them is given as it is.
func Decompress(r io.Reader) (io.Reader, error) {
	packed := &counter{r: r}
	b := bufio.NewReader(packed)
	head, _ := b.Peek(6)
	var plain io.Reader
	var err error
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		plain, err = gzip.NewReader(b)
	case string(head) == "\xfd7zXZ\x00":
		plain, err = xz.ReaderConfig{DictCap: maxExpansion}.NewReader(b)
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

// Head reads the beginning of a stream. Behind it comes io.ErrUnexpectedEOF, not io.EOF: there is more.
func Head(b []byte) io.Reader { return &head{b} }

type head struct{ b []byte }

func (r *head) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}
