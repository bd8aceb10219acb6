package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// A host whose port 445 is refused when it is asked again, as after a ban, is not asked as the made-up user once more
// at port 139.
func TestOnceAtEitherPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logons, trees, older atomic.Int32
		o := Options{Retries: 2, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			switch {
			case strings.HasSuffix(address, ":139"):
				older.Add(1)
			case logons.Load() > 0:
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return nil, nil
		}}
		scanOver(t, "samba", o, time.Millisecond, func(b []byte) {
			if bytes.Contains(b, nameOf("ipcguard-")) {
				logons.Add(1)
			}
		}, func() func(int, []byte) ([]byte, error) {
			return func(_ int, frame []byte) ([]byte, error) {
				m := frame[4:]
				if len(m) > 64 && m[0] == 0xFE && binary.LittleEndian.Uint16(m[12:]) == 3 && trees.Add(1) <= 2 {
					return nil, io.EOF // so that the host is asked again
				}
				return frame, nil
			}
		})
		if logons.Load() != 1 || older.Load() == 0 {
			t.Errorf("the made-up user logged on %d times; port 139 got %d connections", logons.Load(), older.Load())
		}
	})
}

// fates are what may happen to one answer of a server.
const (
	passes    = iota
	cutBefore // it is lost, and the connection ends
	cutAfter  // it arrives, and the connection ends
	reset     // it is lost with a reset
	halved    // half of it arrives
	unsaid    // it is lost, and nobody says so
	twice     // it arrives again
	fates     // their number
)

// chaos is a network that does to each answer what a seed says, and bans for a while.
type chaos struct {
	lock   sync.Mutex
	r      *rand.Rand
	calm   int // so many answers pass for one that does not
	banned int // connections to refuse from now on
}

func newChaos(seed uint64) *chaos {
	return &chaos{r: rand.New(rand.NewPCG(seed, 17)), calm: 4 << (seed % 6)}
}

func (c *chaos) draw(n int) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.r.IntN(n)
}

// dial refuses, resets or takes a connection.
func (c *chaos) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.lock.Lock()
	banned := c.banned > 0
	if banned {
		c.banned--
	} else if c.r.IntN(20) == 0 {
		c.banned = c.r.IntN(6)
	}
	how := c.r.IntN(3)
	c.lock.Unlock()
	switch {
	case !banned:
		return nil, nil
	case how == 0:
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case how == 1:
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNRESET)}
	}
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
}

func (c *chaos) answer() func(int, []byte) ([]byte, error) {
	return func(_ int, frame []byte) ([]byte, error) {
		switch c.draw(fates * c.calm) {
		case cutBefore:
			return nil, io.EOF
		case cutAfter:
			return frame, io.EOF
		case reset:
			return nil, syscall.ECONNRESET
		case halved:
			return frame[:len(frame)/2], io.EOF
		case unsaid:
			return nil, nil
		case twice:
			return append(slices.Clone(frame), frame...), nil
		}
		return frame, nil
	}
}

// Whatever a network does to the answers, in whatever order, no claim is made that the server's own answers do not
// support, none is turned into another, and the made-up user is refused at most once.
func TestStrangeOrders(t *testing.T) {
	seeds := uint64(40)
	if os.Getenv("IPCGUARD_LONG") != "" {
		seeds = 2000
	}
	for _, profile := range []string{"samba", "win2022-dc", "win2003", "win2022", "samba that cuts strangers off"} {
		product, _, cuts := strings.Cut(profile, " ")
		host, err := smbtest.NewHost(product, "PRACTICE1")
		if err != nil {
			t.Fatal(err)
		}
		if cuts {
			p := *host.Profile
			p.GuestForUnknown, p.Guest, p.CutsStrangers = true, p.Anonymous, true
			host.Profile = &p
		}
		for _, distance := range []time.Duration{time.Millisecond, roundTrip} {
			t.Run(fmt.Sprint(profile, " ", distance), func(t *testing.T) {
				t.Parallel()
				var said map[string]string
				synctest.Test(t, func(t *testing.T) { said = words(scanHostOver(t, host, Options{}, distance, nil, nil)) })
				told, all := 0, 0
				for seed := range seeds {
					synctest.Test(t, func(t *testing.T) {
						c := newChaos(seed)
						var refused atomic.Int32
						o := Options{Dial: c.dial, Retries: int(seed % 3), Shares: []string{"Public"}}
						r := scanHostOver(t, host, o, distance, func(b []byte) {
							if bytes.Contains(b, nameOf("ipcguard-")) {
								refused.Add(1)
							}
						}, c.answer)
						now := words(r)
						for what, word := range now {
							if _, asked := said[what]; asked && modeltest.Stronger(word, said[what]) {
								t.Errorf("seed %d: %s is %q, and %q where nothing is lost", seed, what, word, said[what])
							}
						}
						if said["verdict"] != string(model.Closed) && r.Verdict == model.Closed {
							t.Errorf("seed %d: closed: %s", seed, r.Reason)
						}
						if n := refused.Load(); n > 1 && said[string(model.UnknownUser)+" session"] == string(model.Denied) {
							t.Errorf("seed %d: the made-up user, who is refused, logged on %d times", seed, n)
						}
						told, all = told+toldOf(now), all+toldOf(said)
					})
				}
				t.Logf("%d of %d claims told", told, all)
				if told == 0 || told == all {
					t.Errorf("%d of %d claims told: nothing was tried", told, all)
				}
			})
		}
	}
}

// kept counts the connections of a scan that are open.
type kept struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (k *kept) Close() error {
	k.once.Do(func() { k.open.Add(-1) })
	return k.Conn.Close()
}

// never is the delay of an answer that does not come.
const never = time.Duration(-1)

// lateConn is a connection to a practice server whose first answer comes late, or is where the connection ends.
func lateConn(host *smbtest.Host, delay time.Duration, cut bool) net.Conn {
	near, client := net.Pipe()
	server, there := net.Pipe()
	go smbtest.Serve(there, host)
	gone := make(chan struct{}) // the client
	go func() {
		relay(client, server, func(m []byte) []byte { return m })
		server.Close()
		close(gone)
	}()
	first := true
	go func() {
		relay(server, client, func(m []byte) []byte {
			var due <-chan time.Time
			switch {
			case !first:
				return m
			case delay != never:
				due = time.After(delay)
			}
			first = false
			select {
			case <-due:
			case <-gone:
				return nil
			}
			if cut {
				return nil
			}
			return m
		})
		client.Close()
	}()
	return near
}

// The two ways to negotiate, answered in every order, late, at the same time or not at all, come to a dialect wherever
// one of them does, in the time of one wait, and leave no connection behind.
func TestTwoWaysInAnyOrder(t *testing.T) {
	const wait = 10 * time.Second
	delays := []time.Duration{0, time.Second, wait/2 - 1, wait / 2, wait/2 + 1, 7 * time.Second, wait - time.Second, never}
	for _, first := range delays {
		for _, second := range delays {
			for _, cut := range []int{0, 1, 2, 3} { // bits: the first, the second connection ends where an answer is due
				synctest.Test(t, func(t *testing.T) {
					practice, err := smbtest.NewHost("samba", "PRACTICE1")
					if err != nil {
						t.Fatal(err)
					}
					var open, dialled atomic.Int32
					o := Options{Dial: func(context.Context, string, string) (net.Conn, error) {
						n := int(dialled.Add(1)) - 1
						delay := []time.Duration{first, second}[min(n, 1)]
						open.Add(1)
						return &kept{Conn: lateConn(practice, delay, cut>>min(n, 1)&1 == 1), open: &open}, nil
					}}
					s, err := New(o)
					if err != nil {
						t.Fatal(err)
					}
					h := &host{
						Scanner: s, heard: map[string]bool{}, result: &model.Scan{},
						target: targets.Target{Name: "far", Addr: netip.MustParseAddrPort("192.0.2.1:445")},
					}
					began := time.Now()
					l, err := h.inTwoWays(t.Context(), h.meter(0))
					took := time.Since(began)
					left := wait / 2 // for the second, unless the first ended before that
					if cut&1 == 1 && first != never && first < wait/2 {
						left = wait
					}
					ok := cut&1 == 0 && first != never || cut&2 == 0 && second != never && second < left
					if err == nil {
						if n := open.Load(); n != 1 {
							t.Errorf("first %v, second %v, cut %b: %d connections are open", first, second, cut, n)
						}
						l.Close()
					} else if ok {
						t.Errorf("first %v, second %v, cut %b: %v after %v", first, second, cut, err, took)
					}
					if took > wait+time.Second && cut == 0 {
						t.Errorf("first %v, second %v, cut %b: took %v", first, second, cut, took)
					}
					if n := open.Load(); n != 0 {
						t.Errorf("first %v, second %v, cut %b: %d connections are left", first, second, cut, n)
					}
				})
			}
		}
	}
}
