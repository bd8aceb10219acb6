package scan

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// tarpits remembers where addresses accept connections and never answer: each would cost the wait for the first answer.
// It skips only addresses of ranges; a named target is always asked completely.
//
// It counts by network: the near one of 256 addresses, and the wide one of 65,536 around it. In a near network where
// nothing answers, the rest is skipped after the first mute addresses; in the wide one around it every further address
// gets one short question.
type tarpits struct {
	mu       sync.Mutex
	networks map[netip.Prefix]counts // a run has at most targets.MaxAddresses/256 near ones for each named prefix
}

// counts are of the addresses of a network that accepted a connection.
type counts struct{ mute, spoke int }

const (
	// muteLimit is the number of mute addresses from which a network is a tarpit: a subnet with that many real servers,
	// all of them hung and none healthy, is unlikely.
	muteLimit = 16
	// muteShare is the number of mute addresses for each answering one that makes a network suspect all the same, so
	// that a tarpit on its unused addresses does not slow down the scan of its servers.
	muteShare  = 4
	near, wide = 8, 16 // bits of an address that vary in a network
)

// patience is how an address of a range is asked.
type patience int

const (
	inFull patience = iota
	briefly
	notAtAll
)

func network(a netip.Addr, bits int) netip.Prefix {
	p, err := a.WithZone("").Prefix(a.BitLen() - bits)
	if err != nil {
		return netip.Prefix{} // no address
	}
	return p
}

// patienceFor returns how to ask an address, and, if it is not asked at all, why.
func (s *tarpits) patienceFor(a netip.Addr) (patience, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, w := network(a, near), network(a, wide)
	if h := s.networks[n]; h.mute >= muteLimit && h.spoke == 0 {
		return notAtAll,
			fmt.Sprintf("%d addresses of %s took a connection and said nothing, and none said anything: it looks "+
				"like a tarpit, and the rest of it was left", h.mute, n)
	}
	for _, h := range []counts{s.networks[n], s.networks[w]} {
		if h.mute >= muteLimit && h.mute > muteShare*h.spoke {
			return briefly, ""
		}
	}
	return inFull, ""
}

// note records the outcome of an address that accepted a connection.
func (s *tarpits) note(a netip.Addr, spoke bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.networks == nil {
		s.networks = map[netip.Prefix]counts{}
	}
	for _, n := range []netip.Prefix{network(a, near), network(a, wide)} {
		h := s.networks[n]
		if spoke {
			h.spoke++
		} else {
			h.mute++
		}
		s.networks[n] = h
	}
}

// left sets the result of an address that was not asked.
func (h *host) left(why string) {
	h.result.Verdict, h.result.Reason, h.result.Partial = model.VerdictNotTested, why, true
}

// askBriefly asks the first question of an address in a silent network: the answer gets as long as the connection.
func (h *host) askBriefly(ctx context.Context, m *meter, dialects []smb.Dialect) (*smb.Conn, error) {
	t := patient(h.o.Timeouts).WithDefaults()
	t.Negotiate = min(t.Negotiate, t.Connect)
	return h.dialWith(ctx, h.options(m, dialects, t, h.o.Dial))
}
