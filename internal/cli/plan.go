package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

const planHelp = `Make a plan: the smallest set of changes after which strangers are given nothing, with the exact value before and after,
what each closes, what it would stop, what goes on working, and what stays open. Nothing is changed.

--audit says what the configuration does and is needed. --scan and --observe add what a stranger was really given, and who
really uses IPC$. Where scan and audit contradict each other there are no changes but the question that would settle it.

Strategies:
  restrict  strangers lose what they should not have; those who sign in keep everything
  block     IPC$ itself goes, for everybody (--means says how). It is refused while something in use would stop, or nobody
            has looked, unless --accept-breakage is given

Goals of restrict, each going further than the one before:
  strangers  what closes something, and no more. Every other finding is named, with why it is left
  harden     and what is wanted although something else closes it already, as far as it reaches strangers alone
  findings   and whatever else an audit calls weak: signing, SMB1, NTLMv1. This meets those who sign in; read what stops
None sets what is known to stop something that was declared or found on this host. --want NAME=VALUE sets one setting
beside what the goal asks for; it never opens to strangers what is closed. With --listen the goal findings takes two steps:
a setting that refuses clients of whom the evidence does not tell waits, and the plan makes the host log them.

For a server that cannot be configured, --means gateway writes the policy of a gateway before it (ipcguard gateway), from
--scan and --observe in place of --audit, with what it would stop: strangers that were seen keep the calls that were seen.

Needs are services of the catalog (sqlserver, print-server, ts-licensing, nt4-trust …; ipcguard explain knows them), or
pipe:NAME and share:NAME, which strangers then keep.

A policy is a YAML file with any of: needs, role, avoid, allow, strategy, goal, want, listen, means, accept_breakage, checks, min_days.
Flags are added to its lists and win over its single values.

Exit status here: 0 a plan was made, also where nothing is left to change; 1 refused; 4 the evidence contradicts itself.
`

const planExamples = `  ipcguard audit local --format json -o audit.json
  ipcguard plan --audit audit.json
  ipcguard plan --audit audit.json --scan scan.jsonl --observe uses.json --needs sqlserver -o plan.json --format json
  ipcguard plan --audit audit.json --strategy block --means host-firewall --accept-breakage
  ipcguard plan --means gateway --scan scan.jsonl --observe uses.json -o gateway.yaml`

// planFlags are the flags of plan.
type planFlags struct {
	evidenceFlags
	outputFlags
	strategy, means string
	allow           []string
	goal            string
	want            []string
	listen          bool
	accept, verbose bool
	sign            string
}

func (a *app) plan() *cobra.Command {
	f := &planFlags{}
	c := &cobra.Command{
		Use: "plan --audit FILE", Short: "Say what to change, and what it would stop", Long: planHelp, Example: planExamples, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.runPlan(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	f.evidenceFlags.register(s)
	s.StringSliceVar(&f.scans, "scan", nil, "what ipcguard scan said of the host (json or jsonl)")
	s.StringSliceVar(&f.avoid, "avoid", nil, "settings not to touch")
	s.StringSliceVar(&f.allow, "allow", nil, "values that are set only on request, such as RestrictAnonymous=2 on Windows 2000")
	s.StringVar(&f.target, "target", "", "what to call the host in the plan")
	s.StringVar(&f.strategy, "strategy", "", "restrict (the default) or block")
	s.StringVar(&f.goal, "goal", "", "of restrict, how far it goes: strangers (the default), harden, findings")
	s.StringArrayVar(&f.want, "want", nil, "set this setting as well, as NAME=VALUE; may be given again")
	s.BoolVar(&f.listen, "listen", false, "where it is not known whom a setting refuses, make the host log that first, and close in the next plan")
	s.StringVar(&f.means, "means", "", "of block, how: server-service, pipe-firewall, host-firewall, auto-share; Samba: ipc-hosts-deny, no-pipes, encryption, restrict-anonymous, host-firewall; and gateway")
	s.BoolVar(&f.accept, "accept-breakage", false, "block even though something in use stops")
	s.Var((*fileName)(&f.sign), "sign", "sign the plan with this key (ipcguard key make)")
	f.outputFlags.register(s, "the plan", report.PlanFormats())
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show the plan's hash and the host state it was made from")
	return c
}

func (a *app) runPlan(ctx context.Context, f *planFlags) error {
	if err := f.outputFlags.check(); err != nil {
		return err
	}
	if f.means == meansGateway {
		return a.planGateway(f)
	}
	e, err := f.evidence()
	if err != nil {
		return err
	}
	p := &e.Policy
	p.Avoid = append(p.Avoid, f.avoid...)
	p.Allow = append(p.Allow, f.allow...)
	p.Want = append(p.Want, f.want...)
	if f.strategy != "" {
		p.Strategy = f.strategy
	}
	if f.goal != "" {
		p.Goal = f.goal
	}
	if f.means != "" {
		p.Means = f.means
	}
	p.Listen = p.Listen || f.listen
	p.AcceptBreakage = p.AcceptBreakage || f.accept
	e.Target = f.target
	made, err := makePlan(ctx, *e)
	if err != nil {
		return asUsage(err)
	}
	if f.sign != "" {
		key, err := signingKey(f.sign)
		if err != nil {
			return err
		}
		if err := plan.Sign(made, key); err != nil {
			return err
		}
	}
	if made.Target == e.Audit.Source.Name && f.target == "" && len(e.Scans) == 0 && e.Audit.Host == "" {
		a.hint("the audit does not name the host; --target does")
	}
	err = a.writeTo(f.output, func(w io.Writer, color bool) error {
		return report.WritePlan(w, f.format, made, report.Style{Color: color, Verbose: f.verbose}, a.width())
	})
	switch {
	case err != nil:
		return err
	case made.Question != "":
		return outcome{exitPartial}
	case made.Refused != "":
		return outcome{exitFailed}
	}
	return nil
}

// makePlan makes a plan, which reads and writes nothing, and lets an interrupt end it at once: the program ends then, and
// the work with it.
func makePlan(ctx context.Context, e plan.Evidence) (p *model.Plan, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p, err = plan.Make(e)
	}()
	select {
	case <-done:
		return p, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asUsage makes evidence and declarations that cannot be used mistakes of the command line, with the advice they carry.
func asUsage(err error) error {
	var in *plan.InputError
	if !errors.As(err, &in) {
		return err
	}
	if in.Hint == "" {
		return usageError{err}
	}
	return hinted{usageError{err}, in.Hint}
}
