package cli

import (
	"fmt"
	"net"
	"slices"

	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
)

// meansGateway is a way for servers that nobody can configure.
const meansGateway = "gateway"

// maxStops bounds the comments of a policy; gateway what-if lists everything.
const maxStops = 50

// planGateway writes the policy of a gateway in front of a server, as gateway policy makes it, with what it closes
// according to a scan and what it would stop according to observed uses.
func (a *app) planGateway(f *planFlags) error {
	needs, err := f.gatewayNeeds()
	if err != nil {
		return err
	}
	var scans []*model.Scan
	for _, name := range f.scans {
		list, err := readScans(name)
		if err != nil {
			return err
		}
		scans = append(scans, list...)
	}
	if len(scans) == 0 {
		return usage("--means gateway: --scan is needed: what a stranger is given by the server itself")
	}
	host, _, err := net.SplitHostPort(scans[0].Address)
	if err != nil {
		return fmt.Errorf("the scan of %s has no address: %w", scans[0].Target, err)
	}
	if slices.ContainsFunc(scans, func(s *model.Scan) bool { return s.Address != scans[0].Address }) {
		return usage("--scan: scans of several servers; a policy is planned for one")
	}
	o := &gatewayPolicyFlags{needs: needs, servers: append([]string{host}, f.servers...), output: f.output}
	if f.observe != "" {
		o.observed = []string{f.observe}
	}
	made, err := o.make()
	if err != nil {
		return err
	}
	if err := made.policy.Check(); err != nil {
		return err
	}
	made.says = append(made.says, "For "+fmt.Sprint(report.ScanAnswer(scans[0]))+".")
	stops := slices.DeleteFunc(made.policy.Replay(made.uses, ""), func(r gateway.Replayed) bool {
		return r.Outcome == model.Allowed
	})
	switch {
	case len(made.uses) > 0:
		made.says = append(made.says,
			fmt.Sprintf("Of %d uses that were observed it stops these %d, or may:", len(made.uses), len(stops)))
	case f.observe == "":
		made.left = append(made.left, "what it would stop: nobody looked (--observe)")
	default:
		made.left = append(made.left,
			fmt.Sprintf("what it would stop: no use of %s was observed; --server gives its other names and addresses",
				host))
	}
	for i, s := range stops {
		if i == maxStops {
			made.says = append(made.says, fmt.Sprintf("  and %d more, which gateway what-if lists", len(stops)-i))
			break
		}
		made.says = append(made.says, "  "+s.String())
	}
	return a.writeGatewayPolicy(o, made)
}

// gatewayNeeds refuses flags that a gateway cannot fulfil, and returns the needs.
func (f *planFlags) gatewayNeeds() ([]string, error) {
	p, err := f.wanted()
	if err != nil {
		return nil, err
	}
	switch {
	case f.audit != "" || f.host != "" || f.role != "":
		return nil, hinted{
			usage("--means gateway is for a server that cannot be configured"),
			"with an audit, plan without --means says which settings close it",
		}
	case f.strategy == "block" || p.Strategy == "block":
		return nil, usage("--means gateway: it stops strangers alone, and cannot block")
	case f.format != "text" || f.goal != "" || f.listen || f.accept || f.sign != "" ||
		len(f.want)+len(f.allow)+len(f.avoid) > 0:
		return nil, usage("--means gateway takes --scan, --observe, --server, --needs and --output, and writes a " +
			"policy for ipcguard gateway --policy")
	}
	return p.Needs, nil
}
