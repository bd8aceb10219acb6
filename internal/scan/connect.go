package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/status"
)

// link is a connection with its place in the room.
type link struct {
	*smb.Conn
	once    sync.Once
	release func()
	begun   *begun // a logon on it, or nil
}

func (l *link) Close() {
	l.once.Do(func() {
		_ = l.Conn.Close() // unbuffered: nothing was written
		if l.begun != nil {
			l.begun.cancel()
		}
		l.release()
	})
}

// meter starts counting from now.
func (h *host) meter(offset int64) *meter {
	m := &meter{offset: offset}
	h.lock.Lock()
	defer h.lock.Unlock()
	h.meters = append(h.meters, m)
	return m
}

// connect opens one of the host's further connections.
func (h *host) connect(ctx context.Context, m *meter, dialects []smb.Dialect) (*link, error) {
	return h.connectWith(ctx, h.options(m, dialects, patient(h.o.Timeouts), h.o.Dial))
}

func (h *host) connectWith(ctx context.Context, o smb.Options) (*link, error) {
	release, ok := h.room.free()
	if !ok {
		h.crowded.Store(true)
		h.sendBack() // whoever waits for a place holds none that he does not use yet
		var err error
		if release, err = h.room.take(ctx); err != nil {
			return nil, err
		}
	}
	return h.connectIn(ctx, release, o)
}

// connectIn opens a connection in a place of the room.
func (h *host) connectIn(ctx context.Context, release func(), o smb.Options) (*link, error) {
	c, err := h.dialWith(ctx, o)
	if err != nil {
		release()
		return nil, err
	}
	return &link{Conn: c, release: release}, nil
}

func (h *host) dial(ctx context.Context, m *meter, dialects []smb.Dialect) (*smb.Conn, error) {
	return h.dialWith(ctx, h.options(m, dialects, patient(h.o.Timeouts), h.o.Dial))
}

// options returns the options for a connection to the host.
func (h *host) options(m *meter, dialects []smb.Dialect, t smb.Timeouts, dial dialer) smb.Options {
	return smb.Options{
		Dialects: dialects,
		NetBIOS:  h.netBIOS(),
		Timeouts: t,
		Dial:     h.timed(dial),
		Counters: &m.Counters,
	}
}

// netBIOS tells whether connections to the host begin with a NetBIOS session.
func (h *host) netBIOS() bool { return h.o.NetBIOS || h.target.Addr.Port() == 139 }

// timed records the shortest time that a connection took: one round trip.
func (h *host) timed(dial dialer) dialer {
	if dial == nil {
		dial = dialTCP
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		began := time.Now()
		c, err := dial(ctx, network, address)
		if took := int64(time.Since(began)); err == nil {
			for old := h.distance.Load(); (old == 0 || took < old) && !h.distance.CompareAndSwap(old, took); old = h.distance.Load() {
			}
		}
		return c, err
	}
}

// dialTCP connects without probes of an idle connection: no connection of a scan lasts without a wait that ends.
func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	return d.DialContext(ctx, network, address)
}

// farAway is the round trip from which a scan waits for the network and not for the server.
const farAway = 20 * time.Millisecond

// far reports whether the server is that far away.
func (h *host) far() bool { return time.Duration(h.distance.Load()) >= farAway }

func (h *host) dialWith(ctx context.Context, o smb.Options) (*smb.Conn, error) {
	if err := h.o.Pace.Wait(ctx); err != nil {
		return nil, err
	}
	c, err := smb.Dial(ctx, h.target.Addr.String(), o)
	if err == nil {
		h.heed(c.Negotiated(), len(o.Dialects))
	}
	return c, err
}

// patient sets timeouts for pipes that are longer than the client's defaults: on a cold Samba server every helper
// process takes up to 4 s to start, and the pipes of an identity start several at once.
func patient(t smb.Timeouts) smb.Timeouts {
	const pipes = 20 * time.Second
	if t.Open == 0 {
		t.Open = pipes
	}
	if t.Call == 0 {
		t.Call = pipes
	}
	return t
}

// first opens the host's first connection, whose place belongs to the worker.
func (h *host) first(ctx context.Context, m *meter, p patience) (*link, error) {
	if h.o.Dialects == nil && p == inFull {
		return h.inTwoWays(ctx, m)
	}
	dialects := h.o.Dialects
	if dialects == nil {
		dialects = smb.AllDialects()
	}
	dial := h.dial
	if p == briefly {
		dial = h.askBriefly
	}
	c, err := dial(ctx, m, dialects)
	if err != nil {
		return nil, err
	}
	return &link{Conn: c, release: func() {}}, nil
}

// mute reports whether a connection was accepted and nothing was received on it.
func mute(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) && t.Timeout() && t.Layer == string(model.LayerNegotiate)
}

// modern returns every dialect except SMB1.
func modern() []smb.Dialect { return smb.AllDialects()[1:] }

// same offers what the host's first connection agreed on: the same dialect family, without the multi-protocol
// negotiate.
func (h *host) same() []smb.Dialect {
	switch {
	case h.o.Dialects != nil:
		return h.o.Dialects
	case h.dialect == smb.SMB1:
		return []smb.Dialect{smb.SMB1}
	}
	return modern()
}

// answered reports whether there was a connection to something that may speak SMB.
func answered(err error) bool {
	var t *smb.TransportError
	if errors.As(err, &t) {
		return t.Layer != string(model.LayerConnect) && !t.NotSMB()
	}
	var nt status.NTStatus
	return errors.As(err, &nt)
}

// unreached reports that no dialect was agreed on.
func (h *host) unreached(err error) {
	r := h.result
	var t *smb.TransportError
	var kept nbss.CallError
	isTransport := errors.As(err, &t)
	port := h.target.Addr.Port()
	switch {
	case ownFault(err):
		r.Verdict, r.Reason, h.again = model.VerdictInconclusive, "this machine could not connect: "+plain(err), true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !isTransport:
		r.Verdict, r.Reason, r.Partial = model.VerdictInconclusive, plain(err), true
	case isTransport && t.Layer == string(model.LayerConnect):
		r.Verdict, r.Reason = model.Unreachable, fmt.Sprintf("port %d: %s", port, t.Reason)
		h.again, h.shut = t.Dropped(), refusedPort(err)
	case isTransport && t.NotSMB():
		r.Verdict, r.Reason = model.Unreachable, fmt.Sprintf("port %d: %s", port, t.Reason)
	case errors.As(err, &kept):
		r.Verdict, r.Reason = model.VerdictInconclusive, fmt.Sprintf("port %d: %s; from another address it may be open",
			port, t.Reason)
	case isTransport && t.Dropped():
		r.Verdict, h.again = model.VerdictInconclusive, true
		r.Reason = fmt.Sprintf("port %d: the connection is dropped before a dialect is agreed on; a filter by "+
			"address looks like this", port)
	case isTransport:
		// A server that did not answer two kinds of question does not answer a third.
		r.Verdict, h.again = model.VerdictInconclusive, !mute(err) || h.o.Dialects != nil
		r.Reason = fmt.Sprintf("port %d: %s during negotiate", port, t.Reason)
	default:
		r.Verdict, r.Reason = model.VerdictInconclusive, "no dialect was agreed on: "+plain(err)
	}
}

// ownFault reports whether the cause is this machine and not the target.
func ownFault(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
