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

// Policy says what strangers may do, and users not. The zero value lets strangers do nothing, and users everything.
type Policy struct {
	Strangers []Exception `json:"strangers,omitempty"`
	Users     []Refusal   `json:"users,omitempty"` // what users may not do
}

// Exception lets some strangers in.
type Exception struct {
	Clients Networks         `json:"clients,omitempty"` // from these addresses; from any where there is none
	Servers []string         `json:"servers,omitempty"` // to these, as the listeners name them; to any where there is none
	As      []model.Identity `json:"as,omitempty"`      // who come in as these; any stranger where there is none
	Allow   string           `json:"allow"`             // "everything", as users; or "pipes": those of Pipes
	Pipes   []Pipe           `json:"pipes,omitempty"`
	Why     string           `json:"why,omitempty"` // for people

	rules rules // of Pipes, once they were checked
}

// Networks are where clients are. A policy may write a single address without the length of its prefix.
type Networks []netip.Prefix

// UnmarshalJSON takes addresses and networks.
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
		if err != nil {
			return fmt.Errorf("clients: %q is neither an address nor a network such as 192.0.2.0/24", s)
		}
		*n = append(*n, p)
	}
	return nil
}

// The words of Exception.Allow.
const (
	everything = "everything"
	somePipes  = "pipes"
)

// Check refuses a policy that says something that cannot be enforced, and makes the others ready to be asked.
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
				return fmt.Errorf("gateway: strangers, entry %d: %q is no stranger: %s", i+1, id, strings.Join(strangers(), ", "))
			}
		}
	}
	return p.checkUsers()
}

// checkWhere refuses clients and servers that nobody could be.
func checkWhere(clients []netip.Prefix, servers []string) error {
	for _, c := range clients {
		if !c.IsValid() || c.Addr().Is4In6() {
			return fmt.Errorf("clients: %v is no network of IPv4 or IPv6", c)
		}
	}
	for _, s := range servers {
		if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
			return fmt.Errorf("servers: %q: name it with its port, as %q", s, net.JoinHostPort(strings.Trim(s, "[]"), "445"))
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

// any tells whether the caller may come in at all.
func (l leave) any() bool { return l.all || len(l.rules) > 0 }

// lets tells what a caller may do.
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
	return (len(e.As) == 0 || slices.Contains(e.As, who)) &&
		here(e.Clients, e.Servers, client, server)
}

// here tells whether a client and a server are among those of an entry.
func here(clients []netip.Prefix, servers []string, client netip.Addr, server string) bool {
	client = nameable(client)
	return (len(servers) == 0 || slices.ContainsFunc(servers, func(s string) bool { return strings.EqualFold(s, server) })) &&
		(len(clients) == 0 || slices.ContainsFunc(clients, func(p netip.Prefix) bool { return p.Contains(client) }))
}

// nameable is an address as a policy can name it: no IPv4 inside IPv6, and no zone, in which no network is.
func nameable(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
