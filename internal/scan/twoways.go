package scan

import (
	"context"
	"net"
	"time"

	"ipcguard/internal/smb"
)

// dialer makes a TCP connection, as [net.Dialer.DialContext] does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// inTwoWays negotiates with a plain SMB2 negotiate, as current clients do, which saves a request and a round trip with
// all but the oldest servers. A server that does not accept it (one with only SMB1) gets the multi-protocol negotiate
// of SMB1: at once if it refused the first question, and in parallel if half the timeout has passed without an answer.
// Then both together take no longer than one timeout. If the server may have one connection at a time, the second
// question comes after the first, and each has the whole timeout, or half of what is left for the host if that is less.
// Over NetBIOS, and if no anonymous logon will show whether SMB2 really works (see asOfOld), the order is reversed.
func (h *host) inTwoWays(ctx context.Context, m *meter) (*link, error) {
	wait := patient(h.o.Timeouts).WithDefaults()
	if end, ok := ctx.Deadline(); ok && h.single {
		// The second question needs its share of what the host as a whole may take.
		wait.Negotiate = min(wait.Negotiate, time.Until(end)/2)
	}
	half := wait.Negotiate / 2
	connected := make(chan struct{})
	first, second := modern(), smb.AllDialects()
	if h.o.NoAnonymous || h.netBIOS() {
		first, second = second, first
	}
	older := ask(ctx, func(ctx context.Context) (*link, error) {
		c, err := h.dialWith(ctx, h.options(m, first, wait, telling(h.o.Dial, connected)))
		if err != nil {
			return nil, err
		}
		return &link{Conn: c, release: func() {}}, nil
	})
	r, over := older.within(connected, half, h.single)
	if over && (r.err == nil || !answered(r.err) || ctx.Err() != nil) {
		return r.link, r.err
	}
	if !over {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, half)
		defer cancel()
	}
	newer := ask(ctx, func(ctx context.Context) (*link, error) { return h.connect(ctx, m, second) })
	if over {
		if second := <-newer.answer; second.err == nil {
			return second.link, nil
		}
		return nil, r.err
	}
	return faster(older, newer)
}

// inquiry is a negotiation in progress.
type inquiry struct {
	answer chan met // gets one
	cancel func()
}

// met is the outcome of a negotiation.
type met struct {
	link *link
	err  error
}

func ask(ctx context.Context, dial func(context.Context) (*link, error)) inquiry {
	ctx, cancel := context.WithCancel(ctx)
	q := inquiry{make(chan met, 1), cancel}
	go func() {
		l, err := dial(ctx)
		q.answer <- met{l, err}
	}()
	return q
}

// within waits until the negotiation is over, or until there was no answer for a while after the connection, unless it
// must be waited for completely.
func (q inquiry) within(connected <-chan struct{}, d time.Duration, end bool) (r met, over bool) {
	if end {
		return <-q.answer, true
	}
	select {
	case r := <-q.answer:
		return r, true
	case <-connected:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case r := <-q.answer:
		return r, true
	case <-timer.C:
		return met{}, false
	}
}

// leave ends a negotiation that is no longer needed.
func (q inquiry) leave() {
	q.cancel()
	if r := <-q.answer; r.err == nil {
		r.link.Close()
	}
}

// faster returns the connection with the first good answer. If there is none, the older one's error counts.
func faster(older, newer inquiry) (*link, error) {
	select {
	case r := <-older.answer:
		if r.err == nil {
			newer.leave()
			return r.link, nil
		}
		if second := <-newer.answer; second.err == nil {
			return second.link, nil
		}
		return nil, r.err
	case second := <-newer.answer:
		if second.err == nil {
			older.leave()
			return second.link, nil
		}
		r := <-older.answer
		return r.link, r.err
	}
}

// telling closes a channel when a connection is made.
func telling(dial dialer, connected chan<- struct{}) dialer {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			close(connected)
		}
		return c, err
	}
}
