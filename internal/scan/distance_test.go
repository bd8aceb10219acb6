package scan

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/model"
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
		{"anonymous", "samba", Options{NoGuest: true, NoUnknownUser: true}, model.Exposed, 21, 0},
		{"everybody", "samba", Options{}, model.Exposed, 29, 0},
		{"everybody, Windows", "win2003", Options{}, model.Exposed, 20, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host, err := smbtest.NewHost(x.profile, "PRACTICE1")
				if err != nil {
					t.Fatal(err)
				}
				o := x.o
				o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					if err := sleep(ctx, roundTrip); err != nil {
						return nil, err
					}
					near, there := net.Pipe()
					go smbtest.Serve(there, host)
					return awayFrom(near), nil
				}
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				r := s.Host(t.Context(), targets.Target{Name: "far", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
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

// roundTrip is what the way to a host and back takes: 50 ms each.
const roundTrip = 100 * time.Millisecond

// away is a connection whose bytes take a round trip on their way there and none on the way back, as nobody waits between.
type away struct {
	net.Conn
	lock  sync.Mutex
	queue []late
	more  chan struct{}
	ended chan struct{}
	once  sync.Once
}

type late struct {
	due time.Time
	b   []byte
}

func awayFrom(c net.Conn) *away {
	a := &away{Conn: c, more: make(chan struct{}, 1), ended: make(chan struct{})}
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
	a.queue = append(a.queue, late{time.Now().Add(roundTrip), append([]byte(nil), b...)})
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
