package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxExpansion bounds the window that a compressed stream may ask for, in bytes.
const maxExpansion = 64 << 20

// Decompress looks at the first bytes of r and unpacks gzip, xz and zstd. A stream that is none of them is given as it is.
func Decompress(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(6)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case string(head) == "\xfd7zXZ\x00":
		return xz.ReaderConfig{DictCap: maxExpansion}.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxExpansion))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return b, nil
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
