package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestFloods: what a stolen worker hands in and what somebody uploads is refused with a reason, and nothing of it is
// stored.
func TestFloods(t *testing.T) {
	onBoth(t, func(_ *testing.T, s *scene) {
		f := newTheft(s)
		f.readsItsJobOnly()
		f.otherWorkerTakesJob()
		f.floodsItsJob()
		f.floodsAnotherJob()
		f.uploadsFloods()
	})
}

// flood repeats a JSON value in a list to eight megabytes.
func flood(begin, each, end string) []byte {
	const size = 8 << 20
	return []byte(begin + strings.Repeat(each+",", size/(len(each)+1)) + each + end)
}

// distinct is a list of settings that are all different.
func distinct(begin, end string, n int) []byte {
	var b bytes.Buffer
	b.WriteString(begin)
	for i := range n {
		fmt.Fprintf(&b, `"w%07x",`, i)
	}
	b.WriteString(`"x"` + end)
	return b.Bytes()
}

// floods are results of one target, with what the answer says.
func floods(target store.Target) map[string][]byte {
	begin := fmt.Sprintf(`{"target":%d,"age_ms":1,"found":[%q],"scans":[{"schema":"ipcguard.scan/1","target":%q,`+
		`"address":%q,"verdict":"limited",`, target.ID, target.Spec, target.Spec, target.Spec)
	settings := begin + `"findings":[{"id":"x","severity":"low","settings":[`
	return map[string][]byte{
		"texts and numbers in a document of":  flood(settings, `""`, `]}]}]}`),
		"objects in a document of":            flood(begin+`"findings":[`, `{}`, `]}]}`),
		"nulls: objects in a document of":     flood(begin+`"identities":[`, `null`, `]}]}`),
		"lists: objects in a document of":     flood(begin+`"new":[`, `[]`, `]}]}`),
		"many: settings of a finding, and at": distinct(settings, `]}]}]}`, 700_000),
		"settings of a finding, and at most":  distinct(settings, `]}]}]}`, 100_000),
		"levels within one another":           []byte(begin + `"new":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]}`),
	}
}

// floodsItsJob: each is refused with the reason, and its unit fails with it.
func (f *theft) floodsItsJob() {
	f.t.Helper()
	n := 0
	for why := range floods(store.Target{}) {
		mine := f.ours[n]
		n++
		body := slices.Concat([]byte(`{"job":"`+f.job.ID+`","results":[`), floods(mine)[why], []byte(`]}`))
		var taken wire.Taken
		if status := f.call(f.client, wire.PathResults, json.RawMessage(body), &taken); status != http.StatusOK {
			f.t.Errorf("%s: %d", why, status)
		}
		_, want, named := strings.Cut(why, ": ")
		if !named {
			want = why
		}
		if taken.Taken != 0 || len(taken.Refused) != 1 || taken.Refused[0].Target != mine.ID ||
			!strings.Contains(taken.Refused[0].Why, want) {
			f.t.Errorf("%s: %+v", why, taken)
		}
		u := f.unit(mine)
		if u.State != store.UnitFailed || !strings.Contains(u.Reason, want) {
			f.t.Errorf("%s: its unit is %s: %q", why, u.State, u.Reason)
		}
	}
	f.nothingStored()
}

// floodsAnotherJob: nothing of a body is kept if its job is not the worker's.
func (f *theft) floodsAnotherJob() {
	f.t.Helper()
	for _, job := range []string{f.otherJob.ID, "guess"} {
		body := flood(`{"job":"`+job+`","results":[{"found":[`, `""`, `]}]}`)
		var taken wire.Taken
		f.call(f.client, wire.PathResults, json.RawMessage(body), &taken)
		if taken.Taken != 0 || len(taken.Refused) != 1 || !strings.Contains(taken.Refused[0].Why, "not this worker's") {
			f.t.Errorf("%+v", taken)
		}
	}
	for _, part := range [][]byte{
		flood(`{"job":"`+f.job.ID+`",`, `"results":[{"found":[""]}]`, `}`),
		flood(`{`, `"results":[{"found":[""]}]`, `}`),
		flood(`{"job":["`, `x`, `"]}`),
	} {
		if status := f.call(f.client, wire.PathResults, json.RawMessage(part), nil); status < 400 || status > 499 {
			f.t.Errorf("%.60s…: %d", part, status)
		}
	}
}

// uploadsFloods: the same by somebody who may upload results.
func (f *theft) uploadsFloods() {
	f.t.Helper()
	const begin = `{"schema":"ipcguard.scan/1","target":"127.49.9.9","address":"127.49.9.9:445",` +
		`"started":"2026-01-01T00:00:00Z","verdict":"limited",`
	zone := strings.Repeat("z", 5000)
	for name, in := range map[string][]byte{
		"texts":    flood(begin+`"findings":[{"id":"x","severity":"low","settings":[`, `""`, `]}]}`),
		"distinct": distinct(begin+`"findings":[{"id":"x","severity":"low","settings":[`, `]}]}`, 100_000),
		"a row of an index": []byte(begin + `"findings":[{"id":"x","severity":"low","settings":["` +
			strings.Repeat(strings.Repeat("x", 200)+`","`, 20) + `"]}]}`),
		"a zone": []byte(strings.NewReplacer("127.49.9.9:445", "[fe80::1%"+zone+"]:445", `"127.49.9.9"`,
			`"fe80::1%`+zone+`"`).Replace(begin) + `"findings":[]}`),
		"a large result": []byte(begin + `"reason":"` + strings.Repeat("x", wire.MaxResult+1<<20) + `"}`),
	} {
		report, err := f.acts.ImportResults(f.t.Context(), access.System(), "scan", bytes.NewReader(in))
		var refused *acts.Refusal
		if report.Taken != 0 || err == nil && len(report.Problems) != 1 || err != nil && !errors.As(err, &refused) {
			f.t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
	f.nothingStored()
}

func (f *theft) unit(t store.Target) store.Unit {
	f.t.Helper()
	all, err := f.st.UnitsOf(f.t.Context(), f.scan.ID, []int64{t.ID})
	f.ok(err)
	if len(all) != 1 {
		f.t.Fatalf("%+v", all)
	}
	return all[0]
}

func (f *theft) nothingStored() {
	f.t.Helper()
	hosts, n, err := f.st.Hosts(f.t.Context(), store.HostFilter{}, store.Page{Size: 10})
	if f.ok(err); n != 0 {
		f.t.Errorf("something was stored: %+v", hosts)
	}
}

// TestDiscoveredPorts: a discovery finds only the ports that it asks for, and a part that was told is told once.
func TestDiscoveredPorts(t *testing.T) {
	onBoth(t, func(_ *testing.T, s *scene) {
		id, _ := s.join("branch", "branch-1")
		net := store.Target{SiteID: s.branch.ID, Spec: "127.49.0.0/24", Kind: store.TargetRange, Enabled: true}
		s.ok(s.st.SaveTarget(s.t.Context(), &net))
		s.run(acts.NewRun{Kind: store.RunDiscover})
		client := id.client()
		var job wire.Job
		if status := s.call(client, wire.PathJob, wire.Ask{Most: 1}, &job); status != http.StatusOK {
			s.t.Fatal(status)
		}
		for _, test := range []struct {
			part wire.Result
			why  string
		}{
			{wire.Result{Found: []string{"127.49.0.3:22"}, Asked: 1, Next: "127.49.0.9"}, "not a port that a discovery asks"},
			{wire.Result{Found: []string{"127.49.0.3:445", "127.49.0.4:23"}}, "not a port that a discovery asks"},
			{wire.Result{Asked: 1 << 40}, "more addresses than"},
			{wire.Result{Found: slices.Repeat([]string{"127.49.0.3:445"}, 2000)}, "more addresses than"},
			{wire.Result{Found: []string{"127.49.0.3:445", "127.49.0.4:139"}, Asked: 9, Next: "127.49.0.9"}, ""},
			{wire.Result{Found: []string{"127.49.0.5:445"}, Asked: 9, Next: "127.49.0.9"}, wire.ToldBefore},
			{wire.Result{From: "127.49.0.9", Asked: 247}, ""},
			{wire.Result{From: "127.49.0.9", Asked: 247}, wire.ToldBefore},
		} {
			test.part.Target = net.ID
			var taken wire.Taken
			s.call(client, wire.PathResults, wire.Results{Job: job.ID, Results: []wire.Result{test.part}}, &taken)
			if (test.why == "") != (taken.Taken == 1 && len(taken.Refused) == 0) ||
				test.why != "" && (len(taken.Refused) != 1 || !strings.Contains(taken.Refused[0].Why, test.why)) {
				s.t.Errorf("%+v: %+v, want %q", test.part, taken, test.why)
			}
		}
		found, _, err := s.st.Targets(s.t.Context(), store.TargetFilter{Kind: store.TargetHost}, store.Page{Size: 10})
		s.ok(err)
		var specs []string
		for _, x := range found {
			specs = append(specs, x.Spec)
		}
		if slices.Sort(specs); !slices.Equal(specs, []string{"127.49.0.3", "127.49.0.4:139"}) {
			s.t.Errorf("%q", specs)
		}
	})
}

// TestToldBefore: a worker takes a result that the server has already as handed in.
func TestToldBefore(t *testing.T) {
	bodies := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bodies++; bodies == 1 {
			panic(http.ErrAbortHandler) // it was taken, and the answer is lost
		}
		_, _ = w.Write([]byte(`{"taken":0,"refused":[{"target":1,"why":"` + wire.ToldBefore + `"}]}`))
	}))
	t.Cleanup(server.Close)
	spool, err := openSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	w := &Worker{
		o: Options{Log: slog.New(slog.NewTextHandler(log, nil))}, spool: spool, client: server.Client(),
		id: &Identity{Server: server.URL},
	}
	if err := spool.put("job", time.Now(), wire.Result{Target: 1, Scans: []*model.Scan{{}}}); err != nil {
		t.Fatal(err)
	}
	if some, err := w.sendSome(context.Background()); some || err == nil || spool.left() != 1 {
		t.Errorf("the answer was lost: %v, %v, %d left", some, err, spool.left())
	}
	if some, err := w.sendSome(context.Background()); !some || err != nil || spool.left() != 0 {
		t.Errorf("told before: %v, %v, %d left", some, err, spool.left())
	}
	if strings.Contains(log.String(), "refused") {
		t.Error(log)
	}
}
