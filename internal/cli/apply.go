package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/scan/targets"
)

const applyHelp = `Make the changes of a plan on a host, prove them from outside, and be able to take every one of them back.

Before the first write the exact content of every place (value, type, absence, file, mode, owner) is in a journal on disk.
After the last one the host is asked as a stranger, over every family of dialects that it speaks, whether everything that
the plan closes is closed, and whether everything that must work does. If anything fails, everything goes back.

With --confirm-within everything goes back as well unless "ipcguard confirm ID" comes in time: a guard of its own waits
for that, which outlives this terminal and, as a service of systemd or a scheduled task, a reboot.

Targets:
  samba:PATH             the Samba server on this machine whose configuration is PATH (default: /etc/samba/smb.conf)
  windows:               this Windows machine
  winreg://HOST[:PORT]   a Windows machine from afar, through its winreg pipe; only changes that cannot cut that way off

A plan that was edited, that is for another system, or whose host has changed since it was made is refused: plan again.
--dry-run shows every write and makes none.

Must-work checks, given with --check (the plan proposes some as well):
  tcp:HOST:PORT   pipe:NAME   share:NAME   print:NAME   logon:   command:PROGRAM…
`

// placeFlags say where journals are.
type placeFlags struct{ state string }

func (f *placeFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.state, "state", "", "the directory of journals and keys (default: /var/lib/ipcguard as root, else below XDG_STATE_HOME; %ProgramData%\\ipcguard)")
}

// dir is the state directory.
func (f *placeFlags) dir() (string, error) {
	if f.state != "" {
		return filepath.Abs(f.state)
	}
	if runtime.GOOS == "windows" {
		if data := os.Getenv("ProgramData"); data != "" {
			return filepath.Join(data, "ipcguard"), nil
		}
		return "", hinted{usage("%%ProgramData%% is not set"), "name a directory with --state"}
	}
	if os.Geteuid() == 0 {
		return "/var/lib/ipcguard", nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "ipcguard"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", hinted{usageError{err}, "name a directory with --state"}
	}
	return filepath.Join(home, ".local", "state", "ipcguard"), nil
}

// engine makes what applies and takes back. The logon is for targets from afar.
func (a *app) engine(f *placeFlags, logon logonMaker) (*engine.Engine, error) {
	dir, err := f.dir()
	if err != nil {
		return nil, err
	}
	return &engine.Engine{
		State: dir, Who: whoami(),
		Open: func(ctx context.Context, spec string) (apply.Target, error) { return a.openTarget(ctx, spec, logon) },
		Log:  func(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) },
	}, nil
}

// whoami is for records: the account, and who became it.
func whoami() string {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if s := os.Getenv("SUDO_USER"); s != "" && s != who {
		who += " (sudo by " + s + ")"
	}
	return who
}

// openTarget opens what a spec names.
func (a *app) openTarget(ctx context.Context, spec string, logon logonMaker) (apply.Target, error) {
	if t, err := a.practice.open(spec); t != nil || err != nil {
		return t, err
	}
	switch {
	case strings.HasPrefix(spec, "samba:"):
		return target.OpenSamba(strings.TrimPrefix(spec, "samba:"))
	case spec == "windows:":
		return target.OpenWindows()
	case strings.HasPrefix(spec, "winreg://"):
		host := strings.TrimPrefix(spec, "winreg://")
		p := &pipes{app: a, logon: logon, asked: map[string]logonMaker{}}
		h, err := p.Open(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("winreg: %w", err)
		}
		if h.Identity() != model.User {
			return nil, hinted{errors.Join(fmt.Errorf("winreg: %s: writing takes an administrator's logon", host), h.Close()), "give credentials: --user, --credentials-file, --kerberos, or the environment"}
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
		t, err := target.OpenRemote(ctx, host, h, h.(*pipeHost).conn.Negotiated().Dialect)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		return t, nil
	}
	return nil, usage("--target %q: want samba:PATH, windows: or winreg://HOST", spec)
}

type applyFlags struct {
	placeFlags
	target, address string
	dryRun          bool
	within          time.Duration
	checks          []string
	commands        bool
	patience        time.Duration
	logon           scanFlags // the credentials alone
}

func (a *app) apply() *cobra.Command {
	f := &applyFlags{}
	c := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Make a plan's changes, with proof and a way back",
		Long:  applyHelp,
		Example: `  ipcguard apply plan.json --dry-run
  ipcguard apply plan.json --confirm-within 10m
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
	s.StringVar(&f.target, "target", "", "samba:PATH, windows: or winreg://HOST (default: this machine)")
	s.BoolVar(&f.dryRun, "dry-run", false, "show every write and make none")
	s.DurationVar(&f.within, "confirm-within", 0, "take everything back unless confirmed within this time, such as 10m")
	s.StringSliceVar(&f.checks, "check", nil, "what must work, before and after: tcp:HOST:PORT, pipe:NAME, share:NAME, print:NAME, logon:, command:…")
	s.BoolVar(&f.commands, "allow-commands", false, "run command: checks that the plan itself brings")
	s.StringVar(&f.address, "address", "", "HOST[:PORT] to prove the result at (default: where the target listens)")
	s.DurationVar(&f.patience, "patience", 10*time.Second, "how long what is still open is asked again")
	f.register(c)
	registerLogon(c, &f.logon, "as this user, for winreg:// targets and checks")
	return c
}

// registerLogon adds the flags of credentials.
func registerLogon(c *cobra.Command, l *scanFlags, what string) {
	s := c.Flags()
	s.StringVar(&l.user, "user", "", "log on "+what+", [DOMAIN\\]NAME; the password is prompted for")
	s.StringVar(&l.credentialsFile, "credentials-file", "", "log on as the user of this file")
	s.BoolVar(&l.kerberos, "kerberos", false, "log on with the tickets of the credential cache (KRB5CCNAME)")
}

// readPlan reads a plan that is to be acted on.
func readPlan(name string) (*model.Plan, []byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("plan: %w", err)
	}
	p, err := plan.Read(b)
	if err != nil {
		return nil, nil, hinted{fmt.Errorf("%s: %w", name, err), "make a new plan with ipcguard plan; a policy file says what it must keep"}
	}
	return p, b, nil
}

// fit refuses plans that cannot be applied whole.
func fit(p *model.Plan) error {
	switch {
	case p.Question != "":
		return hinted{errors.New("the plan asks a question and makes no changes: " + p.Question), "settle it, and plan again"}
	case p.Refused != "":
		return errors.New("the plan makes no changes: " + p.Refused)
	}
	for _, c := range p.Changes {
		if c.ExportOnly {
			return hinted{fmt.Errorf("change %s (%s) is never made by this program", c.ID, c.Setting), "ipcguard export writes it for your own tools"}
		}
	}
	return nil
}

// targetSpec is the target that was named, or this machine.
func targetSpec(named string, p *model.Plan) (string, error) {
	switch {
	case named == "samba:":
		return "samba:" + target.DefaultConfig, nil
	case named != "":
		return named, nil
	case p.Platform.System == "samba":
		return "samba:" + target.DefaultConfig, nil
	case p.Platform.System == "windows" && runtime.GOOS == "windows":
		return "windows:", nil
	case p.Platform.System == "windows":
		return "", hinted{usage("the plan is for Windows, and this is not"), "--target winreg://HOST applies it from afar, ipcguard export writes it for other tools"}
	}
	return "", usage("plans for %q are not applied", p.Platform.System)
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
		fmt.Fprintln(a.stdout, "Nothing to do: the plan has no changes.")
		return nil
	}
	spec, err := targetSpec(f.target, p)
	if err != nil {
		return err
	}
	logon, secret, err := a.logonAndSecret(&f.logon)
	if err != nil {
		return err
	}
	for _, check := range f.checks {
		if _, _, err := verify.ParseCheck(check); err != nil {
			return usageError{err}
		}
		if verify.NeedsUser(check) && logon == nil {
			return hinted{usage("--check %s is made as a user, and no credentials were given", check), "--user, --credentials-file, --kerberos, or the environment"}
		}
	}
	if f.within < 0 || f.within > engine.MaxWithin || f.within > 0 && f.within < time.Second {
		return usage("--confirm-within %v: want 1s to %v", f.within, engine.MaxWithin)
	}
	e, err := a.engine(&f.placeFlags, logon)
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := a.recoverFirst(ctx, e); err != nil {
			return err
		}
	}
	t, err := a.openTarget(ctx, spec, logon)
	if err != nil {
		return explained(err)
	}
	defer t.Close()
	if t.System() != p.Platform.System {
		return fmt.Errorf("the plan is for %s, and %s is %s", p.Platform.System, spec, t.System())
	}
	if err := target.StillTrue(ctx, t, p.BasedOn); err != nil {
		return explained(err)
	}
	writes, err := t.Resolve(ctx, p.Changes)
	if err != nil {
		return explained(err)
	}
	if len(writes) == 0 {
		fmt.Fprintf(a.stdout, "Nothing to do: %s already is as the plan wants it.\n", spec)
		return nil
	}
	a.showWrites(p, writes)
	if f.dryRun {
		fmt.Fprintln(a.stdout, "Nothing was written (--dry-run).")
		return nil
	}
	v, err := a.verification(ctx, f, t, spec, logon)
	if err != nil {
		return err
	}
	v.Plan, v.Checks, v.AllowCommands, v.Patience = p, f.checks, f.commands, f.patience
	fmt.Fprintf(a.stderr, "asking %s as it is now\n", v.Target.Addr)
	if err := v.Baseline(ctx); err != nil {
		return err
	}
	// A terminal that goes away, or a Ctrl-Z, must not stop this half way with the lock held.
	signal.Ignore(hangups()...)
	var guard string
	j, err := e.Apply(ctx, engine.Request{
		Plan: *p, Bytes: text, Target: t, Within: f.within,
		Arm: func(ctx context.Context, j *engine.Journal) (err error) {
			if a.practice != nil {
				guard = a.practice.guard(ctx, e, j.ID)
				return nil
			}
			guard, err = e.Guard(ctx, j, secret.forGuard(spec))
			return err
		},
		Verify: func(ctx context.Context) (apply.Evidence, error) {
			fmt.Fprintf(a.stderr, "asking %s again, as a stranger\n", v.Target.Addr)
			proof, err := v.Run(ctx)
			if err != nil {
				return nil, err
			}
			a.showProof(proof)
			return proof, nil
		},
	})
	if err != nil {
		if j != nil && f.within > 0 {
			err = errors.Join(err, engine.Disarm(context.WithoutCancel(ctx), j.ID))
		}
		return explained(err)
	}
	a.showApplied(j, guard)
	return nil
}

// verification finds where the target answers.
func (a *app) verification(ctx context.Context, f *applyFlags, t apply.Target, spec string, logon logonMaker) (*verify.Verification, error) {
	address := f.address
	switch {
	case address != "":
	case strings.HasPrefix(spec, "winreg://"):
		address = strings.TrimPrefix(spec, "winreg://")
		address = address[strings.LastIndexByte(address, '@')+1:]
	case spec == "windows:":
		address = "127.0.0.1"
	default:
		s, ok := t.(*target.Samba)
		if !ok {
			return nil, usage("--address: where does %s answer?", spec)
		}
		var err error
		if address, err = s.Address(ctx); err != nil {
			return nil, err
		}
	}
	list, err := targets.Parse(ctx, []string{address}, targets.Options{Port: 445, Stdin: a.stdin})
	if err != nil {
		return nil, usageError{err}
	}
	for found := range list.All() {
		if found.Err != nil {
			return nil, found.Err
		}
		return &verify.Verification{Target: found, User: logon}, nil
	}
	return nil, usage("--address %q names no host", address)
}

// explained turns what the room knows about an error into a hint.
func explained(err error) error {
	var refused *apply.RefusedError
	var stale *apply.StaleError
	var unfinished *engine.UnfinishedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Instead != "":
		return hinted{err, refused.Instead}
	case errors.As(err, &stale):
		return hinted{err, "audit the host again and make a new plan"}
	case errors.As(err, &unfinished):
		switch unfinished.Phase {
		case engine.PhaseWaiting:
			return hinted{err, fmt.Sprintf("ipcguard confirm %s keeps it, ipcguard rollback %s takes it back", unfinished.ID, unfinished.ID)}
		case engine.PhaseConflict:
			return hinted{err, fmt.Sprintf("ipcguard history %s shows the difference, ipcguard rollback --force %s overwrites it", unfinished.ID, unfinished.ID)}
		}
		return hinted{err, "ipcguard recover finishes it"}
	}
	return err
}

func (a *app) showWrites(p *model.Plan, writes []apply.Write) {
	fmt.Fprintf(a.stdout, "%d change(s), %d write(s):\n", len(p.Changes), len(writes))
	for _, w := range writes {
		fmt.Fprint(a.stdout, apply.Diff(w.Place, w.Before, w.After))
		for _, n := range w.Needs {
			fmt.Fprintf(a.stdout, "  needs %s\n", n)
		}
	}
	for _, alert := range engine.Alerts(writes) {
		fmt.Fprintf(a.stderr, "ipcguard: note: %s\n", alert)
	}
}

func (a *app) showProof(p *verify.Proof) {
	for _, c := range p.Checks {
		fmt.Fprintf(a.stdout, "  %-12s %s", c.Result, c.Check)
		if c.Detail != "" {
			fmt.Fprintf(a.stdout, ": %s", c.Detail)
		}
		fmt.Fprintln(a.stdout)
	}
}

func (a *app) showApplied(j *engine.Journal, guard string) {
	if d := j.Deadline(); d != nil {
		fmt.Fprintf(a.stdout, "Applied and verified as %s. It waits for its confirmation until %s.\n", j.ID, d.At().Local().Format(time.DateTime))
		fmt.Fprintf(a.stdout, "  keep it:      ipcguard confirm %s\n  take it back: ipcguard rollback %s\n", j.ID, j.ID)
		fmt.Fprintf(a.stderr, "guard: %s\n", guard)
		return
	}
	fmt.Fprintf(a.stdout, "Applied and verified as %s.\n  take it back: ipcguard rollback %s\n", j.ID, j.ID)
}

// hangups are the signals of a terminal that goes away or puts a program aside.
func hangups() []os.Signal {
	out := []os.Signal{syscall.SIGHUP}
	return slices.Concat(out, stopSignals())
}
