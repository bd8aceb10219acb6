package limit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve answers with what the body was; /come is a request of somebody who has logged in.
func serve(t *testing.T, o Options, wrap func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/come" {
			Come(r.Context())
		}
		b, err := io.ReadAll(r.Body)
		if errors.Is(err, ErrSlow) {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
			return
		}
		fmt.Fprintf(w, "%d bytes", len(b))
	})
	s := httptest.NewUnstartedServer(wrap(handler))
	s.Listener = Listen(s.Listener, o)
	s.Config.ConnContext = Context
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestSlowClients: three thousand that hold a connection and send a body byte by byte keep nobody out.
func TestSlowClients(t *testing.T) {
	s := serve(t, Options{Strangers: 100, Address: 80}, Bodies)
	address := s.Listener.Addr().String()
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	known, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	answers := bufio.NewReader(known)
	ask := func(path string) {
		t.Helper()
		fmt.Fprintf(known, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal("somebody who has logged in is kept out: ", err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	ask("/come")
	const n = 3000
	for i := range n {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 50, byte(i/200), byte(1+i%200))}} // as of many machines
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
		held = append(held, c)
		if i%500 == 0 {
			ask("/")
		}
	}
	for range 20 { // strangers get in, too
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(s.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	ask("/")
	l := s.Listener.(*Listener)
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.strangers.Len() > 100 || l.known != 1 {
		t.Errorf("%d strangers and %d others", l.strangers.Len(), l.known)
	}
}

// TestAddress: one address has few connections, its neighbour behind the same proxy as many as there are.
func TestAddress(t *testing.T) {
	for _, proxied := range []bool{false, true} {
		o := Options{Strangers: 50, Address: 3}
		if proxied {
			o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		s := serve(t, o, Bodies)
		for range 20 {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		want := map[bool]int{false: 3, true: 20}[proxied]
		l := s.Listener.(*Listener)
		got := -1
		for began := time.Now(); got != want && time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
			l.lock.Lock()
			got = l.strangers.Len()
			l.lock.Unlock()
		}
		if got != want {
			t.Errorf("proxied %v: %d connections", proxied, got)
		}
	}
}

// TestBodies: a body that stops, or trickles, ends its request; one that is quick enough may take long.
func TestBodies(t *testing.T) {
	wrap := func(next http.Handler) http.Handler {
		return bodies(next, 300*time.Millisecond, 500*time.Millisecond, 100_000)
	}
	s := serve(t, Options{}, wrap)
	send := func(feed func(w *io.PipeWriter)) string {
		r, w := io.Pipe()
		go feed(w)
		res, err := http.Post(s.URL, "text/plain", r)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return strings.TrimSpace(string(b))
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, test := range map[string]struct {
		feed func(w *io.PipeWriter)
		want string
	}{
		"whole": {func(w *io.PipeWriter) { fmt.Fprint(w, strings.Repeat("x", 200_000)); w.Close() }, "200000 bytes"},
		"stops": {func(w *io.PipeWriter) { fmt.Fprint(w, "x") }, ErrSlow.Error()},
		"trickles": {func(w *io.PipeWriter) {
			for range 1000 {
				if _, err := fmt.Fprint(w, "x"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			w.Close()
		}, ErrSlow.Error()},
	} {
		wg.Go(func() {
			if got := send(test.feed); !strings.Contains(got, test.want) {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		})
	}
}
