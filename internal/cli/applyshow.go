package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

// showMaker shows who made the plan, as it says itself or as a signature proves, and which host it was made for: a plan
// fits every host that is in the same state.
func (a *app) showMaker(p *model.Plan, signer *plan.Key) {
	by, when := "somebody who is not named", "at a time that is not told"
	if p.By != "" {
		by = p.By
	}
	if !p.Made.IsZero() {
		when = p.Made.Local().Format(time.DateTime)
	}
	fmt.Fprintf(a.stdout, "The plan was made by %s, %s", by, when)
	if p.Target != "" {
		fmt.Fprintf(a.stdout, ", for %s", p.Target)
	}
	switch {
	case signer != nil:
		fmt.Fprintf(a.stdout, ", and is signed by %s (%s).\n", signer.Name, signer.Fingerprint())
	case p.Signature != nil:
		fmt.Fprintln(a.stdout, ". It is signed; --require-signature asks by whom.")
	default:
		fmt.Fprintln(a.stdout, ". It is not signed.")
	}
}

// rightHost asks about a plan that was made for another host name or address. It may be the same host, and a plan fits
// every host in the same state. If nobody is asked (--yes), --made-for must name the other host.
func (r *applying) rightHost(ctx context.Context) error {
	var names []string
	if host, err := r.target.Host(ctx); err == nil {
		names = append(names, host.Name)
	}
	if r.flags.address != "" {
		names = append(names, r.flags.address)
	} else if at, err := r.target.Address(ctx); err == nil {
		names = append(names, at)
		if host, _, _ := net.SplitHostPort(at); net.ParseIP(host).IsLoopback() {
			names = append(names, ownAddresses()...)
		}
	}
	if t, ok := r.target.(interface {
		Names(context.Context) []string
	}); ok {
		names = append(names, t.Names(ctx)...)
	}
	if !other(r.plan.Target, names) {
		return nil
	}
	made, here := report.Clean(r.plan.Target), report.Clean(strings.Join(names[:min(2, len(names))], ", at "))
	switch {
	case strings.EqualFold(r.flags.madeFor, r.plan.Target):
		fmt.Fprintf(r.stdout, "It was made for %s, and this is %s, as --made-for says.\n", made, here)
	case r.flags.yes && !r.flags.dryRun:
		return hinted{
			fmt.Errorf("the plan was made for %s, and this is %s: nothing was written", made, here),
			fmt.Sprintf("if it is meant for this host too, --made-for %s says so beside --yes; else audit this host "+
				"and plan for it", made),
		}
	default:
		fmt.Fprintf(r.stdout, "It was made for %s, and this is %s: is that what was meant?\n", made, here)
	}
	return nil
}

// other reports whether a name or address is not one of a host's. A path names a file, not a host.
func other(target string, names []string) bool {
	if target == "" || strings.ContainsAny(target, `/\`) || len(names) == 0 {
		return false
	}
	bare := func(s string) string {
		if host, _, err := net.SplitHostPort(s); err == nil {
			s = host
		}
		if net.ParseIP(s) == nil {
			s, _, _ = strings.Cut(s, ".")
		}
		return s
	}
	return !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(bare(n), bare(target)) })
}

// ownAddresses returns the addresses of this machine.
func ownAddresses() []string {
	var out []string
	list, _ := net.InterfaceAddrs() // unknown addresses are not compared
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// agree asks once whether to make the changes.
func (a *app) agree(ctx context.Context, spec string) error {
	if !isTerminal(a.stdin) {
		return hinted{
			errors.New("nothing was written: there is nobody to ask"),
			"--yes makes the changes without asking, --dry-run shows them",
		}
	}
	yes, err := a.ask(ctx, fmt.Sprintf("Make these changes on %s?", spec))
	if err == nil && !yes {
		err = errors.New("nothing was written: the answer was not yes")
	}
	return err
}

// trustedSigner returns the key that signed a plan, if a signature is required.
func trustedSigner(p *model.Plan, file string) (*plan.Key, error) {
	if file == "" {
		return nil, nil
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, hinted{
			fmt.Errorf("%s: others may write to it (mode %04o), and so say whom to trust", file, info.Mode().Perm()),
			"chmod go-w " + file,
		}
	}
	const most = 1 << 20 // a thousand keys have a hundred kilobytes
	b, err := readBounded(file, most)
	if err != nil {
		return nil, err
	}
	keys, err := plan.ReadTrust(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signer, err := plan.Signer(p, keys)
	switch {
	case errors.Is(err, plan.ErrUnsigned):
		return nil, hinted{err, "ipcguard plan --sign KEY signs it where it is made"}
	case errors.Is(err, plan.ErrUntrusted):
		return nil, hinted{err, "if this key is to be trusted, its line belongs into " + file}
	}
	return signer, err
}

func (a *app) showWrites(p *model.Plan, writes []apply.Write) {
	for _, c := range p.Changes {
		if c.Policy != "" {
			a.hint("%s is written by a policy (%s), which takes the change back at its next refresh: change it there",
				report.Clean(c.Setting), report.Clean(c.Policy))
		}
	}
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
	a = a.plainly()
	for _, c := range p.Checks {
		fmt.Fprintf(a.stdout, "  %-12s %s", c.Result, c.Check)
		if c.Detail != "" {
			fmt.Fprintf(a.stdout, ": %s", c.Detail)
		}
		if c.Unauthenticated {
			fmt.Fprint(a.stdout, " (unauthenticated)")
		}
		fmt.Fprintln(a.stdout)
	}
}

// showApplied reports the result of an apply, including what could not be checked, for which nothing is undone. in is
// the flag that later commands need to find the journal.
func (a *app) showApplied(j *engine.Journal, guard string, proof *verify.Proof, in string) {
	done := "Applied and verified"
	switch {
	case proof == nil:
		done = "Applied"
	case proof.Result == verify.Unchecked:
		done = "Applied and kept, and not verified: " + unproved(proof) + ". It is known"
	case proof.Result == verify.Waiting:
		done = "Applied, and waiting for a restart. It is known"
	}
	leaves := ""
	if l := report.PlanLeaves(&j.Plan); l != "" {
		leaves = fmt.Sprintf(" Of its plan, %s: ipcguard history %s%s tells which, and why.", l, j.ID, in)
	}
	if d := j.Deadline(); d != nil {
		fmt.Fprintf(a.stdout, "%s as %s.%s It waits for its confirmation until %s.\n", done, j.ID, leaves,
			d.At().Local().Format(time.DateTime))
		fmt.Fprintf(a.stdout, "  keep it:      ipcguard confirm %s%s\n  take it back: ipcguard rollback %[1]s%[2]s\n", j.ID,
			in)
		fmt.Fprintf(a.stderr, "guard: %s\n", guard)
		return
	}
	fmt.Fprintf(a.stdout, "%s as %s.%s\n  take it back: ipcguard rollback %s%s\n", done, j.ID, leaves, j.ID, in)
}

// unproved returns what a proof lacks: what the plan closes and could not be tested, and what it does not close and is
// open or unknown.
func unproved(p *verify.Proof) string {
	asked, left := 0, 0
	for _, c := range p.Checks {
		switch {
		case c.Note || c.Result != verify.Unchecked && c.Result != verify.Open:
		case strings.HasPrefix(c.Check, "left:"):
			left++
		default:
			asked++
		}
	}
	var out []string
	switch {
	case asked == 1:
		out = append(out, "1 check could not be made")
	case asked > 1:
		out = append(out, fmt.Sprintf("%d checks could not be made", asked))
	case left == 0:
		out = append(out, "no check can show from outside what these changes do")
	}
	switch {
	case left == 1:
		out = append(out, "1 thing that the plan leaves (left:) is open to strangers, or not known")
	case left > 1:
		out = append(out, fmt.Sprintf("%d things that the plan leaves (left:) are open to strangers, or not known",
			left))
	}
	return strings.Join(out, "; ")
}

// explained adds a hint to an error of apply.
func explained(err error, e *engine.Engine) error {
	in := inState(e.State)
	var refused *apply.RefusedError
	var stale *apply.StaleError
	var unfinished *engine.UnfinishedError
	var unsealed *engine.UnsealedError
	var damage *engine.DamageError
	var open *private.Error
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
			return hinted{
				err, fmt.Sprintf("ipcguard confirm %s%s keeps it, ipcguard rollback %[1]s%[2]s takes it back",
					unfinished.ID, in),
			}
		case engine.PhaseConflict:
			return hinted{
				err, fmt.Sprintf("ipcguard history %s%s shows the difference, ipcguard rollback --force %[1]s%[2]s "+
					"overwrites it", unfinished.ID, in),
			}
		}
		return hinted{err, "ipcguard recover" + in + " finishes it"}
	case errors.As(err, &damage):
		return hinted{
			err,
			"look at it, then put it out of the way, with nothing restored from it: ipcguard recover --set-aside " +
				damage.ID + in,
		}
	case errors.As(err, &open) && open.Mend != "":
		return hinted{err, "once you know how that came about: " + open.Mend}
	case errors.As(err, &unsealed):
		return hinted{
			err, fmt.Sprintf("ipcguard history %s%s shows it, ipcguard rollback --unsealed %[1]s%[2]s takes it back",
				unsealed.ID, in),
		}
	}
	return err
}
