package scan

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// tarpit accepts every connection and says nothing.
func tarpit(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		_, _ = io.Copy(io.Discard, there)
		there.Close()
	}()
	return here, nil
}

// A host that accepts connections and says nothing is left after the requested wait; with one question at a time, after
// the wait of each.
func TestMuteHost(t *testing.T) {
	for single, most := range map[bool]time.Duration{false: 5 * time.Second, true: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, err := New(Options{
				Dial: tarpit, Retries: 1, OneConnection: single,
				Timeouts: smb.Timeouts{Connect: 5 * time.Second, Negotiate: 5 * time.Second},
			})
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			r := s.Host(t.Context(), targets.Target{Name: "mute", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
			if r.Verdict != model.VerdictInconclusive || !strings.Contains(r.Reason, "timed out during negotiate") {
				t.Errorf("%s: %s", r.Verdict, r.Reason)
			}
			if took := time.Since(started); took > most {
				t.Errorf("it took %v", took)
			}
			if r.Stats.Connections != 2 {
				t.Errorf("it was asked on %d connections, want two ways", r.Stats.Connections)
			}
		})
	}
}

// With one question at a time, the first does not use up all that the host may take: a host that is silent to it is
// asked in the other way, too.
func TestMuteHostWithLittleTime(t *testing.T) {
	const each = 3 * time.Second // as --timeout 3s has it
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{
			Dial: tarpit, OneConnection: true, Host: each, Timeouts: smb.Timeouts{Connect: each, Negotiate: each},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Host(t.Context(), targets.Target{Name: "mute", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
		if r.Stats.Connections != 2 || r.Verdict != model.VerdictInconclusive {
			t.Errorf("%s, on %d connections, want two ways: %s", r.Verdict, r.Stats.Connections, r.Reason)
		}
	})
}

// A server that needs most of the wait for its negotiate gets it, also with one question at a time, and then also if it
// refused the question before.
func TestSlowNegotiate(t *testing.T) {
	const slow, wait = 3 * time.Second, 5 * time.Second
	for _, one := range []struct {
		profile string
		single  bool
	}{{"win2022-dc", false}, {"win2022-dc", true}, {"win2003", true}} { // the last one refuses SMB2
		synctest.Test(t, func(t *testing.T) {
			o := Options{
				NoGuest: true, NoUnknownUser: true, OneConnection: one.single, Host: time.Hour,
				Timeouts: smb.Timeouts{Negotiate: wait},
			}
			r := scanAway(t, one.profile, o, slow, nil)
			if id := r.Identities; len(id) == 0 || id[0].Session.Outcome != model.Allowed {
				t.Errorf("%s, one connection %v: %s: %s", one.profile, one.single, r.Verdict, r.Reason)
			}
		})
	}
}

// A network of tarpits is left early. Its addresses are not tested, or inconclusive, and never get a verdict.
func TestTarpits(t *testing.T) {
	for _, concurrency := range []int{64, DefaultConcurrency} {
		synctest.Test(t, func(t *testing.T) {
			s, err := New(Options{Dial: tarpit, Retries: 1, Concurrency: concurrency})
			if err != nil {
				t.Fatal(err)
			}
			const addresses, connect = 1024, 5 * time.Second
			list, err := targets.Parse(t.Context(), []string{"192.0.0.0/22"}, targets.Options{})
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			verdicts := map[model.Verdict]int{}
			err = s.Run(t.Context(), list, nil, func(r *model.Scan) error {
				verdicts[r.Verdict]++
				if r.Verdict == model.VerdictNotTested && (!r.Partial || !strings.Contains(r.Reason, "tarpit")) {
					t.Errorf("%s: %q", r.Address, r.Reason)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if took, most := time.Since(started), 2*addresses/time.Duration(concurrency)*connect; took > most {
				t.Errorf("%d at a time: %v, want %v at most", concurrency, took, most)
			}
			if verdicts[model.VerdictNotTested]+verdicts[model.VerdictInconclusive] != addresses {
				t.Errorf("verdicts %v", verdicts)
			}
			if concurrency < 256 && verdicts[model.VerdictNotTested] < addresses/2 {
				t.Errorf("verdicts %v: it was not left early", verdicts)
			}
			t.Logf("%d at a time: %v of the clock, %v", concurrency, time.Since(started), verdicts)
		})
	}
}

// Servers between tarpits are found, and an address that was named is asked in full whatever lies around it.
func TestServersBetweenTarpits(t *testing.T) {
	var s tarpits
	at := netip.MustParseAddr
	for n := range 40 {
		s.note(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), false)
	}
	if p, why := s.patienceFor(at("192.0.2.200")); p != notAtAll || !strings.Contains(why, "192.0.2.0/24") {
		t.Errorf("%v: %s", p, why)
	}
	s.note(at("192.0.2.100"), true)
	if p, _ := s.patienceFor(at("192.0.2.200")); p != briefly {
		t.Errorf("with a server in it: %v", p)
	}
	for n := range 20 {
		s.note(netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + n)}), true)
	}
	if p, _ := s.patienceFor(at("192.0.2.200")); p != inFull {
		t.Errorf("with as many servers: %v", p)
	}
	if p, _ := s.patienceFor(at("192.1.0.1")); p != inFull {
		t.Errorf("another network: %v", p)
	}
	if p, _ := s.patienceFor(at("fe80::1%eth0")); p != inFull {
		t.Errorf("IPv6: %v", p)
	}
}
