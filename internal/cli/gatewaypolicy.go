package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
)

const gatewayPolicyHelp = `Write the narrowest policy under which strangers can go on with what they were seen to do.

Each client that got answers to calls as a stranger becomes an exception with the pipes, interfaces and calls that it used, and
nothing else. Read it, and take out what should stop: seen is not needed. What was not seen is refused by it, so how long was
observed bounds what it keeps.
`

type gatewayPolicyFlags struct {
	observed []string
	server   string
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
	s.StringArrayVar(&f.observed, "observe", nil, "a result of ipcguard observe, or a directory of its state; may be given again")
	s.StringVar(&f.server, "server", "", "uses of this server alone, as the result names it")
	s.StringVarP(&f.output, "output", "o", "", "write the policy to this file")
	return c
}

func (a *app) runGatewayPolicy(f *gatewayPolicyFlags) error {
	if len(f.observed) == 0 {
		return usage("--observe is needed")
	}
	var uses []model.Use
	for _, name := range f.observed {
		o, err := readObserved(name)
		if err != nil {
			return err
		}
		uses = append(uses, o.Uses...)
	}
	if f.server != "" {
		uses = slices.DeleteFunc(uses, func(u model.Use) bool { return u.Server != f.server })
	}
	if len(uses) == 0 {
		return hinted{fmt.Errorf("no use was observed"), "without a policy the gateway refuses every stranger"}
	}
	policy, left := gateway.Observed(uses)
	j, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(j)
	if err != nil {
		return err
	}
	err = a.writeTo(f.output, func(w io.Writer, _ bool) error {
		_, err := fmt.Fprintf(model.VisibleWriter{Writer: w},
			"# %d exceptions, from %d rows. Take out what should stop.\n%s", len(policy.Strangers), len(uses), text)
		return err
	})
	if !slices.ContainsFunc(uses, func(u model.Use) bool { return u.Source != model.SourceGateway }) {
		left = append(left, "what strangers call: these rows are a gateway's, which hold logons and refusals. Calls are seen in captures alone")
	}
	for _, sentence := range left {
		a.hint("not in the policy: %s", sentence)
	}
	if err == nil && len(left) > 0 {
		err = outcome{exitPartial}
	}
	return err
}
