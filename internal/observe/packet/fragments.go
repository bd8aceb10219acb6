package packet

import (
	"container/list"
	"hash/maphash"
	"slices"
)

// Fragments of a datagram are held until it is complete. IPv4 identifies a datagram by its addresses, protocol and
// number, RFC 791 3.2; IPv6 by addresses and number, RFC 8200 4.5.

const (
	// maxDatagrams and maxFragmentBytes bound what is held: fragments of SMB traffic are rare, and a flood of first
	// ones must not use up memory. 4 MiB are 64 datagrams of the longest kind.
	maxDatagrams     = 1024
	maxFragmentBytes = 4 << 20
	// maxFragments bounds one datagram: nobody sends 64 KiB in parts of the smallest link, RFC 791's 68 bytes; 1,280
	// bytes, IPv6's minimum, make 52.
	maxFragments = 256
	maxDatagram  = 1 << 16
)

type datagramKey struct {
	src, dst [16]byte
	id       uint32
	proto    byte // of IPv4
	version  byte
}

type fragment struct {
	offset int
	data   []byte
}

type datagram struct {
	key   datagramKey
	parts []fragment // in order, not overlapping
	have  int
	total int // -1 until the last fragment is there
	next  byte
	count int64 // packets
	came  []print
	done  bool // it was returned, and stays to recognize repeated fragments, as mirrors of two ports have them
}

// print identifies a fragment among others with the same number.
type print struct {
	offset, length int
	sum            uint64
}

// printSize is what a print costs, in bytes.
const printSize = 24

// fragments holds the incomplete datagrams, oldest first.
type fragments struct {
	byKey map[datagramKey]*list.Element
	order list.List
	bytes int
	lost  int64 // packets of dropped datagrams
	seed  maphash.Seed
}

// waiting returns the number of packets that are held or were dropped: they stay unread.
func (f *fragments) waiting() int64 {
	n := f.lost
	for e := f.order.Front(); e != nil; e = e.Next() {
		n += e.Value.(*datagram).count
	}
	return n
}

// add adds a fragment. If it was the last missing one, add returns the datagram and the protocol that its first
// fragment names. It returns false if the fragment is held or dropped.
func (f *fragments) add(k datagramKey, next byte, offset int, more bool, data []byte) ([]byte, byte, bool) {
	if f.byKey == nil {
		f.byKey, f.seed = make(map[datagramKey]*list.Element), maphash.MakeSeed()
	}
	e := f.byKey[k]
	mark := print{offset, len(data), maphash.Bytes(f.seed, data)}
	if e != nil && e.Value.(*datagram).done {
		if slices.Contains(e.Value.(*datagram).came, mark) {
			return nil, 0, false
		}
		f.drop(e) // the number is reused
		e = nil
	}
	if e == nil {
		e = f.order.PushBack(&datagram{key: k, total: -1})
		f.byKey[k] = e
	}
	d := e.Value.(*datagram)
	d.count++
	d.came = append(d.came, mark)
	f.bytes += printSize
	if offset == 0 {
		d.next = next
	}
	if !f.insert(d, offset, more, data) {
		f.drop(e)
		return nil, 0, false
	}
	if d.have == d.total {
		whole := make([]byte, 0, d.total)
		for _, p := range d.parts {
			whole = append(whole, p.data...)
		}
		f.bytes -= d.have
		d.count, d.parts, d.have, d.done = 0, nil, 0, true
		f.bound()
		return whole, d.next, true
	}
	f.bound()
	return nil, 0, false
}

// bound drops the oldest.
func (f *fragments) bound() {
	for f.order.Len() > maxDatagrams || f.bytes > maxFragmentBytes {
		f.drop(f.order.Front())
	}
}

// insert stores a fragment; the first copy counts. It returns false if no host would accept the datagram.
func (f *fragments) insert(d *datagram, offset int, more bool, data []byte) bool {
	end := offset + len(data)
	if end > maxDatagram || len(d.came) > maxFragments || d.total >= 0 && (end > d.total || !more && end != d.total) {
		return false
	}
	if !more {
		d.total = end
	}
	i, _ := slices.BinarySearchFunc(d.parts, offset, func(p fragment, at int) int { return p.offset - at })
	if i > 0 {
		if before := d.parts[i-1].offset + len(d.parts[i-1].data); before > offset {
			data = data[min(before-offset, len(data)):]
			offset = before
		}
	}
	if i < len(d.parts) && offset+len(data) > d.parts[i].offset {
		data = data[:max(d.parts[i].offset-offset, 0)]
	}
	if len(data) > 0 {
		d.parts = slices.Insert(d.parts, i, fragment{offset, slices.Clone(data)})
		d.have += len(data)
		f.bytes += len(data)
	}
	return d.total < 0 || d.have <= d.total
}

func (f *fragments) drop(e *list.Element) {
	d := f.order.Remove(e).(*datagram)
	delete(f.byKey, d.key)
	f.bytes -= d.have + len(d.came)*printSize
	f.lost += d.count
}
