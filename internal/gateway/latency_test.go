package gateway

import (
	"testing"
	"time"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestLatency puts durations into their ranges, and counts what passes a gateway.
func TestLatency(t *testing.T) {
	var l latency
	for _, d := range []time.Duration{0, 20 * time.Microsecond, 21 * time.Microsecond, time.Minute} {
		l.add(d)
	}
	s := l.snapshot()
	if s.Counts[0] != 2 || s.Counts[1] != 1 || s.Counts[len(s.Counts)-1] != 1 || s.Count() != 4 {
		t.Errorf("counted: %v", s.Counts)
	}
	if s.Below(0.5) != 20*time.Microsecond || s.Below(0.75) != 50*time.Microsecond || s.Below(1) != time.Second || (Latency{}).Below(1) != 0 {
		t.Errorf("half below %v, three quarters below %v, all below %v", s.Below(0.5), s.Below(0.75), s.Below(1))
	}
	g, address := local(t, Options{}, Route{})
	w := comeIn(t, address)
	before := g.Stats().Added.Count()
	if st, _ := w.ask(w.message(smb2.Echo, new(smb2.Empty))); st != status.Success {
		t.Fatal(st)
	}
	if n := g.Stats().Added.Count() - before; before < 4 || n < 1 || n > 2 { // the answer may be counted a moment later
		t.Errorf("%d measurements before, %d of a request and its answer", before, n)
	}
}
