package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// Weak ways to log on, on request; docs/scanning.md says what each answer proves. Those that need no account are taken
// from the posture. Those that need one begin after the account's own logon has succeeded, and only the NTLMv1 logon
// can be refused as a logon:
//
//	unsigned   strong logon ─► signed tree connect ─► open a pipe, unsigned
//	clear      strong logon ─► tree connect and open a pipe, signed and in clear text
//	ntlmv1     strong logon ─► lockout policy ─► NTLMv1 logon, once ─► strong logon
//
// A refused NTLMv1 logon counts as a wrong password, and the strong logon after it resets the count.

// WeakLogons enables the probes for weak ways to log on as Options.User. All scanners of one run share it: it knows
// which servers were asked.
type WeakLogons struct {
	// NTLMv1 makes the account's logon with an NTLMv1 response; nil if there is no password, as with tickets.
	NTLMv1 func() smb.Authenticator
	Domain string // of the account; empty is the server's own
	// Threshold is the number of wrong passwords that lock the account, 0 for never; nil asks the server.
	Threshold *int

	turn oneTurn
}

// minThreshold is the lowest threshold at which the one refused logon is risked: it leaves room for one more mistake by
// somebody else.
const minThreshold = 3

// oneTurn serializes the logons that may be refused, over all hosts of a run: the count of wrong passwords belongs to
// the account, and often to its domain.
type oneTurn struct {
	lock  sync.Mutex
	taken chan struct{}      // holds one
	spent string             // why no further one may be sent in this run
	asked map[string]trialAt // servers by their own names
}

// trialAt is where a server was asked, and whether it accepted the logon: only then it is asked there again, as a
// verification does until a change is in effect.
type trialAt struct {
	address  string
	accepted bool
}

// take waits for the turn; give returns it.
func (t *oneTurn) take(ctx context.Context) error {
	t.lock.Lock()
	if t.taken == nil {
		t.taken = make(chan struct{}, 1)
	}
	t.lock.Unlock()
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *oneTurn) give() { <-t.taken }

// may returns why a server must not be asked; empty if it may. It then counts as asked.
func (t *oneTurn) may(server, address string) (why string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	before := t.asked[server]
	again := before == (trialAt{address, true})
	switch {
	case t.spent != "":
		return t.spent
	case server != "" && before.address != "" && !again:
		return "the same server was asked at " + before.address + " in this run"
	}
	if t.asked == nil {
		t.asked = map[string]trialAt{}
	}
	t.asked[server] = trialAt{address: address}
	return ""
}

// accepted records that a server that may be asked accepted the logon.
func (t *oneTurn) accepted(server, address string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.asked[server] = trialAt{address, true}
}

func (t *oneTurn) end(why string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.spent = why
}

// weakWays probes the weak ways. It comes last: a refused logon may cause a ban.
func (h *host) weakWays(ctx context.Context) {
	if h.o.Weak == nil {
		return
	}
	h.result.WeakWays = []model.WeakWay{h.weakSMB1()}
	add := func(name string, try func() model.WeakWay) {
		w := model.WeakWay{Step: model.Step{Outcome: model.NotTested, Detail: h.unproved()}}
		if w.Detail == "" {
			w = try()
		}
		w.Way = name
		h.result.WeakWays = append(h.result.WeakWays, w)
	}
	m := h.meter(h.waited())
	add(model.WayUnsigned, func() model.WeakWay { return h.weakUnsigned(ctx, m) })
	add(model.WayClear, func() model.WeakWay { return h.weakClear(ctx, m) })
	add(model.WayNTLMv1, func() model.WeakWay { return h.weakNTLMv1(ctx, m) })
}

// weakSMB1 returns what the posture knows of SMB1 alone.
func (h *host) weakSMB1() model.WeakWay {
	w := model.WeakWay{
		Way:  model.WaySMB1,
		Step: model.Step{Outcome: model.Denied, Detail: "the server takes no SMB1 where nothing else is offered"},
	}
	s, smb1 := &h.result.Server, smb.SMB1.String()
	switch {
	case h.o.Dialects != nil && !slices.Contains(h.o.Dialects, smb.SMB1):
		w.Step = model.Step{Outcome: model.NotTested, Detail: "SMB1 is not among the dialects to speak"}
		return w
	case slices.Contains(s.Undecided, smb1):
		w.Step = model.Step{Outcome: model.Inconclusive, Detail: "SMB1 offered alone got no answer"}
	case s.SMB1:
		w.Step = model.Step{Outcome: model.Allowed, Detail: "the server speaks SMB1 where nothing else is offered"}
	}
	w.Looks = []model.Look{h.negotiated("SMB 1 alone", string(w.Outcome))}
	return w
}

// unproved returns why the ways that need an account cannot be probed; empty if they can.
func (h *host) unproved() string {
	user := h.result.Of(model.User)
	switch {
	case h.o.User == nil:
		return "it needs an account, and none was given"
	case user.Session.Outcome == model.NotTested:
		return user.Session.Detail
	case user.Session.Outcome != model.Allowed:
		return "the account's own logon did not succeed: " + strings.TrimSpace(user.Session.Status+" "+
			user.Session.Detail)
	case user.GuestFlag || user.NullFlag:
		return "the server did not take the account for a user, but" + strings.TrimPrefix(flagged(user), ", as")
	case h.proof() == "":
		return "the account could open no pipe, so that a refusal would say nothing"
	}
	return ""
}

// proof returns a pipe that the user could open with all protection: if the same request without it is refused, the
// missing protection is the reason.
func (h *host) proof() string {
	for _, p := range h.result.Of(model.User).Pipes {
		if p.Open.Outcome == model.Allowed {
			return p.Pipe
		}
	}
	return ""
}

func (h *host) weakUnsigned(ctx context.Context, m *meter) model.WeakWay {
	return h.unprotected(ctx, m, "an unsigned request", func(o *smb.Options) { o.Unsigned, o.Unencrypted = true, true })
}

func (h *host) weakClear(ctx context.Context, m *meter) model.WeakWay {
	if i := slices.IndexFunc(h.ladders, func(l *ladder) bool { return l.id == model.User && l.wantsEncryption }); i < 0 {
		return model.WeakWay{Step: model.Step{Outcome: model.NotTested, Detail: "the server does not say that it " +
			"wants the session or IPC$ encrypted"}}
	}
	return h.unprotected(ctx, m, "a request in clear text", func(o *smb.Options) { o.Unencrypted = true })
}

// unprotected opens a pipe in a session of the account without the protection. If the connection ends instead of an
// answer, twice, while the protected request succeeds, that is a refusal.
func (h *host) unprotected(ctx context.Context, m *meter, what string, leave func(*smb.Options)) model.WeakWay {
	o := h.options(m, h.same(), patient(h.o.Timeouts), h.o.Dial)
	leave(&o)
	began := time.Now().UTC()
	pipe := h.proof()
	step, err := h.openWith(ctx, o, pipe)
	times := int64(1)
	if dropped(err) && sleep(ctx, shortSettle) == nil {
		times++
		if step, err = h.openWith(ctx, o, pipe); dropped(err) {
			step = model.Step{Outcome: model.Denied, Detail: "the connection is dropped at " + what + ", twice"}
		}
	}
	if step.Outcome == model.Absent { // it was there before
		step.Outcome = model.Inconclusive
	}
	w := model.WeakWay{Step: step}
	if step.Outcome != model.NotTested {
		w.Looks = []model.Look{h.asUser("open "+pipe+" with "+what, times, began, step, false)}
	}
	return w
}

// openWith opens a pipe as the user. The error is that of the requests after the logon; a failed logon leaves the
// question open.
func (h *host) openWith(ctx context.Context, o smb.Options, pipe string) (model.Step, error) {
	open := func(err error) (model.Step, error) {
		s := layerStep(model.LayerSession, err)
		if s.Outcome != model.NotTested {
			s = model.Step{Outcome: model.Inconclusive, Status: s.Status, Detail: "the account's own logon failed: " +
				plain(err)}
		}
		return s, nil
	}
	c, err := h.connectWith(ctx, o)
	if err != nil {
		return open(err)
	}
	defer c.Close()
	a, err := h.user()
	if err != nil {
		return open(err)
	}
	s, err := c.SessionSetup(ctx, a)
	if err != nil {
		return open(err)
	}
	tree, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return layerStep(model.LayerTree, err), err
	}
	p, err := tree.OpenPipe(ctx, pipe)
	if err == nil {
		_ = p.Close(ctx) // it ends with the connection
	}
	return layerStep(model.LayerOpen, err), err
}

// asUser returns a look at the server's answer to the account.
func (h *host) asUser(asked string, times int64, began time.Time, step model.Step, proved bool) model.Look {
	answer := step.Status
	if answer == "" {
		answer = step.Detail
	}
	return model.Look{
		Asked: asked, Of: h.result.Address, As: model.User, Times: times, First: began, Last: time.Now().UTC(),
		Answer: answer, Authenticated: proved,
	}
}

// weakNTLMv1 logs on with an NTLMv1 response, once, between two of the account's own logons on the same connection.
func (h *host) weakNTLMv1(ctx context.Context, m *meter) model.WeakWay {
	// the earlier answer counts: it may have been a refused logon
	not := func(why string) model.WeakWay {
		return model.WeakWay{Step: model.Step{Outcome: model.NotTested, Detail: why}}
	}
	for _, s := range append(slices.Clone(h.before), h.o.Earlier) {
		if s == nil {
			continue
		}
		w := s.Way(model.WayNTLMv1)
		switch {
		case w.Looks == nil, s == h.o.Earlier && w.Outcome == model.Allowed:
		case h.kin(s) != sameMachine:
			return not("it was tried at " + portOf(s) + ", where another server may be")
		default:
			return w
		}
	}
	if h.o.Weak.NTLMv1 == nil {
		return not("an NTLMv1 answer is made from a password, and a ticket was given")
	}
	if err := h.o.Weak.turn.take(ctx); err != nil {
		return not("there was no time left for it")
	}
	defer h.o.Weak.turn.give()
	o := h.options(m, h.same(), patient(h.o.Timeouts), h.o.Dial)
	o.RequireSigning = true
	t := &trial{host: h, options: o}
	defer t.close()
	first := t.strong(ctx)
	if first.Outcome != model.Allowed {
		return not("the account's own logon on a signed connection did not succeed: " + strings.TrimSpace(first.Status+
			" "+first.Detail))
	}
	if why := h.lockable(ctx, t.session); why != "" {
		return not(why)
	}
	h.lock.Lock()
	name := ""
	if len(h.names) > 0 {
		name = h.names[0]
	}
	h.lock.Unlock()
	if why := h.o.Weak.turn.may(name, h.result.Address); why != "" {
		return not(why)
	}
	w := t.ntlmv1(ctx)
	if w.Outcome == model.Allowed {
		h.o.Weak.turn.accepted(name, h.result.Address)
	}
	return w
}

// trial is the NTLMv1 logon with the account's own before and after it.
type trial struct {
	*host
	options smb.Options
	conn    *link
	session smb.Session
	looks   []model.Look
}

func (t *trial) close() {
	if t.conn != nil {
		t.conn.Close()
	}
}

// strong logs on as the account does, on the present connection or a new one.
func (t *trial) strong(ctx context.Context) model.Step {
	began := time.Now().UTC()
	step, proved := t.logOn(ctx)
	t.looks = append(t.looks, t.asUser("log on with the account's own answer", 1, began, step, proved))
	return step
}

func (t *trial) logOn(ctx context.Context) (step model.Step, proved bool) {
	if t.conn == nil {
		c, err := t.connectWith(ctx, t.options)
		if err != nil {
			return model.Step{Outcome: model.Inconclusive, Detail: "no connection: " + plain(err)}, false
		}
		t.conn = c
	}
	a, err := t.user()
	if err != nil {
		return layerStep(model.LayerSession, err), false
	}
	s, err := t.conn.SessionSetup(ctx, a)
	if err != nil {
		return layerStep(model.LayerSession, err), false
	}
	t.session = s
	info := s.Info()
	if info.Guest || info.Null {
		return model.Step{Outcome: model.Inconclusive, Detail: "the server took the account for a guest"}, false
	}
	return layerStep(model.LayerSession, nil), info.Signed || info.Encrypted
}

// ntlmv1 sends the weak response, and judges it by the logon after it.
func (t *trial) ntlmv1(ctx context.Context) model.WeakWay {
	began := time.Now().UTC()
	s, err := t.conn.SessionSetup(ctx, t.o.Weak.NTLMv1())
	step, proved := layerStep(model.LayerSession, err), false
	if err == nil {
		info := s.Info()
		if proved = info.Signed || info.Encrypted; info.Guest || info.Null {
			step = model.Step{
				Outcome: model.Denied,
				Detail:  "the answer was not taken: the server let a guest in instead",
			}
		}
		_ = s.Logoff(ctx) // it ends with the connection
	}
	t.looks = append(t.looks, t.asUser("log on with an NTLMv1 answer", 1, began, step, proved))
	if step.Outcome == model.Denied {
		t.met(model.User, model.Denied, false)
	}
	var nt status.NTStatus
	if errors.As(err, &nt) && nt == status.AccountLockedOut {
		t.o.Weak.turn.end(fmt.Sprintf("%s says that the account is locked", t.result.Target))
	}
	if dropped(err) {
		t.close()
		t.conn = nil
	}
	if again := t.strong(ctx); again.Outcome != model.Allowed {
		why := fmt.Sprintf("the account's own logon did not succeed behind it: %s",
			strings.TrimSpace(again.Status+" "+again.Detail))
		t.o.Weak.turn.end(fmt.Sprintf("no further one is sent in this run: at %s %s", t.result.Target, why))
		if step.Outcome == model.Denied {
			step = model.Step{
				Outcome: model.Inconclusive, Status: step.Status,
				Detail: why + "; so the refusal may have had another cause",
			}
		} else {
			step.Detail = why
		}
	}
	return model.WeakWay{Step: step, Looks: t.looks}
}
