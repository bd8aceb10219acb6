package logs

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/peer"
)

// TestHostLogAndCapture reads a capture and the log of the server in it, as they were published, in archives: they
// agree about clients, accounts, connects, pipes and how often. Where they differ, the difference has a name here.
func TestHostLogAndCapture(t *testing.T) {
	dir := peer.Shared(t, "evtx")
	network := readCapture(t, filepath.Join(dir, "otrf_network_empire_getsession_NetSessEnum.zip"))
	log, _ := readLogs(t, Options{}, "@"+filepath.Join(dir, "otrf_host_empire_getsession_NetSessEnum.zip"))
	// a log has the host's name, a capture its address
	servers := map[string]string{"MORDORDC.theshire.local": "172.18.38.5"}
	// The capture's clock and the host's are two seconds apart.
	const clocks = 3 * time.Second
	facts := func(uses []model.Use) map[string]int64 {
		m := map[string]int64{}
		for _, u := range uses {
			if name, ok := servers[u.Server]; ok {
				u.Server = name
			}
			// A ticket has the realm, THESHIRE.LOCAL, an event the domain's short name, THESHIRE.
			domain, name, _ := strings.Cut(u.Account, `\`)
			domain, _, _ = strings.Cut(domain, ".")
			if u.Layer == model.LayerBind || u.Layer == model.LayerCall { // no event has them
				continue
			}
			m[fmt.Sprintf("%s > %s %s %s\\%s %s %s%s %s", u.Client, u.Server, u.Identity, domain, name, u.Layer,
				u.Share, u.Pipe, u.Outcome)] += u.Count
		}
		return m
	}
	if diff := cmp.Diff(facts(network), facts(log)); diff != "" {
		t.Errorf("-capture +log:\n%s", diff)
	}
	if n := len(facts(log)); n != 5 {
		t.Errorf("%d facts", n)
	}
	at := map[string]time.Time{}
	for _, u := range network {
		at[string(u.Identity)+string(u.Layer)] = u.First
	}
	for _, u := range log {
		if d := u.First.Sub(at[string(u.Identity)+string(u.Layer)]); d < 0 || d > clocks {
			t.Errorf("%s %s: %s apart", u.Identity, u.Layer, d)
		}
	}
	// Beyond the log the capture has what was done with the pipe, which is what the recording is about.
	calls := 0
	for _, u := range network {
		if u.Call == "NetrSessionEnum" && u.Outcome == model.Allowed && u.Account == `THESHIRE.LOCAL\pgustavo` {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("%d rows of NetrSessionEnum", calls)
	}
	// Both together, as a user has them in a folder.
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	traffic, logs := observe.NewTraffic(agg, cov, observe.TrafficOptions{}), New(agg, cov, Options{})
	for _, name := range []string{
		"otrf_network_empire_getsession_NetSessEnum.zip",
		"otrf_host_empire_getsession_NetSessEnum.zip",
	} {
		if err := traffic.ReadPath(context.Background(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := logs.ReadFolder(context.Background(), filepath.Join(dir, name), observe.IsCapture); err != nil {
			t.Fatal(err)
		}
	}
	traffic.Close()
	logs.Close()
	if len(agg.Rows()) != len(network)+len(log) || len(cov.Unreadable) > 0 {
		t.Errorf("%d rows of both, %d and %d; %v", len(agg.Rows()), len(network), len(log), cov.Unreadable)
	}
}

func readCapture(t *testing.T, path string) []model.Use {
	t.Helper()
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	traffic := observe.NewTraffic(agg, cov, observe.TrafficOptions{})
	if err := traffic.ReadPath(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	traffic.Close()
	return agg.Rows()
}
