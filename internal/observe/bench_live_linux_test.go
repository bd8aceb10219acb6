package observe

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// BenchmarkLive watches two smbclients that copy files over loopback as fast as they can. drops is the number of
// packets that the kernel had no room for, cpu-share the share of one core that the test process used.
func BenchmarkLive(b *testing.B) {
	peer.Need(b, "namespaces", "smbd", "smbclient")
	s := peer.StartSamba(b, peer.Config{Address: "127.51.0.4", Network: true})
	const size = 64 << 20
	file := filepath.Join(s.Dir, "big")
	if err := os.WriteFile(file, make([]byte, size), 0o644); err != nil {
		b.Fatal(err)
	}
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
	alice.Share(b, s.Addr(), "finance", "put "+file+" big")
	ctx, cancel := context.WithCancel(context.Background())
	cov := new(Coverage)
	tr := NewTraffic(NewAggregator(0), cov, TrafficOptions{})
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.InNetwork(func() error {
			return tr.Live(ctx, LiveOptions{Interfaces: []string{"lo"}, Ready: func() { close(ready) }})
		})
	}()
	<-ready
	before := peer.SelfCPU(b)
	start := time.Now()
	b.SetBytes(2 * 4 * size)
	for b.Loop() {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				alice.Share(b, s.Addr(), "finance", "get big /dev/null", "get big /dev/null", "get big /dev/null",
					"get big /dev/null")
			})
		}
		wg.Wait()
	}
	took := time.Since(start)
	after := peer.SelfCPU(b)
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cov.Unreadable[model.LostLive]), "drops")
	b.ReportMetric(float64(after-before)/float64(took), "cpu-share")
	b.ReportMetric(100*tr.Fullest(), "%-of-ring")
	b.ReportMetric(100*cov.Bytes.Share(), "%-readable")
	if cov.Bytes.Readable < 2*4*size {
		b.Errorf("%+v", cov.Bytes)
	}
}
