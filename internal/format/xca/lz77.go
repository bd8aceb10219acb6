package xca

// LZ77 decompresses Plain LZ77 to size bytes. See [MS-XCA] 2.4.4.
func LZ77(src []byte, size int) ([]byte, error) {
	out := newOutput(size, len(src))
	var flags uint32
	count, half, at := 0, -1, 0
	for !out.full() {
		if count == 0 {
			if at+4 > len(src) {
				return nil, ErrDamaged
			}
			flags, count = le.Uint32(src[at:]), 32
			at += 4
		}
		count--
		if flags>>count&1 == 0 {
			if at >= len(src) {
				return nil, ErrDamaged
			}
			out.b = append(out.b, src[at])
			at++
			continue
		}
		if at+2 > len(src) {
			return nil, ErrDamaged
		}
		word := int(le.Uint16(src[at:]))
		at += 2
		length := word & 7
		if length == 7 {
			switch {
			case half >= 0: // the other half of the byte from which an earlier match took a length
				length, half = int(src[half]>>4), -1
			case at < len(src):
				length, half = int(src[at]&15), at
				at++
			default:
				return nil, ErrDamaged
			}
			if length == 15 {
				long, n, ok := longLength(src[at:], 15+7)
				if !ok {
					return nil, ErrDamaged
				}
				length, at = long-7, at+n
			}
			length += 7
		}
		if err := out.match(0, word>>3+1, length+3); err != nil {
			return nil, err
		}
	}
	return out.b, nil
}

// longLength reads a length of at least base: a byte above base, or 255 and the whole length in 16 bits, or these zero
// and in 32 bits. n is the number of bytes read.
func longLength(b []byte, base int) (length, n int, ok bool) {
	switch {
	case len(b) < 1:
		return 0, 0, false
	case b[0] < 255:
		return int(b[0]) + base, 1, true
	case len(b) < 3:
		return 0, 0, false
	}
	length, n = int(le.Uint16(b[1:])), 3
	if length == 0 {
		if len(b) < 7 {
			return 0, 0, false
		}
		long := le.Uint32(b[3:])
		if long > maxLength {
			return 0, 0, false
		}
		length, n = int(long), 7
	}
	return length, n, length >= base
}

// maxLength keeps lengths within an int of 32 bits. No message of SMB is as long.
const maxLength = 1 << 30
