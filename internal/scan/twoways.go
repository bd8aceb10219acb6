package scan

import (
	"context"
	"net"
	"time"

	"ipcguard/internal/smb"
)

// dialer makes a TCP connection, as [net.Dialer.DialContext] does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// inTwoWays asks for a dialect with a plain SMB2 negotiate, as today's clients do, which saves a request and a wait at all
// but the oldest servers. What does not like it (a server of SMB1 alone) gets the SMB1 question that opens the door to
// every dialect: at once where it refused the first question, and beside it where half the wait has brought nothing. Both
// together take no longer than the wait for one answer. Over NetBIOS, and where no anonymous logon will show whether SMB2
// is more than a promise (see asOfOld), it is the other way round.
func (h *host) inTwoWays(ctx context.Context, m *meter) (*link, error) {
	wait := patient(h.o.Timeouts).WithDefaults()
	half := wait.Negotiate / 2
	if h.single { // not beside it, but behind it
		wait.Negotiate = half
	}
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
	brief, cancel := context.WithTimeout(ctx, half)
	defer cancel()
	newer := ask(brief, func(ctx context.Context) (*link, error) { return h.connect(ctx, m, second) })
	if over {
		if second := <-newer.answer; second.err == nil {
			return second.link, nil
		}
		return nil, r.err
	}
	return faster(older, newer)
}

// inquiry is a question for a dialect that is under way.
type inquiry struct {
	answer chan met // gets one
	cancel func()
}

// met is what came of a question.
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

// within waits until the question is over, or until nothing has come for a while after the connection, unless it is to
// be waited for to the end.
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

// leave ends a question that nobody waits for any longer.
func (q inquiry) leave() {
	q.cancel()
	if r := <-q.answer; r.err == nil {
		r.link.Close()
	}
}

// faster is the connection of the question that gets the first good answer. Where none does, the older's error counts.
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

// telling closes a channel when a connection stands.
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
