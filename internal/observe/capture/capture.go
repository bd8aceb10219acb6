// Package capture reads packets out of capture files, pcap and pcapng, one after the other and without a copy.
//
//	pcap     magic 4, version 2+2, zone 4, figures 4, snap length 4, link type 4
//	         { seconds 4, micro- or nanoseconds 4, captured 4, on the wire 4, packet }*
//	pcapng   { type 4, length 4, body, length 4 }*   section header, interface, enhanced/simple/old packet, statistics
//
// The file's byte order is its writer's. Rules of the room: a length is believed up to maxPacket, the number of
// interfaces is bounded, blocks that are not known are passed over, and a file that ends early has given all that it
// held.
//
// A reader of its own, because the libraries' keep a record with names for each interface that a file cares to
// announce. See www.ietf.org/archive/id/draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gopacket/gopacket/layers"
)

const (
	// maxPacket is the maximum length of a packet: libpcap's own bound is 256 KiB, and offloading makes at most 64 KiB.
	maxPacket = 256 << 10
	// bufferSize holds a few hundred packets, so that most are returned without a copy.
	bufferSize = 1 << 20
	// maxInterfaces is larger than any interface number of the old packet block. Packets of interfaces beyond it are
	// only counted.
	maxInterfaces = 1 << 16
)

// ErrFormat means that the bytes are not a capture, or are damaged in the middle of one.
var ErrFormat = errors.New("not a capture")

// Packet is one captured packet. Data lives until the next call of Next.
type Packet struct {
	Link   layers.LinkType
	Data   []byte
	Length int // on the wire
	Time   time.Time
}

// Reader reads one file.
type Reader struct {
	r       *bufio.Reader
	order   binary.ByteOrder
	little  bool
	ng      bool
	last    int // bytes of the last returned packet, to be discarded
	extra   int // pcap: bytes between a record's header and its packet, in one variant of the format
	link    layers.LinkType
	nano    bool
	ifaces  []iface
	unknown int64
	dropped int64
}

// iface is what matters of an interface's description.
type iface struct {
	link   layers.LinkType
	snap   uint32
	units  uint64 // in a second
	offset int64  // seconds
}

// Magic is the number of bytes that identify a capture.
const Magic = 4

// Is reports whether a file that begins with head is a capture. Magic bytes are enough.
func Is(head []byte) bool {
	if len(head) < Magic {
		return false
	}
	switch binary.BigEndian.Uint32(head) {
	case magicMicro, magicNano, magicModified, blockSection,
		reverse(magicMicro), reverse(magicNano), reverse(magicModified):
		return true
	}
	return false
}

const (
	magicMicro    = 0xA1B2C3D4
	magicNano     = 0xA1B23C4D
	magicModified = 0xA1B2CD34 // with 8 bytes more in each record, from patched kernels long ago
)

func reverse(v uint32) uint32 { return v>>24 | v>>8&0xFF00 | v<<8&0xFF0000 | v<<24 }

// NewReader reads the file's header. r is not compressed.
func NewReader(r io.Reader) (*Reader, error) {
	head := make([]byte, 24)
	n, err := io.ReadFull(r, head)
	if head = head[:n]; !Is(head) { // before the large buffer: an archive may have many other files
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		return nil, ErrFormat
	}
	c := &Reader{r: bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), r), bufferSize)}
	magic := binary.BigEndian.Uint32(head)
	if magic == blockSection {
		c.ng = true
		return c, nil
	}
	if len(head) < 24 {
		return nil, fmt.Errorf("%w: it ends in its header", ErrFormat)
	}
	c.setOrder(magic == reverse(magicMicro) || magic == reverse(magicNano) || magic == reverse(magicModified))
	switch c.order.Uint32(head) {
	case magicNano:
		c.nano = true
	case magicModified:
		c.extra = 8
	}
	c.link = layers.LinkType(c.order.Uint32(head[20:]) & 0xFFFF) // above it: the length of the frame check
	_, err = c.r.Discard(24)
	return c, err
}

func (c *Reader) setOrder(little bool) {
	c.little = little
	c.order = binary.BigEndian
	if little {
		c.order = binary.LittleEndian
	}
}

// u32 avoids an interface call in the code that runs for each packet.
func (c *Reader) u32(b []byte) uint32 {
	if c.little {
		return binary.LittleEndian.Uint32(b)
	}
	return binary.BigEndian.Uint32(b)
}

// Unknown returns the number of skipped packets whose interface is beyond the bound or was not described.
func (c *Reader) Unknown() int64 { return c.unknown }

// Dropped returns the number of packets that the writer of the file reports as lost.
func (c *Reader) Dropped() int64 { return c.dropped }

// Next returns the next packet. io.EOF is the end; io.ErrUnexpectedEOF means that the file ends inside a packet, and an
// error that wraps ErrFormat that it is damaged. After an error nothing more can be read.
func (c *Reader) Next() (Packet, error) {
	if c.last > 0 {
		_, _ = c.r.Discard(c.last) // all of it is in the buffer
		c.last = 0
	}
	if c.ng {
		return c.nextNG()
	}
	head, err := c.r.Peek(16 + c.extra)
	if err != nil {
		return Packet{}, ended(head, err)
	}
	seconds, fraction := c.u32(head), int64(c.u32(head[4:]))
	n, length := c.u32(head[8:]), c.u32(head[12:])
	if n > maxPacket {
		return Packet{}, fmt.Errorf("%w: a packet of %d bytes", ErrFormat, n)
	}
	_, _ = c.r.Discard(16 + c.extra)
	data, err := c.r.Peek(int(n))
	if err != nil {
		return Packet{}, ended([]byte{0}, err)
	}
	c.last = int(n)
	if !c.nano {
		fraction *= 1000
	}
	return Packet{c.link, data, clampLength(length, n), time.Unix(int64(seconds), fraction).UTC()}, nil
}

// clampLength returns the length on the wire, which is at least the captured length.
func clampLength(length, captured uint32) int {
	return int(min(max(length, captured), math.MaxInt32))
}

// ended returns io.EOF for an end between records, and io.ErrUnexpectedEOF elsewhere.
func ended(got []byte, err error) error {
	if errors.Is(err, io.EOF) && len(got) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}
