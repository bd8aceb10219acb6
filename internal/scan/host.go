package scan

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// run asks one host everything, in an order in which nothing that is asked spoils what comes after. Anonymous is finished
// before anybody else begins: some servers ban or slow down an address after one failed logon, and the logons of guest
// and of the made-up user are expected to fail. So the made-up user comes last of all, once.
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

	var ladders []*ladder
	climb := func(conn *link, list ...*ladder) {
		ladders = append(ladders, list...)
		var work sync.WaitGroup
		for _, l := range list {
			work.Go(func() { l.climb(ctx, conn) })
		}
		work.Wait()
	}
	var posture sync.WaitGroup
	if !h.o.Quick {
		m := h.meter(h.meters[0].RoundTrips.Load())
		posture.Go(func() { h.posture(ctx, m) })
	}
	climb(main, h.ladder(model.Anonymous, h.meters[0], func() (smb.Authenticator, error) {
		return ntlm.NewAnonymous(ntlm.Options{}), nil
	}))
	main.Close()
	if !h.o.Quick {
		climb(nil, h.others()...)
		h.lend(ctx, ladders)
	}
	if !h.o.Quick && !h.o.NoUnknownUser {
		climb(nil, h.ladder(model.UnknownUser, h.meter(h.waited()), madeUp))
		h.lend(ctx, ladders)
	}
	posture.Wait()
	for _, l := range ladders {
		l.tally()
		h.result.Identities = append(h.result.Identities, *l.result)
	}
	h.describe()
	h.bounds(ladders, ctx.Err())
	h.judge(ladders, ctx.Err())
}

// others are the ladders of guest and of the user with credentials.
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

// user is a logon with the credentials given, for a server that the user named. In NTLM the server must call itself what
// it called itself before, to a caller without anything to steal.
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

// madeUp is a logon with a name and a password that nobody has. The name says to whoever reads the log who it was.
func madeUp() (smb.Authenticator, error) {
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	return ntlm.NewUser("ipcguard-"+hex.EncodeToString(b[:4]), "", hex.EncodeToString(b[4:]), ntlm.Options{}), nil
}
