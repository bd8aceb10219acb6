package xca

const (
	tableLen  = 256     // the code lengths of 512 symbols
	longest   = 15      // bits of a code
	blockSize = 1 << 16 // bytes that one table covers
)

// LZ77Huffman decompresses LZ77+Huffman to size bytes. See [MS-XCA] 2.2.4.
func LZ77Huffman(src []byte, size int) ([]byte, error) {
	out := newOutput(size, len(src))
	var codes [1 << longest]uint16
	for !out.full() {
		if len(src) < tableLen || !decodingTable(&codes, src[:tableLen]) {
			return nil, ErrDamaged
		}
		r, ok := newBitReader(src, tableLen)
		if !ok {
			return nil, ErrDamaged
		}
		if err := huffmanBlock(out, &codes, r); err != nil {
			return nil, err
		}
		src = src[r.at:]
	}
	return out.b, nil
}

// decodingTable maps all 15-bit values to their symbols. The lengths must fill it exactly.
func decodingTable(codes *[1 << longest]uint16, lengths []byte) bool {
	at := 0
	for bits := 1; bits <= longest; bits++ {
		for symbol := range uint16(2 * tableLen) {
			if codeLength(lengths, symbol) != bits {
				continue
			}
			n := 1 << (longest - bits)
			if at+n > len(codes) {
				return false
			}
			for i := range n {
				codes[at+i] = symbol
			}
			at += n
		}
	}
	return at == len(codes)
}

func codeLength(lengths []byte, symbol uint16) int {
	return int(lengths[symbol/2]>>(symbol%2*4)) & 15
}

// huffmanBlock decompresses up to blockSize bytes; the last match may exceed it.
func huffmanBlock(out *output, codes *[1 << longest]uint16, r *bitReader) error {
	lengths := r.src[:tableLen]
	for end := len(out.b) + blockSize; len(out.b) < end && !out.full(); {
		symbol := codes[r.next>>(32-longest)]
		if !r.take(codeLength(lengths, symbol)) {
			return ErrDamaged
		}
		if symbol < 256 {
			out.b = append(out.b, byte(symbol))
			continue
		}
		length, bits := int(symbol&15), int(symbol-256)/16
		if length == 15 {
			long, n, ok := longLength(r.src[r.at:], 15)
			if !ok {
				return ErrDamaged
			}
			length = long
			r.at += n
		}
		distance := 1 << bits
		if bits > 0 {
			distance += int(r.next >> (32 - bits))
		}
		if !r.take(bits) {
			return ErrDamaged
		}
		if err := out.match(0, distance, length+3); err != nil {
			return err
		}
	}
	return nil
}

// bitReader reads bits from 16-bit words and buffers at least 16 of them, so that bytes between the words are where the
// compressor put them.
type bitReader struct {
	src   []byte
	at    int
	next  uint32 // the bits at hand, high ones first
	extra int    // how many are at hand beyond 16
}

func newBitReader(src []byte, at int) (*bitReader, bool) {
	if at+4 > len(src) {
		return nil, false
	}
	next := uint32(le.Uint16(src[at:]))<<16 | uint32(le.Uint16(src[at+2:]))
	return &bitReader{src, at + 4, next, 16}, true
}

// take skips n bits, at most 15.
func (r *bitReader) take(n int) bool {
	r.next <<= n
	r.extra -= n
	if r.extra >= 0 {
		return true
	}
	if r.at+2 > len(r.src) {
		return false
	}
	r.next |= uint32(le.Uint16(r.src[r.at:])) << -r.extra
	r.extra += 16
	r.at += 2
	return true
}
