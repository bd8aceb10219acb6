package smbtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// Wire counts the responses of a server in order, over all of its connections, and loses one of them. It is for tests
// of claims without that response.
type Wire struct {
	Lose int   // which one, from 1; 0 is none
	With error // the effect of the loss: io.EOF for a dropped connection, os.ErrDeadlineExceeded for silence

	mu    sync.Mutex
	count int
}

// Count returns the number of responses.
func (w *Wire) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// Dial connects through the wire.
func (w *Wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossy{Conn: c, wire: w}, nil
}

// lost counts a response, and reports whether it is the one to lose.
func (w *Wire) lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	return w.count == w.Lose
}

// lossy is a connection through a wire. Silence is reported at once, so that no test waits for a timeout.
type lossy struct {
	net.Conn
	wire *Wire
	rest []byte
	err  error
}

// Read returns whole frames of the server, each with its header.
func (c *lossy) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(c.rest) == 0 {
		frame := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, frame); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint32(frame)&0xFFFFFF) // at most 16 MiB, because the header has 24 bits
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			return 0, err
		}
		if c.wire.lost() {
			c.err = c.wire.With
			return 0, c.err
		}
		c.rest = append(frame, body...)
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
