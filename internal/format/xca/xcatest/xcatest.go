// Package xcatest compresses as [MS-XCA] says, for tests of what undoes it: simple and slow, but every form of a length
// and a distance comes up.
package xcatest

import (
	"encoding/binary"
	"math/bits"
)

var le = binary.LittleEndian

// match finds the longest repetition at a place, no farther back than far and no longer than most; none is shorter than
// 3.
func match(b []byte, at, start, far, most int) (distance, length int) {
	for from := max(start, at-far); from < at; from++ {
		n := 0
		for n < most && at+n < len(b) && b[from+n] == b[at+n] {
			n++
		}
		if n >= 3 && n > length {
			distance, length = at-from, n
		}
	}
	return distance, length
}

// LZ77 compresses with Plain LZ77. See [MS-XCA] 2.3.4.
func LZ77(b []byte) []byte {
	out := make([]byte, 4)
	var flags uint32
	count, flagsAt, half := 0, 0, 0
	flag := func(bit uint32) {
		flags = flags<<1 | bit
		if count++; count == 32 {
			le.PutUint32(out[flagsAt:], flags)
			count, flagsAt = 0, len(out)
			out = append(out, 0, 0, 0, 0)
		}
	}
	for at := 0; at < len(b); {
		distance, length := match(b, at, 0, 8192, len(b))
		if length == 0 {
			out = append(out, b[at])
			at++
			flag(0)
			continue
		}
		at += length
		length -= 3
		out = le.AppendUint16(out, uint16((distance-1)<<3|min(length, 7)))
		if length >= 7 {
			length -= 7
			if half == 0 {
				half = len(out)
				out = append(out, byte(min(length, 15)))
			} else {
				out[half] |= byte(min(length, 15)) << 4
				half = 0
			}
			if length >= 15 {
				out = appendLong(out, length-15, length+7)
			}
		}
		flag(1)
	}
	flags = flags<<(32-count) | (1<<(32-count) - 1)
	le.PutUint32(out[flagsAt:], flags)
	return out
}

// appendLong writes what is left of a length, or the whole of it where that is too much for a byte.
func appendLong(out []byte, rest, whole int) []byte {
	switch {
	case rest < 255:
		return append(out, byte(rest))
	case whole < 1<<16:
		return le.AppendUint16(append(out, 255), uint16(whole))
	}
	return le.AppendUint32(append(out, 255, 0, 0), uint32(whole))
}

// LZNT1 compresses with LZNT1; chunks that would not become shorter stay plain. See [MS-XCA] 2.5.
func LZNT1(b []byte) (out []byte) {
	const chunk = 4096
	for start := 0; start < len(b); start += chunk {
		plain := b[start:min(start+chunk, len(b))]
		packed := lznt1Chunk(plain)
		head := uint16(0xB000)
		if len(packed) >= len(plain) {
			packed, head = plain, 0x3000
		}
		out = append(le.AppendUint16(out, head|uint16(len(packed)-1)), packed...)
	}
	return out
}

func lznt1Chunk(b []byte) (out []byte) {
	for at := 0; at < len(b); {
		flagAt := len(out)
		out = append(out, 0)
		for i := 0; i < 8 && at < len(b); i++ {
			far := 4
			for far < 12 && 1<<far < at {
				far++
			}
			distance, length := match(b, at, 0, 1<<far, 1<<(16-far)+2)
			if length == 0 {
				out = append(out, b[at])
				at++
				continue
			}
			out = le.AppendUint16(out, uint16((distance-1)<<(16-far)|(length-3)))
			out[flagAt] |= 1 << i
			at += length
		}
	}
	return out
}

// item is a literal or a match.
type item struct{ symbol, distance, length int }

// LZ77Huffman compresses with LZ77+Huffman. See [MS-XCA] 2.1.4.
func LZ77Huffman(b []byte) (out []byte) {
	const block, end = 1 << 16, 256
	for at := 0; ; {
		var items []item
		start := at
		for at < len(b) && at-start < block {
			distance, length := match(b, at, 0, 65535, len(b))
			if length == 0 {
				items = append(items, item{symbol: int(b[at])})
				at++
				continue
			}
			high := bits.Len(uint(distance)) - 1
			items = append(items, item{256 + min(length-3, 15) + 16*high, distance, length})
			at += length
		}
		last := at >= len(b)
		if last {
			items = append(items, item{symbol: end})
		}
		out = append(out, huffmanBlock(items)...)
		if last {
			return out
		}
	}
}

func huffmanBlock(items []item) []byte {
	lengths := codeLengths(items)
	table := make([]byte, 256)
	for s, n := range lengths {
		table[s/2] |= byte(n << (s % 2 * 4))
	}
	var codes [512]int
	code := 0
	for n := 1; n <= 15; n++ {
		code <<= 1
		for s := range codes {
			if lengths[s] == n {
				codes[s] = code
				code++
			}
		}
	}
	w := &bitWriter{out: append(table, 0, 0, 0, 0), free: 16, first: 256, second: 258}
	for _, i := range items {
		w.write(lengths[i.symbol], codes[i.symbol])
		if i.length == 0 {
			continue
		}
		if n := i.length - 3; n >= 15 {
			w.out = appendLong(w.out, n-15, n)
		}
		high := bits.Len(uint(i.distance)) - 1
		w.write(high, i.distance-1<<high)
	}
	w.flush()
	return w.out
}

// codeLengths gives every symbol that is used a length, so that all codes are taken: 1, 2, 3 … where they are few, so
// that the longest come up, and almost alike where they are many.
func codeLengths(items []item) (lengths [512]int) {
	var used []int
	seen := map[int]bool{}
	for _, i := range items {
		if !seen[i.symbol] {
			seen[i.symbol] = true
			used = append(used, i.symbol)
		}
	}
	for s := 0; len(used) < 2; s++ {
		if !seen[s] {
			used = append(used, s)
		}
	}
	n := bits.Len(uint(len(used) - 1))
	short := 1<<n - len(used)
	for i, s := range used {
		switch {
		case len(used) <= 16:
			lengths[s] = min(i+1, len(used)-1)
		case i < short:
			lengths[s] = n - 1
		default:
			lengths[s] = n
		}
	}
	return lengths
}

// bitWriter keeps room for the next two words, between which bytes may be written.
type bitWriter struct {
	out                 []byte
	word                uint32
	free, first, second int
}

func (w *bitWriter) write(n, v int) {
	if w.free >= n {
		w.free -= n
		w.word = w.word<<n | uint32(v)
		return
	}
	w.word = w.word<<w.free | uint32(v)>>(n-w.free)
	w.free -= n
	le.PutUint16(w.out[w.first:], uint16(w.word))
	w.first, w.second = w.second, len(w.out)
	w.out = append(w.out, 0, 0)
	w.free += 16
	w.word = uint32(v)
}

func (w *bitWriter) flush() {
	le.PutUint16(w.out[w.first:], uint16(w.word<<w.free))
	le.PutUint16(w.out[w.second:], 0)
}
