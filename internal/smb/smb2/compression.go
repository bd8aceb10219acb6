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

// ErrCompressed says that a frame is compressed with an algorithm that this package does not undo.
var ErrCompressed = errors.New("compressed with an algorithm that is not decoded")

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

// AppendMarshal appends the header.
func (h *CompressionHeader) AppendMarshal(dst []byte) []byte {
	dst = append(dst, compressionID[:]...)
	dst = le.AppendUint32(dst, h.OriginalSize)
	dst = le.AppendUint16(dst, h.Algorithm)
	dst = le.AppendUint16(dst, h.Flags)
	return le.AppendUint32(dst, h.Length)
}

// Decompress undoes a chained frame whose payloads are plain or patterns, which is how small messages are sent, into
// at most max bytes. Other algorithms are ErrCompressed. See [MS-SMB2] 3.1.5.3.
func Decompress(frame []byte, max int) ([]byte, error) {
	var h CompressionHeader
	if err := h.Unmarshal(frame); err != nil {
		return nil, err
	}
	if uint64(h.OriginalSize) > uint64(max) {
		return nil, fmt.Errorf("smb2: compressed frame: %w: %d bytes", ErrBounds, h.OriginalSize)
	}
	if h.Flags&CompressionChained == 0 {
		return nil, fmt.Errorf("smb2: algorithm %d: %w", h.Algorithm, ErrCompressed)
	}
	var out []byte
	for b := frame[8:]; len(b) > 0; {
		if len(b) < 8 {
			return nil, fmt.Errorf("smb2: compressed payload: %w", ErrShort)
		}
		algorithm, n := le.Uint16(b), le.Uint32(b[4:])
		if uint64(n) > uint64(len(b)-8) {
			return nil, fmt.Errorf("smb2: compressed payload: %w", ErrBounds)
		}
		data := b[8 : 8+n]
		b = b[8+n:]
		switch algorithm {
		case CompressNone:
			out = append(out, data...)
		case CompressPatternV1:
			if len(data) != 8 {
				return nil, fmt.Errorf("smb2: compressed pattern: %w: %d bytes", ErrBounds, len(data))
			}
			repeat := le.Uint32(data[4:])
			if uint64(len(out))+uint64(repeat) > uint64(h.OriginalSize) {
				return nil, fmt.Errorf("smb2: compressed pattern: %w", ErrBounds)
			}
			out = append(out, bytes.Repeat(data[:1], int(repeat))...)
		default:
			return nil, fmt.Errorf("smb2: algorithm %d: %w", algorithm, ErrCompressed)
		}
		if len(out) > int(h.OriginalSize) {
			return nil, fmt.Errorf("smb2: compressed frame: %w: more than it announced", ErrBounds)
		}
	}
	if len(out) != int(h.OriginalSize) {
		return nil, fmt.Errorf("smb2: compressed frame: %w: %d of %d bytes", ErrShort, len(out), h.OriginalSize)
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
