package scan

import (
	"context"
	"errors"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/smb1"
)

// arrival is a connection that is made before its identity may log on.
type arrival struct {
	inquiry
	meter *meter
}

// sendAhead makes the connections of those who log on after anonymous, while he still asks, if the way is long. It
// comes after the posture, so that there are never more connections for it. What speaks nothing newer than SMB2 is old
// or, unless it is Windows, small, and gets one connection after the other. So does a server whose logons begin without
// a challenge: where the connection ends, it would not be known whether they have begun.
func (h *host) sendAhead(ctx context.Context) {
	if !h.far() || h.dialect < smb.SMB300 && h.small() ||
		h.dialect == smb.SMB1 && h.hearing.offered.Capabilities&smb1.CapExtendedSecurity == 0 {
		return
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
		if !one.comes || h.known(one.id) != nil {
			continue
		}
		m := &meter{}
		h.meters = append(h.meters, m)
		come := func(ctx context.Context) (*link, error) {
			release, ok := h.room.free()
			if !ok {
				return nil, errNoRoom
			}
			return h.connectIn(ctx, release, h.options(m, h.same(), patient(h.o.Timeouts), h.o.Dial))
		}
		h.early[one.id] = &arrival{ask(ctx, come), m}
	}
}

// arrived is the connection that was made for an identity, or nil.
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
	a.meter.offset = max(waited-a.meter.RoundTrips.Load(), 0) // it was made beside other waits
	return r.link
}

// errNoRoom says that a connection would have to wait for its place.
var errNoRoom = errors.New("scan: no room for a connection ahead of time")

// sendBack ends the connections that nobody came for.
func (h *host) sendBack() {
	h.lock.Lock()
	early := h.early
	h.early = nil
	h.lock.Unlock()
	for _, a := range early {
		a.leave()
	}
}
