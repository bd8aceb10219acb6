package scan

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// BenchmarkMemory stops many hosts in the middle of their scan and reports what each then holds on this side, heap and
// stacks together.
func BenchmarkMemory(b *testing.B) {
	for _, quick := range []bool{true, false} {
		name := "full"
		if quick {
			name = "quick"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(heldMemory(b, quick)/1024, "KiB/host")
			}
		})
	}
}

// pausing is a connection whose reads stop after a number of bytes, in the middle of the pipes' answers.
type pausing struct {
	net.Conn
	left    int
	paused  func()
	release <-chan struct{}
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.left <= 0 {
		p.paused()
		<-p.release
	}
	n, err := p.Conn.Read(b)
	p.left -= n
	return n, err
}

// heldMemory returns what one of many hosts in flight takes, in bytes. The servers are another process.
func heldMemory(b *testing.B, quick bool) float64 {
	b.Helper()
	const hosts = 500
	var waiting atomic.Int64
	release := make(chan struct{})
	far := 800 // bytes: negotiate and logon are done, and the quick question is at its pipe
	if !quick {
		far = 6000 // some pipes are open, some are bound
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &pausing{Conn: c, left: far, paused: func() { waiting.Add(1) }, release: release}, nil
	}
	s, err := New(Options{Quick: quick, NoGuest: true, NoUnknownUser: true, Concurrency: hosts, Dial: dial})
	if err != nil {
		b.Fatal(err)
	}
	port := practiceProcess(b, "samba")
	list, err := targets.Parse(b.Context(), []string{"127.47.80.0-127.47.81.243"},
		targets.Options{Port: portNumber(b, port)})
	if err != nil {
		b.Fatal(err)
	}
	before := inUse()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, list, nil, func(*model.Scan) error { return nil }) }()
	for waiting.Load() < hosts {
		time.Sleep(time.Millisecond)
	}
	after := inUse()
	close(release)
	cancel()
	<-done
	return (after - before) / hosts
}

// inUse returns the heap that lives and the stacks, in bytes.
func inUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
