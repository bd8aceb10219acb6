package scan

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// run asks one host everything, in an order in which no question spoils a later one. Anonymous is finished before any
// other identity begins: some servers ban or slow down an address after one failed logon, and the logons of guest and
// of the made-up user are expected to fail. So the made-up user comes last, and only once.
func (h *host) run(ctx context.Context) {
	p, why := inFull, ""
	if h.target.Ranged {
		p, why = h.tarpits.patienceFor(h.target.Addr.Addr())
	}
	if p == notAtAll {
		h.left(why)
		return
	}
	main, err := h.first(ctx, h.meter(0), p)
	if h.target.Ranged && (err == nil || answered(err)) {
		h.tarpits.note(h.target.Addr.Addr(), !mute(err))
	}
	if err != nil {
		h.unreached(err)
		return
	}
	h.dialect = main.Negotiated().Dialect
	h.greet(main.Negotiated())

	posture := &survey{host: h, main: h.meters[0]}
	known, newer := h.toOffer()
	begin := posture.offer(ctx, known)
	beginNewer := posture.offer(ctx, newer)
	// Some small servers end when they are offered a dialect that is newer than theirs. So that waits for an anonymous
	// session. Where the way is long, what does no harm begins at once.
	if h.far() {
		begin()
	}
	if !h.o.NoAnonymous {
		anonymous := h.ladder(model.Anonymous, h.meters[0], func() (smb.Authenticator, error) {
			return ntlm.NewAnonymous(ntlm.Options{}), nil
		})
		anonymous.entered = func() { begin(); beginNewer() }
		h.climb(ctx, main, anonymous)
	}
	main.Close()
	posture.wait() // a ban after guest's logon would hide dialects
	h.asOfOld(ctx)
	begin()
	beginNewer()
	dropped := posture.wait()
	if !h.o.Quick {
		h.climb(ctx, nil, h.others()...)
		h.comeBack(ctx)
		if h.single {
			dropped = h.posture(ctx, h.meter(h.waited()), slices.Concat(known, newer))
		}
		if !h.noSMB1(dropped) || h.shaky.Load() { // a network that ends connections may have ended those
			h.alone(ctx, dropped)
		}
		h.lend(ctx, h.ladders)
	}
	if !h.o.Quick && !h.o.NoUnknownUser {
		h.climb(ctx, nil, h.ladder(model.UnknownUser, h.meter(h.waited()), madeUp()))
		h.comeBack(ctx)
		h.lookBack(ctx)
		h.lend(ctx, h.ladders)
	}
	h.sendBack()
	for _, l := range h.ladders {
		l.tally()
		h.result.Identities = append(h.result.Identities, *l.result)
	}
	h.weakWays(ctx)
	h.describe()
	h.result.Server.EncryptionRequired = h.encrypts(h.ladders)
	h.bounds(h.ladders, ctx.Err())
	h.judge(h.ladders, ctx.Err())
}

// asOfOld asks as anonymous once more, with the negotiate that a server may answer in SMB1, if the logon over SMB2 got
// no answer: some small servers implement nothing of SMB2 except the negotiate.
func (h *host) asOfOld(ctx context.Context) {
	if h.o.Dialects != nil || h.dialect == smb.SMB1 || len(h.ladders) != 1 || ctx.Err() != nil ||
		h.ladders[0].result.Session.Outcome != model.Inconclusive {
		return
	}
	m := h.meter(h.waited())
	conn, err := h.connect(ctx, m, smb.AllDialects())
	if err != nil {
		return
	}
	defer conn.Close()
	if conn.Negotiated().Dialect != smb.SMB1 {
		return
	}
	h.dialect = smb.SMB1
	h.greet(conn.Negotiated())
	h.sendBack() // they speak what the server does not
	again := h.ladder(model.Anonymous, m, h.ladders[0].logon)
	again.climb(ctx, conn)
	if again.result.Session.Outcome != model.Inconclusive {
		h.ladders[0] = again
	}
}

// climb asks as identities, in parallel if the server may get several connections. What an earlier try was refused or
// learned for certain is not asked again: a second failed logon teaches nothing and may cause a ban.
func (h *host) climb(ctx context.Context, conn *link, list ...*ladder) {
	h.ladders = append(h.ladders, list...)
	h.parallel(len(list), func(i int) {
		l := list[i]
		if known := h.known(l.id); known != nil {
			*l.result = *known
			return
		}
		l.climb(ctx, conn)
	})
}

// usesUp tells whether the made-up user's logon was sent in this try or before.
func (h *host) usesUp() bool { return h.usedUp || slices.ContainsFunc(h.ladders, (*ladder).spent) }

// comeBack repeats the identities that got no connection, or lost it at their logon, while others were open or just
// closed: a server that limits the connections of one address closes excess ones. This time each is alone. The made-up
// user's logon is never sent twice.
func (h *host) comeBack(ctx context.Context) {
	for i, l := range h.ladders {
		if l.unmet == nil || l.spent() || sleep(ctx, settle) != nil {
			continue
		}
		h.ladders[i] = h.ladder(l.id, l.meter, l.logon)
		h.ladders[i].climb(ctx, nil)
	}
}

// lookBack tells whether there is a connection to be had after the made-up user's logon was cut off. Nobody comes after
// him, so nothing else would tell a ban from a network that ended one connection.
func (h *host) lookBack(ctx context.Context) {
	l := h.ladders[len(h.ladders)-1]
	if l.unmet == nil || !l.sent {
		return
	}
	conn, err := h.connect(ctx, l.meter, h.same())
	if err == nil {
		conn.Close()
		l.unmet = nil
	} else if who := h.suspect(err); who != "" {
		l.banned = banned(who, err)
	}
}

// parallel runs f for 0 to n-1: at the same time or, if the server is asked one thing at a time, one after the other.
func (h *host) parallel(n int, f func(i int)) { h.atMost(n, n, f) }

// atMost is parallel with a maximum number at a time, started in order.
func (h *host) atMost(most, n int, f func(i int)) {
	if h.single {
		most = 1
	}
	if n == 1 { // a goroutine would have to grow a stack of its own
		f(0)
		return
	}
	var wg sync.WaitGroup
	free := make(chan struct{}, max(most, 1))
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			f(i)
		})
	}
	wg.Wait()
}

// others returns the ladders of guest and of the user with credentials.
func (h *host) others() (list []*ladder) {
	waited := h.waited()
	if !h.o.NoGuest {
		list = append(list, h.ladder(model.Guest, h.meter(waited), func() (smb.Authenticator, error) {
			return ntlm.NewGuest(ntlm.Options{}), nil
		}))
	}
	if h.o.User != nil {
		list = append(list, h.ladder(model.User, h.meter(waited), h.user))
	}
	return list
}

// user makes a logon with the given credentials, for a server that the user named. With NTLM the server's name must be
// the one that it told a caller without secrets before.
func (h *host) user() (smb.Authenticator, error) {
	if h.target.Ranged && !h.o.UserInRanges {
		return nil, &ntlm.WithheldError{Reason: "the address came out of a range, and nobody named it"}
	}
	a, err := h.o.User(h.target)
	if careful, ok := a.(interface{ Expect(serverName string) }); ok && err == nil {
		h.lock.Lock()
		defer h.lock.Unlock()
		if t := h.hearing.target; h.hearing.heard {
			careful.Expect(cmp.Or(t.DNSComputer, t.NetBIOSComputer))
		}
	}
	return a, err
}

// waited is the longest chain of waits so far.
func (h *host) waited() int64 {
	h.lock.Lock()
	defer h.lock.Unlock()
	var longest int64
	for _, m := range h.meters {
		longest = max(longest, m.offset+m.RoundTrips.Load())
	}
	return longest
}

// madeUp makes up a name and a password that nobody has, and returns what makes a logon with them: each as the same
// user. The name tells whoever reads the log who it was.
func madeUp() func() (smb.Authenticator, error) {
	var b [12]byte
	_, err := rand.Read(b[:])
	name, password := "ipcguard-"+hex.EncodeToString(b[:4]), hex.EncodeToString(b[4:])
	return func() (smb.Authenticator, error) {
		if err != nil {
			return nil, err
		}
		return ntlm.NewUser(name, "", password, ntlm.Options{}), nil
	}
}
