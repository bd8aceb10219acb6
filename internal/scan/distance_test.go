package scan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// A scan of a host at a distance waits for no more round trips than it has to. The clock is that of a bubble: it stands
// still while anything works, so that all the time that passes is the way there and back.
func TestRoundTrips(t *testing.T) {
	for _, x := range []struct {
		name     string
		profile  string
		o        Options
		verdict  model.Verdict
		trips    int
		requests int // 0 is any number
	}{
		{"the null-session question", "samba", Options{Quick: true}, model.Limited, 7, 7},
		{"anonymous", "samba", Options{NoGuest: true, NoUnknownUser: true}, model.Exposed, 11, 0},
		{"everybody", "samba", Options{}, model.Exposed, 14, 0},
		{"everybody, Windows", "win2003", Options{}, model.Exposed, 16, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := scanAway(t, x.profile, x.o, roundTrip, nil)
				trips := float64(time.Since(began)) / float64(roundTrip)
				t.Logf("%.1f round trips, %d requests in %d connections", trips, r.Stats.Requests, r.Stats.Connections)
				if r.Verdict != x.verdict || r.Partial != x.o.Quick {
					t.Errorf("%s, want %s: %s", r.Verdict, x.verdict, r.Reason)
				}
				if trips > float64(x.trips) {
					t.Errorf("%.1f round trips, want at most %d", trips, x.trips)
				}
				if x.requests > 0 && r.Stats.Requests > x.requests {
					t.Errorf("%d requests, want at most %d", r.Stats.Requests, x.requests)
				}
			})
		})
	}
}

// What is asked at the same time far away is answered as what is asked one after the other near by, in the same order;
// also by a server that knows no association groups, where a handle is good on one instance of a pipe alone.
func TestFarAsNear(t *testing.T) {
	var joins atomic.Int32
	apart := withoutGroups(&joins)
	for _, profile := range []string{"samba", "win2022", "win2003"} {
		t.Run(profile, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{AllPipes: true}
				near := said(scanAway(t, profile, o, 0, nil))
				for name, change := range map[string]func([]byte){"far": nil, "far, no groups": apart} {
					far := said(scanAway(t, profile, o, roundTrip, change))
					if !slices.Equal(near, far) {
						t.Errorf("%s: %d answers, near by %d", name, len(far), len(near))
						for i := range min(len(near), len(far)) {
							if near[i] != far[i] {
								t.Fatalf("%s, near by %s", far[i], near[i])
							}
						}
					}
				}
			})
		})
	}
	if joins.Load() == 0 {
		t.Error("no instance of a pipe joined a group")
	}
}

// withoutGroups takes out of every bind the association group that it joins, and counts those that join one.
func withoutGroups(joins *atomic.Int32) func([]byte) {
	binds := []byte{5, 0, 11, 3, 0x10, 0, 0, 0}
	return func(b []byte) {
		for rest := b; ; { // see [C706] 12.6.4.3
			i := bytes.Index(rest, binds)
			if i < 0 || len(rest) < i+24 {
				return
			}
			group := rest[i+20 : i+24]
			if !bytes.Equal(group, make([]byte, 4)) {
				joins.Add(1)
			}
			clear(group)
			rest = rest[i+24:]
		}
	}
}

// A real Samba answers from afar what it answers near by.
func TestFarAsNearSamba(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.47.9.1", Users: []string{"alice"}})
	near, far := said(scanAddress(t, s.Addr(), Options{AllPipes: true})), said(scanAddress(t, s.Addr(), Options{AllPipes: true, Dial: dialFar}))
	for i := range max(len(near), len(far)) {
		if i >= len(near) || i >= len(far) || near[i] != far[i] {
			t.Fatalf("%d answers, near by %d; the first that differs: %q, near by %q", len(far), len(near), far[min(i, len(far)):][:1], near[min(i, len(near)):][:1])
		}
	}
}

// dialFar connects to a server as if it were far away.
func dialFar(ctx context.Context, network, address string) (net.Conn, error) {
	if err := sleep(ctx, farAway); err != nil {
		return nil, err
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return awayFrom(c, farAway, nil), nil
}

// said lists every answer of a scan.
func said(r *model.Scan) (out []string) {
	out = append(out, fmt.Sprint(r.Verdict, r.Partial, r.Server.Dialects))
	for _, i := range r.Identities {
		out = append(out, fmt.Sprint(i.Identity, i.Session, i.Tree, i.SeenAs, i.Shares))
		for _, p := range i.Pipes {
			out = append(out, fmt.Sprint(i.Identity, p.Pipe, p.Open))
			for _, f := range p.Interfaces {
				out = append(out, fmt.Sprint(i.Identity, p.Pipe, f.Interface, f.Bind))
				for _, c := range f.Calls {
					out = append(out, fmt.Sprint(i.Identity, p.Pipe, c))
				}
			}
		}
	}
	return out
}

// scanAway scans a practice server at a distance. change may change what is sent to it.
func scanAway(t *testing.T, profile string, o Options, distance time.Duration, change func([]byte)) *model.Scan {
	t.Helper()
	return scanOver(t, profile, o, distance, change, nil)
}

// scanOver is scanAway with the answers changed as well, by what answer makes for each connection. A dialer of the
// options is asked before each connection and may refuse it.
func scanOver(t *testing.T, profile string, o Options, distance time.Duration, change func([]byte),
	answer func() func(int, []byte) ([]byte, error),
) *model.Scan {
	t.Helper()
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	return scanHostOver(t, host, o, distance, change, answer)
}

// scanHostOver is scanOver of a given practice host.
func scanHostOver(t *testing.T, host *smbtest.Host, o Options, distance time.Duration, change func([]byte),
	answer func() func(int, []byte) ([]byte, error),
) *model.Scan {
	t.Helper()
	asked := o.Dial
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := sleep(ctx, distance); err != nil {
			return nil, err
		}
		if asked != nil {
			if _, err := asked(ctx, network, address); err != nil {
				return nil, err
			}
		}
		near, there := net.Pipe()
		go smbtest.Serve(there, host)
		c := awayFrom(near, distance, change)
		if answer == nil {
			return c, nil
		}
		return &framed{Conn: c, answer: answer()}, nil
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Host(t.Context(), targets.Target{Name: "far", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
}

// roundTrip is what the way to a host and back takes: 50 ms each.
const roundTrip = 100 * time.Millisecond

// away is a connection whose bytes take a round trip on their way there and none on the way back, as nobody waits
// between.
type away struct {
	net.Conn
	distance time.Duration
	change   func([]byte)
	lock     sync.Mutex
	queue    []late
	more     chan struct{}
	ended    chan struct{}
	once     sync.Once
}

type late struct {
	due time.Time
	b   []byte
}

func awayFrom(c net.Conn, distance time.Duration, change func([]byte)) *away {
	a := &away{Conn: c, distance: distance, change: change, more: make(chan struct{}, 1), ended: make(chan struct{})}
	go a.carry()
	return a
}

func (a *away) carry() {
	for {
		a.lock.Lock()
		var next *late
		if len(a.queue) > 0 {
			next, a.queue = &a.queue[0], a.queue[1:]
		}
		a.lock.Unlock()
		if next == nil {
			select {
			case <-a.more:
				continue
			case <-a.ended:
				return
			}
		}
		select {
		case <-time.After(time.Until(next.due)):
		case <-a.ended:
			return
		}
		if _, err := a.Conn.Write(next.b); err != nil {
			return
		}
	}
}

func (a *away) Write(b []byte) (int, error) {
	select {
	case <-a.ended:
		return 0, io.ErrClosedPipe
	default:
	}
	a.lock.Lock()
	out := append([]byte(nil), b...)
	if a.change != nil {
		a.change(out)
	}
	a.queue = append(a.queue, late{time.Now().Add(a.distance), out})
	a.lock.Unlock()
	select {
	case a.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (a *away) Close() error {
	a.once.Do(func() { close(a.ended) })
	return a.Conn.Close()
}
