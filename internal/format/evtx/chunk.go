package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	chunkHeaderSize  = 512
	recordHeaderSize = 24
	recordMin        = recordHeaderSize + 4 // with the size repeated at its end
)

var recordSignature = []byte{0x2a, 0x2a, 0, 0}

var errName = errors.New("evtx: name outside its chunk")

// chunk is the one chunk in memory. All offsets of names and templates count from data[0].
type chunk struct {
	data      []byte
	pos       int // of the next record
	end       int // of the records
	free      int // the header's end of the records; a dirty file may hold more after it
	lastID    uint64
	dirty     bool
	badHeader bool
	badData   bool

	names     map[uint32]string
	templates map[uint32]*template // nil value: known to be damaged
	compiled  int                  // bytes of template definitions compiled so far
	intern    map[string]string    // shared by all chunks
	utf8      []byte
}

// record is one record's place in its chunk.
type record struct {
	id         uint64
	written    uint64 // FILETIME, 0 in exported logs
	start, end int    // of its BinXML
}

// load takes a chunk's bytes, which may be cut short.
func (c *chunk) load(b []byte, dirty bool) {
	c.data = append(c.data[:0], b...)
	clear(c.names)
	clear(c.templates)
	c.compiled = 0
	c.dirty, c.badHeader, c.badData, c.lastID = dirty, false, false, 0
	c.pos, c.end = chunkHeaderSize, len(c.data)
	c.free = c.end
	if len(c.data) < chunkHeaderSize {
		c.pos, c.badHeader, c.badData = c.end, true, true
		return
	}
	sum := crc32.Update(crc32.ChecksumIEEE(c.data[:120]), crc32.IEEETable, c.data[128:512])
	c.badHeader = sum != binary.LittleEndian.Uint32(c.data[124:])
	free := int64(binary.LittleEndian.Uint32(c.data[48:]))
	switch {
	case free < chunkHeaderSize || free > int64(len(c.data)):
		c.badData = true
	case crc32.ChecksumIEEE(c.data[chunkHeaderSize:free]) != binary.LittleEndian.Uint32(c.data[52:]):
		c.badData = true
	}
	if !c.badHeader && free >= chunkHeaderSize && free <= int64(len(c.data)) {
		// Beyond it stand zeros or what an older use of the space left.
		c.free = int(free)
	}
}

// cut shortens the chunk to its first n bytes.
func (c *chunk) cut(n int) {
	c.data = c.data[:n]
	c.end = min(c.end, n)
	c.free = min(c.free, n)
	c.pos = min(c.pos, n)
}

// next finds the next record. If there is none at the expected position, it skips to the next signature.
func (c *chunk) next(stats *Stats) (record, bool) {
	for c.pos < c.free {
		if rec, ok := c.recordAt(c.pos); ok {
			c.lastID = rec.id
			return rec, true
		}
		if allZero(c.data[c.pos:c.free]) {
			c.pos = c.free
			break
		}
		stats.Damaged++
		if !c.resync() {
			break
		}
	}
	if !c.dirty || c.lastID == 0 {
		return record{}, false
	}
	// In a file that was not closed, records follow that the header does not count yet. They continue the numbering;
	// remains of an older use of the space do not.
	if rec, ok := c.recordAt(c.pos); ok && rec.id == c.lastID+1 {
		c.lastID = rec.id
		return rec, true
	}
	c.pos = c.end
	return record{}, false
}

// recordAt reads a record's frame and moves past it.
func (c *chunk) recordAt(at int) (record, bool) {
	if at < 0 || at+recordMin > c.end || !bytes.Equal(c.data[at:at+4], recordSignature) {
		return record{}, false
	}
	size := int64(binary.LittleEndian.Uint32(c.data[at+4:]))
	if size < recordMin || size > int64(c.end-at) {
		return record{}, false
	}
	end := at + int(size)
	if int64(binary.LittleEndian.Uint32(c.data[end-4:])) != size {
		return record{}, false
	}
	c.pos = end
	return record{
		id:      binary.LittleEndian.Uint64(c.data[at+8:]),
		written: binary.LittleEndian.Uint64(c.data[at+16:]),
		start:   at + recordHeaderSize,
		end:     end - 4,
	}, true
}

// resync moves to the next position that frames a record.
func (c *chunk) resync() bool {
	for at := c.pos + 1; ; {
		if at >= c.free {
			c.pos = c.free
			return false
		}
		i := bytes.Index(c.data[at:c.free], recordSignature)
		if i < 0 {
			c.pos = c.free
			return false
		}
		at += i
		if _, ok := c.recordAt(at); ok {
			c.pos = at
			return true
		}
		at++
	}
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// name reads the name at a chunk offset: next u32, hash u16, characters u16, UTF-16, NUL. size is the number of bytes
// that it takes in a record.
func (c *chunk) name(off uint32) (s string, size int, err error) {
	if uint64(off)+8 > uint64(len(c.data)) {
		return "", 0, fmt.Errorf("%w: offset %d", errName, off)
	}
	at := int(off)
	n := int(binary.LittleEndian.Uint16(c.data[at+6:]))
	size = 8 + 2*n + 2
	if at+size > len(c.data) {
		return "", 0, fmt.Errorf("%w: offset %d, %d characters", errName, off, n)
	}
	if s, ok := c.names[off]; ok {
		return s, size, nil
	}
	c.utf8 = appendUTF16(c.utf8[:0], c.data[at+8:at+8+2*n])
	s, ok := c.intern[string(c.utf8)]
	if !ok {
		s = string(c.utf8)
		if !validName(s) {
			return "", 0, fmt.Errorf("evtx: %q is no XML name", s)
		}
		if len(c.intern) < maxInterned {
			c.intern[s] = s
		}
	}
	c.names[off] = s
	return s, size, nil
}

// validName reports whether s can be a name in XML without becoming other XML.
func validName(s string) bool {
	if s == "" {
		return false
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == ':',
			r >= 0xc0 && r != 0xd7 && r != 0xf7 && r != utf8.RuneError && r < 0x2000:
		case i > 0 && (r >= '0' && r <= '9' || r == '-' || r == '.'):
		default:
			return false
		}
	}
	return true
}

// appendUTF16 appends little-endian UTF-16 as UTF-8; an unpaired surrogate becomes U+FFFD.
func appendUTF16(dst, b []byte) []byte {
	for i := 0; i+1 < len(b); i += 2 {
		u := uint16(b[i]) | uint16(b[i+1])<<8
		if u < utf8.RuneSelf {
			dst = append(dst, byte(u))
			continue
		}
		r := rune(u)
		if utf16.IsSurrogate(r) {
			if i+3 < len(b) {
				if r = utf16.DecodeRune(r, rune(uint16(b[i+2])|uint16(b[i+3])<<8)); r != utf8.RuneError {
					i += 2
				}
			} else {
				r = utf8.RuneError
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
