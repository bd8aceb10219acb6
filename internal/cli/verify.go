package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/scan/targets"
)

const verifyHelp = `Prove from outside that a plan holds, or that what an earlier scan found is closed. verify connects to every target as a
stranger over every family of dialects that it speaks (SMB1, SMB2, SMB3), on new connections. A check passes only if
verify asked for the very thing in this run and the server refused it. If an answer is missing, the check is
inconclusive; if verify could not ask, it is unchecked, with the reason. verify asks for disk shares by name: those of
the plan, of an earlier scan with --show-names, and of --share. Controls show that the tests can tell open from closed:
the server answers, and a user with credentials still gets in.

Checks of what must work, with --check or proposed by the plan:
  tcp:HOST:PORT   pipe:NAME   share:NAME   print:NAME   logon:   command:PROGRAM…

--probe-weak-logons tests the weak logons that the plan ends (weak: checks), NTLMv1 with an account made for this test.
Without it they are notes.

With --gateway the target is a gateway, and verify compares every answer of a scan with its policy. The policy must know
this machine by the address that it has here. What the policy closes must be refused; what it leaves open is reported as
open and fails nothing. verify does not test the deny lists for users.

With --apply the plan is the one that was applied, and the target is that of the apply unless you name others. Changes
that need a restart are "waiting" until it has happened; after that they must be in effect.

A refusal does not prove who refused: a null session has no key, and somebody on the network path can refuse as well.
Such passes are marked (unauthenticated), as are checks as a user whose session is not signed. control:user says whether
the session key proved the server's answers to the user. Answers that contradict each other, were dropped or lack a
signature they should have are inconclusive.

What a plan leaves open, or does not know, is a left: check. If the plan leaves it open on purpose, the result does not
depend on it. If the plan does not know it, it counts as unchecked unless verify asks now and is refused.

What an earlier scan could not see, because it was partial or knew no disk share by name, is an unseen: check. It counts
as unchecked unless verify asks now and is refused; only disk shares that a complete scan did not try are a note, as
long as none is seen open.

Exit status 3 means that a check failed; 4 that something that should be closed, or a check that you named, got no
answer or could not be asked. A check that the plan proposes and that needs credentials is a note if there are none.
` + credentialHelp

type verifyFlags struct {
	targetFiles
	stateFlags
	checkFlags
	shareFlags
	credentialFlags
	weakFlags
	plan, scan, before, apply, format string
	gateway, listener                 string
}

func (a *app) verify() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify TARGET… --plan FILE | --scan FILE | --gateway FILE | --apply ID",
		Short: "Prove from outside that what should be closed is, and that the rest works",
		Long:  verifyHelp,
		Example: `  ipcguard verify srv1 --plan plan.json --check 'pipe:sql\query' --credentials-file user.txt
  ipcguard verify srv1 --scan before.json
  ipcguard verify gateway1 --scan before.json --before nas1 --credentials-file user.txt
  ipcguard verify gateway1 --gateway gateway.toml
  ipcguard verify --apply 20260101-120000-abcdef`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(f.all(args)) == 0 && f.apply == "" {
				return hinted{usage("no targets named"), "ipcguard verify HOST --plan FILE"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runVerify(c.Context(), f, args) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.plan, "plan", "", "everything that this plan closes must be closed, and its checks must pass")
	s.StringVar(&f.scan, "scan", "", "everything that this earlier scan found exposed must be closed")
	s.StringVar(&f.gateway, "gateway", "",
		"the target is a gateway with this configuration (.toml) or policy; what it closes to strangers must be closed")
	s.StringVar(&f.listener, "listener", "", "for --gateway: the target's listener, as the configuration names it")
	s.StringVar(&f.before, "before", "", "for --scan and --gateway: the server behind the gateway")
	s.StringVar(&f.apply, "apply", "", "the plan that was applied as this ID, and the restarts that it needs")
	f.targetFiles.register(s)
	f.stateFlags.register(s)
	f.checkFlags.register(s, "", 0)
	f.shareFlags.register(s)
	s.StringVar(&f.format, "format", "text", "text, json")
	f.credentialFlags.register(s, "also log on", "")
	f.weakFlags.register(s)
	return c
}

func (a *app) runVerify(ctx context.Context, f *verifyFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	logon, who, err := a.logonAndSecret(&f.credentialFlags)
	if err != nil {
		return err
	}
	weak, err := f.weakFlags.options(who)
	if err != nil {
		return err
	}
	if err := f.shareFlags.check(); err != nil {
		return err
	}
	if err := f.checkFlags.check(); err != nil {
		return err
	}
	s, err := a.statement(ctx, f, logon)
	if err != nil {
		return err
	}
	if args = f.all(args); f.apply != "" && len(args) == 0 {
		args = []string{s.address}
	}
	list, err := targets.Parse(ctx, args, targets.Options{Port: 445, Stdin: a.stdin})
	if err != nil {
		return usageError{err}
	}
	proofs := []*verify.Proof{}
	for t := range list.All() {
		v := &verify.Verification{
			Target: t, Plan: s.plan, Checks: f.checks, Shares: f.shares, AllowCommands: f.commands, User: logon,
			Patience: f.patience, Waits: s.waits, Weak: weak,
		}
		if err := s.prove(v, f); err != nil {
			return err
		}
		proof, err := v.Run(ctx)
		if err != nil {
			return err
		}
		proofs = append(proofs, proof)
		if f.format == "text" {
			a.showVerified(t, proof)
			if s.plan != nil && leaving(s.plan) != "" {
				fmt.Fprintln(a.stdout, strings.TrimSpace(leaving(s.plan)))
			}
		}
	}
	return a.verified(f, proofs)
}

// verified writes the proofs as JSON if that is wanted, hints at what would settle more, and returns the worst result.
func (a *app) verified(f *verifyFlags, proofs []*verify.Proof) error {
	if f.format == "json" {
		enc := json.NewEncoder(model.JSONWriter{Writer: a.stdout})
		enc.SetIndent("", "  ")
		if err := enc.Encode(proofs); err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
	}
	worst := verify.Result("")
	for _, p := range proofs {
		worst = worse(worst, p.Result)
	}
	if slices.ContainsFunc(proofs, func(p *verify.Proof) bool {
		return slices.ContainsFunc(p.Checks, func(c verify.Check) bool { return notGiven(c.Detail) })
	}) {
		a.hint(giveUnsigned)
	}
	return proved(worst)
}

// prove says what a verification proves at its target, unless that is the plan.
func (s *statement) prove(v *verify.Verification, f *verifyFlags) (err error) {
	switch {
	case s.plan != nil:
	case s.gateway != nil:
		v.Policy, err = s.gateway.policyFor(f, v.Target)
	default:
		if v.Earlier = scanOf(s.earlier, v.Target); f.before != "" {
			v.Earlier = scanNamed(s.earlier, f.before)
		}
		if v.Earlier == nil {
			return hinted{
				fmt.Errorf("%s has no scan of %s", f.scan, cmp.Or(f.before, v.Target.Name)),
				"--before names the server that was scanned, where the target is a gateway before it",
			}
		}
	}
	return err
}

// check refuses flags that do not go together.
func (f *verifyFlags) check() error {
	if err := oneOf("--format", f.format, []string{"text", "json"}); err != nil {
		return err
	}
	named := 0
	for _, s := range []string{f.plan, f.scan, f.gateway, f.apply} {
		if s != "" {
			named++
		}
	}
	if named != 1 {
		return usage("want one of --plan FILE, --scan FILE, --gateway FILE and --apply ID")
	}
	return nil
}

// proved maps the worst result to an exit code.
func proved(worst verify.Result) error {
	switch worst {
	case verify.Failed:
		return outcome{exitExposed}
	case verify.Inconclusive, verify.Unchecked, verify.Waiting:
		return outcome{exitPartial}
	}
	return nil
}

func (a *app) showVerified(t targets.Target, proof *verify.Proof) {
	a = a.plainly()
	fmt.Fprintf(a.stdout, "%s.\n", answerOf(t.Name, proof))
	a.showProof(proof)
}

// answerOf formats a proof for a report.
func answerOf(target string, p *verify.Proof) report.Answer {
	checks := make([]report.Proved, len(p.Checks))
	for i, c := range p.Checks {
		checks[i] = report.Proved{
			Check: c.Check, Result: string(c.Result), Note: c.Note, Unauthenticated: c.Unauthenticated,
		}
	}
	return report.ProofAnswer(target, p.Result == verify.Passed, checks, p.Beside)
}

// statement is what is to be proved: a plan with the restarts that it waits for, or what earlier scans found exposed.
type statement struct {
	plan    *model.Plan
	waits   []apply.Wait
	address string // of the target of an apply
	earlier []*model.Scan
	gateway *guarded
}

func (a *app) statement(ctx context.Context, f *verifyFlags, logon logonMaker) (*statement, error) {
	s := &statement{}
	var err error
	switch {
	case f.apply != "":
		return a.ofApply(ctx, f, logon)
	case f.plan != "":
		if s.plan, _, err = readPlan(f.plan); err == nil && len(s.plan.Changes) == 0 {
			err = fmt.Errorf("%s closes nothing, so there is nothing to verify", f.plan)
		}
	case f.gateway != "":
		s.gateway, err = readGuarded(f.gateway)
	default:
		s.earlier, err = readScans(f.scan)
	}
	return s, err
}

// ofApply returns the plan of an apply, its pending restarts, and its target's address.
func (a *app) ofApply(ctx context.Context, f *verifyFlags, logon logonMaker) (*statement, error) {
	e, err := a.engine(&f.stateFlags, logon)
	if err != nil {
		return nil, err
	}
	all, err := e.History()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(j *engine.Journal) bool { return j.ID == f.apply })
	if i < 0 {
		return nil, hinted{fmt.Errorf("there is no apply %s in %s", f.apply, e.State), "ipcguard history lists them"}
	}
	j := all[i]
	if p := j.Phase(); p != engine.PhaseKept && p != engine.PhaseWaiting {
		return nil, fmt.Errorf("%s is not in force (%s): there is nothing of it to verify", j.ID, p)
	}
	waits, err := e.Waits(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	t, err := a.openTarget(ctx, j.Target, logon)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	v, err := a.verification(ctx, "", t, logon)
	if err != nil {
		return nil, err
	}
	return &statement{plan: &j.Plan, waits: waits, address: v.Target.Addr.String()}, nil
}

// worse returns the overall result of two proofs.
func worse(a, b verify.Result) verify.Result {
	for _, r := range []verify.Result{verify.Failed, verify.Inconclusive, verify.Unchecked, verify.Waiting} {
		if a == r || b == r {
			return r
		}
	}
	return b
}

// scanNamed finds the scan of a target by its name or address.
func scanNamed(list []*model.Scan, name string) *model.Scan {
	for _, s := range list {
		host, _, _ := net.SplitHostPort(s.Address)
		if strings.EqualFold(s.Target, name) || s.Address == name || host == name {
			return s
		}
	}
	return nil
}

func scanOf(list []*model.Scan, t targets.Target) *model.Scan {
	for _, s := range list {
		if addr, err := netip.ParseAddrPort(s.Address); err == nil && addr == t.Addr ||
			strings.EqualFold(s.Target, t.Name) {
			return s
		}
	}
	return nil
}
