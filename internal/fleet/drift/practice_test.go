package drift

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// look scans a practice host.
func look(t *testing.T, o scan.Options, profile string, change func(*smbtest.Host)) *model.Scan {
	t.Helper()
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(host)
	}
	s, err := smbtest.Start("127.44.1.1:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	scanner, err := scan.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return scanner.Host(context.Background(), targets.Target{Name: "srv1", Addr: netip.MustParseAddrPort(s.Address())})
}

func cell(s store.Snapshot, kind model.Disclosure) string {
	return string(s.Cells[slices.Index(model.Disclosures(), kind)])
}

// TestSnapshot takes snapshots of real scans.
func TestSnapshot(t *testing.T) {
	r := ReachOf(load(t))
	for _, test := range []struct {
		profile string
		quick   bool
		cells   map[model.Disclosure]string
	}{
		{
			"samba",
			false,
			map[model.Disclosure]string{
				model.DisclosesAccounts: "a",
				model.DisclosesShares:   "a",
				model.DisclosesFiles:    "d",
				model.DisclosesSessions: "d",
				model.DisclosesTrusts:   "d",
				model.DisclosesJobs:     "d",
				model.DisclosesIdentity: "a",
			},
		},
		{
			"win2022",
			false,
			map[model.Disclosure]string{
				model.DisclosesAccounts: "d",
				model.DisclosesShares:   "d",
				model.DisclosesIdentity: "d",
				model.DisclosesFiles:    "d",
			},
		},
		{"winxp", false, map[model.Disclosure]string{model.DisclosesAccounts: "d", model.DisclosesPrinters: "a"}},
		{"samba", true, map[model.Disclosure]string{model.DisclosesAccounts: "-", model.DisclosesIdentity: "a"}},
		{"samba-2", true, map[model.Disclosure]string{model.DisclosesAccounts: "d"}},
	} {
		scanned := look(t, scan.Options{Quick: test.quick}, test.profile, nil)
		s := r.Scan(scanned)
		for kind, want := range test.cells {
			if got := cell(s, kind); got != want {
				t.Errorf("%s (quick %v): %s is %q, want %q", test.profile, test.quick, kind, got, want)
			}
		}
		if again := r.Scan(look(t, scan.Options{Quick: test.quick}, test.profile, func(h *smbtest.Host) {
			h.World = smbtest.NewWorld("ANOTHER") // hosts that look alike have equal snapshots
			h.World.Populate(7)
		})); !slices.Equal(sorted(again), sorted(s)) {
			t.Errorf("%s: another host of this kind has another snapshot:\n%v\n%v",
				test.profile, sorted(again), sorted(s))
		}
		if events := Compare(Fold(s), Look{Kind: store.RunScan, Host: "srv1", Now: s}); len(events) > 0 {
			t.Errorf("%s: %v", test.profile, kinds(events))
		}
		if !Settled(&s) {
			t.Errorf("%s: not settled: %+v", test.profile, s)
		}
	}
}

func sorted(s store.Snapshot) []string {
	out := []string{string(s.Verdict), string(s.Cells), s.Signing, strings.Join(s.Findings, " ")}
	for _, m := range []map[string]string{s.Pipes, s.Calls, s.Settings} {
		for k, v := range m {
			out = append(out, k+"="+v)
		}
	}
	slices.Sort(out)
	return out
}

// TestMended follows one practice host through its changes.
func TestMended(t *testing.T) {
	c := load(t)
	r := ReachOf(c)
	var history []store.Snapshot
	step := func(s *model.Scan) []store.Event {
		now := r.Scan(s)
		severity := map[string]model.Severity{}
		for _, f := range s.Findings {
			severity[f.ID] = f.Severity
		}
		events := Compare(Fold(history...), Look{
			Kind:     store.RunScan,
			Host:     "srv1",
			Now:      now,
			Severity: severity,
			Catalog:  c,
		})
		history = append(history, now)
		return events
	}
	if got := kinds(step(look(t, scan.Options{}, "samba-2", nil))); !slices.Equal(got, []string{"new-host"}) {
		t.Errorf("first: %q", got)
	}
	worse := step(look(t, scan.Options{}, "samba", nil))
	if worse[0].Kind != store.EventBecameExposed || worse[0].Severity.Rank() < model.High.Rank() ||
		!strings.Contains(worse[0].Text, "accounts, groups") {
		t.Errorf("worse: %+v", worse[0])
	}
	if !slices.Contains(kinds(worse), "new-finding:anonymous-lists-accounts") ||
		!slices.Contains(kinds(worse), "pipe-opened:IPC$") {
		t.Errorf("worse: %q", kinds(worse))
	}
	if got := kinds(step(&model.Scan{Verdict: model.Unreachable})); !slices.Equal(got, []string{"host-vanished"}) {
		t.Errorf("away: %q", got)
	}
	mended := kinds(step(look(t, scan.Options{}, "samba-2", nil)))
	if !slices.Contains(mended, "became-closed") || !slices.Contains(mended, "host-returned") {
		t.Errorf("mended: %q", mended)
	}
}
