package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
)

const gatewayWhatIfHelp = `Say who would be refused by a gateway. gateway what-if judges every observed use that the server allowed by the policy,
and lists those that the gateway would refuse. It changes nothing. Without --policy every stranger is refused.

The answer covers only what was observed. What users do inside encrypted sessions is not observed, and a gateway does
not refuse it.

Exit status here: 0 nothing that was seen would be refused; 3 something would be; 4 the rows do not say enough.
`

type gatewayWhatIfFlags struct {
	outputFlags
	observed   []string
	policy, to string
}

func (a *app) gatewayWhatIf() *cobra.Command {
	f := &gatewayWhatIfFlags{}
	c := &cobra.Command{
		Use:     "what-if --observe FILE",
		Short:   "Say who would be refused, by what was observed",
		Long:    gatewayWhatIfHelp,
		Example: "  ipcguard gateway what-if --observe uses.json --policy gateway.yaml --to 192.0.2.20:445",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.runGatewayWhatIf(f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringArrayVar(&f.observed, "observe", nil,
		"a result of ipcguard observe, or its state directory; may be repeated")
	s.StringVar(&f.policy, "policy", "", "the gateway's policy")
	s.StringVar(&f.to, "to", "", "the server as the listener names it, HOST:PORT; without it port 445 of each server")
	f.outputFlags.register(s, "the answer", []string{"text", "json"})
	return c
}

func (a *app) runGatewayWhatIf(f *gatewayWhatIfFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if len(f.observed) == 0 {
		return usage("--observe is needed")
	}
	var policy gateway.Policy
	if f.policy != "" {
		if err := readGatewayPolicy(f.policy, &policy); err != nil {
			return err
		}
	}
	var uses []model.Use
	for _, name := range f.observed {
		o, err := readObserved(name)
		if err != nil {
			return err
		}
		uses = append(uses, o.Uses...)
	}
	list := policy.Replay(uses, f.to)
	count, already := map[model.Outcome]int{}, 0
	for _, u := range uses {
		if u.Outcome == model.Denied {
			already++
		}
	}
	for _, r := range list {
		count[r.Outcome]++
	}
	err := a.writeTo(f.output, func(w io.Writer, _ bool) error {
		if f.format == "json" {
			enc := json.NewEncoder(model.JSONWriter{Writer: w})
			enc.SetIndent("", "  ")
			return enc.Encode(list)
		}
		w = model.VisibleWriter{Writer: w}
		if _, err := fmt.Fprintf(w,
			"Of %d uses that were observed, %d were refused already, %d would be, %d are not known, %d go on by the "+
				"policy. Users go on, except where the policy denies them something.\n",
			len(uses), already, count[model.Denied], count[model.Inconclusive], count[model.Allowed]); err != nil {
			return err
		}
		for _, r := range list {
			if _, err := fmt.Fprintln(w, r); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case count[model.Denied] > 0:
		return outcome{exitExposed}
	case count[model.Inconclusive] > 0 || len(uses) == 0:
		return outcome{exitPartial}
	}
	return nil
}
