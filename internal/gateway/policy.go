package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Policy lists what strangers may do, and what users may not. The zero value allows strangers nothing and users
// everything.
type Policy struct {
	Strangers []Exception `json:"strangers,omitempty"`
	Users     []Refusal   `json:"users,omitempty"` // what users may not do
}

// Exception admits some strangers.
type Exception struct {
	Clients Networks `json:"clients,omitempty"` // from these addresses; empty is any
	// To these servers, as the listeners name them; empty is any.
	Servers []string         `json:"servers,omitempty"`
	As      []model.Identity `json:"as,omitempty"` // identities; empty is any stranger
	Allow   string           `json:"allow"`        // "everything", like users, or "pipes": those in Pipes
	Pipes   []Pipe           `json:"pipes,omitempty"`
	Why     string           `json:"why,omitempty"` // for people

	rules rules // of Pipes, after Check
}

// Networks are the addresses of clients. A policy may write a single address without a prefix length.
type Networks []netip.Prefix

// UnmarshalJSON accepts addresses and networks.
func (n *Networks) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) != nil {
		return errors.New("clients: not a list of addresses and networks")
	}
	*n = nil
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, notOne := netip.ParseAddr(s); notOne == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
			return fmt.Errorf("clients: %q is neither an address nor a network such as 192.0.2.0/24", s)
		case p != p.Masked(): // it may have been meant for the one address
			return fmt.Errorf("clients: %q is an address in a network: write %s for the network or %s for the address",
				s, p.Masked(), p.Addr())
		}
		*n = append(*n, p)
	}
	return nil
}

// The values of Exception.Allow.
const (
	everything = "everything"
	somePipes  = "pipes"
)

// Check returns an error if the policy cannot be enforced, and compiles it otherwise.
func (p *Policy) Check() error {
	for i := range p.Strangers {
		e := &p.Strangers[i]
		switch {
		case e.Allow != everything && e.Allow != somePipes:
			return fmt.Errorf("gateway: strangers, entry %d: allow is %q, and can be %q or %q",
				i+1, e.Allow, everything, somePipes)
		case (e.Allow == somePipes) != (len(e.Pipes) > 0):
			return fmt.Errorf("gateway: strangers, entry %d: a list of pipes and allow: pipes go together", i+1)
		}
		var err error
		if e.rules, err = compile(e.Pipes); err != nil {
			return fmt.Errorf("gateway: strangers, entry %d: %w", i+1, err)
		}
		if err := checkWhere(e.Clients, e.Servers); err != nil {
			return fmt.Errorf("gateway: strangers, entry %d: %w", i+1, err)
		}
		for _, id := range e.As {
			if !id.IsStranger() {
				return fmt.Errorf("gateway: strangers, entry %d: %q is no stranger: %s",
					i+1, id, strings.Join(strangers(), ", "))
			}
		}
	}
	return p.checkUsers()
}

// checkWhere refuses clients and servers that match nothing.
func checkWhere(clients []netip.Prefix, servers []string) error {
	for _, c := range clients {
		if !c.IsValid() || c.Addr().Is4In6() {
			return fmt.Errorf("clients: %v is no network of IPv4 or IPv6", c)
		}
	}
	for _, s := range servers {
		if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
			return fmt.Errorf("servers: %q: name it with its port, as %q",
				s, net.JoinHostPort(strings.Trim(s, "[]"), "445"))
		}
	}
	return nil
}

func strangers() []string {
	var out []string
	for _, id := range model.Strangers() {
		out = append(out, string(id))
	}
	return out
}

// leave is what a caller may do.
type leave struct {
	all   bool  // everything
	rules rules // these pipes
}

// any reports whether the caller may log on at all.
func (l leave) any() bool { return l.all || len(l.rules) > 0 }

// lets returns what a caller may do.
func (p *Policy) lets(c caller, client netip.Addr, server string) leave {
	l := leave{all: !c.stranger()}
	for i := range p.Strangers {
		if e := &p.Strangers[i]; !l.all && e.covers(c.who, client, server) {
			l.all = e.Allow == everything
			l.rules = l.rules.join(e.rules)
		}
	}
	return l
}

func (e *Exception) covers(who model.Identity, client netip.Addr, server string) bool {
	same := func(id model.Identity) bool { return seenAs(id) == seenAs(who) }
	return (len(e.As) == 0 || slices.ContainsFunc(e.As, same)) && here(e.Clients, e.Servers, client, server)
}

// seenAs returns the identity that a gateway can see: the server calls a made-up user whom it lets in a guest.
func seenAs(id model.Identity) model.Identity {
	if id == model.UnknownUser {
		return model.Guest
	}
	return id
}

// here reports whether an entry applies to a client and a server.
func here(clients []netip.Prefix, servers []string, client netip.Addr, server string) bool {
	client = nameable(client)
	return (len(servers) == 0 || slices.ContainsFunc(servers, func(s string) bool { return sameServer(s, server) })) &&
		(len(clients) == 0 || slices.ContainsFunc(clients, func(p netip.Prefix) bool { return p.Contains(client) }))
}

// Strays returns the servers that policies name and no listener leads to: what the policies say of them applies to
// nothing. A transparent listener leads to every server.
func Strays(routes []Route) []string {
	var named []string
	for i := range routes {
		r := &routes[i]
		if r.Transparent {
			return nil
		}
		for _, e := range r.Policy.Strangers {
			named = append(named, e.Servers...)
		}
		for _, u := range r.Policy.Users {
			named = append(named, u.Servers...)
		}
	}
	named = slices.DeleteFunc(named, func(s string) bool {
		return slices.ContainsFunc(routes, func(r Route) bool { return sameServer(s, r.To) })
	})
	slices.Sort(named)
	return slices.Compact(named)
}

// sameServer reports whether two names with ports are the same, or the same address in two forms.
func sameServer(a, b string) bool {
	one, err := netip.ParseAddrPort(a)
	two, err2 := netip.ParseAddrPort(b)
	if err == nil && err2 == nil {
		return one.Port() == two.Port() && one.Addr().Unmap() == two.Addr().Unmap()
	}
	return strings.EqualFold(a, b)
}

// nameable returns an address in the form of a policy: without IPv4 inside IPv6, and without a zone, which no network
// contains.
func nameable(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
