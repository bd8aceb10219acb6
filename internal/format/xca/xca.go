// Package xca undoes the compression of Microsoft's Xpress family, which SMB 3.1.1 puts around messages.
//
//	LZ77           u32 flags, high bit first │ 0: literal byte │ 1: u16 offset-1 (13) · length-3 (3), longer ones in what follows
//	LZ77+Huffman   256 bytes: 512 code lengths of 4 bits │ u16 words of a bit stream, lengths beyond 17 as bytes between them
//	LZNT1          chunks of 4 KiB: u16 compressed(1) · 3 (3) · size-3 (12) │ flag byte, low bit first │ literal or u16
//
// Rules of the room:
//
//   - Every function makes exactly as many bytes as it is asked for, or fails. It never makes more, whatever the input
//     says, so that the caller's bound is the bound. A caller that needs only the beginning asks for less than there
//     is.
//   - An offset before the first byte, a code without a symbol, and input that ends too early are [ErrDamaged].
//   - Nothing is compressed here.
//
// See [MS-XCA].
package xca

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged says that bytes are not what the compressor writes, or that they end too early.
var ErrDamaged = errors.New("xca: damaged data")

var le = binary.LittleEndian

// output grows up to size bytes.
type output struct {
	b    []byte
	size int
}

// newOutput reserves no more than input of n bytes makes plausible: an announced size costs nothing until it is filled.
func newOutput(size, n int) *output {
	return &output{make([]byte, 0, max(0, min(size, 8*n))), size}
}

func (o *output) full() bool { return len(o.b) >= o.size }

// match repeats length bytes from distance back, the last of which may be made by the match itself. What goes beyond
// the size is cut. start is the first byte that may be repeated.
func (o *output) match(start, distance, length int) error {
	from := len(o.b) - distance
	if from < start {
		return ErrDamaged
	}
	length = min(length, o.size-len(o.b))
	for length > 0 {
		n := min(length, len(o.b)-from) // twice as much with each turn, where the match overlaps itself
		o.b = append(o.b, o.b[from:from+n]...)
		length -= n
	}
	return nil
}
