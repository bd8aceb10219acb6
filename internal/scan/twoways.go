package scan

import (
	"context"
	"net"
	"sync"
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
	first, second := modern(), smb.AllDialects()
	if h.o.NoAnonymous || h.netBIOS() {
		first, second = second, first
	}
	older, stop := context.WithCancel(ctx)
	defer stop()
	w := &secondWay{half: wait.Negotiate / 2, ask: func() inquiry {
		return ask(ctx, func(ctx context.Context) (*link, error) {
			ctx, cancel := context.WithTimeout(ctx, wait.Negotiate/2)
			defer cancel()
			l, err := h.connect(ctx, m, second)
			if err == nil {
				stop()
			}
			return l, err
		})
	}}
	dial := h.o.Dial
	if !h.single {
		dial = w.after(dial)
	}
	c, err := h.dialWith(older, h.options(m, first, wait, dial))
	newer := w.begun()
	switch {
	case err == nil:
		if newer != nil {
			newer.leave()
		}
		return &link{Conn: c, release: func() {}}, nil
	case newer != nil:
		defer newer.cancel()
		if r := <-newer.answer; r.err == nil {
			return r.link, nil
		}
	case answered(err) && ctx.Err() == nil:
		if l, failed := h.connect(ctx, m, second); failed == nil {
			return l, nil
		}
	}
	return nil, err
}

// secondWay is the second question, which begins when the first has got no answer for a while after it had a
// connection.
type secondWay struct {
	half time.Duration
	ask  func() inquiry

	lock  sync.Mutex
	timer *time.Timer
	asked *inquiry
	over  bool
}

// after begins to wait when a connection is made.
func (w *secondWay) after(dial dialer) dialer {
	if dial == nil {
		dial = dialTCP
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil && w.timer == nil {
			w.timer = time.AfterFunc(w.half, w.begin)
		}
		return c, err
	}
}

func (w *secondWay) begin() {
	w.lock.Lock()
	defer w.lock.Unlock()
	if !w.over {
		q := w.ask()
		w.asked = &q
	}
}

// begun returns the second question if it was asked. It is not asked after that.
func (w *secondWay) begun() *inquiry {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.over = true
	return w.asked
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

// leave ends a negotiation that is no longer needed.
func (q inquiry) leave() {
	q.cancel()
	if r := <-q.answer; r.err == nil {
		r.link.Close()
	}
}
