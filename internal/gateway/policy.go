package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Policy says what strangers may do. The zero value lets them do nothing.
type Policy struct {
	Strangers []Exception `json:"strangers,omitempty"`
}

// Exception lets some strangers in.
type Exception struct {
	Clients []netip.Prefix   `json:"clients,omitempty"` // from these addresses; from any where there is none
	Servers []string         `json:"servers,omitempty"` // to these, as the listeners name them; to any where there is none
	As      []model.Identity `json:"as,omitempty"`      // who come in as these; any stranger where there is none
	Allow   string           `json:"allow"`             // "everything": their sessions pass as users' do
	Why     string           `json:"why,omitempty"`     // for people
}

// everything is the one word of Exception.Allow.
const everything = "everything"

// Check refuses a policy that says something that is not enforced.
func (p *Policy) Check() error {
	for i, e := range p.Strangers {
		if e.Allow != everything {
			return fmt.Errorf("gateway: strangers, entry %d: allow is %q: %q is all that can be allowed so far; "+
				"single pipes, interfaces and calls are not built yet", i+1, e.Allow, everything)
		}
		for _, id := range e.As {
			if !id.IsStranger() {
				return fmt.Errorf("gateway: strangers, entry %d: %q is no stranger: %s", i+1, id, strings.Join(strangers(), ", "))
			}
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

// lets tells whether a caller may come in.
func (p *Policy) lets(c caller, client netip.Addr, server string) bool {
	if !c.stranger() {
		return true
	}
	return slices.ContainsFunc(p.Strangers, func(e Exception) bool { return e.covers(c.who, client, server) })
}

func (e *Exception) covers(who model.Identity, client netip.Addr, server string) bool {
	return (len(e.As) == 0 || slices.Contains(e.As, who)) &&
		(len(e.Servers) == 0 || slices.Contains(e.Servers, server)) &&
		(len(e.Clients) == 0 || slices.ContainsFunc(e.Clients, func(p netip.Prefix) bool { return p.Contains(client.Unmap()) }))
}
