package xca

import "math/bits"

const chunkSize = 4096 // maximum uncompressed size of a chunk

// LZNT1 decompresses LZNT1 to size bytes. See [MS-XCA] 2.5.
func LZNT1(src []byte, size int) ([]byte, error) {
	out := newOutput(size, len(src))
	for !out.full() {
		if len(src) < 2 {
			return nil, ErrDamaged
		}
		head := le.Uint16(src)
		n := int(head&0xFFF) + 3
		if head>>12&7 != 3 || n > len(src) { // a zero header, which means the end, has another signature too
			return nil, ErrDamaged
		}
		chunk := src[2:n]
		src = src[n:]
		if head>>15 == 0 {
			out.b = append(out.b, chunk[:min(len(chunk), out.size-len(out.b))]...)
			continue
		}
		if err := lznt1Chunk(out, chunk); err != nil {
			return nil, err
		}
	}
	return out.b, nil
}

func lznt1Chunk(out *output, b []byte) error {
	start := len(out.b)
	for len(b) > 0 {
		flags := b[0]
		b = b[1:]
		for i := 0; i < 8 && len(b) > 0; i++ {
			switch {
			case out.full():
				return nil
			case len(out.b)-start >= chunkSize:
				return ErrDamaged
			case flags>>i&1 == 0:
				out.b = append(out.b, b[0])
				b = b[1:]
				continue
			case len(b) < 2:
				return ErrDamaged
			}
			word := int(le.Uint16(b))
			b = b[2:]
			far := displacementBits(len(out.b) - start)
			length := word&(1<<(16-far)-1) + 3
			if len(out.b)-start+length > chunkSize {
				return ErrDamaged
			}
			if err := out.match(start, word>>(16-far)+1, length); err != nil {
				return err
			}
		}
	}
	return nil
}

// displacementBits returns how many bits of a word are the distance of a match after done bytes of the chunk: the
// largest of 4 to 12 for which 2 to the power of one less is below done.
func displacementBits(done int) int {
	return min(max(bits.Len(uint(max(done-1, 0))), 4), 12)
}
