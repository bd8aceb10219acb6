package targets

import (
	"math/big"
	"net/netip"
	"slices"
)

// span is a range of addresses of one family and zone, including both ends.
type span struct{ first, last netip.Addr }

func single(a netip.Addr) span { return span{a, a} }

func (s span) size() *big.Int {
	lo, hi := new(big.Int).SetBytes(s.first.AsSlice()), new(big.Int).SetBytes(s.last.AsSlice())
	return hi.Sub(hi, lo).Add(hi, big.NewInt(1))
}

// intervals is a sorted list of spans that neither overlap nor touch. IPv4 sorts before IPv6, as netip compares.
type intervals []span

// search finds the first span that ends at a or later.
func (v intervals) search(a netip.Addr) int {
	i, _ := slices.BinarySearchFunc(v, a, func(s span, a netip.Addr) int { return s.last.Compare(a) })
	return i
}

// add joins s with every span that it overlaps or touches.
func (v intervals) add(s span) intervals {
	from := s.first
	if p := from.Prev(); p.IsValid() {
		from = p
	}
	i := v.search(from)
	j := i
	for j < len(v) {
		next := s.last.Next()
		if v[j].first.Compare(s.last) > 0 && v[j].first != next {
			break
		}
		if v[j].first.Less(s.first) {
			s.first = v[j].first
		}
		if s.last.Less(v[j].last) {
			s.last = v[j].last
		}
		j++
	}
	return slices.Replace(v, i, j, s)
}

// missing returns the part of s that v does not contain.
func (v intervals) missing(s span) []span {
	var out []span
	for i := v.search(s.first); i < len(v) && v[i].first.Compare(s.last) <= 0; i++ {
		if s.first.Less(v[i].first) {
			out = append(out, span{s.first, v[i].first.Prev()})
		}
		if v[i].last.Compare(s.last) >= 0 {
			return out
		}
		s.first = v[i].last.Next()
	}
	return append(out, s)
}
