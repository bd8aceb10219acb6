package remote

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestStolenWorker: with everything that a worker of one site has, nothing of another site can be read or changed.
func TestStolenWorker(t *testing.T) {
	onBoth(t, func(_ *testing.T, s *scene) {
		f := newTheft(s)
		f.readsItsJobOnly()
		f.seesNoOtherPage()
		f.otherWorkerTakesJob()
		f.forgesResults()
		f.touchesOtherJob()
		f.reportsOddNumbers()
		f.sendsItsOwnResults()
		f.sendsTooMany()
		f.sendsSlowly()
		f.asksAHundredTimes()
		f.comesWithoutCertificate()
		f.renews()
		f.takesTheServersName()
		f.isRevoked()
		f.isRevokedWhileItWaits()
		f.filesHoldNoSecret()
	})
}

// theft is a fleet of two sites, and everything that a thief has of the worker branch-1 at the first.
type theft struct {
	*scene
	other         store.Site     // the second site
	ours, theirs  []store.Target // of the first site and of the second
	scan          store.Run      // of both
	dir           string         // of the worker
	id            *Identity
	unfit         map[int64]string // targets of which it sent what cannot be stored, with what it was told
	second        *Identity        // of the second site
	client        *http.Client
	job, otherJob wire.Job // of the worker, and of another at the second site
}

func newTheft(s *scene) *theft {
	s.t.Helper()
	s.skew.Store(0)
	f := &theft{scene: s, other: store.Site{Name: "other"}}
	s.ok(s.st.SaveSite(s.t.Context(), &f.other))
	for name, word := range map[string]string{"ours": "this site's password", "theirs": "the other site's password"} {
		_, err := s.acts.SaveCredential(s.t.Context(), access.System(), 0, acts.CredentialChange{
			Name: name, Kind: "password", Account: `LAB\x`, Secret: word,
		})
		s.ok(err)
	}
	all, err := s.st.Credentials(s.t.Context())
	s.ok(err)
	cred := map[string]int64{}
	for _, c := range all {
		cred[c.Name] = c.ID
	}
	f.ours = s.targets(s.branch, 0, 16, func(x *store.Target) { x.Credential = cred["ours"] })
	f.theirs = s.targets(f.other, 1, 4, func(x *store.Target) { x.Credential = cred["theirs"] })
	_, f.dir = s.join("branch", "branch-1")
	f.id, err = Load(f.dir)
	s.ok(err)
	f.client = f.id.client()
	f.scan = s.run(acts.NewRun{Kind: store.RunScan})
	return f
}

// workerPaths are the paths that only a worker may use.
var workerPaths = []string{wire.PathJob, wire.PathAlive, wire.PathRenew, wire.PathResults, wire.PathReturn}

// wants checks the status of a request.
func (f *theft) wants(status int, what string, client *http.Client, path string, in any) {
	f.t.Helper()
	if got := f.call(client, path, in, nil); got != status {
		f.t.Errorf("%s: %d, want %d", what, got, status)
	}
}

// readsItsJobOnly: the worker gets one job of its own site with its secrets, whatever it asks for.
func (f *theft) readsItsJobOnly() {
	f.t.Helper()
	ask := map[string]any{"most": 1000, "site": "other", "site_id": f.other.ID}
	if status := f.call(f.client, wire.PathJob, ask, &f.job); status != http.StatusOK {
		f.t.Fatal(status)
	}
	if len(f.job.Targets) != len(f.ours) || len(f.job.Credentials) != 1 ||
		string(f.job.Credentials[0].Secret) != "this site's password" {
		f.t.Errorf("%+v", f.job)
	}
	f.wants(http.StatusNoContent, "a second job", f.client, wire.PathJob, map[string]any{"most": 1000})
}

func (f *theft) seesNoOtherPage() {
	f.t.Helper()
	for _, path := range []string{
		"/", "/hosts", "/login", "/api/v1/hosts", "/metrics", "/worker/v1/", "/worker/v1/jobs", "/setup",
	} {
		f.wants(http.StatusNotFound, path, f.client, path, map[string]any{})
	}
}

// otherWorkerTakesJob has a worker of the other site take two of its targets.
func (f *theft) otherWorkerTakesJob() {
	f.t.Helper()
	f.second, _ = f.join("other", "other-1")
	_, err := post(f.t.Context(), f.second.client(), f.gate.URL+wire.PathJob, wire.Ask{Most: 2}, &f.otherJob)
	f.ok(err)
	if len(f.otherJob.Targets) != 2 {
		f.t.Fatalf("%+v", f.otherJob)
	}
}

// resultOf returns an exposed host as the result of a target.
func resultOf(target store.Target, address string, age int64) wire.Result {
	return wire.Result{Target: target.ID, AgeMS: age, Found: []string{address}, Scans: []*model.Scan{{
		Schema: model.SchemaScan, Target: target.Spec, Address: address, Verdict: model.Exposed,
		Identities: []model.IdentityResult{
			{Identity: model.Anonymous, Session: model.Step{Outcome: model.Allowed}},
		},
	}}}
}

// forgesResults: results of other targets, jobs, addresses and times, and results that no scanner writes, are refused
// one by one with the reason, and nothing of them is recorded. The units of the latter fail with it.
func (f *theft) forgesResults() {
	f.t.Helper()
	one := func(job string, r wire.Result) wire.Results {
		return wire.Results{Job: job, Results: []wire.Result{r}}
	}
	mine := f.ours[0]
	f.unfit = map[int64]string{}
	odd := func(change func(*model.Scan)) wire.Results {
		t := f.ours[1+len(f.unfit)]
		f.unfit[t.ID] = ""
		r := resultOf(t, t.Spec, 0)
		change(r.Scans[0])
		return one(f.job.ID, r)
	}
	aged := func(ms int64) wire.Results { return one(f.job.ID, resultOf(mine, mine.Spec, ms)) }
	for name, in := range map[string]wire.Results{
		"another site's target in its own job": one(f.job.ID, resultOf(f.theirs[0], f.theirs[0].Spec, 0)),
		"another worker's job":                 one(f.otherJob.ID, resultOf(f.theirs[0], f.theirs[0].Spec, 0)),
		"no job":                               one("guess", resultOf(mine, mine.Spec, 0)),
		"another address":                      one(f.job.ID, resultOf(mine, f.theirs[0].Spec, 0)),
		"in the future":                        aged(-3_600_000),
		"before the job":                       aged(3_600_000),
		"so old that it overflows, to 2319":    aged(math.MaxInt64/1_000_000 + 1),
		"so old that it overflows, to now":     aged(int64((uint64(math.MaxUint64) - 3_600_000_000_000) / 1_000_000)),
		"no verdict":                           odd(func(s *model.Scan) { s.Verdict = "" }),
		"a verdict that is none":               odd(func(s *model.Scan) { s.Verdict = "fine\x00" }),
		"a severity that is none": odd(func(s *model.Scan) {
			s.Findings = []model.Finding{{ID: "x", Severity: "worst"}}
		}),
		"a finding whose name fills everybody's page": odd(func(s *model.Scan) {
			s.Findings = []model.Finding{{ID: strings.Repeat("x", 1000), Severity: model.Critical}}
		}),
		"more settings in one finding than PostgreSQL has room for in an index": odd(func(s *model.Scan) {
			s.Findings = []model.Finding{{ID: "x", Severity: model.Critical}}
			for i := range 20 {
				s.Findings[0].Settings = append(s.Findings[0].Settings, fmt.Sprintf("%0200d", i))
			}
		}),
		"a list of pipes without end": odd(func(s *model.Scan) {
			s.Identities[0].Pipes = make([]model.PipeResult, 20_000)
		}),
		"a setting that is a line of its own": odd(func(s *model.Scan) {
			s.Findings = []model.Finding{{ID: "x", Severity: model.Critical, Settings: []string{"a\nb"}}}
		}),
		"a system of a megabyte":            odd(func(s *model.Scan) { s.Server.System = strings.Repeat("x", 1<<20) }),
		"more requests than a column holds": odd(func(s *model.Scan) { s.Stats.Requests = math.MaxInt64 }),
		"longer than a column holds":        odd(func(s *model.Scan) { s.DurationMS = math.MaxInt64 }),
		"an audit for a scan": one(f.job.ID, wire.Result{
			Target: mine.ID, Audit: &model.Audit{Schema: model.SchemaAudit},
		}),
		"an address in other words": one(f.job.ID, resultOf(mine, strings.Replace(mine.Spec, ":", ":0", 1), 0)),
		"no scan": one(f.job.ID, wire.Result{
			Target: mine.ID, Found: []string{mine.Spec}, Scans: []*model.Scan{nil},
		}),
	} {
		var taken wire.Taken
		if status := f.call(f.client, wire.PathResults, in, &taken); status != http.StatusOK || taken.Taken != 0 ||
			len(taken.Refused) != 1 {
			f.t.Errorf("%s: %d %+v", name, status, taken)
			continue
		}
		if target := in.Results[0].Target; taken.Refused[0].Why == wire.ToldBefore {
			f.t.Errorf("%s: %+v", name, taken)
		} else if _, ok := f.unfit[target]; ok {
			f.unfit[target] = taken.Refused[0].Why
		}
	}
	units, _, err := f.st.Units(f.t.Context(), f.scan.ID, store.UnitFailed, store.Page{Size: 100})
	f.ok(err)
	if len(units) != len(f.unfit) {
		f.t.Errorf("%d units failed of %d", len(units), len(f.unfit))
	}
	for _, u := range units {
		if why := f.unfit[u.TargetID]; why == "" || u.Reason != "the worker's result cannot be stored: "+why {
			f.t.Errorf("a unit failed with %q, and the worker was told %q", u.Reason, why)
		}
	}
}

// touchesOtherJob: the thief can neither hand back nor keep alive the job of another worker.
func (f *theft) touchesOtherJob() {
	f.t.Helper()
	f.wants(http.StatusNoContent, "giving back another's job", f.client, wire.PathReturn,
		map[string]string{"job": f.otherJob.ID})
	units, _, err := f.st.Units(f.t.Context(), f.scan.ID, store.UnitRunning, store.Page{Size: 100})
	f.ok(err)
	if len(units) != len(f.ours)-len(f.unfit)+2 {
		f.t.Errorf("another worker's job was given back: %+v", units)
	}
	if hosts, n, err := f.st.Hosts(f.t.Context(), store.HostFilter{}, store.Page{Size: 10}); err != nil || n != 0 {
		f.t.Errorf("something was recorded: %+v %v", hosts, err)
	}
	var state wire.State
	f.call(f.client, wire.PathAlive, wire.Alive{Jobs: []string{f.job.ID, f.otherJob.ID}}, &state)
	if len(state.Ended) != 1 || state.Ended[0] != f.otherJob.ID {
		f.t.Errorf("%+v", state)
	}
}

// reportsOddNumbers: numbers that no worker has must not make the server fail, and do not appear on its page.
func (f *theft) reportsOddNumbers() {
	f.t.Helper()
	for _, n := range []int64{math.MaxInt64, math.MinInt64} {
		f.wants(http.StatusOK, "an impossible number of hosts", f.client, wire.PathAlive,
			map[string]any{"busy": n, "done": n, "jobs": []string{f.job.ID}})
	}
}

// sendsItsOwnResults: the worker's own results are accepted, and recorded once. It is told that the second are not.
func (f *theft) sendsItsOwnResults() {
	f.t.Helper()
	mine := f.ours[0]
	in := wire.Results{Job: f.job.ID, Results: []wire.Result{resultOf(mine, mine.Spec, 1000)}}
	for i := range 2 {
		var taken wire.Taken
		f.call(f.client, wire.PathResults, in, &taken)
		if taken.Taken != 1-i || len(taken.Refused) != i || i > 0 && taken.Refused[0].Why != wire.ToldBefore {
			f.t.Errorf("%d: %+v", i, taken)
		}
	}
	host, err := f.st.HostByAddress(f.t.Context(), f.branch.ID, mine.Spec)
	f.ok(err)
	if _, n, err := f.st.Results(f.t.Context(), host.ID, store.Page{Size: 5}); err != nil || n != 1 {
		f.t.Errorf("%d results, %v", n, err)
	}
}

func (f *theft) sendsTooMany() {
	f.t.Helper()
	many := `{"job":"` + f.job.ID + `","results":[{"target":1,"scans":[{"findings":[{"id":"x"}` +
		strings.Repeat(`,{"id":"x"}`, 2_000_000) + `]}]}]}`
	f.wants(http.StatusRequestEntityTooLarge, "two million findings", f.client, wire.PathResults,
		json.RawMessage(many))
}

// asksAHundredTimes: a worker that has many requests open gets no more, and keeps no other worker from asking.
func (f *theft) asksAHundredTimes() {
	f.t.Helper()
	config := f.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	// Of a large body the server does not read the rest before it refuses.
	ask := func() (io.Closer, string) {
		c, err := tls.Dial("tcp", strings.TrimPrefix(f.gate.URL, "https://"), config)
		f.ok(err)
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: 1\r\nContent-Length: 1000000\r\n"+
			"Expect: 100-continue\r\n\r\n", wire.PathAlive, wire.Header)
		f.ok(err)
		line, err := bufio.NewReader(c).ReadString('\n') // after that, the server waits for the body
		f.ok(err)
		return c, line
	}
	refused := ""
	var open []io.Closer
	for range 100 {
		c, line := ask()
		open = append(open, c)
		if !strings.Contains(line, "100 Continue") {
			refused = line
			break
		}
	}
	if !strings.Contains(refused, "503") {
		f.t.Errorf("%d requests at a time, then %q", len(open), refused)
	}
	f.wants(http.StatusOK, "another worker meanwhile", f.second.client(), wire.PathAlive,
		wire.Alive{Jobs: []string{f.otherJob.ID}})
	for _, c := range open {
		f.ok(c.Close())
	}
	for status := 0; status != http.StatusOK; { // the server notices soon
		if status = f.call(f.client, wire.PathAlive, wire.Alive{}, nil); status != http.StatusOK &&
			status != http.StatusServiceUnavailable {
			f.t.Fatalf("after they were closed: %d", status)
		}
	}
}

// sendsSlowly: bodies that never end keep no other worker from handing in its results.
func (f *theft) sendsSlowly() {
	f.t.Helper()
	config := f.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	half := func(wait time.Duration) string {
		c, err := tls.Dial("tcp", strings.TrimPrefix(f.gate.URL, "https://"), config)
		f.ok(err)
		f.t.Cleanup(func() { c.Close() })
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: 1\r\nContent-Length: 1000000\r\n"+
			"Expect: 100-continue\r\n\r\n", wire.PathResults, wire.Header)
		f.ok(err)
		f.ok(c.SetReadDeadline(time.Now().Add(wait)))
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line
	}
	if line := half(time.Minute); !strings.Contains(line, "100 Continue") {
		f.t.Fatalf("%q", line)
	}
	for range 4 { // none of these is read, however long one waits
		if line := half(100 * time.Millisecond); strings.Contains(line, "100 Continue") {
			f.t.Errorf("a second body at the same time: %q", line)
		}
	}
	theirs := store.Target{ID: f.otherJob.Targets[0].ID, Spec: f.otherJob.Targets[0].Spec}
	var taken wire.Taken
	if status := f.call(f.second.client(), wire.PathResults, wire.Results{Job: f.otherJob.ID, Results: []wire.Result{
		resultOf(theirs, theirs.Spec, 0),
	}}, &taken); status != http.StatusOK || taken.Taken != 1 {
		f.t.Errorf("another worker meanwhile: %d %+v", status, taken)
	}
}

// comesWithoutCertificate: without a certificate only joining is allowed, and not without a code.
func (f *theft) comesWithoutCertificate() {
	f.t.Helper()
	none := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		ServerName: authority.ServerName, RootCAs: f.id.pool(),
	}}}
	for _, path := range workerPaths {
		f.wants(http.StatusForbidden, path+" without a certificate", none, path, map[string]any{})
	}
	request, err := requestOf(f.id.key)
	f.ok(err)
	f.wants(http.StatusForbidden, "joining with a guess", none, wire.PathJoin, wire.Join{
		Protocol: 1, Code: strings.Repeat("A", 26), Request: request, Name: "x",
	})
}

// renews: a renewal invalidates the old certificate, so the copy and the worker cannot both be used.
func (f *theft) renews() {
	f.t.Helper()
	fresh, err := f.id.renewed(f.t.Context(), f.client)
	f.ok(err)
	f.wants(http.StatusOK, "the new certificate", fresh.client(), wire.PathAlive, wire.Alive{})
	f.wants(http.StatusForbidden, "the old certificate", f.client, wire.PathAlive, wire.Alive{})
	f.id, f.client = fresh, fresh.client()
}

// takesTheServersName: a join code for one site does not give the units of the server's own process.
func (f *theft) takesTheServersName() {
	f.t.Helper()
	f.ok(f.st.Heartbeat(f.t.Context(), store.Worker{Name: "server-1", Site: f.main.Name}))
	code, err := f.acts.AddWorker(f.t.Context(), access.System(), acts.NewWorker{Site: "branch", Name: "server-1"})
	f.ok(err)
	var refused *statusError
	if _, err := Join(f.t.Context(), f.t.TempDir(), f.gate.URL, code.Code, "", "test"); !errors.As(err, &refused) ||
		refused.status != http.StatusConflict {
		f.t.Errorf("joining with the name of a server: %v", err)
	}
	f.ok(f.st.RemoveWorker(f.t.Context(), "server-1"))
}

// isRevokedWhileItWaits: a request for a job that began before the revocation gets no job and no secret.
func (f *theft) isRevokedWhileItWaits() {
	f.t.Helper()
	id, _ := f.join("branch", "branch-2")
	client := id.client()
	f.wants(http.StatusOK, "the heartbeat", client, wire.PathAlive, wire.Alive{})
	e, err := f.st.EnrolledWorker(f.t.Context(), id.Worker) // as the waiting request knows it
	f.ok(err)
	var job wire.Job
	if status := f.call(client, wire.PathJob, wire.Ask{Most: 1}, &job); status != http.StatusOK {
		f.t.Fatal(status)
	}
	f.ok(f.acts.RevokeWorker(f.t.Context(), access.System(), e.ID))
	if got, err := f.fleet.Give(f.t.Context(), e, 64); !errors.Is(err, fleet.ErrRevoked) || got != nil {
		f.t.Errorf("a job for a revoked worker: %+v, %v", got, err)
	}
	mine := store.Target{ID: job.Targets[0].ID, Spec: job.Targets[0].Spec}
	if taken, err := f.fleet.Take(f.t.Context(), e, wire.Results{Job: job.ID, Results: []wire.Result{
		resultOf(mine, mine.Spec, 0),
	}}); err != nil || taken.Taken != 0 {
		f.t.Errorf("a body that began before the revocation: %+v, %v", taken, err)
	}
}

// isRevoked: after its revocation a worker is refused, and its units wait for others.
func (f *theft) isRevoked() {
	f.t.Helper()
	list, err := f.st.EnrolledWorkers(f.t.Context())
	f.ok(err)
	for _, e := range list {
		if e.Name == "branch-1" {
			f.ok(f.acts.RevokeWorker(f.t.Context(), access.System(), e.ID))
		}
	}
	for _, path := range workerPaths {
		f.wants(http.StatusForbidden, path+" when revoked", f.client, path, map[string]any{})
	}
	units, _, err := f.st.Units(f.t.Context(), f.scan.ID, store.UnitRunning, store.Page{Size: 100})
	if err != nil || len(units) != 1 { // of the two of another worker
		f.t.Errorf("%+v, %v", units, err)
	}
	if err := f.work(f.dir, f.options())(); err != nil && !errors.Is(err, ErrRevoked) {
		f.t.Error(err)
	}
}

// filesHoldNoSecret: none of the worker's files has a key of the server.
func (f *theft) filesHoldNoSecret() {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	f.ok(err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(f.dir, e.Name()))
		if err == nil && (bytes.Contains(b, []byte("AGE-SECRET-KEY")) || bytes.Contains(b, []byte("password"))) {
			f.t.Errorf("%s holds a secret", e.Name())
		}
	}
}
