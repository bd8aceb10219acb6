package scan

import (
	"context"
	"errors"
	"slices"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/smb1"
)

// arrival is a connection that is made before its identity may log on.
type arrival struct {
	inquiry
	meter *meter
}

// sendAhead opens the connections of the identities after anonymous while anonymous is still asking, if the network is
// slow. It runs after the posture, so there are never more connections because of it. A server with nothing newer than
// SMB2 is old or, unless it is Windows, small, and gets one connection after the other. So does a server whose logons
// begin without a challenge: if the connection ends, it would be unknown whether they have begun.
func (h *host) sendAhead(ctx context.Context) {
	whole := ctx // of the logon, which outlasts the wait for the connection
	if !h.far() || h.dialect < smb.SMB300 && h.small() ||
		h.dialect == smb.SMB1 && h.hearing.offered.Capabilities&smb1.CapExtendedSecurity == 0 {
		return
	}
	if slices.ContainsFunc(h.before, func(s *model.Scan) bool { return s.Address != h.result.Address }) {
		return // who comes depends on what anonymous learns
	}
	known := map[model.Identity]bool{}
	for _, id := range []model.Identity{model.Guest, model.UnknownUser} {
		known[id] = h.known(id) != nil
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.crowded.Load() {
		return
	}
	h.early = map[model.Identity]*arrival{}
	for _, one := range []struct {
		id    model.Identity
		comes bool
	}{{model.Guest, !h.o.NoGuest}, {model.User, h.o.User != nil}, {model.UnknownUser, !h.o.NoUnknownUser}} {
		if !one.comes || known[one.id] {
			continue
		}
		m := &meter{}
		h.meters = append(h.meters, m)
		come := func(ctx context.Context) (*link, error) {
			release, ok := h.room.free()
			if !ok {
				return nil, errNoRoom
			}
			o := h.options(m, h.same(), patient(h.o.Timeouts).WithDefaults(), h.o.Dial)
			if one.id != model.Guest {
				return h.connectIn(ctx, release, o)
			}
			o.Timeouts.Session *= 2 // half of it for anonymous to end
			l, err := h.connectIn(ctx, release, o)
			if err == nil {
				l.begin(whole, o.Timeouts.Session/2)
			}
			return l, err
		}
		h.early[one.id] = &arrival{ask(ctx, come), m}
	}
}

// arrived returns the connection that was made for an identity, or nil.
func (h *host) arrived(id model.Identity) *link {
	waited := h.waited()
	h.lock.Lock()
	a := h.early[id]
	delete(h.early, id)
	h.lock.Unlock()
	if a == nil {
		return nil
	}
	r := <-a.answer
	a.cancel()
	if r.err != nil {
		return nil
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	a.meter.offset = max(waited-a.meter.RoundTrips.Load(), 0) // made while others waited
	return r.link
}

// begun is a guest's logon whose first request was sent ahead of time: it names nobody and cannot be refused as a
// logon, and its answer is the challenge. The second request, which can be, waits until anonymous is through.
type begun struct {
	*ntlm.Client
	free   chan struct{} // closed when the challenge may be answered
	until  time.Time     // after that too little of the logon's wait is left
	cancel func()
	answer chan opened // gets one
}

// opened is the outcome of a logon.
type opened struct {
	session smb.Session
	err     error
}

// Next implements [smb.Authenticator].
func (b *begun) Next(ctx context.Context, challenge []byte) ([]byte, error) {
	select {
	case <-b.free:
		return b.Client.Next(ctx, challenge)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin begins guest's logon on a connection that stands ahead of time.
func (l *link) begin(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	b := &begun{
		Client: ntlm.NewGuest(ntlm.Options{}), free: make(chan struct{}), until: time.Now().Add(wait),
		cancel: cancel, answer: make(chan opened, 1),
	}
	l.begun = b
	go func() {
		s, err := l.SessionSetup(ctx, b)
		b.answer <- opened{s, err}
	}()
}

// timely returns a connection on which a logon that has begun can go on, or nil. Where anonymous was refused, that may
// have caused a ban, and a whole new logon tells.
func (h *host) timely(l *link) *link {
	if l == nil || l.begun == nil {
		return l
	}
	if l.Ended() || time.Now().After(l.begun.until) || len(h.ladders) == 0 ||
		h.ladders[0].id != model.Anonymous || h.ladders[0].result.Session.Outcome != model.Allowed {
		l.Close()
		return nil
	}
	return l
}

// errNoRoom says that a connection would have to wait for its place.
var errNoRoom = errors.New("scan: no room for a connection ahead of time")

// sendBack closes the unused connections.
func (h *host) sendBack() {
	h.lock.Lock()
	early := h.early
	h.early = nil
	h.lock.Unlock()
	for _, a := range early {
		a.leave()
	}
}
