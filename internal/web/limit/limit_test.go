package limit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serve answers with what the body was; /come is a request of somebody who has logged in.
func serve(t *testing.T, o Options, wrap func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/come" {
			Come(r.Context())
		}
		length(w, r)
	})
	s := httptest.NewUnstartedServer(wrap(handler))
	s.Listener = Listen(s.Listener, o)
	s.Config.ConnContext = Context
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func length(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/unread" {
		fmt.Fprint(w, "unread")
		return
	}
	n, err := io.Copy(io.Discard, r.Body)
	if errors.Is(err, ErrSlow) {
		http.Error(w, err.Error(), http.StatusRequestTimeout)
		return
	}
	fmt.Fprintf(w, "%d bytes", n)
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
		// as of many machines
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 50, byte(i/200), byte(1+i%200))}}
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
	every := func(wait time.Duration, size, times int) func(io.Writer) {
		return func(w io.Writer) {
			for range times {
				if _, err := w.Write(make([]byte, size)); err != nil {
					return
				}
				time.Sleep(wait)
			}
		}
	}
	const slow = bodyRate / 2
	for name, test := range map[string]struct {
		feed   func(io.Writer)
		want   string
		after  time.Duration // from the request to its answer
		length int64         // as the request says; 0 says nothing
		path   string
	}{
		"quick enough": {every(time.Second, bodyRate, 3600), fmt.Sprint(3600*bodyRate, " bytes"), time.Hour, 0, "/"},
		"stops":        {every(time.Hour, 1, 1), ErrSlow.Error(), bodyQuiet, 0, "/"},
		"too slow":     {every(time.Second, slow, 3600), ErrSlow.Error(), 2 * bodyGrace, 0, "/"},
		"trickles":     {every(time.Second, 1, 3600), ErrSlow.Error(), bodyGrace, 0, "/"},
		// Of a body of known length net/http reads the rest itself.
		"stops short":                {every(time.Hour, 1, 1), ErrSlow.Error(), bodyQuiet, 1000, "/"},
		"trickles short":             {every(time.Second, 1, 3600), ErrSlow.Error(), bodyGrace, 5000, "/"},
		"stops, and nobody reads":    {every(time.Hour, 1, 1), "unread", bodyQuiet, 1000, "/unread"},
		"trickles, and nobody reads": {every(time.Second, 1, 3600), "unread", bodyQuiet, 5000, "/unread"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock runs while everybody waits
				l := make(pipes)
				server := http.Server{Handler: Bodies(http.HandlerFunc(length))}
				go func() { _ = server.Serve(l) }()
				client := http.Client{Transport: &http.Transport{DialContext: l.dial}}
				r, w := io.Pipe()
				fed := make(chan struct{})
				go func() {
					defer close(fed)
					test.feed(w)
					w.Close()
				}()
				began := time.Now()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://here"+test.path, r)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = test.length
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(res.Body)
				if err != nil || strings.TrimSpace(string(b)) != test.want {
					t.Errorf("%q, %v, want %q", b, err, test.want)
				}
				if took := time.Since(began); took < test.after || took > test.after+2*time.Second {
					t.Errorf("after %v, want %v", took, test.after)
				}
				res.Body.Close()
				r.Close()
				server.Close()
				client.CloseIdleConnections()
				<-fed
			})
		})
	}
}

// pipes is a listener whose connections are made in the process.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
