// Package nbss frames SMB messages on TCP, as both ports do it:
//
//	port 445, direct TCP ([MS-SMB2] 2.1)      port 139, NetBIOS session service (RFC 1002 4.3)
//	0        1            3                    0      1       2        3
//	+--------+------------+----------          +------+-------+--------+----------
//	|  0x00  |   length   | message            | type | flags | length | trailer
//	+--------+------------+----------          +------+-------+--------+----------
//	           24 bits, big endian                      bit 0 of flags is bit 16 of the length
//
// The two agree on every message up to 128 KiB; servers and clients read the longer length on both ports, so this
// package does too. The room holds framing and the session service's own packets, in both directions, and no
// knowledge of SMB.
package nbss

import (
	"errors"
	"fmt"
	"io"
)

// The types of a session service packet. See RFC 1002 4.3.1.
const (
	SessionMessage   = 0x00
	SessionRequest   = 0x81
	PositiveResponse = 0x82
	NegativeResponse = 0x83
	Retarget         = 0x84
	KeepAlive        = 0x85
)

// HeaderLen is the length of the frame header, in bytes.
const HeaderLen = 4

// MaxLen is the largest length that the header can carry, in bytes.
const MaxLen = 1<<24 - 1

// firstRead bounds what a length by itself can make ReadFrame allocate: further memory is allocated as the bytes come
// in.
const firstRead = 16 << 10

// ErrTooLarge means that a frame announces more than the reader's bound; nothing of it was read.
var ErrTooLarge = errors.New("nbss: frame too large")

// ErrType means that the first byte of a frame is no session service type: the peer speaks another protocol.
var ErrType = errors.New("nbss: not a session service frame")

// AppendHeader appends the header of a frame with n bytes behind it. It panics if n is out of range, which is the
// caller's own mistake.
func AppendHeader(dst []byte, typ byte, n int) []byte {
	if n < 0 || n > MaxLen {
		panic(fmt.Sprintf("nbss: frame of %d bytes", n))
	}
	return append(dst, typ, byte(n>>16), byte(n>>8), byte(n))
}

// PutHeader writes the header of a session message into the first four bytes of frame, which holds header and message.
func PutHeader(frame []byte) {
	AppendHeader(frame[:0], SessionMessage, len(frame)-HeaderLen)
}

// ParseHeader reads a header: the type and how many bytes follow.
func ParseHeader(b [HeaderLen]byte) (typ byte, n int, err error) {
	switch b[0] {
	case SessionMessage, SessionRequest, PositiveResponse, NegativeResponse, Retarget, KeepAlive:
		return b[0], int(b[1])<<16 | int(b[2])<<8 | int(b[3]), nil
	}
	return b[0], 0, ErrType
}

// ReadFrame reads one frame and returns its type and payload, which is in buf if it fits. A frame of more than max
// bytes is ErrTooLarge before anything is allocated, a first byte of another protocol ErrType; for both the payload is
// the header, for the caller's error message. io.EOF means that no byte of a frame was read, io.ErrUnexpectedEOF that
// it ended in the middle.
func ReadFrame(r io.Reader, buf []byte, max int) (typ byte, payload []byte, err error) {
	var h [HeaderLen]byte
	if n, err := io.ReadFull(r, h[:]); err != nil {
		return 0, append([]byte(nil), h[:n]...), err
	}
	typ, n, err := ParseHeader(h)
	if err != nil {
		return typ, append([]byte(nil), h[:]...), err
	}
	if n > max {
		return typ, append([]byte(nil), h[:]...),
			fmt.Errorf("%w: %d bytes announced, at most %d taken", ErrTooLarge, n, max)
	}
	if cap(buf) >= n {
		payload = buf[:n]
		_, err = io.ReadFull(r, payload)
	} else {
		payload, err = readGrowing(r, n)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return typ, payload, err
}

// readGrowing reads n bytes and allocates memory as they come, doubling, so that an announced length by itself costs
// only firstRead.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, 0, min(n, firstRead))
	for {
		m, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+m]
		if err != nil || len(b) == n {
			return b, err
		}
		grown := make([]byte, len(b), min(n, 2*cap(b)))
		copy(grown, b)
		b = grown
	}
}
