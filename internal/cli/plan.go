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

const planHelp = `Make a plan: the smallest set of changes after which strangers get nothing. For each change the plan gives the exact
value before and after, what it closes, what it would stop, and what goes on working. It also says what stays open. plan
changes nothing.

plan needs --audit, which says what the configuration does. --scan adds what strangers really got, --observe who really
uses IPC$. If scan and audit contradict each other, the plan has no changes, but the question that would settle it.

Strategies:
  restrict  take from strangers what they should not have; users who sign in keep everything
  block     close IPC$ itself, for everybody (--means says how). plan refuses this while something in use would stop, or
            if nothing was observed, unless you give --accept-breakage

Goals of restrict; each does more than the one before:
  strangers  change only what closes something. The plan names every other finding and says why it leaves it
  harden     also set what is recommended for strangers although something else already closes it
  findings   also change whatever else audit calls weak: signing, SMB1, NTLMv1. This affects users who sign in, so read
             what stops
No goal changes a setting that is known to stop something you declared or that was found on this host. --want NAME=VALUE
adds one setting, and --want SHARE:NAME=VALUE a line of one disk share of Samba ("team:server smb encrypt=required",
"public:guest ok=no"); neither can open anything to strangers. With --listen the goal findings takes two steps: first
the host logs which clients a setting would refuse, if the evidence does not say so; the next plan closes it.

If a server cannot be configured, --means gateway writes the policy of a gateway in front of it (ipcguard gateway), from
--scan and --observe instead of --audit, and says what it would stop. Strangers keep the calls that they were seen to
make.

Needs are services of the catalog (sqlserver, print-server, ts-licensing, nt4-trust …; see ipcguard explain), or
pipe:NAME and share:NAME, which stay open to strangers.

A policy is a YAML file with any of: needs, role, avoid, allow, strategy, goal, want, listen, means, accept_breakage,
checks, min_days. Flags add to its lists and override its single values.

Exit status here: 0 a plan was made, also if nothing is left to change; 1 refused; 4 the evidence contradicts itself, or
the policy of a gateway lacks something or nobody observed what it would stop.
`

const planExamples = `  ipcguard audit local --format json -o audit.json
  ipcguard plan --audit audit.json
  ipcguard plan --audit audit.json --scan scan.jsonl --observe uses.json --needs sqlserver -o plan.json --format json
  ipcguard plan --audit audit.json --observe uses.json --want "team:server smb encrypt=required"
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
		Use: "plan --audit FILE", Short: "Say what to change, and what it would stop", Long: planHelp,
		Example: planExamples, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.runPlan(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	f.evidenceFlags.register(s)
	s.StringSliceVar(&f.scans, "scan", nil, "what ipcguard scan said of the host (json or jsonl)")
	s.StringSliceVar(&f.avoid, "avoid", nil, "settings not to touch")
	s.StringSliceVar(&f.allow, "allow", nil,
		"values that plan sets only if you allow them, such as RestrictAnonymous=2 on Windows 2000")
	s.StringVar(&f.target, "target", "", "name of the host in the plan")
	s.StringVar(&f.strategy, "strategy", "", "restrict (the default) or block")
	s.StringVar(&f.goal, "goal", "", "for restrict, how far it goes: strangers (the default), harden, findings")
	s.StringArrayVar(&f.want, "want", nil, "also set this setting, NAME=VALUE, or line of a share, SHARE:NAME=VALUE; may be repeated")
	s.BoolVar(&f.listen, "listen", false,
		"if it is not known whom a setting refuses, make the host log it first, and close in the next plan")
	s.StringVar(&f.means, "means", "",
		"for block, how: server-service, pipe-firewall, host-firewall, auto-share; Samba: ipc-hosts-deny, no-pipes, "+
			"encryption, restrict-anonymous, host-firewall; ksmbd: restrict-anonymous; and gateway")
	s.BoolVar(&f.accept, "accept-breakage", false, "block although something in use will stop")
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

// makePlan makes a plan. Planning does no input or output, so an interrupt returns at once and the program ends.
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

// asUsage makes evidence and declarations that cannot be used wrong usage, with their hints.
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
