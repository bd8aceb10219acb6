package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// began is the initial time of every test's clock.
var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// suite is an empty database with a manual clock.
type suite struct {
	complaints
	t testing.TB
	*Store
	ctx   context.Context
	micro atomic.Int64
	site  Site
}

// complaints is how a test reports failures; generated tests have their own.
type complaints interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

func (s *suite) clock() time.Time        { return began.Add(time.Duration(s.micro.Load()) * time.Microsecond) }
func (s *suite) advance(d time.Duration) { s.micro.Add(d.Microseconds()) }

// onBoth runs a test on SQLite and on PostgreSQL: both must give the same results.
func onBoth(t *testing.T, test func(s *suite)) {
	t.Parallel()
	for _, kind := range []string{KindSQLite, KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(newSuite(t, kind))
		})
	}
}

func newSuite(t testing.TB, kind string) *suite {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "fleet.db")
	if kind == KindPostgres {
		dsn = peer.Postgres(t)
	}
	s := suiteOn(t, dsn)
	if s.Kind() != kind {
		t.Fatalf("opened %s, want %s", s.Kind(), kind)
	}
	return s
}

// suiteOn returns a suite on an empty database.
func suiteOn(t testing.TB, dsn string) *suite {
	t.Helper()
	s := &suite{complaints: t, t: t, ctx: t.Context()}
	s.Store = s.open(dsn)
	s.ok(s.Migrate(s.ctx))
	s.site = Site{Name: "main"}
	s.ok(s.SaveSite(s.ctx, &s.site))
	return s
}

func (s *suite) open(dsn string) *Store {
	s.Helper()
	st, err := Open(s.ctx, dsn, Options{Clock: s.clock, Conns: 4})
	s.ok(err)
	s.t.Cleanup(func() {
		if err := st.Close(); err != nil {
			s.Error(err)
		}
	})
	return st
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails checks that err is the wanted error.
func (s *suite) fails(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("%v, want %v", err, want)
	}
}

// same checks that a result is the wanted one. Nil and empty lists are equal.
func same[T any](s *suite, what string, got, want T) {
	s.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

// number queries one number directly.
func (s *suite) number(query string, args ...any) int64 {
	s.Helper()
	var n int64
	s.ok(s.one(s.ctx, []any{&n}, query, args...))
	return n
}

// targets saves targets of the site with these specs.
func (s *suite) targets(specs ...string) []Target {
	s.Helper()
	var all []Target
	for _, spec := range specs {
		all = append(all, Target{SiteID: s.site.ID, Spec: spec, Enabled: true})
	}
	_, _, err := s.SaveTargets(s.ctx, all)
	s.ok(err)
	return all
}

// run starts a scan of all targets.
func (s *suite) run(kind RunKind) Run {
	s.Helper()
	r := Run{Kind: kind, By: "test"}
	s.ok(s.InTx(s.ctx, func(tx *Tx) error {
		if err := tx.CreateRun(s.ctx, &r); err != nil {
			return err
		}
		_, err := tx.AddUnits(s.ctx, r.ID, Selector{})
		return err
	}))
	return r
}

// scan returns a result of host 10.0.0.n with these findings, each with its own setting.
func (s *suite) scan(run Run, target Target, n int, v model.Verdict, findings ...string) *Result {
	cells := Cells("dd")
	if v == model.Exposed {
		cells = "ad"
	}
	r := &Result{
		RunID: run.ID, TargetID: target.ID, Kind: RunScan, At: s.clock(), Verdict: v, Worker: "w1",
		Requests: 10, DurationMS: 20,
		Snapshot: Snapshot{Verdict: v, Cells: cells, Findings: findings}, Findings: []HostFinding{},
		Host: Host{
			Address: fmt.Sprintf("10.0.0.%d:445", n),
			Name:    fmt.Sprintf("HOST%d", n),
			Cells:   cells,
			System:  "windows",
		},
		Names: []HostName{{Name: target.Spec, Kind: "target"}},
	}
	if target.ID == 0 {
		r.Host.SiteID = s.site.ID
		r.Names = nil
	}
	for _, f := range findings {
		r.Findings = append(r.Findings, HostFinding{
			Finding: f, Severity: model.High, Identity: model.Anonymous, Pipe: "samr",
			Evidence: "seen", Settings: []string{"set-" + f, "shared"},
		})
	}
	return r
}

// record records one result, which must be new.
func (s *suite) record(r *Result) Host {
	s.Helper()
	done, err := s.RecordResult(s.ctx, r)
	s.ok(err)
	if !done {
		s.Fatalf("the result of %s was not recorded", r.Host.Address)
	}
	h, err := s.Host(s.ctx, r.HostID)
	s.ok(err)
	return h
}
