package verify

import (
	"context"
	"net/netip"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
)

// BenchmarkApplyVerify is a whole apply on a real Samba server of this machine: the baseline of strangers, journal,
// write, reload, and the proof over every family of dialects, with a user and two checks. The undo is not timed.
func BenchmarkApplyVerify(b *testing.B) {
	s := peer.StartSamba(b, peer.Config{Address: "127.42.1.7"})
	plan := model.Plan{
		Strategy: "restrict",
		Changes: []model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent,
			applytest.Value(2))},
	}
	plan.Changes[0].When, plan.Changes[0].Closes = "now", []string{"anonymous-lists-accounts", "ipc"}
	host := target.OpenSambaOn(s.ConfigFile, applytest.Machine{Samba: s})
	e := engineFor(b, host)
	for b.Loop() {
		v := &Verification{
			Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial,
			User: as("alice", peer.Password),
			Plan: &plan, Checks: []string{"share:finance", "pipe:srvsvc"},
		}
		if err := v.Baseline(b.Context()); err != nil {
			b.Fatal(err)
		}
		j, err := e.Apply(b.Context(), engine.Request{
			Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
			Bytes: []byte("{}"), Target: host, Verify: func(ctx context.Context) (apply.Evidence, error) {
				return v.Run(ctx)
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := e.Rollback(b.Context(), j.ID, false); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/apply")
}
