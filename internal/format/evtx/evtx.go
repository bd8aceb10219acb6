// Package evtx reads Windows event log files (EVTX): the file and its chunks, event records, and the binary XML of an
// event. It knows only the file format, not the meaning of events.
//
//	file:   "ElfFile\0" header, 4096 bytes; then chunks of 64 KiB each
//	chunk:  "ElfChnk\0" header, 512 bytes: record numbers, checksums, 64 name and 32 template buckets; then records
//	record: 2a 2a 00 00 | size u32 | record id u64 | written FILETIME u64 | BinXML … | size u32 again
//	BinXML: fragment header 0f 01 01 00 | template instance 0c | template definition (the first time) | values
//
// BinXML's tokens and types are those of [MS-EVEN6] 2.2.12 with two differences on disk: a name and a template
// definition have an offset from the start of their chunk. The first record that uses them contains them, and any later
// record of the same chunk may refer to them. So a chunk is complete in itself, and a damaged file is read chunk by
// chunk wherever a chunk's signature is at a multiple of 512 bytes.
//
// An [Event] has named fields, which are read without building XML; [Event.AppendXML] builds the XML on request.
// Nothing in a file is trusted: limits.go has each bound with its reason.
package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	fileSignature  = "ElfFile\x00"
	chunkSignature = "ElfChnk\x00"
	fileHeaderSize = 128
	chunkSize      = 64 << 10
	sector         = 512 // chunks of a damaged file are searched at multiples of this, the unit of disks and carvers
)

// File flags.
const (
	flagDirty = 1
	flagFull  = 2
)

// ErrNotEVTX means that a stream contained neither a file header nor a chunk.
var ErrNotEVTX = errors.New("evtx: no file header and no chunk found")

// Stats counts what was read and what could not be read.
type Stats struct {
	Dirty         bool  // the file was not closed: its last chunk may be ahead of its headers
	Full          bool  // the log was full
	BadFileHeader bool  // missing, or its checksum is wrong
	Chunks        int   // chunks read
	CarvedChunks  int   // of those, found out of place
	BadHeaders    int   // chunks whose header checksum is wrong
	BadData       int   // chunks whose record checksum is wrong
	Truncated     int   // chunks cut short, by the end of the file or by the next chunk
	Records       int   // events given
	Damaged       int   // records, or positions of records, that could not be read
	SkippedBytes  int64 // bytes outside chunks that are neither zero nor the file header
}

// Reader reads the events of one stream in order. It needs no seeking and keeps one chunk in memory.
type Reader struct {
	r      io.Reader
	buf    []byte // what was read and not yet used
	offset int64  // of buf[0]
	eof    bool
	err    error
	header bool // a file header was seen
	first  bool // the first block was examined
	stats  Stats
	chunk  chunk
	event  Event
}

// NewReader returns a Reader of an EVTX file's bytes.
func NewReader(r io.Reader) *Reader {
	rd := &Reader{r: r, buf: make([]byte, 0, chunkSize)}
	rd.chunk.names = make(map[uint32]string)
	rd.chunk.templates = make(map[uint32]*template)
	rd.chunk.intern = make(map[string]string)
	return rd
}

// Stats returns the counts so far.
func (r *Reader) Stats() Stats { return r.stats }

// Next returns the next event, or io.EOF. The event is valid until the next call. Damage in the file is skipped and
// counted in Stats; an error is the stream's own, or ErrNotEVTX.
func (r *Reader) Next() (*Event, error) {
	for {
		if rec, ok := r.chunk.next(&r.stats); ok {
			if err := r.event.reset(&r.chunk, rec); err != nil {
				r.stats.Damaged++
				continue
			}
			r.stats.Records++
			return &r.event, nil
		}
		if err := r.nextChunk(); err != nil {
			return nil, err
		}
	}
}

// nextChunk moves to the next chunk signature and loads what follows it.
func (r *Reader) nextChunk() error {
	for {
		if err := r.fill(sector); err != nil {
			return err
		}
		if len(r.buf) < len(chunkSignature) {
			if !r.header && r.stats.Chunks == 0 {
				return ErrNotEVTX
			}
			return io.EOF
		}
		switch {
		case string(r.buf[:8]) == chunkSignature:
			if err := r.fill(chunkSize); err != nil {
				return err
			}
			r.load()
			return nil
		case !r.first:
			r.fileHeader()
		default:
			r.skip()
		}
	}
}

// fileHeader examines the stream's first block.
func (r *Reader) fileHeader() {
	r.first = true
	if len(r.buf) < fileHeaderSize || string(r.buf[:8]) != fileSignature {
		r.stats.BadFileHeader = true
		r.skip()
		return
	}
	r.header = true
	flags := binary.LittleEndian.Uint32(r.buf[120:])
	r.stats.Dirty = flags&flagDirty != 0
	r.stats.Full = flags&flagFull != 0
	r.stats.BadFileHeader = crc32.ChecksumIEEE(r.buf[:120]) != binary.LittleEndian.Uint32(r.buf[124:])
	r.discard(min(sector, len(r.buf)))
}

// skip skips one sector that starts no chunk.
func (r *Reader) skip() {
	n := min(sector, len(r.buf))
	for _, b := range r.buf[:n] {
		if b != 0 {
			r.stats.SkippedBytes++
		}
	}
	r.discard(n)
}

// load passes on the chunk at the front of the buffer. If its records do not match their checksum, the next chunk may
// have overwritten its end: then the signature of that one is inside.
func (r *Reader) load() {
	if !r.first {
		r.first, r.stats.BadFileHeader = true, true
	}
	n := min(chunkSize, len(r.buf))
	r.stats.Chunks++
	if r.offset%chunkSize != 4096 {
		r.stats.CarvedChunks++
	}
	c := &r.chunk
	c.load(r.buf[:n], r.stats.Dirty)
	if c.badHeader {
		r.stats.BadHeaders++
	}
	if c.badData {
		r.stats.BadData++
		for at := sector; at+len(chunkSignature) <= n; at += sector {
			if bytes.Equal(r.buf[at:at+8], []byte(chunkSignature)) {
				c.cut(at)
				n = at
				break
			}
		}
	}
	if n < chunkSize {
		r.stats.Truncated++
	}
	r.discard(n)
}

// fill buffers at least n bytes, or as many as are left.
func (r *Reader) fill(n int) error {
	if r.err != nil {
		return r.err
	}
	for len(r.buf) < n && !r.eof {
		if cap(r.buf) < n {
			r.buf = append(make([]byte, 0, chunkSize), r.buf...)
		}
		m, err := io.ReadFull(r.r, r.buf[len(r.buf):n])
		r.buf = r.buf[:len(r.buf)+m]
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			r.eof = true
		case err != nil:
			r.err = fmt.Errorf("evtx: %w", err)
			return r.err
		}
	}
	return nil
}

func (r *Reader) discard(n int) {
	r.offset += int64(n)
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
}
