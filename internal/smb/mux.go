package smb

import (
	"context"
	"sync"
	"time"
)

// maxAbandoned bounds the memory of requests whose wait ended and whose answer may still come.
const maxAbandoned = 256

// reply is one answer: a message from its SMB header on.
type reply struct {
	msg       []byte
	encrypted uint64 // the session whose key decrypted it, 0 for none
}

// call is a request in flight.
type call struct {
	id      uint64
	depth   int64
	interim int // interim answers so far; the reading goroutine alone touches it
	replies chan reply
}

// mux matches answers to requests by an id: MessageId, or MID.
type mux struct {
	mu        sync.Mutex
	calls     map[uint64]*call
	abandoned map[uint64]struct{}
	dead      *TransportError
	down      chan struct{} // closed when dead is set
	last      string        // the last layer that was answered
}

func newMux() *mux {
	return &mux{calls: map[uint64]*call{}, abandoned: map[uint64]struct{}{}, down: make(chan struct{})}
}

// open registers a request of this depth before it is sent. It takes up to n answers before close; SMB2 needs one.
func (m *mux) open(id uint64, n int, depth int64) (*call, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil {
		return nil, m.dead
	}
	c := &call{id: id, depth: depth, replies: make(chan reply, n)}
	m.calls[id] = c
	delete(m.abandoned, id)
	return c, nil
}

// find returns the request an answer belongs to. With nil, late tells that the answer is merely late.
func (m *mux) find(id uint64) (c *call, late bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c = m.calls[id]
	if c == nil {
		_, late = m.abandoned[id]
	}
	return c, late
}

// forget notes that the last answer of an abandoned request came after all.
func (m *mux) forget(id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.abandoned, id)
}

// deliver gives a request an answer; with last it is no longer in flight. It tells whether there was room for it.
func (m *mux) deliver(c *call, r reply, last bool) bool {
	if last {
		m.close(c, false)
	}
	select {
	case c.replies <- r:
		return true
	default:
		return false
	}
}

// close forgets a request; with abandon its late answer is no offence.
func (m *mux) close(c *call, abandon bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls[c.id] != c {
		return
	}
	delete(m.calls, c.id)
	if abandon && len(m.abandoned) < maxAbandoned {
		m.abandoned[c.id] = struct{}{}
	}
}

// fail ends every request in flight and all to come with err. The first failure counts.
func (m *mux) fail(err *TransportError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil {
		return
	}
	if err.kind == dropped && m.last != "" {
		err.Reason = "connection dropped after " + m.last
	}
	m.dead = err
	close(m.down)
}

// wait returns the next answer of a request, or why there is none in time.
func (m *mux) wait(ctx context.Context, c *call, layer string, deadline time.Time) (reply, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case r := <-c.replies:
		return m.answered(r, layer), nil
	case <-m.down:
		select { // an answer that came before the end is still an answer
		case r := <-c.replies:
			return m.answered(r, layer), nil
		default:
		}
		return reply{}, m.err(layer)
	case <-timer.C:
		m.close(c, true)
		return reply{}, &TransportError{Layer: layer, Reason: "timed out", Err: context.DeadlineExceeded, kind: timedOut}
	case <-ctx.Done():
		m.close(c, true)
		return reply{}, netError(layer, ctx.Err())
	}
}

func (m *mux) answered(r reply, layer string) reply {
	m.mu.Lock()
	m.last = layer
	m.mu.Unlock()
	return r
}

// err is the failure that ended the connection, as met in a layer; nil if it lives.
func (m *mux) err(layer string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead == nil {
		return nil
	}
	return m.dead.at(layer)
}
