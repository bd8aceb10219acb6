package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
	"ipcguard/internal/scan"
)

const applyHelp = `Apply a plan to a host, prove the result from outside, and be able to undo every change.

Before the first write, apply saves the exact state of everything that it will write (value, type, absence, file, mode,
owner) in a journal on disk. After the last write, it connects to the host as a stranger over every family of dialects
that the host speaks, and tests whether what the plan closes is closed and what must work works. If a test fails, apply
undoes everything. What could not be tested (such as a share whose name nobody knows) is reported; the changes stay, and
the exit status is 4. The same holds for doors that the plan leaves and does not know to be closed (left:), unless this
test saw a refusal. What the plan leaves open on purpose is reported and does not affect the result.

With --confirm-within, apply also undoes everything unless "ipcguard confirm ID" runs in time. A separate guard process
waits for it. The guard survives this terminal and, as a systemd service or scheduled task, a reboot.

Targets:
  samba:PATH             the Samba server on this machine whose configuration is PATH (default: /etc/samba/smb.conf)
  ksmbd:PATH             the Linux kernel's server on this machine (default: /etc/ksmbd/ksmbd.conf)
  windows:               this Windows machine
  winreg://HOST[:PORT]   a remote Windows machine, through its winreg pipe; only changes that cannot cut off that pipe

On a terminal, apply shows every write, who made the plan and when, and asks once. Elsewhere it needs --yes, and then
refuses a plan that was made for a host of another name or address, unless --made-for gives that name. A plan can only
change what the catalog knows, in its place and to a valid value, whatever its hash says. --require-signature also
checks who made it: apply then refuses a plan that is not signed (ipcguard plan --sign) with a key of that file.

apply refuses a plan that was edited, that is for another system, or whose host has changed since; make a new plan then.
--dry-run shows every write and makes none.

Checks of what must work, with --check (the plan proposes some too):
  tcp:HOST:PORT   pipe:NAME   share:NAME   print:NAME   logon:   command:PROGRAM…
` + credentialHelp

type applyFlags struct {
	stateFlags
	checkFlags
	shareFlags
	credentialFlags
	weakFlags
	target, address string
	dryRun, yes     bool
	trusted         string
	madeFor         string
	within          time.Duration
}

func (a *app) apply() *cobra.Command {
	a = a.plainly()
	f := &applyFlags{}
	c := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Make a plan's changes, with proof and a way back",
		Long:  applyHelp,
		Example: `  ipcguard apply plan.json --dry-run
  ipcguard apply plan.json --confirm-within 10m
  ipcguard apply plan.json --yes --require-signature /etc/ipcguard/trusted-keys
  ipcguard apply plan.json --target winreg://srv1 --user LAB\admin --check tcp:srv1:1433`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hinted{usage("want one plan"), "ipcguard plan makes one"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runApply(c.Context(), f, args[0]) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.target, "target", "", "samba:PATH, ksmbd:PATH, windows: or winreg://HOST (default: this machine)")
	s.BoolVar(&f.dryRun, "dry-run", false, "show every write and make none")
	s.BoolVarP(&f.yes, "yes", "y", false, "do not ask; make the writes that --dry-run shows")
	s.StringVar(&f.madeFor, "made-for", "", "with --yes: accept a plan that was made for a host of this name")
	s.Var((*fileName)(&f.trusted), "require-signature",
		"accept the plan only if it is signed with a key in this file of trusted keys")
	s.DurationVar(&f.within, "confirm-within", 0,
		"undo everything unless it is confirmed within this time, such as 10m")
	f.checkFlags.register(s, ", before and after", 10*time.Second)
	f.shareFlags.register(s)
	s.StringVar(&f.address, "address", "", "HOST[:PORT] where the result is tested (default: where the target listens)")
	f.stateFlags.register(s)
	f.credentialFlags.register(s, "log on", ", for winreg:// targets and checks")
	f.weakFlags.register(s)
	return c
}

// makesPlan is the hint for a file that is not a plan: people often pass the results that a plan is made from.
const makesPlan = "ipcguard plan --audit AUDIT.json --format json -o plan.json makes one of the result of an audit"

// readPlan reads a plan that is about to be used.
func readPlan(name string) (*model.Plan, []byte, error) {
	const most = 64 << 20 // larger than the bound of plan.Read, whose error is clearer
	b, err := readBounded(name, most)
	if err != nil {
		return nil, nil, fmt.Errorf("plan: %w", err)
	}
	b = model.UTF8Text(b)
	p, err := plan.Read(b)
	switch {
	case errors.Is(err, plan.ErrNotAPlan):
		return nil, nil, hinted{fmt.Errorf("%s: %w", name, err), makesPlan}
	case err != nil:
		return nil, nil, hinted{
			fmt.Errorf("%s: %w", name, err), "make a new plan with ipcguard plan; a policy file says what it must keep",
		}
	}
	return p, b, nil
}

// fit refuses plans that cannot be applied completely.
func fit(p *model.Plan) error {
	switch {
	case p.Question != "":
		return hinted{
			errors.New("the plan asks a question and makes no changes: " + p.Question), "settle it, and plan again",
		}
	case p.Refused != "":
		return errors.New("the plan makes no changes: " + p.Refused)
	}
	for _, c := range p.Changes {
		if c.ExportOnly {
			return hinted{
				fmt.Errorf("change %s (%s) is never made by this program", c.ID, c.Setting),
				"ipcguard export writes it for your own tools",
			}
		}
	}
	return nil
}

// checked returns a plan's changes. It refuses a plan with a change that the catalog does not allow, whoever wrote the
// plan and whatever its hash says.
func checked(p *model.Plan) ([]*change.Change, error) {
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	changes, err := change.All(c, p)
	if err != nil {
		return nil, hinted{fmt.Errorf("plan: %w", err), "nothing was written; make a new plan with ipcguard plan"}
	}
	return changes, nil
}

// applying is one run of the command.
type applying struct {
	*app
	flags   *applyFlags
	plan    *model.Plan
	changes []*change.Change // of the plan, checked
	text    []byte           // the plan's file
	signer  *plan.Key        // the requested signature's key; nil if none was requested
	spec    string           // of the target
	logon   logonMaker
	secret  *secret
	weak    *scan.WeakLogons
	engine  *engine.Engine
	target  apply.Target
}

func (a *app) runApply(ctx context.Context, f *applyFlags, name string) error {
	p, text, err := readPlan(name)
	if err != nil {
		return err
	}
	if err := fit(p); err != nil {
		return err
	}
	if len(p.Changes) == 0 {
		fmt.Fprintln(a.stdout, "Nothing to do: the plan has no changes."+leaving(p))
		return unsettled(p)
	}
	changes, err := checked(p)
	if err != nil {
		return err
	}
	signer, err := trustedSigner(p, f.trusted)
	if err != nil {
		return err
	}
	run := &applying{app: a, signer: signer, flags: f, plan: p, changes: changes, text: text}
	if err := run.prepare(); err != nil {
		return err
	}
	if !f.dryRun {
		if err := a.recoverFirst(ctx, run.engine); err != nil {
			return err
		}
	}
	if run.target, err = a.openTarget(ctx, run.spec, run.logon); err != nil {
		return explained(err, run.engine)
	}
	defer run.target.Close()
	writes, err := run.resolve(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; nothing was written: %w", ctx.Err())
	}
	if err != nil {
		return run.again(err)
	}
	if len(writes) == 0 {
		fmt.Fprintf(a.stdout, "Nothing to do: %s already is as the plan wants it.%s\n", run.spec, leaving(p))
		return unsettled(p)
	}
	a.showMaker(p, run.signer)
	if err := run.rightHost(ctx); err != nil {
		return err
	}
	a.showWrites(p, writes)
	if f.dryRun {
		fmt.Fprintln(a.stdout, "Nothing was written (--dry-run).")
		return nil
	}
	if !f.yes {
		if err := a.agree(ctx, run.spec); err != nil {
			return err
		}
	}
	return run.write(ctx)
}

// leaving returns what a plan leaves open, for runs that apply nothing and so do not report it otherwise.
func leaving(p *model.Plan) string {
	if l := report.PlanLeaves(p); l != "" {
		return " Of the plan, " + l + ": it tells which, and why."
	}
	return ""
}

// unsettled is the result of a run that contacts no host: partial if the plan does not know what strangers get.
func unsettled(p *model.Plan) error {
	if slices.ContainsFunc(p.Open, func(o model.OpenDoor) bool { return !o.Known }) {
		return outcome{exitPartial}
	}
	return nil
}

// prepare checks the flags and sets up the run. It contacts no host.
func (r *applying) prepare() error {
	f := r.flags
	var err error
	if r.spec, err = targetSpec(f.target, r.plan); err != nil {
		return err
	}
	if r.logon, r.secret, err = r.logonAndSecret(&f.credentialFlags); err != nil {
		return err
	}
	if r.weak, err = f.weakFlags.options(r.secret); err != nil {
		return err
	}
	if err := f.shareFlags.check(); err != nil {
		return err
	}
	if err := f.checkFlags.check(); err != nil {
		return err
	}
	if err := f.checkUser(r.logon); err != nil {
		return err
	}
	if f.within < 0 || f.within > engine.MaxWithin || f.within > 0 && f.within < time.Second {
		return usage("--confirm-within %v: want 1s to %v", f.within, engine.MaxWithin)
	}
	r.engine, err = r.app.engine(&f.stateFlags, r.logon)
	return err
}

// again names the earlier apply of this plan, if that is why the host has changed.
func (r *applying) again(err error) error {
	var stale *apply.StaleError
	if !errors.As(err, &stale) {
		return err
	}
	j := r.engine.AppliedAs(*r.plan, r.spec)
	if j == nil {
		return err
	}
	id := j.ID + inState(r.engine.State)
	hint := "ipcguard verify --apply " + id + " proves it again, ipcguard rollback " + id + " takes it back"
	if j.Phase() == engine.PhaseWaiting {
		hint = "ipcguard confirm " + id + " keeps it, ipcguard rollback " + id + " takes it back"
	}
	return hinted{
		fmt.Errorf("this plan was applied already, as %s at %s (%s)", j.ID, j.Started.Local().Format(time.DateTime),
			j.Phase()), hint,
	}
}

// resolve returns the writes, if the host is still as the plan expects.
func (r *applying) resolve(ctx context.Context) ([]apply.Write, error) {
	if system := r.target.System(); system != r.plan.Platform.System {
		return nil, fmt.Errorf("the plan is for %s, and %s is %s", r.plan.Platform.System, r.spec, system)
	}
	if err := r.target.StillTrue(ctx, r.plan.BasedOn...); err != nil {
		return nil, explained(err, r.engine)
	}
	writes, err := r.target.Resolve(ctx, r.changes)
	return writes, explained(err, r.engine)
}

// write makes the changes: a baseline, the writes under a guard, the proof.
func (r *applying) write(ctx context.Context) error {
	f := r.flags
	v, err := r.verification(ctx, f.address, r.target, r.logon)
	if err != nil {
		return err
	}
	v.Plan, v.Checks, v.AllowCommands, v.Patience = r.plan, f.checks, f.commands, f.patience
	v.Shares, v.Weak = f.shares, r.weak
	fmt.Fprintf(r.stderr, "asking %s as it is now\n", v.Target.Addr)
	if err := v.Baseline(ctx); err != nil {
		return err
	}
	// A closed terminal or a Ctrl-Z must not stop this half way while it holds the lock.
	signal.Ignore(hangups()...)
	var guard string
	var proof *verify.Proof
	j, err := r.engine.Apply(ctx, engine.Request{
		Plan: *r.plan, Changes: r.changes, Bytes: r.text, Target: r.target, Within: f.within,
		Arm: func(ctx context.Context, j *engine.Journal) (err error) {
			guard, err = r.arm(ctx, j)
			return err
		},
		Verify: func(ctx context.Context) (apply.Evidence, error) {
			fmt.Fprintf(r.stderr, "asking %s again, as a stranger\n", v.Target.Addr)
			var err error
			if proof, err = v.Run(ctx); err != nil {
				return nil, err
			}
			r.showProof(proof)
			return proof, nil
		},
	})
	if err != nil {
		if j != nil && f.within > 0 {
			err = errors.Join(err, engine.Disarm(context.WithoutCancel(ctx), j.ID))
		}
		return explained(err, r.engine)
	}
	r.showApplied(j, guard, proof, inState(r.engine.State))
	if proof != nil && (proof.Result == verify.Unchecked || proof.Result == verify.Waiting) {
		return outcome{exitPartial}
	}
	return nil
}

// arm starts the guard and returns its description.
func (r *applying) arm(ctx context.Context, j *engine.Journal) (string, error) {
	if r.practice != nil {
		return r.practice.guard(ctx, r.engine, j.ID), nil
	}
	return r.engine.Guard(ctx, j, r.secret.forGuard(r.spec))
}

// hangups returns the signals of a terminal that is closed or suspends a program.
func hangups() []os.Signal {
	out := []os.Signal{syscall.SIGHUP}
	return slices.Concat(out, stopSignals())
}
