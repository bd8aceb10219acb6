package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A write to a peer that does not read ends when its own wait does: at most a little too early, and never because an
// earlier question had less time.
func TestWriteDeadlines(t *testing.T) {
	for _, x := range []struct {
		first, pause, second time.Duration
		from, to             time.Duration // the end of the second write, after the first began
	}{
		{50 * time.Millisecond, 40 * time.Millisecond, 50 * time.Millisecond, 90 * time.Millisecond, 90 * time.Millisecond},
		{50 * time.Millisecond, time.Second, 50 * time.Millisecond, 1050 * time.Millisecond, 1050 * time.Millisecond},
		{10 * time.Second, 50 * time.Millisecond, 10 * time.Second, 10 * time.Second, 10050 * time.Millisecond},
		{10 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 15 * time.Second},
		{20 * time.Second, 0, time.Second, time.Second, time.Second},
		{time.Second, 950 * time.Millisecond, time.Second, 1950 * time.Millisecond, 1950 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer ours.Close()
			defer theirs.Close()
			w := newWire(ours, 1<<16, new(Counters))
			began := time.Now()
			go io.ReadFull(theirs, make([]byte, 8))
			if err := w.write(make([]byte, 8), 1, 1, began.Add(x.first)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(x.pause)
			err := w.write(make([]byte, 8), 1, 1, time.Now().Add(x.second))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%+v: %v", x, err)
			}
			if took := time.Since(began); took < x.from || took > x.to {
				t.Errorf("%+v: ended after %v", x, took)
			}
		})
	}
}
