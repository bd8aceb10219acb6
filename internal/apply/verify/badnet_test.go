package verify

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// TestVerifyBadNetworks: an open server passes nothing because the network lost its answers. Each answer that is lost
// makes the check that waits for it inconclusive, by itself; a check whose answer arrived keeps its result.
func TestVerifyBadNetworks(t *testing.T) {
	plan := closing("anonymous-lists-accounts", "anonymous-lists-groups", "anonymous-lists-shares",
		"anonymous-reads-password-policy",
		"anonymous-pipe:samr", "anonymous-pipe:lsarpc", "anonymous-pipe:srvsvc", "ipc")
	open := practice(t, "samba")
	run := func(t *testing.T, v *Verification) *Proof {
		t.Helper()
		v.Plan = plan
		p, err := v.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	direct := run(t, &Verification{Target: open})
	for _, c := range direct.Checks {
		if strings.HasPrefix(c.Check, "closed:") && c.Result != Failed {
			t.Fatalf("without a bad network %s is %s: %s", c.Check, c.Result, c.Detail)
		}
	}
	brief := smb.Timeouts{
		Connect: time.Second, Negotiate: time.Second, Session: time.Second, Tree: time.Second,
		Open: time.Second, Call: time.Second,
	}
	for _, x := range []struct {
		name   string
		net    *peer.Badnet
		failed bool // what is open is seen all the same
		some   bool // or some of it, and something is lost
		all    bool // everything is lost
		v      Verification
	}{
		{name: "one connection at a time", net: &peer.Badnet{MaxOpen: 1}, failed: true},
		{name: "5 ms each way", net: &peer.Badnet{Delay: 5 * time.Millisecond}, failed: true},
		{name: "banned after a failed logon", net: &peer.Badnet{BanOnFailure: true}, failed: true},
		{name: "reset after 2000 bytes", net: &peer.Badnet{CutAfter: 2000, Reset: true}, some: true},
		{name: "ended after 5000 bytes", net: &peer.Badnet{CutAfter: 5000}},
		{name: "reset after 900 bytes", net: &peer.Badnet{CutAfter: 900, Reset: true}, some: true},
		{name: "reset after 100 bytes", net: &peer.Badnet{CutAfter: 100, Reset: true}, all: true},
		{name: "banned from the first connection on", net: &peer.Badnet{BanAfter: 1, Ban: peer.BanResets}},
		{name: "mute", net: &peer.Badnet{Mute: true}, all: true, v: Verification{Timeouts: brief}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			x.v.Target = targets.Target{Name: "practice", Addr: netip.MustParseAddrPort(x.net.Start(t, "127.53.3.7",
				open.Addr.String()))}
			p := run(t, &x.v)
			count := map[Result]int{}
			for _, c := range p.Checks {
				if !strings.HasPrefix(c.Check, "closed:") {
					continue
				}
				count[c.Result]++
				if c.Result != Failed && c.Result != Inconclusive {
					t.Errorf("%s is %s: %s", c.Check, c.Result, c.Detail)
				}
			}
			if p.Result != Failed && p.Result != Inconclusive || p.Passed {
				t.Errorf("together %s", p.Result)
			}
			if x.failed && count[Inconclusive] > 0 || x.all && count[Failed] > 0 || x.some &&
				(count[Inconclusive] == 0 || count[Failed] == 0) {
				t.Errorf("%v", count)
			}
		})
	}
}
