package transport

import (
	"bufio"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/smb/nbss"
)

// readBuffer holds a usual answer, read with one system call, and keeps an idle connection small.
const readBuffer = 2 << 10

// wire is one TCP connection with frames on it. Any goroutine may write; one reads.
type wire struct {
	nc       net.Conn
	r        *bufio.Reader
	max      int
	counters *Counters
	depth    atomic.Int64 // the longest chain of waits that an answer read so far stands at the end of

	wmu     sync.Mutex
	queue   []byte    // frames to be sent; bounded by the requests in flight, which the server's credits bound
	writing bool      // a goroutine is sending the queue
	until   time.Time // what bounds its writes
}

func newWire(nc net.Conn, max int, counters *Counters) *wire {
	w := &wire{nc: nc, r: bufio.NewReaderSize(nc, readBuffer), max: max, counters: counters}
	w.depth.Store(1) // the connect
	return w
}

// write sends a frame that starts with room for the header and holds that many requests, of that depth. The deadline
// bounds it: a server that does not read cannot block the caller.
func (w *wire) write(frame []byte, requests int, depth int64, deadline time.Time) error {
	nbss.PutHeader(frame)
	return w.writeRaw(frame, requests, depth, deadline)
}

// writeRaw is write for bytes that already have their header. Concurrent requests leave in one system call: the first
// goroutine sends for all, and must report an error by failing the connection.
func (w *wire) writeRaw(frame []byte, requests int, depth int64, deadline time.Time) error {
	w.counters.Requests.Add(int64(requests))
	w.counters.chain(depth)
	w.wmu.Lock()
	if w.writing {
		w.queue = append(w.queue, frame...)
		w.wmu.Unlock()
		return nil
	}
	w.writing = true
	w.wmu.Unlock()
	runtime.Gosched() // those that the same answers woke add theirs
	return w.flush(frame, deadline)
}

// keepQueue is how much room for frames an idle connection keeps.
const keepQueue = 2 << 10

// earlier is how much too early a write may fail, and ahead how long it has at least then: a conversation of short
// questions sets its deadline once.
const (
	earlier = 100 * time.Millisecond
	ahead   = time.Second
)

// flush sends a frame and what is queued behind it, until nothing is. After an error writing stays true: nothing can
// follow half a frame.
func (w *wire) flush(frame []byte, deadline time.Time) error {
	if d := deadline.Sub(w.until); d < 0 || d > earlier || time.Until(w.until) < ahead {
		if err := w.nc.SetWriteDeadline(deadline); err != nil {
			return err
		}
		w.until = deadline
	}
	w.wmu.Lock()
	out := append(frame, w.queue...) // the frame is its sender's no more
	for {
		w.queue = w.queue[:0]
		w.wmu.Unlock()
		n, err := w.nc.Write(out)
		w.counters.BytesSent.Add(int64(n))
		if err != nil {
			return err
		}
		w.wmu.Lock()
		if len(w.queue) == 0 {
			break
		}
		out = slices.Clone(w.queue)
	}
	if w.writing = false; cap(w.queue) > keepQueue {
		w.queue = nil
	}
	w.wmu.Unlock()
	return nil
}

// answered notes that the answer to a request of this depth was read.
func (w *wire) answered(depth int64) {
	for {
		old := w.depth.Load()
		if depth <= old || w.depth.CompareAndSwap(old, depth) {
			return
		}
	}
}

// read returns the next frame. Keep-alives are skipped.
func (w *wire) read() (typ byte, payload []byte, err error) {
	for {
		typ, payload, err = nbss.ReadFrame(w.r, nil, w.max)
		w.counters.BytesReceived.Add(int64(nbss.HeaderLen + len(payload)))
		if err != nil || typ != nbss.KeepAlive {
			return typ, payload, err
		}
	}
}
