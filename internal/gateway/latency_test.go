package gateway

import (
	"testing"
	"time"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestLatency puts durations into buckets, and counts the traffic of a gateway.
func TestLatency(t *testing.T) {
	var l latency
	for _, d := range []time.Duration{0, 20 * time.Microsecond, 21 * time.Microsecond, time.Minute} {
		l.add(d)
	}
	s := l.snapshot()
	if s.Counts[0] != 2 || s.Counts[1] != 1 || s.Counts[len(s.Counts)-1] != 1 || s.Count() != 4 {
		t.Errorf("counted: %v", s.Counts)
	}
	if s.Below(0.5) != 20*time.Microsecond || s.Below(0.75) != 50*time.Microsecond || s.Below(1) != time.Second ||
		(Latency{}).Below(1) != 0 {
		t.Errorf("half below %v, three quarters below %v, all below %v", s.Below(0.5), s.Below(0.75), s.Below(1))
	}
	g, address := local(t, Options{}, Route{})
	w := comeIn(t, address)
	counted := func(want int64) { // shortly after the bytes have gone
		t.Helper()
		for end := time.Now().Add(time.Minute); g.Stats().Added.Count() < want &&
			time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		if n := g.Stats().Added.Count(); n != want {
			t.Errorf("%d measurements, want %d", n, want)
		}
	}
	counted(4)
	if st, _ := w.ask(w.message(smb2.Echo, new(smb2.Empty))); st != status.Success {
		t.Fatal(st)
	}
	counted(6)
}
