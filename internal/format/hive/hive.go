// Package hive reads registry hives (regf) that may be dirty, truncated, corrupted or hostile. It reads only what it is
// asked for: a lookup reads the cells on its path, never the whole file.
//
//	base block (4096 bytes)                       hive bins data (offsets below count from here)
//	+0   "regf"                                   +0  "hbin" header, 32 bytes
//	+4   primary, +8 secondary sequence number    +32 cells: int32 size (negative: in use), then one of
//	+12  last written (FILETIME)                       nk key · vk value · sk security · db big data
//	+20  major, +24 minor version                      li/lf/lh lists of subkeys · ri list of lists · raw data
//	+28  file type: 0 hive, 1 and 2 old log, 6 new log
//	+36  offset of the root key, +40 size of the bins, +44 sector size / 512
//	+508 XOR of the 127 words before
//
// The layout is described in Maxim Suhanov's "Windows registry file format specification" and in libregf's notes.
//
// Why not a library: www.velocidex.com/golang/regparser was tried. With an index root that lists itself, it recurses
// until the stack is exhausted, from which it cannot recover; it reads every list element and data byte with a separate
// call; it refuses the old log format, and checks neither the hashes nor the order of new log entries. Untrusted files
// need bounds in every step, so this package reads the format itself.
package hive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Limits. Each is what a real hive can need, so that a hostile one costs no more than a real one.
const (
	baseSize = 4096
	// A hive's bins are addressed by 31-bit offsets.
	maxHive = 1 << 31
	// The largest allocation for one cell: a list of 65,535 hashed subkeys takes 512 KiB, and value data beyond
	// 16,344 bytes is cut into segments since minor version 4; older hives keep up to 1 MiB in a cell.
	maxCell = 4 << 20
	// No value that an audit reads is larger than this.
	maxData = 16 << 20
	// Windows allows 512 levels of keys.
	maxDepth = 512
	// The smallest cell of a key (76 bytes, a name, the size) and of a value (20 bytes and the size), rounded to 8.
	minKeyCell, minValueCell = 80, 24
)

// FormatError reports a format violation and its position in the file.
type FormatError struct {
	Offset int64 // from the start of the (uncompressed) file
	Why    string
}

// Error implements error.
func (e *FormatError) Error() string { return fmt.Sprintf("hive: at offset %#x: %s", e.Offset, e.Why) }

// Info is the content of the base block, after any replay of logs.
type Info struct {
	Name               string // the file's own partial path, as its writer stored it
	Primary, Secondary uint32 // sequence numbers
	Minor              uint32
	Dirty              bool     // the file by itself was inconsistent: a write had begun and not ended
	Replayed           int      // log entries (new format) or logs (old format) that were applied
	Problems           []string // tolerated errors; a caller must treat the result as partial
}

// Hive is one open hive. It is safe for concurrent use.
type Hive struct {
	info Info
	root uint32
	size uint32 // of the bins data, as declared and present
	src  *pages

	mu   sync.Mutex
	ccs  string // the control set of CurrentControlSet, once looked up
	done bool

	close func() error
}

// base is a decoded base block.
type base struct {
	primary, secondary uint32
	written            uint64
	major, minor, kind uint32
	root, size, sector uint32
	name               string
	sumOK              bool
}

func parseBase(b []byte) (base, error) {
	var h base
	if len(b) < 512 {
		return h, &FormatError{0, "the file is shorter than a base block"}
	}
	if string(b[:4]) != "regf" {
		return h, &FormatError{0, "not a registry hive (no regf signature)"}
	}
	le := binary.LittleEndian
	h = base{
		primary: le.Uint32(b[4:]), secondary: le.Uint32(b[8:]), written: le.Uint64(b[12:]),
		major: le.Uint32(b[20:]), minor: le.Uint32(b[24:]), kind: le.Uint32(b[28:]),
		root: le.Uint32(b[36:]), size: le.Uint32(b[40:]), sector: le.Uint32(b[44:]),
		name: cutName(b[48:112]),
	}
	h.sumOK = checksum(b) == le.Uint32(b[508:])
	return h, nil
}

// checksum returns the XOR of the first 508 bytes as words; the two values that mean no checksum are avoided.
func checksum(b []byte) uint32 {
	var c uint32
	for i := 0; i < 508; i += 4 {
		c ^= binary.LittleEndian.Uint32(b[i:])
	}
	switch c {
	case 0:
		return 1
	case 0xffffffff:
		return 0xfffffffe
	}
	return c
}

// Open opens a hive of size bytes. The logs are its transaction logs, LOG1 before LOG2; they are used only if the hive
// is dirty. An unreadable hive is an error; an unusual one is opened and has problems in Info.
func Open(r io.ReaderAt, size int64, logs ...Log) (*Hive, error) {
	if size > maxHive+baseSize {
		size = maxHive + baseSize
	}
	block := make([]byte, 512)
	if n, err := r.ReadAt(block, 0); n < len(block) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("hive: %w", err)
		}
		return nil, &FormatError{0, "the file is shorter than a base block"}
	}
	b, err := parseBase(block)
	if err != nil {
		return nil, err
	}
	if b.kind != 0 {
		return nil, &FormatError{28, fmt.Sprintf("a transaction log (file type %d), not a hive", b.kind)}
	}
	if b.major != 1 {
		return nil, &FormatError{20, fmt.Sprintf("unknown major version %d", b.major)}
	}
	h := &Hive{src: newPages(r, size)}
	h.info.Dirty = !b.sumOK || b.primary != b.secondary
	if !b.sumOK {
		h.problem("the base block's checksum is wrong")
	}
	if h.info.Dirty {
		h.replay(&b, logs)
	}
	h.info.Name, h.info.Minor = b.name, b.minor
	h.info.Primary, h.info.Secondary = b.primary, b.secondary
	h.root, h.size = b.root, b.size
	if have := h.src.size - baseSize; have < int64(h.size) {
		h.problem("the hive is truncated: its header counts %d bytes of data and %d are there", h.size, max(have, 0))
		h.size = uint32(max(have, 0))
	}
	if _, err := h.key(h.root, 0); err != nil {
		return nil, err
	}
	return h, nil
}

// Info returns what was found when the hive was opened.
func (h *Hive) Info() Info { return h.info }

// Close releases the file that OpenFile opened.
func (h *Hive) Close() error {
	if h.close == nil {
		return nil
	}
	return h.close()
}

func (h *Hive) problem(format string, args ...any) {
	h.info.Problems = append(h.info.Problems, fmt.Sprintf(format, args...))
}

// cell reads the contents of the cell at an offset in the bins data. Padding at its end is included.
func (h *Hive) cell(off uint32) ([]byte, error) {
	at := int64(baseSize) + int64(off)
	if off%8 != 0 || int64(off)+8 > int64(h.size) {
		return nil, &FormatError{at, "a cell's offset is outside the hive"}
	}
	var head [4]byte
	if err := h.src.read(head[:], at); err != nil {
		return nil, err
	}
	n := int32(binary.LittleEndian.Uint32(head[:]))
	if n >= 0 {
		return nil, &FormatError{at, "a cell that is in use is marked free"}
	}
	size := -int64(n)
	if size < 8 || size > int64(h.size)-int64(off) || size > maxCell {
		return nil, &FormatError{at, fmt.Sprintf("a cell's size is wrong: %d bytes", size)}
	}
	b := make([]byte, size-4)
	if err := h.src.read(b, at+4); err != nil {
		return nil, err
	}
	return b, nil
}

// record is cell for cells that start with a signature.
func (h *Hive) record(off uint32, sig string, least int) ([]byte, error) {
	b, err := h.cell(off)
	if err != nil {
		return nil, err
	}
	if len(b) < least || string(b[:2]) != sig {
		return nil, &FormatError{int64(baseSize) + int64(off), fmt.Sprintf("no %s record here", sig)}
	}
	return b, nil
}
