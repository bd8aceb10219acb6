// Package verify proves from outside what a plan promises: as a stranger over every family of dialects, on separate
// connections, everything that is to be closed is closed, and what must work works. It writes nothing. A request
// without an answer is no pass.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// Verification proves from outside what a plan promises: as a stranger over every family of dialects that the server
// speaks, each on separate connections, everything that is to be closed is closed; and what must work works.
type Verification struct {
	Target targets.Target
	Plan   *model.Plan // what it closes must be closed; its checks must pass
	// Earlier is a scan from before: everything that it found exposed must be closed. It is also the positive control:
	// the same scanner, from here, could see it.
	Earlier *model.Scan
	Policy  *Policy  // for a gateway: what this closes must be closed, in place of Plan and Earlier
	Checks  []string // of the administrator; those of the plan are added
	Shares  []string // disk shares to request by name, besides those of the plan and of the earlier scan
	// Waits are the restarts that an apply of the plan needs, as Engine.Waits finds them: what has restarted since is
	// no longer excused.
	Waits []apply.Wait
	// AllowCommands lets checks of the plan run programs. The administrator's checks always may.
	AllowCommands bool
	User          func(targets.Target) (smb.Authenticator, error) // nil: no credentials
	Weak          *scan.WeakLogons                                // if not nil, weak ways in are tried too
	Timeouts      smb.Timeouts
	Dial          func(ctx context.Context, network, address string) (net.Conn, error)
	// The first scan as guest and made-up user: an identity that was refused is not tried again.
	refused  *model.Scan
	weakened *model.Scan // the last scan of the weak ways in
	// Patience is how long a run that fails, or gets no answer, is repeated: helpers need a moment to reload.
	Patience time.Duration

	// hostTime and checkTime bound one scan of the host and one must-work check; 0 is the default. Tests on a busy
	// machine wait longer.
	hostTime, checkTime time.Duration

	opened opened   // what was open before
	secret []string // share names that the server disclosed in this run and that were not requested
}

// families returns the dialects of SMB1, of SMB2 and of SMB3, each with the best first.
func families() [][]smb.Dialect {
	return [][]smb.Dialect{{smb.SMB1}, {smb.SMB210, smb.SMB202}, {smb.SMB311, smb.SMB302, smb.SMB300}}
}

// Baseline records what a host gives away, and which checks work, before any change. An administrator's check that
// already fails now is an error, because it would prove nothing. A failing proposal of the plan is dropped.
func (v *Verification) Baseline(ctx context.Context) error {
	s, err := v.scan(ctx, nil, true)
	if err != nil {
		return err
	}
	if s.Verdict == model.Unreachable {
		return fmt.Errorf("apply: verification would prove nothing: %s does not answer as an SMB server (%s)",
			v.Target.Addr, s.Reason)
	}
	known := v.toAsk()
	v.opened.remember(s)
	for _, n := range v.opened.names {
		if !contains(known, n) {
			v.secret = append(v.secret, n)
		}
	}
	v.hide(s)
	v.Earlier = s
	for _, c := range v.must(ctx, true) {
		if c.Result != Passed {
			return fmt.Errorf("apply: the check %s does not pass before anything is changed: %s", c.Check, c.Detail)
		}
	}
	if v.Plan != nil {
		plan := *v.Plan
		plan.Checks = nil
		for _, c := range v.must(ctx, false) {
			if c.Result == Passed {
				plan.Checks = append(plan.Checks, c.Check)
			}
		}
		v.Plan = &plan
	}
	return nil
}

// Run verifies. While anything fails or gets no answer, it verifies everything again, for the time of Patience.
func (v *Verification) Run(ctx context.Context) (*Proof, error) {
	end := time.Now().Add(v.Patience)
	for {
		p, err := v.once(ctx)
		if err != nil || p.Result != Failed && p.Result != Inconclusive || time.Now().After(end) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, nil
		case <-time.After(time.Second):
		}
	}
}

func (v *Verification) once(ctx context.Context) (*Proof, error) {
	p := &Proof{Schema: SchemaProof, Target: v.Target.Name, Started: time.Now().UTC()}
	v.opened.given = v.Shares
	if v.Earlier != nil {
		v.opened.remember(v.Earlier)
	}
	quiet, spoken, err := v.quiet(ctx)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	must := v.must(ctx, true)
	if v.Plan != nil {
		must = append(must, v.must(ctx, false)...)
	}
	if p.Scans, err = v.strangers(ctx, quiet, spoken); err != nil {
		return nil, err
	}
	if err := v.probeWeak(ctx, p.Scans[0]); err != nil {
		return nil, err
	}
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	gone := v.silence(ctx, c, p.Scans[0], must)
	v.control(p, c, gone)
	v.restarts(p)
	if v.Policy != nil {
		v.behind(p, c)
	} else {
		v.closed(p, c, gone)
	}
	v.weakWays(p, c)
	p.Checks = append(p.Checks, v.clearShares(ctx, c)...)
	for _, s := range p.Scans {
		v.hide(s)
	}
	p.Checks = append(p.Checks, must...)
	p.Judge()
	return p, nil
}

// quiet scans over every family that the server speaks, as anonymous and as the user, and returns the family of each
// scan. The must-work checks come next, and the identities that may be refused at logon last: a server may ban this
// address for one refused logon, and then nothing more could be proved.
func (v *Verification) quiet(ctx context.Context) (out []*model.Scan, spoken [][]smb.Dialect, err error) {
	quiet := scan.Options{User: v.User, NoGuest: true, NoUnknownUser: true}
	first, err := v.ask(ctx, quiet)
	if err != nil {
		return nil, nil, err
	}
	out, spoken = []*model.Scan{first}, [][]smb.Dialect{nil}
	for _, family := range families() {
		family = slices.DeleteFunc(family, func(d smb.Dialect) bool {
			return !slices.Contains(first.Server.Dialects, d.String())
		})
		if len(family) == 0 || slices.ContainsFunc(first.Identities, func(i model.IdentityResult) bool {
			return slices.ContainsFunc(family, func(d smb.Dialect) bool {
				return i.Identity == model.Anonymous && i.Dialect == d.String()
			})
		}) {
			continue // not supported, or negotiated by the first scan
		}
		quiet.Dialects = family
		s, err := v.ask(ctx, quiet)
		if err != nil {
			return nil, nil, err
		}
		out, spoken = append(out, s), append(spoken, family)
	}
	return out, spoken, nil
}

// strangers adds guest and the made-up user to each scan.
func (v *Verification) strangers(ctx context.Context, out []*model.Scan, spoken [][]smb.Dialect) ([]*model.Scan,
	error,
) {
	earlier := v.refused
	for i := range out {
		if out[i].Verdict == model.Unreachable || earlier != nil && earlier.Banned != "" {
			continue
		}
		s, err := v.ask(ctx, scan.Options{Dialects: spoken[i], NoAnonymous: true, Earlier: earlier})
		if err != nil {
			return nil, err
		}
		out[i] = scan.Join(out[i], s)
		if earlier == nil {
			earlier, v.refused = s, s
		}
	}
	return out, ctx.Err()
}

// scan scans as strangers, and as the user too on the best dialect. It keeps names if they have to be requested again
// later.
func (v *Verification) scan(ctx context.Context, dialects []smb.Dialect, names bool) (*model.Scan, error) {
	return v.ask(ctx, scan.Options{Dialects: dialects, User: v.User, ShowNames: names})
}

func (v *Verification) ask(ctx context.Context, o scan.Options) (*model.Scan, error) {
	o.Timeouts, o.Dial, o.Retries, o.Shares, o.Pipes = v.Timeouts, v.Dial, 1, v.toAsk(), v.toOpen()
	o.Host, o.AllPipes = v.hostTime, v.Policy != nil
	scanner, err := scan.New(o)
	if err != nil {
		return nil, err
	}
	return scanner.Host(ctx, v.Target), nil
}

// control proves that the probes could have seen something: the server answered on new connections, what was open
// before was seen by the same scanner, and a user with a password still gets in.
func (v *Verification) control(p *Proof, c *catalog.Catalog, gone *verdict) {
	add := func(name string, r Result, detail string) {
		p.Checks = append(p.Checks, Check{Check: name, Result: r, Detail: detail, Note: r == Unchecked})
	}
	for _, s := range p.Scans {
		name := "control:answers"
		if d := spoke(s); d != "" {
			name += " " + d
		}
		if s.Banned != "" { // it answered until then
			add(name, Unchecked, s.Banned)
			continue
		}
		switch {
		case gone != nil && s.Verdict == model.Unreachable:
			add(name, Unchecked, s.Reason+": nothing answers, which this block means")
		case s.Verdict == model.Unreachable, s.Verdict == model.VerdictInconclusive:
			add(name, Inconclusive, s.Reason)
		case s.Partial:
			add(name, Passed, "the server negotiates and answers, and not every question")
		default:
			add(name, Passed, "the server negotiates and answers every question")
		}
	}
	if v.Earlier != nil {
		if n := exposures(c, v.Earlier); n > 0 {
			kinds := "kinds"
			if n == 1 {
				kinds = "kind"
			}
			add("control:seen-before", Passed, fmt.Sprintf("from here %d %s of exposure were seen before", n, kinds))
		}
	}
	if v.User == nil {
		return
	}
	for _, i := range p.Scans[0].Identities {
		if i.Identity == model.User {
			r, detail := v.userLetIn(&i)
			add("control:user", r, detail)
		}
	}
}

// userLetIn says whether the user with a password still gets in.
func (v *Verification) userLetIn(i *model.IdentityResult) (Result, string) {
	step := i.Session
	if step.Outcome == model.Allowed {
		step = i.Tree
	}
	switch step.Outcome { // no logon was refused
	case model.Inconclusive:
		return Inconclusive, cmp.Or(step.Detail, "the user got no answer")
	case model.NotTested:
		return Unchecked, step.Detail
	}
	if i.Session.Outcome != model.Allowed || i.Tree.Outcome != model.Allowed {
		if v.Plan != nil && v.Plan.Strategy == "block" {
			return Unchecked, "the user is refused as well, which blocking means"
		}
		return Failed, strings.TrimSpace("the user is refused: " + i.Session.Status + " " + i.Tree.Status)
	}
	detail := "the user logs on and reaches IPC$"
	if i.Signed || i.Encrypted {
		return Passed, detail + ", and the server's answers are proved by the logon's key"
	}
	return Passed, detail + "; the server's answers are not signed (unauthenticated)"
}

// spoke returns the dialect of the first identity of a scan that negotiated one.
func spoke(s *model.Scan) string {
	for _, i := range s.Identities {
		if i.Dialect != "" {
			return "SMB " + i.Dialect
		}
	}
	return ""
}

// exposures counts the kinds of data that strangers were given in a scan.
func exposures(c *catalog.Catalog, s *model.Scan) int {
	kinds := map[string]bool{}
	for _, f := range s.Findings {
		if exposure(c, f) {
			kinds[f.ID] = true
		}
	}
	return len(kinds)
}

// exposure reports whether a finding of a scan is about data that a stranger was given.
func exposure(c *catalog.Catalog, f model.Finding) bool {
	k := c.Finding(f.ID)
	return k != nil && k.Discloses.IsExposure() && f.Identity.IsStranger()
}

// restarts records which restarts have happened, and which have not.
func (v *Verification) restarts(p *Proof) {
	for _, w := range v.Waits {
		r := map[apply.Waiting]Result{apply.Restarted: Passed, apply.StillWaiting: Waiting}[w.State]
		if r == "" {
			r = Unchecked
		}
		p.Checks = append(p.Checks, Check{Check: "restart:" + w.Where, Result: r, Detail: w.String(), Note: true})
	}
}

// postponed is the result of something that a restart will close and that is still open: it is pending, or unknown.
func (v *Verification) postponed(how string, end verdict) verdict {
	if slices.ContainsFunc(v.Waits, func(w apply.Wait) bool { return w.State == apply.NotKnown }) {
		return verdict{Unchecked, "it closes with a restart, and whether that has come is not known: " + how, end.looks}
	}
	return verdict{Waiting, "it closes later: " + how, end.looks}
}

// restarted reports whether a change took effect by a restart since it was made.
func (v *Verification) restarted(change string) bool {
	return slices.ContainsFunc(v.Waits, func(w apply.Wait) bool {
		return w.State == apply.Restarted && slices.Contains(w.Changes, change)
	})
}

// closed compares what was promised with the scans.
func (v *Verification) closed(p *Proof, c *catalog.Catalog, gone *verdict) {
	promised, later := []string{}, map[string]string{}
	add := func(name string) {
		if !slices.Contains(promised, name) {
			promised = append(promised, name)
		}
	}
	if v.Plan != nil {
		for _, ch := range v.Plan.Changes {
			for _, name := range ch.Closes {
				add(name)
				if (ch.When == "service-restart" || ch.When == "reboot") && !v.restarted(ch.ID) {
					later[name] = ch.TakesEffect
				}
			}
		}
	} else if v.Earlier != nil {
		for _, f := range v.Earlier.Findings {
			if exposure(c, f) {
				add(f.ID)
			}
		}
	}
	shut := &doors{catalog: c, scans: p.Scans, opened: v.opened}
	if v.Plan != nil {
		shut.shares, shut.left = v.Plan.Shares, v.Plan.SharesLeft
	}
	for _, name := range promised {
		end := shut.of(name)
		if gone != nil {
			end = *gone
		}
		if gone == nil && end.result != Passed && later[name] != "" {
			end = v.postponed(later[name], end)
		}
		p.Checks = append(p.Checks, Check{
			Check: "closed:" + name, Result: end.result, Detail: end.detail,
			Looks: end.looks, Note: !shut.seeable(name),
		})
	}
	if v.Plan == nil && len(promised) == 0 {
		p.Checks = append(p.Checks, Check{
			Check: "closed:nothing", Result: Unchecked,
			Detail: nothingToClose(v.Earlier),
		})
	}
	p.beside(c, promised)
	switch {
	case v.Plan != nil:
		v.left(p, shut, promised, gone)
	case v.Earlier != nil:
		p.Checks = append(p.Checks, shut.unseen(v.Earlier, promised)...)
	}
}

// left checks what the plan leaves: what it says stays open or does not know, and what strangers are given that it does
// not mention.
func (v *Verification) left(p *Proof, shut *doors, promised []string, gone *verdict) {
	p.Left = v.Plan.Left
	if gone != nil {
		return
	}
	named := slices.Clone(promised)
	for _, o := range v.Plan.Open {
		if !slices.Contains(named, o.What) {
			named = append(named, o.What)
			p.Checks = append(p.Checks, shut.leaves(o))
		}
	}
	for _, name := range p.Beside {
		_, kind := shut.door(name)
		behindIPC := slices.Contains(promised, "ipc") && kind != model.DisclosesFiles // already judged
		if !slices.Contains(named, name) && !behindIPC {
			p.Checks = append(p.Checks, shut.leaves(model.OpenDoor{What: name, Why: "it does not name it"}))
		}
	}
}

// nothingToClose says why an earlier scan leaves nothing to prove.
func nothingToClose(earlier *model.Scan) string {
	if earlier == nil {
		return "there is neither a plan nor an earlier scan, so nothing is to be closed"
	}
	return fmt.Sprintf("the earlier scan found nothing that strangers are given (%s), so it has nothing that could "+
		"be closed", earlier.Verdict)
}

// beside lists what strangers are given in this run and the plan did not promise to close. It fails nothing, but the
// reader of a pass must not take it for more.
func (p *Proof) beside(c *catalog.Catalog, promised []string) {
	for _, s := range p.Scans {
		for _, f := range s.Findings {
			if !exposure(c, f) || slices.Contains(promised, f.ID) || slices.Contains(p.Beside, f.ID) {
				continue
			}
			p.Beside = append(p.Beside, f.ID)
		}
	}
}

func (v *Verification) dial(ctx context.Context) (*smb.Conn, error) {
	return smb.Dial(ctx, v.Target.Addr.String(), v.options())
}

func (v *Verification) options() smb.Options {
	return smb.Options{Timeouts: v.Timeouts, Dial: v.Dial, NetBIOS: v.Target.Addr.Port() == 139}
}
