package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

const gatewayCheckHelp = `Look for ways around a gateway. Run it where the clients are.

It tries a null session through the gateway. At every address of the server it tries SMB past the gateway, port 139,
RPC's endpoint mapper and QUIC. It reads from the server's NEGOTIATE whether the server tells users of further
addresses (multichannel). With credentials it asks the server for that list, as users' programs do, and tries each address;
without them it sends none.

Without --gateway the gateway is transparent: a null session to the server itself must be refused on the way.

It cannot see addresses of the server that no name and no flag gives, DFS and witness services, or what clients
elsewhere can reach.

Exit status 3 means that a way around is open, 4 that one could not be tested.
`

type gatewayCheckFlags struct {
	outputFlags
	credentialFlags
	gateway string
	servers []string
	port    uint16
	wait    time.Duration
}

func (a *app) gatewayCheck() *cobra.Command {
	f := &gatewayCheckFlags{}
	c := &cobra.Command{
		Use:     "check --server HOST",
		Short:   "Look for ways around a gateway",
		Long:    gatewayCheckHelp + exitHelp + credentialHelp,
		Example: "  ipcguard gateway check --gateway 192.0.2.10 --server nas.example --server 2001:db8::20",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runGatewayCheck(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.gateway, "gateway", "",
		"the gateway's address, HOST or HOST:PORT; leave it out if the gateway is transparent")
	s.StringArrayVar(&f.servers, "server", nil, "the server, by name or address; repeat it for its other addresses")
	s.Uint16Var(&f.port, "port", 445, "the port of SMB at the server")
	s.DurationVar(&f.wait, "timeout", 5*time.Second, "how long each answer may take")
	f.outputFlags.register(s, "the result", []string{"text", "json"})
	f.credentialFlags.register(s, "ask", " for the server's own addresses")
	return c
}

func (a *app) runGatewayCheck(ctx context.Context, f *gatewayCheckFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if len(f.servers) == 0 {
		return usage("--server is needed")
	}
	logon, err := a.credentials(&f.credentialFlags)
	if err != nil {
		return err
	}
	around := gateway.Around{Gateway: f.gateway, Port: f.port, Wait: f.wait}
	if logon != nil {
		around.As = func(address string) (smb.Authenticator, error) {
			at, err := netip.ParseAddrPort(address)
			if err != nil { // a name; it is the gateway's
				host, _, _ := net.SplitHostPort(address)
				return logon(targets.Target{Name: host})
			}
			return logon(targets.Target{Name: at.Addr().String(), Addr: at})
		}
	}
	if _, _, err := net.SplitHostPort(f.gateway); f.gateway != "" && err != nil {
		around.Gateway = net.JoinHostPort(f.gateway, "445")
	}
	for _, name := range f.servers {
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return err
		}
		for _, address := range addresses {
			around.Server = append(around.Server, address.Unmap())
		}
	}
	list := gateway.Check(ctx, around)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.showWays(f, list); err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(found gateway.Found) bool { return notGiven(found.Says) }) {
		a.hint(giveUnsigned)
	}
	switch open, unknown := gateway.Sum(list); {
	case open > 0:
		return outcome{exitExposed}
	case unknown > 0:
		return outcome{exitPartial}
	}
	return nil
}

// showWays writes the result.
func (a *app) showWays(f *gatewayCheckFlags, list []gateway.Found) error {
	out, err := a.create(f.output)
	if err != nil {
		return err
	}
	if f.format == "json" {
		enc := json.NewEncoder(model.JSONWriter{Writer: out})
		enc.SetIndent("", "  ")
		err = enc.Encode(list)
	} else {
		w := model.VisibleWriter{Writer: out}
		for _, found := range list {
			fmt.Fprintln(w, found)
		}
		open, unknown := gateway.Sum(list)
		_, err = fmt.Fprintf(w, "%d ways, %d open, %d could not be tested.\n", len(list), open, unknown)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
