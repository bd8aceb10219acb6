package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// TestProposedChecks: a plan proposes checks of its target, and never makes this program connect to another host; only
// the administrator does. However many it proposes, they end.
func TestProposedChecks(t *testing.T) {
	var dialed []string
	plan := &model.Plan{Checks: []string{
		"tcp:127.0.0.9:99", "tcp:other:1433", "tcp::1433", "tcp:127.0.0.1:80",
		"tcp:SRV:81",
	}}
	v := &Verification{
		Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort("127.0.0.1:445")}, Plan: plan,
		Checks: []string{"tcp:asked:99"},
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			dialed = append(dialed, address)
			return nil, errors.New("refused")
		},
	}
	proposed := v.must(t.Context(), false)
	if want := []string{"127.0.0.1:1433", "127.0.0.1:80", "SRV:81"}; !slices.Equal(dialed, want) {
		t.Errorf("the plan's checks reach %q, want %q", dialed, want)
	}
	for _, c := range proposed[:2] {
		if c.Result != Unchecked || !c.Note {
			t.Errorf("%+v", c)
		}
	}
	dialed = nil
	if v.must(t.Context(), true); !slices.Equal(dialed, []string{"asked:99"}) {
		t.Errorf("what was asked for reaches %q", dialed)
	}
	dialed, plan.Checks = nil, nil
	for i := range 10 * maxProposed {
		plan.Checks = append(plan.Checks, fmt.Sprintf("tcp::%d", i+1))
	}
	if out := v.must(t.Context(), false); len(dialed) != maxProposed || len(out) != maxProposed+1 ||
		!out[maxProposed].Note {
		t.Errorf("%d connections, %d checks", len(dialed), len(out))
	}
}
