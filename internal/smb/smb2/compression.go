package smb2

import (
	"bytes"
	"errors"
	"fmt"
)

// The compression algorithms of [MS-SMB2] 2.2.3.1.3.
const (
	CompressNone        = 0x0000
	CompressLZNT1       = 0x0001
	CompressLZ77        = 0x0002
	CompressLZ77Huffman = 0x0003
	CompressPatternV1   = 0x0004
	CompressLZ4         = 0x0005
)

// CompressionChained is the flag of a chained header. See [MS-SMB2] 2.2.42.
const CompressionChained = 0x0001

// ErrCompressed means that a frame is compressed with an unsupported algorithm.
var ErrCompressed = errors.New("compressed with an algorithm that is not decoded")

// Codec undoes an algorithm: it makes the first size bytes of what src stands for, and no more. An algorithm that it
// does not know is ErrCompressed. This package itself undoes none and patterns.
type Codec func(algorithm uint16, src []byte, size int) ([]byte, error)

// CompressionHeader stands before a compressed frame. In the chained form Algorithm and Length are those of the first
// payload, whose data starts at 16 bytes; in the unchained form Length is the offset of the compressed data behind it.
// See [MS-SMB2] 2.2.42.
type CompressionHeader struct {
	OriginalSize uint32
	Algorithm    uint16
	Flags        uint16
	Length       uint32
}

const compressionLen = 16

// Unmarshal reads the header at the start of a frame.
func (h *CompressionHeader) Unmarshal(frame []byte) error {
	if len(frame) < compressionLen {
		return fmt.Errorf("smb2: compression header: %w: %d bytes", ErrShort, len(frame))
	}
	if [4]byte(frame[:4]) != compressionID {
		return fmt.Errorf("smb2: compression header: %w", ErrProtocol)
	}
	*h = CompressionHeader{le.Uint32(frame[4:]), le.Uint16(frame[8:]), le.Uint16(frame[10:]), le.Uint32(frame[12:])}
	return nil
}

// Decompress undoes a compressed frame: it gives the first max bytes of the message, or all of it where it is shorter,
// and how long all of it is. A frame of which the end is missing is good for as much as comes before that. See
// [MS-SMB2] 2.2.42 and 3.1.5.3.
func Decompress(frame []byte, max int, undo Codec) (plain []byte, size int, err error) {
	var h CompressionHeader
	if err := h.Unmarshal(frame); err != nil {
		return nil, 0, err
	}
	total := uint64(h.OriginalSize)
	if h.Flags&CompressionChained == 0 {
		total += uint64(h.Length)
	}
	if total > maxOriginal {
		return nil, 0, fmt.Errorf("smb2: compressed frame: %w: %d bytes", ErrBounds, total)
	}
	size = int(total)
	want := min(size, max)
	if h.Flags&CompressionChained != 0 {
		plain, err = unchain(frame[8:], want, undo)
	} else {
		plain, err = uncompress(&h, frame[compressionLen:], want, undo)
	}
	if err != nil {
		return nil, size, fmt.Errorf("smb2: compressed frame: %w", err)
	}
	return plain, size, nil
}

// maxOriginal is the longest possible message, given by the frame length on TCP. See [MS-SMB2] 2.1.
const maxOriginal = 1<<24 - 1

// uncompress handles the form with one segment after plain bytes. See [MS-SMB2] 2.2.42.1.
func uncompress(h *CompressionHeader, b []byte, want int, undo Codec) ([]byte, error) {
	plain := int(h.Length)
	if plain >= want && want <= len(b) {
		return bytes.Clone(b[:want]), nil
	}
	if plain > len(b) {
		return nil, fmt.Errorf("%w: compressed data at %d of %d bytes", ErrBounds, plain, len(b))
	}
	data, err := undo(h.Algorithm, b[plain:], want-plain)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(b[:plain]), data...), nil
}

// unchain handles the form with several payloads in a row. See [MS-SMB2] 2.2.42.2.
func unchain(b []byte, want int, undo Codec) (out []byte, err error) {
	for len(out) < want {
		if len(b) < 8 {
			return nil, fmt.Errorf("payload: %w", ErrShort)
		}
		algorithm, n := le.Uint16(b), int(min(le.Uint32(b[4:]), maxOriginal+1))
		b = b[8:]
		data := b[:min(n, len(b))]
		b = b[len(data):]
		left := want - len(out)
		switch algorithm {
		case CompressNone:
			out = append(out, data[:min(left, len(data))]...)
		case CompressPatternV1:
			if len(data) != 8 {
				return nil, fmt.Errorf("pattern: %w: %d bytes", ErrBounds, len(data))
			}
			repeat := int(min(le.Uint32(data[4:]), maxOriginal+1))
			out = append(out, bytes.Repeat(data[:1], min(left, repeat))...)
		default:
			if len(data) < 4 {
				return nil, fmt.Errorf("payload: %w", ErrShort)
			}
			original := int(min(le.Uint32(data), maxOriginal+1))
			plain, err := undo(algorithm, data[4:], min(left, original))
			if err != nil {
				return nil, err
			}
			out = append(out, plain...)
		}
		if len(data) < n && len(out) < want {
			return nil, fmt.Errorf("payload: %w: %d of %d bytes", ErrBounds, len(data), n)
		}
	}
	return out, nil
}

// CompressionNames are the algorithms as the specification writes them.
func CompressionNames(ids []uint16) []string {
	known := [...]string{"NONE", "LZNT1", "LZ77", "LZ77+Huffman", "Pattern_V1", "LZ4"}
	names := make([]string, len(ids))
	for i, id := range ids {
		if names[i] = fmt.Sprintf("0x%04X", id); int(id) < len(known) {
			names[i] = known[id]
		}
	}
	return names
}
