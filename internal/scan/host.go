package scan

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// run asks one host everything. Anonymous, guest and the user with credentials are asked at the same time, each on a
// connection of its own; the made-up user begins when their logons are answered, because some servers slow down every
// logon after a failed one.
func (h *host) run(ctx context.Context) {
	main, err := h.first(ctx, h.meter(0))
	if err != nil {
		h.unreached(err)
		return
	}
	defer main.Close()
	h.dialect = main.Negotiated().Dialect
	h.greet(main.Negotiated())

	var work, logons sync.WaitGroup
	var ladders []*ladder
	climb := func(l *ladder, conn *link) {
		l.settled = func() {}
		if l.id != model.UnknownUser {
			logons.Add(1)
			l.settled = sync.OnceFunc(logons.Done)
		}
		ladders = append(ladders, l)
		work.Go(func() {
			defer l.settled()
			l.climb(ctx, conn)
		})
	}
	climb(h.ladder(model.Anonymous, h.meters[0], func() (smb.Authenticator, error) {
		return ntlm.NewAnonymous(ntlm.Options{}), nil
	}), main)
	if !h.o.Quick {
		waited := h.meters[0].RoundTrips.Load()
		if !h.o.NoGuest {
			climb(h.ladder(model.Guest, h.meter(waited), func() (smb.Authenticator, error) {
				return ntlm.NewGuest(ntlm.Options{}), nil
			}), nil)
		}
		if h.o.User != nil {
			climb(h.ladder(model.User, h.meter(waited), func() (smb.Authenticator, error) { return h.o.User(h.target) }), nil)
		}
		work.Go(func() { h.posture(ctx, h.meter(waited)) })
		if !h.o.NoUnknownUser {
			logons.Wait()
			climb(h.ladder(model.UnknownUser, h.meter(h.stats64()), madeUp), nil)
		}
	}
	work.Wait()
	if !h.o.Quick {
		h.lend(ctx, ladders)
	}
	for _, l := range ladders {
		l.tally()
		h.result.Identities = append(h.result.Identities, *l.result)
	}
	h.describe()
	h.bounds(ladders, ctx.Err())
	h.judge(ladders, ctx.Err())
}

// stats64 is the longest chain of waits so far.
func (h *host) stats64() int64 {
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
