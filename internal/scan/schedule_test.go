package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

func parse(t testing.TB, args ...string) *targets.List {
	t.Helper()
	l, err := targets.Parse(context.Background(), args, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// silence is a dialler to a network where nobody answers. It counts how many connections are under way at a time.
type silence struct{ now, most, all atomic.Int64 }

func (s *silence) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.all.Add(1)
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for old := s.most.Load(); n > old && !s.most.CompareAndSwap(old, n); old = s.most.Load() {
	}
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
}

// A whole /16 without answers costs the addresses divided by the concurrency, times the timeout, and little memory.
func TestSilentNetwork(t *testing.T) {
	const concurrency, timeout = 1024, 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		quiet := &silence{}
		s, err := New(Options{
			Concurrency: concurrency, Files: 4096, Retries: 1, Dial: quiet.dial,
			Timeouts: smb.Timeouts{Connect: timeout},
		})
		if err != nil {
			t.Fatal(err)
		}
		list := parse(t, "10.1.0.0/16")
		var before, during runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		started, count := time.Now(), 0
		tally := &Tally{}
		err = s.Run(context.Background(), list, tally, func(r *model.Scan) error {
			if r.Verdict != model.Unreachable || r.Reason != "port 445: timed out" {
				t.Fatalf("%s: %s, %q", r.Target, r.Verdict, r.Reason)
			}
			if count++; count == 40000 {
				runtime.GC()
				runtime.ReadMemStats(&during)
			}
			return nil
		})
		if err != nil || count != 65536 {
			t.Fatalf("%d results, %v", count, err)
		}
		if took, ideal := time.Since(started), 65536/concurrency*timeout; took > ideal*13/10 {
			t.Errorf("took %v, ideal is %v", took, ideal)
		}
		if n := quiet.most.Load(); n > concurrency {
			t.Errorf("%d connections at a time", n)
		}
		if n := quiet.all.Load(); n != 65536 {
			t.Errorf("%d connections: a silent address is tried once", n)
		}
		if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("%d MiB in use with %d hosts under way", grown>>20, concurrency)
		}
		if done, silent := tally.Done(model.Unreachable); done != 65536 || silent != done {
			t.Errorf("tally %d, %d", done, silent)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := &silence{}
		s, err := New(Options{
			Concurrency: 500, Files: 4096, Rate: 20, Dial: quiet.dial,
			Timeouts: smb.Timeouts{Connect: time.Second},
		})
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if err := s.Run(context.Background(), parse(t, "10.1.0.0-10.1.0.199"), nil, func(*model.Scan) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < 9900*time.Millisecond || took > 11500*time.Millisecond {
			t.Errorf("200 connections at 20 a second took %v", took)
		}
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var got []string
		err := Schedule{Concurrency: 4}.Run(ctx, parse(t, "10.0.0.0/24").All(),
			func(ctx context.Context, target targets.Target) *model.Scan {
				r := &model.Scan{Target: target.Name, Verdict: model.Limited}
				wait := time.Second
				switch target.Name {
				case "10.0.0.8": // when 9, 10 and 11 are under way
					time.Sleep(time.Second / 2)
					cancel()
				case "10.0.0.9": // cut short, and has proved something
					wait = time.Hour
					r.Verdict, r.Findings = model.Exposed, []model.Finding{{ID: "x"}}
				case "10.0.0.10": // cut short
					wait = time.Hour
					r.Verdict = model.VerdictInconclusive
				case "10.0.0.11": // cut short, and has answered
					wait = time.Hour
					r.Verdict, r.Server.Signing = model.VerdictInconclusive, "enabled"
				}
				if sleep(ctx, wait) != nil && wait == time.Hour {
					r.Partial = true
				}
				return r
			},
			func(r *model.Scan) error {
				if r.Partial != (r.Target == "10.0.0.9" || r.Target == "10.0.0.11") {
					t.Errorf("%s partial: %v", r.Target, r.Partial)
				}
				got = append(got, r.Target)
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < 11 || len(got) > 12 || !slices.Contains(got, "10.0.0.9") || !slices.Contains(got, "10.0.0.11") ||
			slices.Contains(got, "10.0.0.10") {
			t.Errorf("results of %v", got)
		}
	})
}

func TestOutputError(t *testing.T) {
	want := errors.New("disk full")
	began := atomic.Int64{}
	err := Schedule{Concurrency: 2}.Run(context.Background(), parse(t, "10.0.0.0/16").All(),
		func(context.Context, targets.Target) *model.Scan {
			began.Add(1)
			return &model.Scan{Verdict: model.Closed}
		},
		func(*model.Scan) error { return want })
	if !errors.Is(err, want) || began.Load() > 100 {
		t.Errorf("%v after %d hosts", err, began.Load())
	}
}

// Hosts that need further connections while all files are in use must not deadlock.
func TestRoomHasNoRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewRoom(1000, 128)
		hosts := g.Hosts()
		if hosts+cap(g.spare) > 128-reservedFiles {
			t.Fatalf("%d hosts and %d spare places of 128 files", hosts, cap(g.spare))
		}
		var wg sync.WaitGroup
		for range hosts {
			wg.Go(func() {
				var own sync.WaitGroup
				for range 8 {
					own.Go(func() {
						release, err := g.take(context.Background())
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(time.Second)
						release()
					})
				}
				own.Wait()
			})
		}
		wg.Wait()
	})
}

func TestConcurrencyFitsFiles(t *testing.T) {
	for _, c := range []struct{ want, files, hosts int }{
		{256, 1024, 256},
		{1000, 256, 144},
		{100, 10, 6},
		{1, 100000, 1},
	} {
		if hosts := NewRoom(c.want, c.files).Hosts(); hosts != c.hosts {
			t.Errorf("%d hosts with %d files: %d, want %d", c.want, c.files, hosts, c.hosts)
		}
	}
}

// A target without an address is told about, not tried.
func TestUnresolved(t *testing.T) {
	s, err := New(Options{Dial: func(context.Context, string, string) (net.Conn, error) { panic("dialled") }})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Host(context.Background(), targets.Target{Name: "nosuch", Err: errors.New("the name does not resolve")})
	if r.Verdict != model.Unreachable || r.Reason != "the name does not resolve" || r.Address != "" {
		t.Errorf("%+v", r)
	}
	r = s.Host(context.Background(), targets.Target{Name: "srv", Err: fmt.Errorf("%w: no answer", targets.ErrUnresolved)})
	if r.Verdict != model.VerdictInconclusive || !r.Partial || r.Reason != "the name could not be resolved: no answer" {
		t.Errorf("%+v", r)
	}
	// An address that a name has, where nothing says on which link.
	r = s.Host(context.Background(), targets.Target{Name: "printer", Addr: netip.MustParseAddrPort("[fe80::1]:445")})
	if r.Verdict != model.VerdictInconclusive || r.Address != "[fe80::1]:445" || !strings.Contains(r.Reason, "fe80::1%eth0") {
		t.Errorf("%+v", r)
	}
}

func at(t testing.TB, address string) targets.Target {
	t.Helper()
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return targets.Target{Name: address, Addr: a}
}
