package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

const importedScan = `{"schema":"ipcguard.scan/1","target":"srv1","address":"10.0.0.1:445","started":"2026-01-01T00:00:00Z","verdict":"exposed","identities":[],"findings":[`

// TestImportBombs refuses files that took gigabytes of memory: many empty objects, endless input, deep nesting.
func TestImportBombs(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	for name, in := range map[string]string{
		"empty objects": importedScan + strings.Repeat("{},", 1_000_000) + "{}]}",
		"nulls":         importedScan + strings.Repeat("null,", 1_000_000) + "{}]}",
		"levels":        importedScan + strings.Repeat("[", 100),
		"size":          importedScan + strings.Repeat(" ", model.MaxResult+1<<20),
	} {
		for _, kind := range []string{"scan", "audit", "observe"} {
			got, err := f.Import(t.Context(), kind, strings.NewReader(in), nil, nil)
			if err == nil || got.Taken != 0 {
				t.Errorf("%s as %s: %+v, %v", name, kind, got, err)
			}
			if name != "levels" && !errors.Is(err, model.ErrTooLarge) {
				t.Errorf("%s as %s: %v", name, kind, err)
			}
		}
	}
}

// TestImportUnfit: a result with words or numbers that no scan has is refused with its reason, and the others are
// stored.
func TestImportUnfit(t *testing.T) {
	for kind, empty := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			o, _ := quickOptions(t)
			f := newFleet(t, reopen(t, empty(t)), o)
			scan := func(last int, change string) string {
				return fmt.Sprintf(`{"schema":"ipcguard.scan/1","target":"10.0.0.%[1]d","address":"10.0.0.%[1]d:445","started":"2026-01-01T00:00:00Z","verdict":"exposed"%[2]s}`+"\n", last, change)
			}
			in := scan(1, "")
			odd := []string{
				`,"verdict":"fine\u0000"`, `,"verdict":""`, `,"verdict":"not-tested"`,
				`,"findings":[{"id":"x","severity":"worst"}]`,
				`,"stats":{"requests":9223372036854775807}`, `,"stats":{"requests":-1}`,
				`,"duration_ms":9223372036854775807`,
				`,"started":"1600-01-01T00:00:00Z"`, `,"started":"0001-01-01T00:00:01Z"`,
			}
			for i, change := range odd {
				in += scan(2+i, change)
			}
			in += scan(100, "")
			got, err := f.Import(t.Context(), "scan", strings.NewReader(in), nil, nil)
			if err != nil || got.Taken != 2 || len(got.Problems) != len(odd) {
				t.Errorf("%+v, %v", got, err)
			}
			for _, why := range got.Problems {
				if strings.Contains(why, "SQLSTATE") || !strings.Contains(why, "10.0.0.") {
					t.Errorf("the reason is %q", why)
				}
			}
			const audit = `{"schema":"ipcguard.audit/1","host":"10.0.0.1","source":{"name":"x"},"findings":[{"id":"x","severity":"worst"}]}`
			if got, err = f.Import(t.Context(), "audit", strings.NewReader(audit), nil, nil); err != nil ||
				got.Taken != 0 || len(got.Problems) != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// FuzzImport imports any file as every kind of result.
func FuzzImport(f *testing.F) {
	f.Add([]byte(importedScan + "]}"))
	f.Add([]byte(`[{"schema":"ipcguard.audit/1","host":"10.0.0.1","source":{"name":"winreg://10.0.0.1"},"settings":[{"id":"RestrictAnonymous","effective":1}]}]`))
	f.Add([]byte(`{"schema":"ipcguard.observe/1","uses":[{"server":"10.0.0.1","client":"a"}]}` + "\n" +
		`{"schema":"ipcguard.use/1","server":"10.0.0.1"}`))
	st, _ := sqlite(f)
	o, _ := quickOptions(f)
	fleet := newFleet(f, st, o)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []string{"scan", "audit", "observe"} {
			got, _ := fleet.Import(t.Context(), kind, strings.NewReader(string(b)), nil, nil)
			if got.Taken > got.Results {
				t.Fatalf("%+v", got)
			}
		}
	})
}

// TestImportNamed: an import tells of a known host by its name, although the result itself has none, and an observation
// of the future is refused.
func TestImportNamed(t *testing.T) {
	for kind, empty := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			o, _ := quickOptions(t)
			f := newFleet(t, reopen(t, empty(t)), o)
			var hosts []string
			take := func(kind, in string) Imported {
				t.Helper()
				got, err := f.Import(t.Context(), kind, strings.NewReader(in), nil,
					func(_ *store.Tx, host string) error {
						hosts = append(hosts, host)
						return nil
					})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			for _, day := range []string{"01", "02"} {
				if got := take("scan", `{"schema":"ipcguard.scan/1","target":"srv.example","address":"10.0.0.1:445",`+
					`"started":"2026-01-`+day+`T00:00:00Z","verdict":"exposed"}`); got.Taken != 1 {
					t.Errorf("%+v", got)
				}
			}
			if len(hosts) != 2 || hosts[0] != "srv.example" || hosts[1] != "srv.example" {
				t.Errorf("the imports tell of %q", hosts)
			}
			const use = `{"schema":"ipcguard.use/1","server":"srv.example","client":"10.0.0.9","first":%q,"last":%q}`
			const past, future = "2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z"
			for _, in := range []string{
				fmt.Sprintf(use, past, future), fmt.Sprintf(use, future, past),
				`{"schema":"ipcguard.observe/1","coverage":{"from":"` + past + `","to":"` + future + `"},"uses":[` +
					fmt.Sprintf(use, past, past) + `]}`,
				`{"schema":"ipcguard.observe/1","coverage":{"from":"` + past + `","to":"` + past + `"},"uses":[` +
					fmt.Sprintf(use, past, future) + `]}`,
			} {
				if got := take("observe", in); got.Taken != 0 || len(got.Problems) != 1 ||
					!strings.Contains(got.Problems[0], "2199-01-01") {
					t.Errorf("%s: %+v", in, got)
				}
			}
			if got := take("observe", fmt.Sprintf(use, past, past)); got.Taken != 1 || len(got.Problems) != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestImportRetired: an audit of a host that has left the fleet is taken by its name, too, and counts when the host is
// back. In a rollout it is planned then. A host in the fleet with the same name goes before.
func TestImportRetired(t *testing.T) {
	for kind, empty := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			o, _ := quickOptions(t)
			st := reopen(t, empty(t))
			f := newFleet(t, st, o)
			ctx := t.Context()
			site, err := f.site(ctx)
			if err != nil {
				t.Fatal(err)
			}
			record := func(address, name string) store.Host {
				t.Helper()
				r := &store.Result{
					Kind: store.RunScan, At: f.now(), Verdict: model.Closed, Findings: []store.HostFinding{},
					Host: store.Host{SiteID: site.ID, Address: address, Name: name},
				}
				if _, err := st.RecordResult(ctx, r); err != nil {
					t.Fatal(err)
				}
				h, err := st.Host(ctx, r.HostID)
				if err != nil {
					t.Fatal(err)
				}
				return h
			}
			old := record("10.0.0.1:445", "srv.example")
			rollout := store.Rollout{Name: "all", Strategy: "restrict", Goal: "findings"}
			err = st.AddRollout(ctx, &rollout, store.HostFilter{})
			if err == nil {
				err = f.PlanRollouts(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			state := func(want store.RolloutState) {
				t.Helper()
				_, err := st.FollowRollouts(ctx)
				if err == nil {
					err = f.PlanRollouts(ctx)
				}
				list, _, listed := st.RolloutHosts(ctx, rollout.ID, store.RolloutFilter{}, store.Page{})
				if err != nil || listed != nil || list[0].State != want {
					t.Errorf("the host is %+v, want %s; %v, %v", list, want, err, listed)
				}
			}
			state(store.RolloutUnaudited)
			if _, err := st.RetireHost(ctx, old.ID, f.now()); err != nil {
				t.Fatal(err)
			}
			state(store.RolloutGone)
			const audit = `{"schema":"ipcguard.audit/1","host":"SRV","source":{"kind":"reg","name":"x"},` +
				`"platform":{"system":"windows","product":"win2022","role":"member"},"findings":[{"id":"x","severity":"high"}]}`
			take := func(kind, in string) {
				t.Helper()
				got, err := f.Import(ctx, kind, strings.NewReader(in), nil, nil)
				if err != nil || got.Taken != 1 || len(got.Problems) != 0 {
					t.Errorf("%s: %+v, %v", kind, got, err)
				}
			}
			take("audit", audit)
			state(store.RolloutGone)
			if old, err = st.Host(ctx, old.ID); err != nil || old.LastAudit.IsZero() || old.Findings != 0 {
				t.Errorf("retired and audited: %+v, %v", old, err)
			}
			if old = record("10.0.0.1:445", "srv.example"); old.Findings != 1 || old.Severity != model.High {
				t.Errorf("back: %+v", old)
			}
			state(store.RolloutNothing) // it was planned: nothing is to be done for this finding
			if _, err := st.RetireHost(ctx, old.ID, f.now()); err != nil {
				t.Fatal(err)
			}
			successor := record("10.0.0.2:445", "srv.example")
			take("audit", audit)
			if successor, err = st.Host(ctx, successor.ID); err != nil || successor.Findings != 1 {
				t.Errorf("the one in the fleet: %+v, %v", successor, err)
			}
		})
	}
}

// TestImportSameName: a host of another site that has the name of a host keeps nobody from importing results of theirs,
// and who may import for both is told that the name is that of several.
func TestImportSameName(t *testing.T) {
	o, _ := quickOptions(t)
	st, _ := sqlite(t)
	f := newFleet(t, st, o)
	ctx := t.Context()
	own, err := f.site(ctx)
	if err != nil {
		t.Fatal(err)
	}
	branch := store.Site{Name: "branch"}
	if err := st.SaveSite(ctx, &branch); err != nil {
		t.Fatal(err)
	}
	for _, site := range []int64{own.ID, branch.ID} {
		if _, err := st.RecordResult(ctx, &store.Result{
			Kind: store.RunScan, At: f.now(), Verdict: model.Closed,
			Host: store.Host{SiteID: site, Address: "10.0.0.1:445", Name: "dc.example"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	take := func(kind, in string, may func(int64) bool) Imported {
		t.Helper()
		got, err := f.Import(ctx, kind, strings.NewReader(in), may, nil)
		if err != nil {
			t.Logf("%s: %v", kind, err) // of a file of which nothing is taken
		}
		return got
	}
	for kind, in := range map[string]string{
		"audit": `{"schema":"ipcguard.audit/1","host":"dc.example","source":{"name":"dc"}}`,
		"observe": `{"schema":"ipcguard.use/1","server":"dc.example","client":"10.0.0.9",` +
			`"first":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z"}`,
	} {
		got := take(kind, in, nil)
		if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "several hosts") {
			t.Errorf("%s, for all sites: %+v", kind, got)
		}
		got = take(kind, in, func(site int64) bool { return site == own.ID })
		if got.Taken != 1 || len(got.Problems) != 0 {
			t.Errorf("%s, for one site: %+v", kind, got)
		}
		got = take(kind, in, func(int64) bool { return false })
		if len(got.Problems) != 1 || strings.Contains(got.Problems[0], "several") {
			t.Errorf("%s, for no site: %+v", kind, got)
		}
	}
}
