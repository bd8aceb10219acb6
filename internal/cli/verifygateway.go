package cli

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	"ipcguard/internal/apply/verify"
	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// guarded is what a gateway is compared with: its listeners, or one policy for every target.
type guarded struct {
	file   string
	routes map[string]gateway.Route // of a configuration
	policy gateway.Policy           // without a configuration
}

// readGuarded reads a gateway's configuration or a policy, by the file's extension.
func readGuarded(name string) (*guarded, error) {
	g := &guarded{file: name}
	if filepath.Ext(name) != ".toml" {
		return g, readGatewayPolicy(name, &g.policy)
	}
	c, err := (&gatewayFlags{config: name}).read()
	if err != nil {
		return nil, err
	}
	g.routes = c.Routes
	return g, nil
}

// route returns the listener for a target: the named one, the one with its address, or the only one.
func (g *guarded) route(listener string, t targets.Target) (gateway.Route, error) {
	for _, name := range []string{listener, t.Addr.String()} {
		if r, ok := g.routes[name]; ok {
			return r, nil
		}
	}
	if listener == "" && len(g.routes) == 1 {
		for _, r := range g.routes {
			return r, nil
		}
	}
	return gateway.Route{},
		hinted{
			usage("%s has no listener %s", g.file, cmp.Or(listener, t.Addr.String())),
			"--listener names it as the file does",
		}
}

// policyFor returns the policy that applies to this program as a client of the target.
func (g *guarded) policyFor(f *verifyFlags, t targets.Target) (*verify.Policy, error) {
	p, to := &g.policy, f.before
	if g.routes != nil {
		r, err := g.route(f.listener, t)
		switch {
		case err != nil:
			return nil, err
		case r.ObserveOnly:
			return nil, fmt.Errorf("%s: the listener only observes, and refuses nothing: there is nothing to verify",
				g.file)
		}
		p, to = &r.Policy, cmp.Or(r.To, t.Addr.String())
	}
	if to != "" {
		if _, _, err := net.SplitHostPort(to); err != nil {
			to = net.JoinHostPort(to, serverPort(t.Addr.Port() == 139))
		}
	}
	if to == "" && slices.ContainsFunc(p.Strangers, func(e gateway.Exception) bool { return len(e.Servers) > 0 }) {
		return nil, usage("%s names servers: --before names the one behind the gateway, as the listener does", g.file)
	}
	client, err := clientOf(t)
	if err != nil {
		return nil, err
	}
	return &verify.Policy{
		Stranger: func(u *model.Use) (model.Outcome, string) { return p.Stranger(u, client, to) },
		Users:    len(p.Users) > 0,
	}, nil
}

// clientOf returns this program's address as a client of a target. It sends nothing.
func clientOf(t targets.Target) (netip.Addr, error) {
	c, err := net.Dial("udp", t.Addr.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	at, err := netip.ParseAddrPort(c.LocalAddr().String())
	return at.Addr().Unmap(), err
}
