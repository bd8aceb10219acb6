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

// sendAhead opens the connections of the identities after anonymous while anonymous is still asking, if the network is
// slow. It runs after the posture, so there are never more connections because of it. A server with nothing newer than
// SMB2 is old or, unless it is Windows, small, and gets one connection after the other. So does a server whose logons
// begin without a challenge: if the connection ends, it would be unknown whether they have begun.
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
