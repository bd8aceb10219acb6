package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// run starts a run and waits for its end.
func run(t *testing.T, f *Fleet, kind store.RunKind) store.Run {
	t.Helper()
	r, err := f.StartRun(t.Context(), "anna", kind, store.Selector{}, false)
	if err != nil {
		t.Fatal(err)
	}
	return runDone(t, f.st, r.ID)
}

// TestNames: a name with two addresses gives two hosts, one host under three names is one, and a host that moves keeps
// its identity.
func TestNames(t *testing.T) {
	w := newWorld(t, "")
	w.set(t, "127.44.3.1", "samba-2", "FILES1")
	w.set(t, "127.44.3.2", "samba-2", "FILES1")
	w.set(t, "127.44.3.9", "samba-2", "FILES1")
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	names := map[string][]string{"files.example": {"127.44.3.1", "127.44.3.2"}, "alias.example": {"127.44.3.1"}}
	o.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		var out []netip.Addr
		for _, a := range names[host] {
			out = append(out, netip.MustParseAddr(a))
		}
		if out == nil {
			return nil, errors.New("the name does not resolve")
		}
		return out, nil
	}
	o.BatchSize = 3
	f := newFleet(t, st, o)
	port := fmt.Sprintf(":%d", w.Port())
	list := addTargets(t, f, "files.example"+port, "alias.example"+port, "127.44.3.1"+port, "nowhere.example"+port)
	serve(t, f.Serve)
	r := run(t, f, store.RunScan)
	if r.Done != 4 || r.Closed != 1 || r.Failed != 1 {
		t.Errorf("%+v", r)
	}
	hosts, total, err := st.Hosts(t.Context(), store.HostFilter{}, store.Page{Sort: "id"})
	if err != nil || total != 2 {
		t.Fatalf("%d hosts: %v", total, err)
	}
	slices.SortFunc(hosts, func(a, b store.Host) int { return strings.Compare(a.Address, b.Address) })
	first, second := hosts[0], hosts[1]
	if first.SameAs == 0 && second.SameAs == 0 {
		t.Errorf("nothing says that both may be one machine: %+v %+v", first, second)
	}
	known, err := st.HostNames(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"files.example" + port, "alias.example" + port, "127.44.3.1" + port} {
		if !slices.ContainsFunc(known, func(n store.HostName) bool { return n.Kind == "target" && n.Name == want }) {
			t.Errorf("it is not known as %s: %+v", want, known)
		}
	}
	for _, l := range list[:3] {
		if got, err := st.Target(t.Context(), l.ID); err != nil || got.HostID != first.ID {
			t.Errorf("%s leads to host %d, want %d: %v", l.Spec, got.HostID, first.ID, err)
		}
	}
	skipped, n, err := st.Units(t.Context(), r.ID, store.UnitSkipped, store.Page{})
	if err != nil || n != 2 || !strings.Contains(skipped[0].Reason, "same host") &&
		!strings.Contains(skipped[0].Reason, "another name") {
		t.Errorf("%d units are skipped: %+v %v", n, skipped, err)
	}
	if err := st.DeleteTargets(t.Context(), []int64{list[1].ID, list[2].ID}); err != nil {
		t.Fatal(err)
	}

	names["files.example"] = []string{"127.44.3.9"}
	w.set(t, "127.44.3.1", "", "")
	run(t, f, store.RunScan)
	moved, err := st.Host(t.Context(), first.ID)
	if err != nil || moved.Address != "127.44.3.9"+port {
		t.Errorf("it moved, and is at %s: %v", moved.Address, err)
	}
	results, _, err := st.Results(t.Context(), first.ID, store.Page{Size: 1})
	if err != nil || !strings.Contains(results[0].Reason, "moved from 127.44.3.1") {
		t.Errorf("nothing says so: %+v %v", results, err)
	}
	if _, total, _ = st.Hosts(t.Context(), store.HostFilter{}, store.Page{}); total != 2 {
		t.Errorf("%d hosts", total)
	}
}

func TestDiscover(t *testing.T) {
	w := newWorld(t, "")
	for _, a := range []string{"127.44.4.3", "127.44.4.7", "127.44.4.20"} {
		w.set(t, a, "samba-2", "FOUND")
	}
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	o.DiscoverPorts = []uint16{uint16(w.Port())}
	f := newFleet(t, st, o)
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	net := store.Target{
		SiteID:  site.ID,
		Spec:    "127.44.4.0-127.44.4.31",
		Kind:    store.TargetRange,
		Tags:    []string{"lab"},
		Owner:   "Anna",
		Enabled: true,
	}
	if err := st.SaveTarget(t.Context(), &net); err != nil {
		t.Fatal(err)
	}
	addTargets(t, f, w.spec("127.44.4.7")) // already known
	serve(t, f.Serve)
	for round, want := range []string{
		"3 of 32 addresses answered, 2 of them new", "3 of 32 addresses answered, 0 of them new",
	} {
		r := run(t, f, store.RunDiscover)
		units, _, err := st.Units(t.Context(), r.ID, store.UnitDone, store.Page{})
		if err != nil || r.Total != 1 || len(units) != 1 || units[0].Reason != want {
			t.Errorf("round %d: %+v %+v %v", round, r, units, err)
		}
	}
	found, total, err := st.Targets(t.Context(), store.TargetFilter{Kind: store.TargetHost}, store.Page{})
	if err != nil || total != 3 {
		t.Fatalf("%d targets: %v", total, err)
	}
	for _, x := range found {
		if x.Spec == w.spec("127.44.4.7") {
			continue
		}
		if x.FoundBy != net.ID || x.Owner != "Anna" || !slices.Equal(x.Tags, []string{"lab"}) || !x.Enabled {
			t.Errorf("%+v", x)
		}
	}
	// After a stop the search continues where the sweep was.
	r := store.Run{Kind: store.RunDiscover}
	err = st.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.CreateRun(t.Context(), &r); err != nil {
			return err
		}
		if _, err := tx.AddUnits(t.Context(), r.ID, r.Selector); err != nil {
			return err
		}
		if err := tx.SetMeta(t.Context(), sweepKey(r.ID, net.ID),
			`{"next":"127.44.4.16","asked":16,"found":2,"new":1}`); err != nil {
			return err
		}
		_, err := f.enqueue(t.Context(), tx, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := w.count("127.44.4.3")
	runDone(t, st, r.ID)
	units, _, err := st.Units(t.Context(), r.ID, store.UnitDone, store.Page{})
	if err != nil || len(units) != 1 || units[0].Reason != "3 of 32 addresses answered, 1 of them new" ||
		w.count("127.44.4.3") != before {
		t.Errorf("%+v %v", units, err)
	}
}

func TestImportTargets(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := store.Credential{Name: "reader", Kind: "password", Account: "r", Sealed: []byte("x")}
	if err := st.SaveCredential(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	old := store.Target{SiteID: site.ID, Spec: "srv2", Credential: c.ID, Enabled: false}
	if err := st.SaveTarget(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	table := "\ufeffspec;tags;owner;criticality;note;audit_source;site\r\n" +
		"SRV1:445;dc old;Anna;high;'=1+1;winreg://srv1;\r\n" +
		"srv2;x;Otto;;;;default\r\n" +
		"10.0.0.0/24;;;;;;\r\n" +
		"10.0.0.0/4;;;;;;\r\n" +
		"srv3;;;urgent;;;\r\n" +
		"srv4;;;;;;nowhere\r\n" +
		"srv5;;\r\n" +
		"srv6;;;;;winreg://user:pw@srv6;\r\n" +
		"srv7;;;;;winreg://user@srv7;\r\n" +
		"srv1:445;;Anna;;twice;;\r\n"
	report, err := f.ImportTargets(t.Context(), strings.NewReader(table), true, nil, nil)
	if err != nil || report.Added != 2 || report.Updated != 1 || report.Bad != 6 || report.Rows != 10 {
		t.Errorf("%+v %v", report, err)
	}
	for i, want := range []string{
		"line 5: ", "line 6: ", "line 7: there is no site \"nowhere\"", "line 8: ", "line 9: ", "line 10: ",
	} {
		if !strings.HasPrefix(report.Errors[i], want) {
			t.Errorf("%q, want %q", report.Errors[i], want)
		}
		if strings.Contains(report.Errors[i], "pw") {
			t.Errorf("a password is in %q", report.Errors[i])
		}
	}
	got, err := st.TargetBySpec(t.Context(), site.ID, "srv2")
	if err != nil || got.Credential != c.ID || got.Enabled || got.Owner != "Otto" {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := st.TargetBySpec(t.Context(), site.ID, "10.0.0.0/24"); err != nil || got.Kind != store.TargetRange {
		t.Errorf("%+v %v", got, err)
	}
	note := store.Target{SiteID: site.ID, Spec: "srv9", Note: "=cmd|' /C calc'!A0", Owner: "@sum", Enabled: true}
	if err := st.SaveTarget(t.Context(), &note); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := ExportTargets(t.Context(), st, &b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "'=cmd|") || !strings.Contains(text, "'@sum") {
		t.Errorf("formulas are not escaped:\n%s", text)
	}
	again, err := f.ImportTargets(t.Context(), &b, true, nil, nil)
	if err != nil || again.Added+again.Updated+again.Bad != 0 || again.Rows != 4 {
		t.Errorf("what was exported changes something: %+v %v", again, err)
	}
	if _, err := f.ImportTargets(t.Context(), strings.NewReader("name,ip\na,b\n"), true, nil, nil); err == nil {
		t.Error("a table without spec is taken")
	}
}

// TestGuarded checks that operators cannot change what is read and where credentials go.
func TestGuarded(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := store.Target{SiteID: site.ID, Spec: "srv1", AuditSource: "/etc/samba/smb.conf", Enabled: true}
	if err := st.SaveTarget(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	table := "spec,owner,audit_source\nsrv1,Otto,\nsrv2,,/etc/shadow\nsrv1,Eve,winreg://hostile\nsrv3,,\nsrv1,Otto,/etc/samba/smb.conf\n"
	report, err := f.ImportTargets(t.Context(), strings.NewReader(table), false, nil, nil)
	if err != nil || report.Bad != 2 || !strings.Contains(report.Errors[0], "administrator") {
		t.Errorf("%+v, %v", report, err)
	}
	got, err := st.TargetBySpec(t.Context(), site.ID, "srv1")
	if err != nil || got.AuditSource != old.AuditSource || got.Owner != "Otto" {
		t.Errorf("%+v, %v", got, err)
	}
	for want, change := range map[string]func(*store.Target){
		"":             func(t *store.Target) { t.Owner, t.Tags, t.Enabled = "x", []string{"y"}, false },
		"audit_source": func(t *store.Target) { t.AuditSource = "" },
		"credential":   func(t *store.Target) { t.Credential = 8 },
		"spec":         func(t *store.Target) { t.Spec = "hostile" },
	} {
		was := store.Target{Spec: "srv1", AuditSource: "a", Credential: 7}
		now := was
		if change(&now); Guarded(was, now) != want {
			t.Errorf("want %q, got %q", want, Guarded(was, now))
		}
	}
	here := store.Target{SiteID: 1, Spec: "srv1", AuditSource: "/etc/samba/smb.conf"}
	there := here
	there.SiteID = 2
	if field := Guarded(here, there); field != "audit_source" {
		t.Errorf("another site's machine reads the file: %q", field)
	}
	if field := Guarded(store.Target{}, store.Target{Spec: "new"}); field != "" {
		t.Errorf("a new target: %s", field)
	}
}

// TestAudit follows a configuration: weak, fixed, and weak again.
func TestAudit(t *testing.T) {
	w := newWorld(t, "samba")
	st, _ := sqlite(t)
	o, heard := quickOptions(t)
	o.Key = key(t)
	o.Authenticate = func(_ context.Context, c store.Credential, plain []byte, _ store.Target) (Logon, error) {
		if string(plain) != "s3cret" || c.Account != "reader" {
			t.Errorf("credential %+v", c)
		}
		return Logon{}, nil
	}
	f := newFleet(t, st, o)
	list := addTargets(t, f, w.spec("127.44.5.1"), w.spec("127.44.5.2"), w.spec("127.44.5.3"), w.spec("127.44.5.4"))
	file := filepath.Join(t.TempDir(), "smb.conf")
	write := func(value string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("[global]\n restrict anonymous = "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := o.Key.Seal([]byte("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	c := store.Credential{Name: "reader", Kind: "password", Account: "reader", Sealed: sealed}
	if err := st.SaveCredential(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	list[0].AuditSource = file
	list[2].AuditSource, list[2].Credential = "winreg://127.44.5.3", c.ID
	list[3].AuditSource = "winreg://127.44.5.4"
	for i := range list {
		if err := st.SaveTarget(t.Context(), &list[i]); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, f.Serve)
	write("0")
	run(t, f, store.RunScan)
	r := run(t, f, store.RunAudit)
	if r.Done != 4 || r.Failed != 2 {
		t.Fatalf("%+v", r)
	}
	failed, _, err := st.Units(t.Context(), r.ID, store.UnitFailed, store.Page{})
	if err != nil || !strings.Contains(failed[0].Reason, "does not reach") ||
		!strings.Contains(failed[1].Reason, "needs a stored credential") {
		t.Errorf("%+v %v", failed, err)
	}
	h, err := st.HostByAddress(t.Context(), list[0].SiteID, w.spec("127.44.5.1"))
	if err != nil || h.LastAudit.IsZero() || h.Verdict != model.Exposed {
		t.Fatalf("%+v %v", h, err)
	}
	s, _, err := st.LastSnapshot(t.Context(), h.ID, store.RunAudit)
	if err != nil || s.Settings["restrict anonymous"] != "0" {
		t.Fatalf("%+v %v", s, err)
	}
	write("2")
	r = run(t, f, store.RunAudit)
	if events := eventsOf(t, st,
		store.EventFilter{RunID: r.ID}); !has(events, store.EventSettingChanged, "restrict anonymous") {
		t.Errorf("mended: %+v", events)
	}
	write("0")
	r = run(t, f, store.RunAudit)
	if events := eventsOf(t, st,
		store.EventFilter{RunID: r.ID}); !has(events, store.EventSettingReverted, "restrict anonymous") {
		t.Errorf("changed back: %+v", events)
	}
	if strings.Contains(heard.text(), "s3cret") {
		t.Error("a secret is in the log")
	}

	// A plan is based on what is stored.
	p, err := f.Plan(t.Context(), h.ID, Wish{Strategy: "restrict"})
	if err != nil || len(p.Changes) == 0 && p.Question == "" || p.Target != h.Name {
		t.Fatalf("%+v %v", p, err)
	}
	other, err := st.HostByAddress(t.Context(), list[0].SiteID, w.spec("127.44.5.2"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Plan(t.Context(), other.ID, Wish{}); !errors.Is(err, ErrNoAudit) {
		t.Errorf("a plan without an audit: %v", err)
	}

	// The server plans a rollout over all of them, and results of later runs close its hosts.
	o1 := store.Rollout{Name: "all", Strategy: "restrict"}
	only := store.Rollout{Name: "one setting", Strategy: "restrict", Goal: "findings", Setting: "server signing"}
	for _, x := range []*store.Rollout{&o1, &only} {
		if err := st.AddRollout(t.Context(), x, store.HostFilter{}); err != nil {
			t.Fatal(err)
		}
	}
	states := func(id int64, want func(store.Rollout) bool) {
		t.Helper()
		var now store.Rollout
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the rollout stood so: %+v", now)
			}
		})
		until(t, "the rollout", func() bool {
			var err error
			if now, err = st.Rollout(t.Context(), id, nil); err != nil {
				t.Fatal(err)
			}
			return want(now)
		})
	}
	states(o1.ID, func(o store.Rollout) bool {
		return !o.Planned.IsZero() && o.States[store.RolloutOpen] > 0 && o.States[store.RolloutUnaudited] > 0
	})
	states(only.ID, func(o store.Rollout) bool { return !o.Planned.IsZero() })
	groups, _, err := st.RolloutGroups(t.Context(), o1.ID, nil, store.Page{})
	if err != nil || len(groups) == 0 || len(groups[0].Changes) != len(p.Changes) || groups[0].Plan.Hash == "" {
		t.Fatalf("%+v %v", groups, err)
	}
	groups, _, err = st.RolloutGroups(t.Context(), only.ID, nil, store.Page{})
	if err != nil || len(groups) != 1 || len(groups[0].Changes) != 1 ||
		groups[0].Changes[0].Setting != "server signing" {
		t.Fatalf("of one setting: %+v %v", groups, err)
	}
	write("2")
	for _, address := range []string{"127.44.5.1", "127.44.5.2", "127.44.5.3", "127.44.5.4"} {
		w.set(t, address, "samba-2", "")
	}
	run(t, f, store.RunScan)
	run(t, f, store.RunAudit)
	states(o1.ID, func(o store.Rollout) bool {
		return o.States[store.RolloutClosed] > 0 && o.States[store.RolloutOpen] == 0
	})
}

func key(t *testing.T) secret.Key {
	t.Helper()
	k, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestExceptions(t *testing.T) {
	w := newWorld(t, "samba-2")
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	now := time.Now()
	o.Clock = func() time.Time { return now }
	f := newFleet(t, st, o)
	addTargets(t, f, w.spec("127.44.6.1"), w.spec("127.44.6.2"))
	serve(t, f.Serve)
	run(t, f, store.RunScan)
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, err := st.HostByAddress(t.Context(), site.ID, w.spec("127.44.6.1"))
	if err != nil {
		t.Fatal(err)
	}
	x := store.Exception{
		Finding: "anonymous-lists-shares",
		HostID:  one.ID,
		Reason:  "a scanner needs it",
		Owner:   "Anna",
		Until:   now.Add(time.Hour),
		By:      "anna",
	}
	if err := st.SaveException(t.Context(), &x); err != nil {
		t.Fatal(err)
	}
	f.exceptions.read = time.Time{}
	w.set(t, "127.44.6.1", "samba", "A")
	w.set(t, "127.44.6.2", "samba", "B")
	r := run(t, f, store.RunScan)
	excepted := 0
	for _, e := range eventsOf(t, st, store.EventFilter{RunID: r.ID}) {
		if want := e.Kind == store.EventNewFinding && e.Subject == "anonymous-lists-shares" &&
			e.HostID == one.ID; e.Excepted != want {
			t.Errorf("excepted %v: %+v", e.Excepted, e)
		} else if want {
			excepted++
		}
	}
	if h, err := st.Host(t.Context(), one.ID); err != nil || excepted != 1 || h.Excepted != 1 || h.Findings < 5 {
		t.Errorf("%d events are excepted; %+v %v", excepted, h, err)
	}
	now = now.Add(2 * time.Hour)
	if err := f.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := eventsOf(t, st, store.EventFilter{Kinds: []store.EventKind{store.EventExceptionEnded}})
	if len(ended) != 1 || ended[0].HostID != one.ID || ended[0].Subject != x.Finding ||
		!strings.Contains(ended[0].Text, "Anna") {
		t.Errorf("%+v", ended)
	}
	if err := f.expire(t.Context()); err != nil ||
		len(eventsOf(t, st, store.EventFilter{Kinds: []store.EventKind{store.EventExceptionEnded}})) != 1 {
		t.Errorf("it ends twice: %v", err)
	}
}

func TestCovers(t *testing.T) {
	now := time.Now()
	h := &store.Host{ID: 7, Tags: []string{"lab", "old"}}
	for _, test := range []struct {
		name    string
		e       store.Exception
		finding string
		want    bool
	}{
		{"the host", store.Exception{Finding: "a", HostID: 7}, "a", true},
		{"another host", store.Exception{Finding: "a", HostID: 8}, "a", false},
		{"another finding", store.Exception{Finding: "b", HostID: 7}, "a", false},
		{"the tag", store.Exception{Finding: "a", Tag: "old"}, "a", true},
		{"another tag", store.Exception{Finding: "a", Tag: "new"}, "a", false},
		{"all", store.Exception{Finding: "a"}, "a", true},
		{"no finding", store.Exception{}, "", false},
		{"ended", store.Exception{Finding: "a", Until: now}, "a", false},
		{"withdrawn", store.Exception{Finding: "a", Withdrew: now}, "a", false},
	} {
		if test.e.Until.IsZero() {
			test.e.Until = now.Add(time.Hour)
		}
		if got := covers(&test.e, test.finding, h, now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestImport imports results from elsewhere.
func TestImport(t *testing.T) {
	w := newWorld(t, "samba")
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	scanner, err := scan.New(scan.Options{NoGuest: true, NoUnknownUser: true})
	if err != nil {
		t.Fatal(err)
	}
	look := func() *model.Scan {
		a := netip.MustParseAddrPort(w.spec("127.44.7.1"))
		return scanner.Host(t.Context(), targets.Target{Name: "files7.example", Addr: a})
	}
	take := func(kind string, docs ...any) Imported {
		t.Helper()
		var b bytes.Buffer
		for _, d := range docs {
			if err := json.NewEncoder(&b).Encode(d); err != nil {
				t.Fatal(err)
			}
		}
		got, err := f.Import(t.Context(), kind, &b, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := look()
	if got := take("scan", first); got.Taken != 1 || got.Results != 1 {
		t.Fatalf("%+v", got)
	}
	if got := take("scan", first, map[string]string{"schema": "other"}); got.Taken != 0 || len(got.Problems) != 2 {
		t.Errorf("the same again, and something else: %+v", got)
	}
	w.set(t, "127.44.7.1", "samba-2", "PRACTICE1")
	second := look()
	if got := take("scan", []any{second}); got.Taken != 1 {
		t.Errorf("%+v", got)
	}
	first.Started = first.Started.Add(time.Millisecond)
	if got := take("scan", first); got.Taken != 0 || !strings.Contains(got.Problems[0], "newer") {
		t.Errorf("an older one: %+v", got)
	}
	hosts, total, err := st.Hosts(t.Context(), store.HostFilter{}, store.Page{})
	if err != nil || total != 1 || hosts[0].Verdict != model.Closed {
		t.Fatalf("%+v %v", hosts, err)
	}
	if events := eventsOf(t, st, store.EventFilter{HostID: hosts[0].ID}); !has(events, store.EventNewHost, "") ||
		!has(events, store.EventBecameClosed, "") {
		t.Errorf("%+v", events)
	}
	future := *second
	future.Started = time.Now().Add(time.Hour)
	if got := take("scan", future); got.Taken != 0 || !strings.Contains(got.Problems[0], "future") {
		t.Errorf("one of the future: %+v", got)
	}
	future.Started = time.Now().Add(time.Minute)
	if got := take("scan", future); got.Taken != 1 {
		t.Errorf("one whose clock is a little ahead: %+v", got)
	}
	if h, err := st.Host(t.Context(), hosts[0].ID); err != nil || h.LastSeen.After(time.Now()) {
		t.Errorf("last seen in the future: %v %v", h.LastSeen, err)
	}
	audit := model.Audit{
		Schema:   model.SchemaAudit,
		Host:     "practice1",
		Platform: model.Platform{System: "samba"},
		Settings: []model.Setting{
			{ID: "restrict anonymous", Effective: 0, Basis: model.BasisConfigured, State: model.StateWeak},
		},
	}
	lost := audit
	lost.Host = "nobody"
	if got := take("audit", audit, lost); got.Taken != 1 || len(got.Problems) != 1 {
		t.Errorf("%+v", got)
	}
	use := model.Use{
		Schema: model.SchemaUse,
		Server: "127.44.7.1",
		Client: "10.0.0.1",
		First:  time.Now(),
		Last:   time.Now(),
	}
	other := use
	other.Server = "10.9.9.9"
	use.Server = w.spec("127.44.7.1")
	if got := take("observe", use, other); got.Taken != 2 || len(got.Problems) != 1 {
		t.Errorf("%+v", got)
	}
	if b, _, err := st.Document(t.Context(), hosts[0].ID, "observe"); err != nil ||
		!bytes.Contains(b, []byte("10.0.0.1")) {
		t.Errorf("%s %v", b, err)
	}
	if _, err := f.Import(t.Context(), "scan", strings.NewReader("{"), nil, nil); err == nil {
		t.Error("half a file is taken")
	}
	if _, err := f.Import(t.Context(), "poem", strings.NewReader("{}"), nil, nil); err == nil {
		t.Error("a poem is taken")
	}
}

// TestShare: workers of a site share its rate, and a slow site has few concurrent hosts.
func TestShare(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	site.Rate, site.Concurrency = 100, 30
	if err := st.SaveSite(t.Context(), &site); err != nil {
		t.Fatal(err)
	}
	for i, w := range []store.Worker{
		{Name: "a", Site: site.Name, Seen: time.Now()},
		{Name: "b", Site: site.Name, Seen: time.Now().Add(-time.Hour)}, // dead
		{Name: "c", Site: "elsewhere", Seen: time.Now()},
	} {
		if err := st.Heartbeat(t.Context(), w); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := f.heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.pace.Interval() != 20*time.Millisecond || f.places.Size() != 30 {
		t.Errorf("a connection every %v, %d hosts at a time", f.pace.Interval(), f.places.Size())
	}
	site.Rate = 4
	if err := st.SaveSite(t.Context(), &site); err != nil {
		t.Fatal(err)
	}
	if err := f.heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.pace.Interval() != 500*time.Millisecond || f.places.Size() != 4 {
		t.Errorf("a connection every %v, %d hosts at a time", f.pace.Interval(), f.places.Size())
	}
	if got := f.batchSize(store.RunScan, 2); got != 24 {
		t.Errorf("%d hosts in a job of a slow site", got)
	}
}

// TestLeaving: a host whose target is deleted leaves the fleet with an event, and returns with one if it answers again.
func TestLeaving(t *testing.T) {
	w := newWorld(t, "")
	w.set(t, "127.44.9.1", "winxp", "OLD1")
	w.set(t, "127.44.9.2", "winxp", "OLD2")
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	list := addTargets(t, f, w.spec("127.44.9.1"), w.spec("127.44.9.2"))
	serve(t, f.Serve)
	run(t, f, store.RunScan)
	hosts, _, err := st.Hosts(t.Context(), store.HostFilter{}, store.Page{Sort: "id"})
	if err != nil || len(hosts) != 2 {
		t.Fatal(hosts, err)
	}
	gone := hosts[slices.IndexFunc(hosts, func(h store.Host) bool { return h.Address == w.spec("127.44.9.1") })]
	if err := st.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.DeleteTargets(t.Context(), []int64{list[0].ID}); err != nil {
			return err
		}
		return f.RetireStrays(t.Context(), tx, []int64{hosts[0].ID, hosts[1].ID})
	}); err != nil {
		t.Fatal(err)
	}
	if c, err := st.Counts(t.Context(), store.HostFilter{}); err != nil || c.Hosts != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if !has(eventsOf(t, st, store.EventFilter{HostID: gone.ID}), store.EventRetired, "") {
		t.Error("nobody was told that it left")
	}
	addTargets(t, f, w.spec("127.44.9.1"))
	run(t, f, store.RunScan)
	back, err := st.Host(t.Context(), gone.ID)
	if err != nil || !back.Retired.IsZero() || back.Findings != gone.Findings || back.Findings == 0 {
		t.Errorf("it is not back as it was: %+v, %v", back, err)
	}
	if events := eventsOf(t, st,
		store.EventFilter{HostID: gone.ID, Kinds: []store.EventKind{store.EventReturned}}); len(events) != 1 ||
		events[0].Before != "retired" {
		t.Errorf("back without a word, or with too many: %+v", events)
	}
}
