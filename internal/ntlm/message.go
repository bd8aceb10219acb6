package ntlm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const signature = "NTLMSSP\x00"

// MessageType identifies one of the three messages.
type MessageType uint32

// The message types. See [MS-NLMP] 2.2.1.
const (
	TypeNegotiate    MessageType = 1
	TypeChallenge    MessageType = 2
	TypeAuthenticate MessageType = 3
)

// MaxMessage is the maximum length of a message. Every field length has 16 bits and a message has at most six fields;
// real messages are shorter than 4 KiB.
const MaxMessage = 6*0xFFFF + authenticateHeaderMIC

var errMessage = errors.New("ntlm: malformed message")

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errMessage, fmt.Sprintf(format, a...))
}

// TypeOf returns a message's type; ok is false if b does not begin like an NTLMSSP message.
func TypeOf(b []byte) (t MessageType, ok bool) {
	if len(b) < 12 || string(b[:8]) != signature {
		return 0, false
	}
	return MessageType(binary.LittleEndian.Uint32(b[8:])), true
}

func checkHeader(b []byte, want MessageType, min int) error {
	t, ok := TypeOf(b)
	switch {
	case !ok:
		return malformed("no NTLMSSP signature")
	case t != want:
		return malformed("type %d where %d is due", t, want)
	case len(b) < min:
		return malformed("%d bytes, %d at least are due", len(b), min)
	case len(b) > MaxMessage:
		return malformed("%d bytes, more than %d", len(b), MaxMessage)
	}
	return nil
}

// A Version is the operating system's version as reported by NTLM peers. See [MS-NLMP] 2.2.2.10.
type Version struct {
	Major, Minor uint8
	Build        uint16
	Reserved     [3]byte
	Revision     uint8 // 15 from every Windows since XP SP2
}

// String returns a text such as "10.0 build 17763".
func (v Version) String() string { return fmt.Sprintf("%d.%d build %d", v.Major, v.Minor, v.Build) }

func (v Version) append(b []byte) []byte {
	b = append(b, v.Major, v.Minor, byte(v.Build), byte(v.Build>>8))
	return append(append(b, v.Reserved[:]...), v.Revision)
}

func parseVersion(b []byte) Version {
	return Version{b[0], b[1], binary.LittleEndian.Uint16(b[2:]), [3]byte(b[4:7]), b[7]}
}

// layout records the payload of a message while it is parsed: where it begins, and the order of its fields. Clients
// differ in the order, and a message that is written again must be unchanged.
type layout struct {
	lowest int
	at     [maxFields]uint32 // offset of each field as sent, by field number
	last   [maxFields]uint32 // end of each field
	fields int
}

const maxFields = 6

func newLayout(total, fields int) *layout { return &layout{lowest: total, fields: fields} }

// placing is the part of a layout that is stored with a message: the order of the fields, and where the empty ones
// pointed.
type placing struct {
	order [maxFields]uint8
	at    [maxFields]uint32
	seen  bool // at contains a peer's offsets
}

// field parses the descriptor at b[pos:] and returns its data, aliasing b.
func (l *layout) field(b []byte, number, pos, floor int, name string) ([]byte, error) {
	n := int(binary.LittleEndian.Uint16(b[pos:]))
	off := binary.LittleEndian.Uint32(b[pos+4:])
	if n == 0 {
		// The offset of an empty field is meaningless; some peers write 0.
		l.at[number], l.last[number] = off, off
		return nil, nil
	}
	if uint64(off)+uint64(n) > uint64(len(b)) {
		return nil, malformed("%s ends at %d of %d bytes", name, uint64(off)+uint64(n), len(b))
	}
	if int(off) < floor {
		return nil, malformed("%s at %d lies in the fixed part", name, off)
	}
	l.at[number], l.last[number] = off, off+uint32(n)
	l.lowest = min(l.lowest, int(off))
	return b[off : int(off)+n : int(off)+n], nil
}

// header returns the largest known fixed size that fits before the payload.
func (l *layout) header(sizes ...int) int {
	best := sizes[0]
	for _, s := range sizes {
		if s <= l.lowest {
			best = s
		}
	}
	return best
}

// place sorts the field numbers by offset; an empty field precedes the field that begins where it points.
func (l *layout) place() *placing {
	p := &placing{at: l.at, seen: true}
	for n := range l.fields {
		i := n
		for i > 0 {
			before := p.order[i-1]
			if l.at[n] > l.at[before] || l.at[n] == l.at[before] && l.last[n] >= l.last[before] {
				break
			}
			p.order[i] = before
			i--
		}
		p.order[i] = uint8(n)
	}
	for n := l.fields; n < maxFields; n++ {
		p.order[n] = uint8(n)
	}
	return p
}

// writer writes a message: the descriptors at given positions, the payload after the fixed part.
type writer struct {
	b     []byte
	start int
}

func newWriter(dst []byte, t MessageType, header int) *writer {
	w := &writer{append(dst, make([]byte, header)...), len(dst)}
	copy(w.b[w.start:], signature)
	binary.LittleEndian.PutUint32(w.fixed(8), uint32(t))
	return w
}

func (w *writer) fixed(pos int) []byte { return w.b[w.start+pos:] }

func (w *writer) field(pos int, data []byte) error {
	if len(data) > 0xFFFF {
		return malformed("a field of %d bytes does not fit in 16 bits", len(data))
	}
	f := w.fixed(pos)
	binary.LittleEndian.PutUint16(f, uint16(len(data)))
	binary.LittleEndian.PutUint16(f[2:], uint16(len(data)))
	binary.LittleEndian.PutUint32(f[4:], uint32(len(w.b)-w.start))
	w.b = append(w.b, data...)
	return nil
}

// fields writes the payload in the order of p; if p came from a message, its empty fields point where they did.
func (w *writer) fields(p *placing, positions []int, data [][]byte) error {
	for _, n := range p.order[:len(data)] {
		if err := w.field(positions[n], data[n]); err != nil {
			return err
		}
		if len(data[n]) == 0 && p.seen {
			binary.LittleEndian.PutUint32(w.fixed(positions[n]+4), p.at[n])
		}
	}
	return nil
}
