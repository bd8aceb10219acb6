package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress is a line that is rewritten at most five times a second.
type progress struct {
	w       io.Writer
	line    func() string
	lock    sync.Mutex
	shown   bool
	stopped chan struct{}
	wg      sync.WaitGroup
}

const clearLine = "\r\x1b[K"

// startProgress shows line() on w until stop is called. A nil *progress does nothing.
func startProgress(w io.Writer, line func() string) *progress {
	p := &progress{w: w, line: line, stopped: make(chan struct{})}
	p.wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.show()
			case <-p.stopped:
				return
			}
		}
	})
	return p
}

func (p *progress) show() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.shown = true
	fmt.Fprint(p.w, clearLine+p.line())
}

// aside runs f with the line cleared, for output on the same terminal.
func (p *progress) aside(f func() error) error {
	if p == nil {
		return f()
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.shown {
		fmt.Fprint(p.w, clearLine)
		p.shown = false
	}
	return f()
}

func (p *progress) stop() {
	if p == nil {
		return
	}
	close(p.stopped)
	p.wg.Wait()
	_ = p.aside(func() error { return nil })
}

// progressLine describes how far a run is, how fast, and how much time is left.
func progressLine(done, total, exposed int, elapsed time.Duration) string {
	line := fmt.Sprintf("%d of %d hosts", done, total)
	if exposed > 0 {
		line += fmt.Sprintf(", %d exposed", exposed)
	}
	if done == 0 || elapsed <= 0 {
		return line
	}
	rate := float64(done) / elapsed.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return fmt.Sprintf("%s, %.3g/s, %s left", line, rate, left.Round(time.Second))
}
