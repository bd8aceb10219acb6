package gateway

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// lab is a Samba server in a network of its own and a gateway in front of it, both on port 445: only on that port does
// Samba accept requests of several credits.
type lab struct {
	*Gateway
	samba   *peer.Samba
	direct  string // the server
	through string // the gateway
	rows    *rows
}

// rows collects a gateway's rows.
type rows struct {
	mu   sync.Mutex
	list []model.Use
}

func (r *rows) add(u model.Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, u)
}

// count returns the number of rows with an identity and an outcome.
func (r *rows) count(who model.Identity, outcome model.Outcome) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, u := range r.list {
		if u.Identity == who && u.Outcome == outcome {
			n++
		}
	}
	return n
}

const labAddress, labGateway = "127.21.0.1", "127.21.0.2"

func startLab(t testing.TB, config peer.Config, way Route) *lab {
	t.Helper()
	return startLabWith(t, config, way, Limits{})
}

// startLabWith starts a lab whose gateway has these limits.
func startLabWith(t testing.TB, config peer.Config, way Route, limits Limits) *lab {
	t.Helper()
	config.Network, config.Address = true, labAddress
	s := peer.StartSamba(t, config)
	l := &lab{samba: s, direct: s.Addr(), rows: new(rows)}
	l.Gateway = New(Options{Dial: s.Dial, Use: l.rows.add, Log: testLog(t), Limits: limits})
	way.To = s.Addr()
	listener, err := s.Listen("tcp", net.JoinHostPort(labGateway, strconv.Itoa(s.Port)))
	if err != nil {
		t.Fatal(err)
	}
	l.through = listener.Addr().String()
	serve(t, l.Gateway, listener, way)
	return l
}

// serve runs a gateway until the test ends.
func serve(t testing.TB, g *Gateway, l net.Listener, route Route) {
	t.Helper()
	way, err := NewWay(route)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l, way) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("Serve ended with %v", err)
		}
		now, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		g.Shutdown(now)
		if n := g.Stats().Open; n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// local starts a filler and a gateway in front of it, and returns the gateway's address.
func local(t testing.TB, o Options, route Route) (*Gateway, string) {
	t.Helper()
	if route.To == "" {
		route.To = filler(t, "127.21.3.1:0")
	}
	g := New(o)
	l, err := net.Listen("tcp", "127.21.3.2:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, g, l, route)
	return g, l.Addr().String()
}
