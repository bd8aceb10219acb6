package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"ipcguard/internal/catalog"
	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
)

const gatewayPolicyHelp = `Write the narrowest policy that lets strangers go on with what they were seen to do.

Each client that got answers as a stranger becomes an exception, with only the pipes, interfaces and calls that it used.
--needs adds pipes for every client. Read the policy and remove what should stop: that something was seen does not mean
that it is needed. The policy refuses everything that was not seen, so observe for long enough.

Exit status 4 means that the policy lacks something that was seen or needed; the hints say what.
`

type gatewayPolicyFlags struct {
	observed []string
	needs    []string
	servers  []string
	output   string
}

func (a *app) gatewayPolicy() *cobra.Command {
	f := &gatewayPolicyFlags{}
	c := &cobra.Command{
		Use:     "policy --observe FILE",
		Short:   "Write a policy from what was observed",
		Long:    gatewayPolicyHelp + exitHelp,
		Example: "  ipcguard gateway policy --observe uses.json --server 192.0.2.20 -o gateway.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.runGatewayPolicy(f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringArrayVar(&f.observed, "observe", nil,
		"a result of ipcguard observe, or its state directory; may be repeated")
	s.StringSliceVar(&f.needs, "needs", nil,
		"pipes that stay open to all strangers: services of the catalog, or pipe:NAME")
	s.StringSliceVar(&f.servers, "server", nil, "only uses of this server, by its names and addresses in the result")
	s.StringVarP(&f.output, "output", "o", "", "write the policy to this file")
	return c
}

// keepNeeds adds the declared needs. A service keeps those of its pipes whose interface is known.
func keepNeeds(p *gateway.Policy, needs []string) error {
	c, err := catalog.Load()
	if err != nil {
		return err
	}
	for _, need := range needs {
		if pipe, ok := strings.CutPrefix(need, "pipe:"); ok {
			if err := p.Keep(pipe, nil, "declared"); err != nil {
				return usage("--needs %s: %w", need, err)
			}
			continue
		}
		s := c.Service(need)
		if s == nil {
			return hinted{
				usage("--needs %s: no service of the catalog", need),
				"ipcguard explain lists them; pipe:NAME keeps a single pipe",
			}
		}
		var errs []error
		for _, pipe := range s.Pipes {
			errs = append(errs, p.Keep(pipe, s.Interfaces, "declared: "+s.Title))
		}
		if len(errs) == 0 || !slices.Contains(errs, nil) {
			return usage("--needs %s: no pipe with a known interface: name it in the policy: %w", need,
				errors.Join(errs...))
		}
	}
	return nil
}

// gatewayMade is a policy that was made from observed uses, with remarks.
type gatewayMade struct {
	policy gateway.Policy
	uses   []model.Use
	says   []string // for the policy's comments
	left   []string // what it does not cover
}

// make makes the policy.
func (f *gatewayPolicyFlags) make() (*gatewayMade, error) {
	m := &gatewayMade{}
	for _, name := range f.observed {
		o, err := readObserved(name)
		if err != nil {
			return nil, err
		}
		m.uses = append(m.uses, o.Uses...)
	}
	if len(f.servers) > 0 {
		m.uses = slices.DeleteFunc(m.uses, func(u model.Use) bool { return !slices.Contains(f.servers, u.Server) })
	}
	m.policy, m.left = gateway.Observed(m.uses)
	if len(m.uses) > 0 && !slices.ContainsFunc(m.uses, func(u model.Use) bool {
		return u.Source != model.SourceGateway
	}) {
		m.left = append(m.left,
			"what strangers call: these rows are a gateway's, which hold logons and refusals. Calls are seen in "+
				"captures alone")
	}
	return m, keepNeeds(&m.policy, f.needs)
}

func (a *app) runGatewayPolicy(f *gatewayPolicyFlags) error {
	if len(f.observed) == 0 && len(f.needs) == 0 {
		return usage("--observe is needed")
	}
	m, err := f.make()
	if err != nil {
		return err
	}
	if len(m.uses) == 0 && len(f.needs) == 0 {
		return hinted{fmt.Errorf("no use was observed"), "without a policy the gateway refuses every stranger"}
	}
	return a.writeGatewayPolicy(f, m)
}

// writeGatewayPolicy writes a policy, and reports what it does not cover.
func (a *app) writeGatewayPolicy(f *gatewayPolicyFlags, m *gatewayMade) error {
	j, err := json.Marshal(m.policy)
	if err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(j)
	if err != nil {
		return err
	}
	err = a.writeTo(f.output, func(w io.Writer, _ bool) error {
		w = model.VisibleWriter{Writer: w}
		says := append([]string{fmt.Sprintf("%d exceptions, from %d rows. Take out what should stop.",
			len(m.policy.Strangers), len(m.uses))}, m.says...)
		for _, line := range says {
			if _, err := fmt.Fprintf(w, "# %s\n", strings.ReplaceAll(line, "\n", " ")); err != nil {
				return err
			}
		}
		_, err := w.Write(text)
		return err
	})
	for _, sentence := range m.left {
		a.hint("not in the policy: %s", sentence)
	}
	if err == nil && len(m.left) > 0 {
		err = outcome{exitPartial}
	}
	return err
}
