package verify

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// blocking is a plan that removes the Server service.
func blocking() *model.Plan {
	return &model.Plan{
		Strategy: "block", Means: "server-service", Platform: model.Platform{System: "windows"},
		Changes: []model.Change{
			{
				ID: "1", Setting: "LanmanServer.Start", When: "service-restart",
				TakesEffect: "the Server service is not started again", Closes: []string{"ipc"},
			},
		},
	}
}

// TestBlockProof: the removal of a server is proved by silence on a host that is up. While the server answers, the
// block is pending, and its answer is no pass.
func TestBlockProof(t *testing.T) {
	l, err := net.Listen("tcp", "127.53.3.4:0") // another service that must work
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := func(_ context.Context, _, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":445") {
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		return net.Dial("tcp", l.Addr().String())
	}
	refused, err := net.Listen("tcp", "127.53.3.5:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := netip.MustParseAddrPort(refused.Addr().String())
	if err := refused.Close(); err != nil {
		t.Fatal(err)
	}
	host := targets.Target{Name: "srv", Addr: netip.MustParseAddrPort("127.53.3.6:445")}
	for _, c := range []struct {
		name        string
		v           Verification
		ipc, answer Result
		whole       Result
	}{
		{"the server still answers", Verification{Target: practice(t, "winxp")}, Waiting, Passed, Waiting},
		{
			"the host refuses connections",
			Verification{Target: targets.Target{Name: "srv", Addr: shut}},
			Passed,
			Unchecked, Passed,
		},
		{"nothing answers", Verification{Target: host, Dial: silent}, Inconclusive, Unchecked, Inconclusive},
		{
			"nothing answers, and something else works",
			Verification{Target: host, Dial: silent, Checks: []string{"tcp::3389"}},
			Passed, Unchecked, Passed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.v.Plan = blocking()
			p, err := c.v.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := resultOf(p, "closed:ipc"); got != c.ipc {
				t.Errorf("closed:ipc is %s, want %s: %+v", got, c.ipc, p.Checks)
			}
			if got := resultOf(p, "control:answers"); got != c.answer {
				t.Errorf("control:answers is %s, want %s", got, c.answer)
			}
			if p.Result != c.whole || p.Passed != (c.whole == Passed) {
				t.Errorf("together %s, passed %v, want %s: %+v", p.Result, p.Passed, c.whole, p.Checks)
			}
		})
	}
	// A plan that keeps the server is not proved by its absence.
	v := &Verification{Target: targets.Target{Name: "srv", Addr: shut}, Plan: closing("ipc")}
	if p, err := v.Run(t.Context()); err != nil || p.Result != Inconclusive {
		t.Errorf("%+v, %v", p, err)
	}
}
