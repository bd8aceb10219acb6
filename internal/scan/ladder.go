package scan

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// maxReconnects bounds how often one identity reconnects after a pipe made the server drop the connection.
const maxReconnects = 3

// ladder is one identity's way through the layers.
type ladder struct {
	*host
	id     model.Identity
	logon  func() (smb.Authenticator, error)
	meter  *meter
	result *model.IdentityResult

	conn            *link
	session         smb.Session
	tree            smb.Tree
	tried           map[string]model.Outcome // disk shares, by folded name
	attempts        []attempt
	room            int  // for further shares
	encryptRequired bool // the server requires encryption of this session
	wantsEncryption bool // the server requires encryption of this session or its IPC$
	unlisted        bool // there are shares after the part of the list that was read

	banned     string // there was no connection after a refused logon
	unmet      error  // there was no connection, or it was lost at the logon
	sent       bool   // its logon has begun
	challenged bool   // and the server answered with a challenge
	entered    func() // called when there is a session
	reconnects int
	bare       bool // its connections do not offer encryption
	dressed    bool // they have to
	extra      sync.WaitGroup
	closing    sync.WaitGroup
}

// later runs f in parallel with the pipes; the ladder ends after it.
func (l *ladder) later(f func()) { l.extra.Go(f) }

func (h *host) ladder(id model.Identity, m *meter, logon func() (smb.Authenticator, error)) *ladder {
	untested := model.Step{Outcome: model.NotTested}
	return &ladder{
		host: h, id: id, meter: m, logon: logon, room: maxShares, entered: func() {},
		result: &model.IdentityResult{
			Identity: id, Session: untested, Tree: untested, Pipes: []model.PipeResult{},
		},
	}
}

// climb asks layer by layer. If the connection is nil, the identity opens its own.
func (l *ladder) climb(ctx context.Context, conn *link) {
	r := l.result
	if err := l.enter(ctx, conn); err != nil && !l.enterBare(ctx, err) {
		return
	}
	l.entered()
	defer l.end()
	if l.conn.Negotiated().Dialect < smb.SMB300 {
		// A server with nothing newer is old or small, and may not support several clients of one pipe: one identity
		// after the other.
		l.turn.Lock()
		defer l.turn.Unlock()
	}
	if !compounds(l.system()) {
		l.apart.Store(true)
	}
	info := l.session.Info()
	r.Dialect = l.conn.Negotiated().Dialect.String()
	l.encryptRequired = info.EncryptRequired
	r.GuestFlag, r.NullFlag, r.Signed, r.Encrypted = info.Guest, info.Null, info.Signed, info.Encrypted
	if err := l.attach(ctx); err != nil {
		l.beside(ctx, err)
		return
	}
	l.wantsEncryption = l.encryptRequired || l.tree.Info().Encrypted
	if l.o.Quick {
		l.quick(ctx)
		return
	}
	l.later(func() { l.shares(ctx, l.session, l.named()) })
	l.everything(ctx)
}

// attach connects to IPC$, unless that is done.
func (l *ladder) attach(ctx context.Context) error {
	if l.tree != nil {
		return nil
	}
	tree, err := l.session.TreeConnect(ctx, "IPC$")
	l.result.Tree = layerStep(model.LayerTree, err)
	if dropped(err) && l.system() != "windows" && l.baring(ctx) { // Windows refuses like that, see cutAtIPC
		return nil
	}
	if err == nil {
		l.tree = tree
		l.bareAtOnce(ctx)
	}
	return err
}

// end closes the connection. On a slow network, nobody waits for the answers to the preceding closes.
func (l *ladder) end() {
	if !l.far() {
		l.closing.Wait()
	}
	l.conn.Close()
	l.closing.Wait()
}

// compounds reports whether servers of a kind are known to accept an open and the first message on the pipe in one
// frame. Small servers answer the first request of a frame and drop the rest.
func compounds(system string) bool {
	return system == "samba" || system == "windows" || system == "ksmbd"
}

// beside asks what remains if IPC$ is refused: the named disk shares.
func (l *ladder) beside(ctx context.Context, err error) {
	if l.id == model.Anonymous && dropped(err) {
		l.cutAtIPC(ctx)
	}
	switch {
	case l.o.Quick:
	case dropped(err):
		l.cutOff(ctx, l.named())
	default:
		l.shares(ctx, l.session, l.named())
	}
}

// enter connects if needed and logs on.
func (l *ladder) enter(ctx context.Context, conn *link) error {
	r := l.result
	early := false
	if conn == nil {
		c := l.timely(l.arrived(l.id))
		early = c != nil
		var err error
		if c == nil {
			c, err = l.connect(ctx, l.meter, l.same())
		}
		if err != nil {
			l.unmet = err
			r.Session = model.Step{Outcome: model.Inconclusive, Detail: "no connection for this identity: " +
				plain(err)}
			if who := l.host.suspect(err); who != "" {
				l.banned = banned(who, err)
				r.Session = model.Step{Outcome: model.NotTested, Detail: l.banned}
			}
			return err
		}
		conn = c
		defer func() {
			if l.session == nil {
				l.conn.Close()
			}
		}()
	}
	l.conn, l.sent = conn, true
	var err error
	if l.session, err = l.logOn(ctx, conn); early && lost(err) && !l.challenged {
		// The connection had ended before it was needed, or a firewall lets nothing through it any more. Nothing that
		// could be refused was sent on it, and a new one tells which.
		conn.Close()
		l.sent = false
		return l.enter(ctx, nil)
	}
	r.Session = layerStep(model.LayerSession, err)
	if dropped(err) {
		l.unmet = err
		l.shaky.Store(true)
	}
	l.host.met(l.id, r.Session.Outcome, dropped(err))
	return err
}

func (l *ladder) logOn(ctx context.Context, conn *link) (smb.Session, error) {
	a, s, err := l.setUp(ctx, conn)
	if a == nil {
		return nil, err
	}
	var info smb.SessionInfo
	if err == nil {
		info = s.Info()
	}
	l.challenged = l.listen(l.id, a, info)
	return s, err
}

// setUp makes the logon, or lets the one that has begun on the connection go on. Without an authenticator there was
// none.
func (l *ladder) setUp(ctx context.Context, conn *link) (smb.Authenticator, smb.Session, error) {
	if b := conn.begun; b != nil {
		close(b.free)
		r := <-b.answer
		b.cancel()
		conn.begun = nil
		return b, r.session, r.err
	}
	a, err := l.logon()
	if err != nil {
		return nil, nil, err
	}
	s, err := conn.SessionSetup(ctx, a)
	return a, s, err
}

// logOnAgain is a further logon of an identity that was let in. A refusal is one more that may cause a ban.
func (l *ladder) logOnAgain(ctx context.Context, conn *link) (smb.Session, error) {
	session, err := l.logOn(ctx, conn)
	l.host.met(l.id, layerStep(model.LayerSession, err).Outcome, dropped(err))
	return session, err
}

// quick asks only who the server thinks the caller is.
func (l *ladder) quick(ctx context.Context) {
	for _, p := range l.pipes {
		if p.name == firstPipe {
			j := newJob(l, p)
			j.quick = true
			if j.run(ctx); j.dropped.Load() && l.baring(ctx) {
				j = newJob(l, p)
				j.quick = true
				j.run(ctx)
			}
			l.result.Pipes = append(l.result.Pipes, j.result())
		}
	}
}

// namesAtOnce bounds the names that are only opened, in parallel: Samba takes 0.2 s for each missing one, one after the
// other, and a request must not time out because of the queue.
const namesAtOnce = 16

// fewPipes is the number of pipes of a Samba server that are open at a time: it starts helper processes for each, of 4
// MiB and more. See docs/scanning.md for the cost of a scan to a server.
const fewPipes = 2

// pipesAtOnce returns how many pipes are open at a time. On a slow network a scan waits for round trips, and the pipes
// stay open for as many of them: fewer at a time would keep the server's helpers just as long.
func (l *ladder) pipesAtOnce() int {
	if l.small() && !l.far() {
		return fewPipes
	}
	return len(l.pipes)
}

// small reports whether the server may be a small device, such as a NAS: every server except Windows is assumed to be
// one.
func (h *host) small() bool { return h.system() != "windows" }

// everything tries every pipe. Those on which nothing is asked, and which no server like this was seen to have, are
// left out where that cannot change what is said: where the server is known for certain, and something else was opened.
func (l *ladder) everything(ctx context.Context) {
	jobs := make([]*job, len(l.pipes))
	var wanted []*job
	var spare []int
	system, elsewhere := l.system(), 0
	atOnce := l.far() && !l.sure() // later they would cost round trips
	for i, p := range l.pipes {
		jobs[i] = newJob(l, p)
		switch {
		case !l.elsewhere(&p, system):
			wanted = append(wanted, jobs[i])
			continue
		case len(p.systems) == 0 && atOnce:
			wanted = append(wanted, jobs[i])
			continue
		case len(p.systems) == 0:
			spare = append(spare, i)
		}
		jobs[i].open.Detail = "a server of this kind (" + system + ") is not known to have it: not tried; --all-pipes does"
		elsewhere++
	}
	l.askWith(ctx, wanted, jobs)
	if len(spare) > 0 && !(l.sure() && slices.ContainsFunc(jobs, (*job).opens)) {
		elsewhere -= l.askSpare(ctx, jobs, spare)
	}
	if elsewhere > 0 {
		l.limit(model.Limit{
			Limit: model.LimitPipes, Identity: l.id, Tried: len(jobs) - elsewhere, Left: elsewhere,
			Why: fmt.Sprintf("%d pipes that a server of this kind (%s) is not known to have were not tried; --all-pipes "+
				"does", elsewhere, system),
		})
	}
	for _, j := range jobs {
		l.result.Pipes = append(l.result.Pipes, j.result())
	}
}

// askWith asks pipes, and repeats those of a list whose answers were lost.
func (l *ladder) askWith(ctx context.Context, wanted, jobs []*job) {
	l.askAll(ctx, wanted)
	l.bareAgain(ctx, jobs)
	l.again(ctx, jobs)
	l.extra.Wait()
}

// askSpare asks the pipes that were left out at first, by their index. It returns their number.
func (l *ladder) askSpare(ctx context.Context, jobs []*job, spare []int) int {
	again := make([]*job, len(spare))
	for n, i := range spare {
		again[n] = newJob(l, jobs[i].pipe)
	}
	l.askWith(ctx, slices.Clone(again), again)
	for n, i := range spare {
		jobs[i] = again[n]
	}
	return len(spare)
}

// askAll runs pipes in parallel on one connection. They are opened and bound together, but the first call of all asks
// who the server thinks the caller is, and names without any questions come last: a server may be slow with unknown
// ones. On a slow network either would cost a round trip.
func (l *ladder) askAll(ctx context.Context, jobs []*job) {
	var asked, named []*job
	known := make(chan struct{})
	tell := sync.OnceFunc(func() { close(known) })
	for _, j := range jobs {
		switch {
		case j.pipe.name == firstPipe:
			j.first = tell
			asked = append([]*job{j}, asked...)
		case len(j.pipe.interfaces) > 0:
			if !l.far() {
				j.wait = known
			}
			asked = append(asked, j)
		default:
			named = append(named, j)
		}
	}
	if len(asked) > 0 && asked[0].pipe.name != firstPipe {
		tell() // nobody asks first
	}
	if l.far() {
		n := min(len(named), namesAtOnce)
		asked, named = append(asked, named[:n]...), named[n:]
	}
	l.atMost(l.pipesAtOnce(), len(asked), func(i int) {
		defer asked[i].first()
		asked[i].run(ctx)
	})
	l.extra.Wait()
	for len(named) > 0 && ctx.Err() == nil {
		n := min(len(named), namesAtOnce, l.pipesAtOnce())
		l.parallel(n, func(i int) { named[i].run(ctx) })
		named = named[n:]
	}
}

// maxSlow bounds how many pipes that timed out are tried once more in vain.
const maxSlow = 2

// again repeats the pipes whose questions were lost, one at a time: those lost with the connection, so that the one
// which makes the server drop it affects no other, and those that a busy server did not answer in time or answered with
// another pipe's data. The better of two answers is kept.
func (l *ladder) again(ctx context.Context, jobs []*job) {
	if l.tree == nil {
		return
	}
	alive := !slices.ContainsFunc(jobs, func(j *job) bool { return j.dropped.Load() })
	slow := 0
	for i, j := range jobs {
		if !j.lost() || ctx.Err() != nil || slow >= maxSlow {
			continue
		}
		if !alive {
			if l.reconnects++; l.reconnects > maxReconnects || !l.baring(ctx) && l.reconnect(ctx) != nil {
				return
			}
			alive = true
		}
		second := newJob(l, j.pipe)
		second.calm = true
		second.run(ctx)
		if second.dropped.Load() {
			alive = false
			second.remark(fmt.Sprintf("the server drops the connection when %s is used", j.pipe.name))
		}
		if second.late.Load() {
			slow++
		}
		if j.dropped.Load() || second.doubts() < j.doubts() {
			jobs[i] = second
		}
	}
	if alive && l.reconnects > 0 { // a named share may have been lost with the pipes
		l.shares(ctx, l.session, l.named())
	}
}

// spent tells whether the made-up user's logon was sent, which comes once.
func (l *ladder) spent() bool { return l.id == model.UnknownUser && l.sent }

// reconnect restores the identity's session and IPC$ tree.
func (l *ladder) reconnect(ctx context.Context) error {
	l.shaky.Store(true)
	l.conn.Close() // first: the next connection may need its place
	conn, err := l.connect(ctx, l.meter, l.same())
	if err != nil {
		return err
	}
	session, err := l.logOnAgain(ctx, conn)
	if err != nil {
		conn.Close()
		return err
	}
	tree, err := session.TreeConnect(ctx, "IPC$")
	if err != nil {
		conn.Close()
		return err
	}
	l.conn, l.session, l.tree = conn, session, tree
	return nil
}
