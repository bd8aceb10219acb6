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

// reopened scans a host whose port 445 cuts anonymous off, and is refused from the made-up user's logon on, as after a
// ban. Port 139 leads to another given host. It returns how often each name was sent to either port.
func reopened(t *testing.T, host, other *smbtest.Host) (r *model.Scan, madeUp, guest [2]int32) {
	t.Helper()
	var users, guests [2]atomic.Int32
	var trees atomic.Int32
	s, err := New(Options{Retries: 2, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		at, to := 0, host
		if strings.HasSuffix(address, ":139") {
			at, to = 1, other
		} else if users[0].Load() > 0 {
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		}
		near, there := net.Pipe()
		go smbtest.Serve(there, to)
		c := awayFrom(near, time.Millisecond, func(b []byte) {
			if bytes.Contains(b, nameOf("ipcguard-")) {
				users[at].Add(1)
			} else if bytes.Contains(b, nameOf("Guest")) {
				guests[at].Add(1)
			}
		})
		return &framed{Conn: c, answer: func(_ int, frame []byte) ([]byte, error) {
			m := frame[4:]
			if at == 0 && len(m) > 64 && m[0] == 0xFE && binary.LittleEndian.Uint16(m[12:]) == 3 && trees.Add(1) <= 2 {
				return nil, io.EOF // so that the host is asked again
			}
			return frame, nil
		}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	r = s.Host(t.Context(), targets.Target{Name: "far", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
	for i := range users {
		madeUp[i], guest[i] = users[i].Load(), guests[i].Load()
	}
	return r, madeUp, guest
}

// A host whose port 445 is refused when it is asked again, as after a ban, is not asked as the made-up user once more
// at port 139, if the same machine answers there; what is said of him tells where he was refused. Another machine is
// asked anew.
func TestOnceAtEitherPort(t *testing.T) {
	practice := func(name string, change func(*smbtest.Profile)) *smbtest.Host {
		h, err := smbtest.NewHost("samba", name)
		if err != nil {
			t.Fatal(err)
		}
		p := *h.Profile
		change(&p)
		h.Profile = &p
		return h
	}
	open := func(p *smbtest.Profile) {
		p.Guest, p.Anonymous, p.GuestForUnknown = p.Anonymous, smbtest.Reach{}, true
	}
	shut := func(p *smbtest.Profile) { p.Anonymous = smbtest.Reach{Session: true} }
	as := func(*smbtest.Profile) {}
	for _, tc := range []struct {
		what    string
		host    *smbtest.Host
		other   *smbtest.Host // at port 139
		anew    bool
		verdict model.Verdict
	}{
		{"the same machine", practice("PRACTICE1", as), practice("PRACTICE1", as), false, model.Exposed},
		{"the same, shut", practice("PRACTICE1", shut), practice("PRACTICE1", shut), false, model.Closed},
		{"another of that name", practice("PRACTICE1", as), practice("PRACTICE1", open), true, model.Exposed},
		{"another", practice("PRACTICE1", as), practice("PRACTICE2", open), true, model.Exposed},
		{"another, shut", practice("PRACTICE1", as), practice("PRACTICE2", shut), true, model.Closed},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, madeUp, guest := reopened(t, tc.host, tc.other)
				t.Logf("%s %s partial %v: %s; made-up %v, guest %v", r.Address, r.Verdict, r.Partial, r.Reason, madeUp, guest)
				if madeUp[0] != 1 || (madeUp[1] > 0) != tc.anew || (guest[1] > 0) != tc.anew {
					t.Errorf("the made-up user was sent %v times, guest %v, to the two ports", madeUp, guest)
				}
				if !strings.HasSuffix(r.Address, ":139") || r.Verdict != tc.verdict {
					t.Errorf("%s %s: %s", r.Address, r.Verdict, r.Reason)
				}
				if r.Verdict == model.Closed && r.Partial != tc.anew {
					t.Errorf("partial %v: %s", r.Partial, r.Reason)
				}
				id := identity(r, model.UnknownUser)
				if !tc.anew && (id.Session.Outcome != model.Denied || id.Session.Detail != "refused at port 445") {
					t.Errorf("what was refused at port 445 is told as %+v", id.Session)
				}
			})
		})
	}
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

// What was refused at another port counts only where the same machine is shown to answer, and nothing else counts.
func TestWhatIsCarried(t *testing.T) {
	guid := "11111111-2222-3333-4444-555555555555"
	none := model.Step{}
	denied := model.Step{Outcome: model.Denied, Status: "STATUS_LOGON_FAILURE"}
	for _, tc := range []struct {
		what    string
		was, is model.Server
		session model.Step
		want    model.Outcome // none: asked anew
	}{
		{"one GUID", model.Server{GUID: guid}, model.Server{GUID: guid}, denied, model.Denied},
		{"two GUIDs", model.Server{GUID: guid}, model.Server{GUID: guid[1:]}, denied, none.Outcome},
		{
			"one GUID, two names",
			model.Server{GUID: guid, Name: "A"},
			model.Server{GUID: guid, Name: "B"},
			denied,
			none.Outcome,
		},
		{"one name", model.Server{Name: "A", Domain: "D"}, model.Server{Name: "a", Domain: "d"}, denied, model.Denied},
		{"two domains", model.Server{Name: "A", Domain: "D"}, model.Server{Name: "A", Domain: "E"}, denied, none.Outcome},
		{"a name without a domain", model.Server{Name: "A"}, model.Server{Name: "A"}, denied, model.NotTested},
		{"nothing shown", model.Server{}, model.Server{}, denied, model.NotTested},
		{"let in", model.Server{GUID: guid}, model.Server{GUID: guid}, model.Step{Outcome: model.Allowed}, none.Outcome},
		{
			"no answer",
			model.Server{GUID: guid},
			model.Server{GUID: guid},
			model.Step{Outcome: model.Inconclusive},
			model.NotTested,
		},
	} {
		before := &model.Scan{Address: "192.0.2.1:445", Server: tc.was, Identities: []model.IdentityResult{
			{Identity: model.UnknownUser, Session: tc.session},
		}}
		h := &host{
			Scanner: &Scanner{}, result: &model.Scan{Address: "192.0.2.1:139", Server: tc.is}, before: []*model.Scan{before},
			usedUp: true,
		}
		var got model.Step
		if r := h.known(model.UnknownUser); r != nil {
			got = r.Session
		}
		if got.Outcome != tc.want || got.Outcome != "" && !strings.Contains(got.Detail, "port 445") {
			t.Errorf("%s: %+v, want %q", tc.what, got, tc.want)
		}
	}
}
