package hive

import (
	"encoding/binary"
	"math/bits"
)

// marvin32 is the Marvin hash with the seed of log entries, computed incrementally.
type marvin32 struct {
	a, b uint32
	rest [4]byte
	n    int
}

func newMarvin() *marvin32 { return &marvin32{a: seedLow, b: seedHigh} }

// marvin returns the hash of one piece: the low word first.
func marvin(p []byte) uint64 {
	m := newMarvin()
	m.Write(p)
	return m.sum()
}

// Write adds bytes. It never fails.
func (m *marvin32) Write(p []byte) (int, error) {
	n := len(p)
	for m.n > 0 && len(p) > 0 {
		m.rest[m.n] = p[0]
		p = p[1:]
		if m.n++; m.n == 4 {
			m.word(binary.LittleEndian.Uint32(m.rest[:]))
			m.n = 0
		}
	}
	for ; len(p) >= 4; p = p[4:] {
		m.word(binary.LittleEndian.Uint32(p))
	}
	m.n += copy(m.rest[m.n:], p)
	return n, nil
}

func (m *marvin32) word(w uint32) {
	m.a += w
	m.mix()
}

func (m *marvin32) mix() {
	m.b ^= m.a
	m.a = bits.RotateLeft32(m.a, 20) + m.b
	m.b = bits.RotateLeft32(m.b, 9) ^ m.a
	m.a = bits.RotateLeft32(m.a, 27) + m.b
	m.b = bits.RotateLeft32(m.b, 19)
}

// sum ends the hash: the remaining bytes of a word, then 0x80.
func (m *marvin32) sum() uint64 {
	var w [4]byte
	copy(w[:], m.rest[:m.n])
	w[m.n] = 0x80
	m.word(binary.LittleEndian.Uint32(w[:]))
	m.mix()
	return uint64(m.b)<<32 | uint64(m.a)
}
