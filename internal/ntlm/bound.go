package ntlm

import (
	"fmt"
	"strings"
)

// WithheldError says that no answer was given: the server has no proof that the client means it, and has learned
// nothing from which one could be made.
type WithheldError struct{ Reason string }

// Error is one line.
func (e *WithheldError) Error() string { return "ntlm: no answer was given: " + e.Reason }

// Bound tells whether the answer is given only to a server that can be held to it: see Options.Bound.
func (c *Client) Bound() bool { return c.options.Bound && !c.anonymous && !c.options.V1 }

// Expect holds a client that is Bound and was given no ServerName to one that the server has named before, in another
// logon: a host whose name changes with who asks is not answered.
func (c *Client) Expect(serverName string) {
	if c.options.ServerName == "" {
		c.options.ServerName = serverName
	}
}

// hold decides whether a challenge may be answered by a client that is Bound.
func (c *Client) hold(ch *Challenge) error {
	if !c.Bound() {
		return nil
	}
	if len(ch.TargetInfo) == 0 {
		return &WithheldError{"the challenge names no server, so the answer could not be tied to one"}
	}
	if !ch.Flags.Has(NegotiateSign) || !ch.Flags.Has(NegotiateExtendedSecurity) {
		return &WithheldError{"the challenge does not offer signing"}
	}
	t := ch.Target()
	if c.options.ServerName != "" && !SameHost(c.options.ServerName, t.DNSComputer, t.NetBIOSComputer) {
		return &WithheldError{fmt.Sprintf("the server calls itself %s, not %s", t.called(), c.options.ServerName)}
	}
	return nil
}

// called is the name that a challenge gives its server.
func (t Target) called() string {
	for _, name := range []string{t.DNSComputer, t.NetBIOSComputer, t.Name} {
		if name != "" {
			return fmt.Sprintf("%q", name) // it is the peer's text
		}
	}
	return "nothing"
}

// netBIOSLen is how much of a host's name its NetBIOS name keeps.
const netBIOSLen = 15

// SameHost tells whether a server that calls itself by these names may be the host that is meant by name. A name without
// a domain matches in every domain; two domains must be the same.
func SameHost(name, dns, netBIOS string) bool {
	host, domain, _ := strings.Cut(strings.TrimSuffix(name, "."), ".")
	h, d, _ := strings.Cut(strings.TrimSuffix(dns, "."), ".")
	if strings.EqualFold(h, host) {
		return domain == "" || d == "" || strings.EqualFold(d, domain)
	}
	return netBIOS != "" && strings.EqualFold(netBIOS, host[:min(len(host), netBIOSLen)])
}
