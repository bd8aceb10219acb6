package logs

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulikunitz/xz"

	"ipcguard/internal/observe"
	"ipcguard/internal/peer"
)

func benchmarkLog(b *testing.B, log []byte, records int) {
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		l := New(observe.NewAggregator(0), new(observe.Coverage), Options{})
		if err := l.Read(context.Background(), "log", bytes.NewReader(log)); err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkObserveEVTX(b *testing.B) {
	f, err := os.Open(filepath.Join(peer.Shared(b, "evtx"), "security.evtx.xz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r, err := xz.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	log, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkLog(b, log, 2261)
}

func BenchmarkObserveJSON(b *testing.B) {
	log := otrf(b)
	benchmarkLog(b, log, bytes.Count(log, []byte("\n")))
}
