package scan

import (
	"context"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// measure scans a fresh server in one way and reports what that cost it.
func measure(t testing.TB, f func(s *peer.Samba)) (peer.Load, time.Duration) {
	t.Helper()
	s := peer.StartSamba(t, peer.Config{Address: "127.47.8.1"})
	started := time.Now()
	cost := s.Costs(t, func() { f(s) })
	return cost, time.Since(started)
}

func scanWith(t testing.TB, o Options) func(*peer.Samba) {
	return func(s *peer.Samba) {
		scanner, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if r := scanner.Host(context.Background(), at(t, s.Addr())); r.Verdict != model.Exposed && !o.Quick {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
	}
}

// BenchmarkServerCost tells what one scan of a cold Samba costs the server, beside the tools that ask the same
// questions: rpcclient three of them in one process, a script as enum4linux-ng is one process and one logon for each of
// eleven.
func BenchmarkServerCost(b *testing.B) {
	rpc := func(commands ...string) func(*peer.Samba) {
		return func(s *peer.Samba) {
			for _, c := range commands {
				peer.Client{}.RPC(b, s.Addr(), c)
			}
		}
	}
	for _, way := range []struct {
		name string
		f    func(*peer.Samba)
	}{
		{"rpcclient", func(s *peer.Samba) {
			peer.Client{}.RPC(b, s.Addr(), "enumdomusers", "lsaquery", "netshareenum")
		}},
		{"script", rpc("lsaquery", "srvinfo", "querydominfo", "enumdomusers", "enumdomgroups", "enumalsgroups builtin",
			"getdompwinfo",
			"netshareenumall", "lookupsids S-1-5-32-544", "enumprinters", "querydispinfo")},
		{"quick", scanWith(b, Options{Quick: true})},
		{"scan", scanWith(b, Options{})},
		{"scan/far", scanWith(b, Options{Dial: dialFar})},
		{"scan/one-connection", scanWith(b, Options{OneConnection: true})},
		{"scan/gentle", scanWith(b, Options{Gentle: true})},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				cost, took := measure(b, way.f)
				b.ReportMetric(float64(cost.Processes), "processes")
				b.ReportMetric(float64(cost.Memory)/(1<<20), "MiB")
				b.ReportMetric(float64(cost.CPU.Milliseconds()), "server-cpu-ms")
				b.ReportMetric(float64(took.Milliseconds()), "wall-ms")
			}
		})
	}
}
