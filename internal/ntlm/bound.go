package ntlm

import (
	"fmt"
	"strings"
)

// WithheldError says that no response was sent: the server did not prove that the client means it, and has learned
// nothing that could serve as a proof elsewhere.
type WithheldError struct{ Reason string }

// NotGiven begins what a result says about a logon whose response was withheld; the reason follows.
const NotGiven = "credentials were not given: "

// Error implements error.
func (e *WithheldError) Error() string { return "ntlm: no answer was given: " + e.Reason }

// Bound reports whether the response is bound to the server: see Options.Bound.
func (c *Client) Bound() bool { return c.options.Bound && !c.anonymous && !c.options.V1 }

// Expect requires the server name of an earlier logon from a client that is Bound and has no ServerName: a host whose
// name changes between logons gets no response.
func (c *Client) Expect(serverName string) {
	if c.options.ServerName == "" {
		c.options.ServerName = serverName
	}
}

// hold decides whether a Bound client may answer a challenge.
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

// called returns the server's name in a challenge.
func (t Target) called() string {
	for _, name := range []string{t.DNSComputer, t.NetBIOSComputer, t.Name} {
		if name != "" {
			return fmt.Sprintf("%q", name) // the peer's text
		}
	}
	return "nothing"
}

// netBIOSLen is the length of a NetBIOS name, to which host names are truncated.
const netBIOSLen = 15

// SameHost reports whether a server with these names may be the host called name. A name without a domain matches in
// every domain; two domains must be equal.
func SameHost(name, dns, netBIOS string) bool {
	host, domain, _ := strings.Cut(strings.TrimSuffix(name, "."), ".")
	h, d, _ := strings.Cut(strings.TrimSuffix(dns, "."), ".")
	if strings.EqualFold(h, host) {
		return domain == "" || d == "" || strings.EqualFold(d, domain)
	}
	return netBIOS != "" && strings.EqualFold(netBIOS, host[:min(len(host), netBIOSLen)])
}
