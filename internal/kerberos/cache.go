package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// checkedCache walks a credential cache and checks every length and count against the remaining bytes. The library
// trusts them: a file of a few bytes would exhaust the memory. The library also parses the header incorrectly, so the
// result has none.
//
//	05 04 · header: length (2), fields        version 3 has no header
//	principal                                 name type (4), components (4), realm, each component; lengths are 4 bytes
//	credentials: client, server, key type (2; twice in version 3), key, four times (4), is_skey (1), flags (4),
//	             addresses (4), each type (2) and data, authorization data likewise, ticket, second ticket
func checkedCache(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 3 && b[1] != 4 {
		return nil, errors.New("not a credential cache of version 3 or 4")
	}
	w := &cacheWalk{b: b[2:]}
	keyTypes := 2
	if b[1] == 4 {
		w.skip(int64(w.number(2)))
		keyTypes = 1
		b = append([]byte{5, 4, 0, 0}, w.b...)
	}
	w.principal()
	for len(w.b) > 0 && w.err == nil {
		w.principal()
		w.principal()
		w.skip(int64(2 * keyTypes))
		w.data()
		w.skip(4*4 + 1 + 4)
		for range 2 { // addresses, authorization data
			for n := w.number(4); n > 0 && w.err == nil; n-- {
				w.skip(2)
				w.data()
			}
		}
		w.data()
		w.data()
	}
	return b, w.err
}

// cacheWalk is the unread part of a cache.
type cacheWalk struct {
	b   []byte
	err error
}

func (w *cacheWalk) skip(n int64) {
	if n > int64(len(w.b)) && w.err == nil {
		w.err = fmt.Errorf("%d bytes are announced and %d are left", n, len(w.b))
	}
	if w.err == nil {
		w.b = w.b[n:]
	}
}

// number reads a number of two or four bytes.
func (w *cacheWalk) number(size int64) uint32 {
	at := w.b
	if w.skip(size); w.err != nil {
		return 0
	}
	if size == 2 {
		return uint32(binary.BigEndian.Uint16(at))
	}
	return binary.BigEndian.Uint32(at)
}

func (w *cacheWalk) data() { w.skip(int64(w.number(4))) }

func (w *cacheWalk) principal() {
	w.skip(4)
	n := w.number(4)
	w.data()
	for ; n > 0 && w.err == nil; n-- {
		w.data()
	}
}
