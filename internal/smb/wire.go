package smb

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/smb/nbss"
)

// readBuffer takes a usual answer with one system call and keeps an idle connection small.
const readBuffer = 2 << 10

// wire is one TCP connection with frames on it. Any goroutine may write; one reads.
type wire struct {
	nc       net.Conn
	r        *bufio.Reader
	max      int
	counters *Counters
	depth    atomic.Int64 // the longest chain of waits that an answer read so far stands at the end of

	wmu sync.Mutex
}

func newWire(nc net.Conn, max int, counters *Counters) *wire {
	w := &wire{nc: nc, r: bufio.NewReaderSize(nc, readBuffer), max: max, counters: counters}
	w.depth.Store(1) // the connect
	return w
}

// depthNow is the depth of a request that is sent now: one more wait than the longest chain read so far.
func (w *wire) depthNow() int64 { return w.depth.Load() + 1 }

// write sends a frame that starts with room for the header and holds that many requests, of that depth. It must be done
// by the deadline: a server that does not read cannot hold the caller.
func (w *wire) write(frame []byte, requests int, depth int64, deadline time.Time) error {
	nbss.PutHeader(frame)
	return w.writeRaw(frame, requests, depth, deadline)
}

// writeRaw is write for bytes that already have their header.
func (w *wire) writeRaw(frame []byte, requests int, depth int64, deadline time.Time) error {
	w.wmu.Lock()
	defer w.wmu.Unlock()
	if err := w.nc.SetWriteDeadline(deadline); err != nil {
		return err
	}
	n, err := w.nc.Write(frame)
	w.counters.BytesSent.Add(int64(n))
	w.counters.Requests.Add(int64(requests))
	w.counters.chain(depth)
	return err
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
