package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/gopacket/gopacket/layers"
)

// The block types that matter. See draft-ietf-opsawg-pcapng 4.
const (
	blockSection    = 0x0A0D0D0A
	blockInterface  = 1
	blockOldPacket  = 2
	blockSimple     = 3
	blockStatistics = 5
	blockEnhanced   = 6

	byteOrderMagic = 0x1A2B3C4D
)

// maxOptions bounds how many bytes of a block's options are read: the three numbers that matter come first.
const maxOptions = 4096

func (c *Reader) nextNG() (Packet, error) {
	for {
		head, err := c.r.Peek(12)
		if err != nil {
			return Packet{}, ended(head, err)
		}
		if binary.BigEndian.Uint32(head) == blockSection {
			switch uint32(byteOrderMagic) {
			case binary.LittleEndian.Uint32(head[8:]):
				c.setOrder(true)
			case binary.BigEndian.Uint32(head[8:]):
				c.setOrder(false)
			default:
				return Packet{}, fmt.Errorf("%w: a section without byte order", ErrFormat)
			}
			c.ifaces = c.ifaces[:0]
		}
		kind, size := c.u32(head), c.u32(head[4:])
		if size < 12 || size%4 != 0 {
			return Packet{}, fmt.Errorf("%w: a block of %d bytes", ErrFormat, size)
		}
		body := int(size) - 12
		_, _ = c.r.Discard(8)
		switch kind {
		case blockEnhanced:
			p, ok, err := c.enhanced(body)
			if ok || err != nil {
				return p, err
			}
		case blockOldPacket:
			p, ok, err := c.old(body)
			if ok || err != nil {
				return p, err
			}
		case blockSimple:
			p, ok, err := c.simple(body)
			if ok || err != nil {
				return p, err
			}
		case blockInterface:
			err = c.describe(body)
		case blockStatistics:
			err = c.statistics(body)
		default:
			err = c.pass(body + 4)
		}
		if err != nil {
			return Packet{}, err
		}
	}
}

// pass skips the rest of a block.
func (c *Reader) pass(n int) error {
	if _, err := c.r.Discard(n); err != nil {
		return ended([]byte{0}, err)
	}
	return nil
}

// peek returns the first n of the remaining body bytes of a block.
func (c *Reader) peek(n, body int) ([]byte, error) {
	if n > body {
		return nil, fmt.Errorf("%w: a block of %d bytes is too short for its kind", ErrFormat, body+12)
	}
	b, err := c.r.Peek(n)
	if err != nil {
		return nil, ended([]byte{0}, err)
	}
	return b, nil
}

// hand returns the n packet bytes at the beginning of the rest of a block, and remembers to skip the whole rest.
func (c *Reader) hand(n uint32, body int) ([]byte, error) {
	if int64(n) > int64(body) || n > maxPacket || body+4 > bufferSize {
		return nil, fmt.Errorf("%w: a packet of %d bytes in a block of %d", ErrFormat, n, body+12)
	}
	b, err := c.r.Peek(body + 4)
	if len(b) < int(n) {
		return nil, ended([]byte{0}, err)
	}
	c.last = len(b) // if the file ends after the packet, the next call reports it
	return b[:n], nil
}

func (c *Reader) enhanced(body int) (Packet, bool, error) {
	b, err := c.peek(20, body)
	if err != nil {
		return Packet{}, false, err
	}
	id := c.u32(b)
	ticks := uint64(c.u32(b[4:]))<<32 | uint64(c.u32(b[8:]))
	n, length := c.u32(b[12:]), c.u32(b[16:])
	_, _ = c.r.Discard(20)
	return c.packet(id, ticks, n, length, body-20)
}

// old reads the packet block that preceded the enhanced one: its interface and drops have 16 bits.
func (c *Reader) old(body int) (Packet, bool, error) {
	b, err := c.peek(20, body)
	if err != nil {
		return Packet{}, false, err
	}
	id := uint32(c.order.Uint16(b))
	if drops := c.order.Uint16(b[2:]); drops != 0xFFFF {
		c.dropped += int64(drops)
	}
	ticks := uint64(c.u32(b[4:]))<<32 | uint64(c.u32(b[8:]))
	n, length := c.u32(b[12:]), c.u32(b[16:])
	_, _ = c.r.Discard(20)
	return c.packet(id, ticks, n, length, body-20)
}

// simple reads a packet of the first interface; it has no time.
func (c *Reader) simple(body int) (Packet, bool, error) {
	b, err := c.peek(4, body)
	if err != nil {
		return Packet{}, false, err
	}
	length := c.u32(b)
	_, _ = c.r.Discard(4)
	n := min(length, uint32(body-4))
	if len(c.ifaces) > 0 && c.ifaces[0].snap > 0 {
		n = min(n, c.ifaces[0].snap)
	}
	p, ok, err := c.packet(0, 0, n, length, body-4)
	p.Time = time.Time{}
	return p, ok, err
}

func (c *Reader) packet(id uint32, ticks uint64, n, length uint32, body int) (Packet, bool, error) {
	if int64(id) >= int64(len(c.ifaces)) {
		c.unknown++
		return Packet{}, false, c.pass(body + 4)
	}
	data, err := c.hand(n, body)
	if err != nil {
		return Packet{}, false, err
	}
	f := c.ifaces[id]
	return Packet{f.link, data, clampLength(length, n), f.time(ticks)}, true, nil
}

func (f *iface) time(ticks uint64) time.Time {
	seconds, rest := ticks/f.units, ticks%f.units
	var nano uint64
	if f.units <= 1e9 {
		nano = rest * 1e9 / f.units
	} else {
		nano = uint64(float64(rest) / float64(f.units) * 1e9)
	}
	return time.Unix(int64(seconds)+f.offset, int64(nano)).UTC()
}

// describe reads an interface description.
func (c *Reader) describe(body int) error {
	b, err := c.peek(min(body, 8+maxOptions), body)
	if err != nil {
		return err
	}
	if len(b) < 8 {
		return fmt.Errorf("%w: an interface of %d bytes", ErrFormat, body)
	}
	f := iface{link: layers.LinkType(c.order.Uint16(b)), snap: c.u32(b[4:]), units: 1e6}
	c.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == 9 && len(v) == 1: // if_tsresol
			f.units = resolution(v[0])
		case code == 14 && len(v) == 8: // if_tsoffset
			f.offset = int64(c.order.Uint64(v))
		}
	})
	if len(c.ifaces) < maxInterfaces {
		c.ifaces = append(c.ifaces, f)
	}
	return c.pass(body + 4)
}

// resolution returns the number of units in a second: a power of ten, or of two if the highest bit is set.
func resolution(v byte) uint64 {
	if v&0x80 != 0 {
		return 1 << min(v&0x7F, 63)
	}
	return uint64(math.Pow10(int(min(v, 19))))
}

// statistics reads how many packets an interface lost.
func (c *Reader) statistics(body int) error {
	b, err := c.peek(min(body, 12+maxOptions), body)
	if err != nil {
		return err
	}
	if len(b) >= 12 {
		c.options(b[12:], func(code uint16, v []byte) {
			if (code == 5 || code == 7) && len(v) == 8 { // isb_ifdrop, isb_osdrop
				c.dropped += int64(min(c.order.Uint64(v), math.MaxInt32))
			}
		})
	}
	return c.pass(body + 4)
}

func (c *Reader) options(b []byte, f func(code uint16, v []byte)) {
	for len(b) >= 4 {
		code, n := c.order.Uint16(b), int(c.order.Uint16(b[2:]))
		if code == 0 || n > len(b)-4 {
			return
		}
		f(code, b[4:4+n])
		b = b[min(len(b), 4+(n+3)&^3):]
	}
}
