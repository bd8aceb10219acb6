package transport

import (
	"context"
	"sync"
	"time"
)

// MaxAbandoned bounds the memory of requests whose wait ended and whose answer may still come.
const MaxAbandoned = 256

// Reply is one answer: a message from its SMB header on.
type Reply struct {
	Message   []byte
	Encrypted uint64 // the session whose key decrypted it, 0 for none
}

// Request is a request in flight.
type Request struct {
	ID      uint64 // MessageId, or MID
	Interim int    // interim answers so far; the reading goroutine alone touches it
	State   any    // what the dialect keeps with it

	depth int64
	reply chan Reply // of capacity 1
}

// inFlight matches answers to requests by their ID.
type inFlight struct {
	mu        sync.Mutex
	requests  map[uint64]*Request
	abandoned map[uint64]struct{}
	dead      *Error
	down      chan struct{} // closed when dead is set
	last      string        // the last layer that was answered
	spare     *time.Timer   // stopped
}

func newInFlight() inFlight {
	return inFlight{requests: map[uint64]*Request{}, abandoned: map[uint64]struct{}{}, down: make(chan struct{})}
}

// Begin registers a request of this depth before it is sent.
func (f *inFlight) Begin(id uint64, depth int64, layer string, state any) (*Request, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead != nil {
		return nil, f.dead.At(layer)
	}
	r := &Request{ID: id, State: state, depth: depth, reply: make(chan Reply, 1)}
	f.requests[id] = r
	delete(f.abandoned, id)
	return r, nil
}

// Find returns the request that an answer belongs to. With nil, late tells that the answer is merely late.
func (f *inFlight) Find(id uint64) (r *Request, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r = f.requests[id]
	if r == nil {
		_, late = f.abandoned[id]
	}
	return r, late
}

// Forget records that the last answer of an abandoned request has arrived.
func (f *inFlight) Forget(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.abandoned, id)
}

// finish delivers the answer; the request is no longer in flight.
func (f *inFlight) finish(r *Request, a Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.requests[r.ID] == r {
		delete(f.requests, r.ID)
	}
	select {
	case r.reply <- a:
	default: // a second answer in the same moment
	}
}

// Abandon gives up a request; its late answer is not an error.
func (f *inFlight) Abandon(r *Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.requests[r.ID] != r {
		return
	}
	delete(f.requests, r.ID)
	if len(f.abandoned) < MaxAbandoned {
		f.abandoned[r.ID] = struct{}{}
	}
}

// fail ends every request in flight and all to come with err. The first failure counts.
func (f *inFlight) fail(err *Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead != nil {
		return
	}
	if err.kind == dropped && f.last != "" {
		err.Reason = "connection dropped after " + f.last
	}
	f.dead = err
	close(f.down)
}

// Wait returns the answer of a request, or why there is none in time.
func (f *inFlight) Wait(ctx context.Context, r *Request, layer string, deadline time.Time) (Reply, error) {
	timer := f.timer(time.Until(deadline))
	defer f.stop(timer)
	select {
	case a := <-r.reply:
		return f.answered(a, layer), nil
	case <-f.down:
		select { // an answer that came before the end is still an answer
		case a := <-r.reply:
			return f.answered(a, layer), nil
		default:
		}
		return Reply{}, f.Err(layer)
	case <-timer.C:
		f.Abandon(r)
		return Reply{}, TimedOut(layer, "timed out")
	case <-ctx.Done():
		f.Abandon(r)
		return Reply{}, NetError(layer, ctx.Err())
	}
}

// timer returns a running timer, the last request's if that waits no more.
func (f *inFlight) timer(d time.Duration) *time.Timer {
	f.mu.Lock()
	t := f.spare
	f.spare = nil
	f.mu.Unlock()
	if t == nil {
		return time.NewTimer(d)
	}
	t.Reset(d)
	return t
}

// stop stops a timer, whose channel is empty then, and keeps it for the next request.
func (f *inFlight) stop(t *time.Timer) {
	t.Stop()
	f.mu.Lock()
	f.spare = t
	f.mu.Unlock()
}

func (f *inFlight) answered(a Reply, layer string) Reply {
	f.mu.Lock()
	f.last = layer
	f.mu.Unlock()
	return a
}

// Down is closed when the connection has ended.
func (f *inFlight) Down() <-chan struct{} { return f.down }

// Err is the failure that ended the connection, as met in a layer; nil if it lives.
func (f *inFlight) Err(layer string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead == nil {
		return nil
	}
	return f.dead.At(layer)
}
