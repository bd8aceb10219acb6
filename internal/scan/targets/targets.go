// Package targets turns what a user names into addresses to scan, each once.
//
//	srv1  srv1:1445                 a name, resolved to all of its addresses
//	10.0.0.1  10.0.0.1:1445         an address
//	fe80::1%eth0  [2001:db8::1]:139 an IPv6 address, in brackets where a port follows
//	10.0.0.0/24  2001:db8::/120     every address of a prefix
//	10.0.0.1-10.0.0.99  10.0.0.1-99 a range, both ends included
//	@FILE  -                        a file or the standard input: one target a line, # starts a comment
//
// Prefixes and ranges stay ranges until they are asked for, so that memory grows with what was typed and not with
// what it means: duplicates are removed by subtracting intervals of addresses, never by remembering addresses.
package targets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// MaxAddresses bounds one prefix or range: a whole IPv4 /8. More is nearly always a typing mistake.
const MaxAddresses = 1 << 24

// Target is one address to scan.
type Target struct {
	Name    string         // as the user named it; for a prefix or a range the address itself
	Addr    netip.AddrPort // invalid if Err is set
	Aliases []string       // other names of the same address in this run
	Ranged  bool           // from a prefix or a range: there may be no host
	Err     error          // the name does not resolve, or could not be looked up: ErrUnresolved
}

// Host is the name or address that the user gave, without a port.
func (t Target) Host() string {
	if host, _, err := net.SplitHostPort(t.Name); err == nil {
		return host
	}
	return t.Name
}

// HostName returns Host if it is a name that the server may know as its own: not an address, and not localhost.
func (t Target) HostName() string {
	host := t.Host()
	if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") {
		return ""
	}
	return host
}

// Options says how to parse targets.
type Options struct {
	Port    uint16    // the default port; 0 means 445
	Exclude []string  // same syntax; without a port it excludes the address on every port
	Stdin   io.Reader // what - reads
	// Lookup resolves a name; nil means the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Interface returns the name of a network interface that is given by its name or number; nil asks the system.
	Interface func(zone string) (name string, err error)
	// Done reports addresses that an earlier run has scanned.
	Done []netip.AddrPort
	// DoneNames reports names that an earlier run could not resolve and that are not tried again.
	DoneNames []string
}

// List is a parsed, resolved and duplicate-free set of targets, not yet expanded.
type List struct {
	pieces  []piece
	aliases map[netip.AddrPort][]string
	skip    map[space]intervals // done in an earlier run
	skipped map[string]bool     // names done in an earlier run
}

// piece is one range of addresses in one space, or one name that does not resolve.
type piece struct {
	name   string
	where  space
	span   span
	ranged bool
	err    error
}

// space is where intervals are comparable: one port of one IPv6 zone.
type space struct {
	port uint16
	zone string
}

// Parse parses targets. It reports every bad one with its file and line, joined into one error.
func Parse(ctx context.Context, args []string, o Options) (*List, error) {
	if o.Port == 0 {
		o.Port = 445
	}
	specs, err := readAll(args, o.Stdin)
	excluded, xerr := readAll(o.Exclude, nil)
	here := &zones{lookup: o.Interface, known: map[string]string{}}
	if here.lookup == nil {
		here.lookup = ofThisMachine
	}
	if err = errors.Join(err, xerr, here.settle(specs), here.settle(excluded)); err != nil {
		return nil, err
	}
	if len(specs) == 0 {
		return nil, errors.New("no targets named")
	}
	answers := resolve(ctx, slices.Concat(specs, excluded), o.Lookup)
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	l := &List{aliases: map[netip.AddrPort][]string{}, skip: map[space]intervals{}, skipped: map[string]bool{}}
	for _, name := range o.DoneNames {
		l.skipped[name] = true
	}
	for _, a := range o.Done {
		host := here.settled(a.Addr())
		s := spaceOf(host, a.Port())
		l.skip[s] = l.skip[s].add(single(host))
	}
	out := exclusions{ports: map[space]intervals{}, any: map[string]intervals{}}
	for _, s := range excluded {
		if err := out.add(s, answers[s.host]); err != nil {
			return nil, err
		}
	}
	seen := map[space]intervals{}
	for _, s := range specs {
		l.add(s, answers[s.host], o.Port, seen, out)
	}
	return l, nil
}

// add adds one specification: new addresses become pieces, known ones an alias.
func (l *List) add(s spec, answer answer, port uint16, seen map[space]intervals, out exclusions) {
	if s.port != 0 {
		port = s.port
	}
	if s.host != "" && answer.err != nil {
		if !slices.ContainsFunc(l.pieces, func(p piece) bool { return p.err != nil && p.name == s.text }) {
			l.pieces = append(l.pieces, piece{name: s.text, err: answer.err})
		}
		return
	}
	spans := []span{s.span}
	if s.host != "" {
		spans = spans[:0]
		for _, a := range answer.addrs {
			spans = append(spans, single(a))
		}
	}
	for _, sp := range spans {
		where := spaceOf(sp.first, port)
		if s.host != "" {
			l.alias(netip.AddrPortFrom(sp.first, port), s.text)
		}
		left := seen[where].missing(sp)
		seen[where] = seen[where].add(sp)
		for _, free := range out.subtract(where, left) {
			name := s.text
			if s.ranged {
				name = ""
			}
			l.pieces = append(l.pieces, piece{name: name, where: where, span: free, ranged: s.ranged})
		}
	}
}

func (l *List) alias(a netip.AddrPort, name string) {
	if !slices.Contains(l.aliases[a], name) {
		l.aliases[a] = append(l.aliases[a], name)
	}
}

// Len returns the number of targets that All yields, without those of an earlier run, or the largest int if there are
// more.
func (l *List) Len() int {
	sum := new(big.Int)
	for _, p := range l.pieces {
		if p.err != nil {
			if !l.skipped[p.name] {
				sum.Add(sum, big.NewInt(1))
			}
			continue
		}
		for _, s := range l.skip[p.where].missing(p.span) {
			sum.Add(sum, s.size())
		}
	}
	if !sum.IsInt64() {
		return int(^uint(0) >> 1)
	}
	return int(sum.Int64())
}

// All yields every target in the order of the command line, expanding ranges as it goes.
func (l *List) All() iter.Seq[Target] {
	return func(yield func(Target) bool) {
		for _, p := range l.pieces {
			if p.err != nil {
				if !l.skipped[p.name] && !yield(Target{Name: p.name, Err: p.err}) {
					return
				}
				continue
			}
			for _, s := range l.skip[p.where].missing(p.span) {
				for a := s.first; a.IsValid(); a = a.Next() {
					if !yield(l.target(p, a)) {
						return
					}
					if a == s.last {
						break
					}
				}
			}
		}
	}
}

func (l *List) target(p piece, a netip.Addr) Target {
	t := Target{Name: p.name, Addr: netip.AddrPortFrom(a, p.where.port), Ranged: p.ranged}
	if t.Name == "" {
		t.Name = a.String()
	}
	for _, name := range l.aliases[t.Addr] {
		if name != t.Name {
			t.Aliases = append(t.Aliases, name)
		}
	}
	return t
}

// exclusions are addresses that must not be touched, on one port or on all.
type exclusions struct {
	ports map[space]intervals
	any   map[string]intervals // by zone
}

func (x *exclusions) add(s spec, answer answer) error {
	spans := []span{s.span}
	if s.host != "" {
		// An exclusion that is not understood must be an error: otherwise its host would be scanned.
		if answer.err != nil {
			return fmt.Errorf("%s: excluded name %q: %w", s.where, s.text, answer.err)
		}
		spans = spans[:0]
		for _, a := range answer.addrs {
			spans = append(spans, single(a))
		}
	}
	for _, sp := range spans {
		if s.port != 0 {
			w := spaceOf(sp.first, s.port)
			x.ports[w] = x.ports[w].add(sp)
		} else {
			x.any[sp.first.Zone()] = x.any[sp.first.Zone()].add(sp)
		}
	}
	return nil
}

func (x *exclusions) subtract(w space, spans []span) []span {
	var out []span
	for _, s := range spans {
		for _, t := range x.any[w.zone].missing(s) {
			out = append(out, x.ports[w].missing(t)...)
		}
	}
	return out
}

func spaceOf(a netip.Addr, port uint16) space { return space{port, a.Zone()} }
