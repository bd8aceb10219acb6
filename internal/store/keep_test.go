package store

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
)

// fill adds rows to every table.
func (s *suite) fill() {
	s.Helper()
	targets := s.targets("a", "b", "c")
	targets[0].Tags, targets[0].Owner = []string{"t"}, "me"
	_, _, err := s.SaveTargets(s.ctx, targets)
	s.ok(err)
	for week := range 3 {
		run := s.run(RunScan)
		for i := range targets {
			r := s.scan(run, targets[i], i, []model.Verdict{model.Exposed, model.Closed}[(week+i)%2],
				fmt.Sprintf("f%d", (week+i)%3))
			r.Document, r.Events = []byte("document"), []Event{{Kind: EventNewHost, Text: "new"}}
			s.record(r)
		}
		_, err := s.FinishRuns(s.ctx)
		s.ok(err)
		s.advance(7 * 24 * time.Hour)
	}
	open := s.run(RunScan)
	e := Enrolled{Name: "branch-1", SiteID: s.site.ID, Serial: "ab"}
	s.ok(s.AddEnrolled(s.ctx, &e))
	s.ok(s.AddHandout(s.ctx, Handout{ID: "job", Worker: e.ID, RunID: open.ID, At: s.clock(), Targets: []int64{1, 2}}))
	s.ok(s.AddJoin(s.ctx, Join{Hash: "h", SiteID: s.site.ID, By: "eve", Until: s.clock().Add(time.Hour)}))
	user := User{Name: "eve", Role: RoleAdmin}
	channel := Channel{Name: "c", Sealed: []byte{0}}
	for _, err := range []error{
		s.SaveException(s.ctx, &Exception{Finding: "f1", Reason: "r", Owner: "o", Until: s.clock().Add(time.Hour)}),
		s.SaveCredential(s.ctx, &Credential{Name: "c", Sealed: []byte{0, 255}}),
		s.SaveSchedule(s.ctx, &Schedule{Name: "n", Kind: RunScan}),
		s.Heartbeat(s.ctx, Worker{Name: "w"}), s.SaveChannel(s.ctx, &channel),
		s.AddDelivery(s.ctx, &Delivery{Channel: channel.ID, Key: "k"}),
		s.SaveUser(s.ctx, &user), s.SaveToken(s.ctx, &Token{Name: "t", UserID: user.ID, Hash: []byte{1}}),
		s.AddAct(s.ctx, &Act{Who: "eve", Detail: "ä\x00"}),
		s.Sessions().CommitCtx(s.ctx, "t", []byte{1}, s.clock().Add(time.Hour)), s.AddFailure(s.ctx, "k", s.clock()),
		s.SetMeta(s.ctx, "k", "v"),
		s.SetSiteRoles(s.ctx, user.ID, []SiteRole{{SiteID: s.site.ID, Role: RoleViewer}}),
		s.SetRecoveryCodes(s.ctx, user.ID, [][]byte{{1, 2}}),
		s.SaveView(s.ctx, &SavedView{UserID: user.ID, Name: "v", Path: "/hosts", Query: "verdict=exposed"}),
		s.SavePasskey(s.ctx, &Passkey{UserID: user.ID, Name: "n", Credential: []byte{0, 1}, Body: "{}"}),
	} {
		s.ok(err)
	}
	s.ok(s.SaveDocument(s.ctx, 1, KindObserve, s.clock(), s.came(model.Use{Client: "c", Package: model.PackageNTLMv1})))
	o := Rollout{Name: "r", Strategy: "restrict"}
	s.ok(s.AddRollout(s.ctx, &o, HostFilter{}))
	s.ok(s.RecordPlanned(s.ctx, o.ID, []PlannedHost{{
		HostID: 1, State: RolloutOpen, Changes: []byte("c"), Plan: &model.Plan{},
		Closes: []string{"f1"}, Stops: []RolloutStop{{Certainty: "observed", Who: "w", What: "x"}},
	}}))
	_, err = s.Lease(s.ctx, "n", "h", time.Hour)
	s.ok(err)
}

// dump reads every row of every table.
func (s *suite) dump(st *Store) map[string][][]any {
	s.Helper()
	all := map[string][][]any{}
	for _, t := range tables {
		columns, err := st.columns(s.ctx, t.name)
		s.ok(err)
		rows, err := st.page(s.ctx, t.name, columns, strings.Split(t.key, ", "), nil)
		s.ok(err)
		all[t.name] = append(rows, []any{fmt.Sprint(columns)})
	}
	return all
}

// filled checks that every table has a row; otherwise fill is incomplete.
func (s *suite) filled(all map[string][][]any) {
	s.Helper()
	for name, rows := range all {
		if len(rows) < 2 { // the first row contains the column names
			s.Errorf("%s has no rows", name)
		}
	}
}

// TestCopy copies a database to the other kind and back, and compares every row of every table.
func TestCopy(t *testing.T) {
	onBoth(t, func(s *suite) {
		s.fill()
		s.ok(s.DeleteHost(s.ctx, 3)) // the last id must not be assigned again
		other := KindPostgres
		if s.Kind() == KindPostgres {
			other = KindSQLite
		}
		there := newSuite(s.t, other)
		s.fails(Copy(s.ctx, s.Store, there.Store, nil), ErrConflict) // it has a site
		s.ok(there.DeleteSite(s.ctx, there.site.ID))
		there.micro.Store(s.micro.Load())
		progress := map[string]int64{}
		s.ok(Copy(s.ctx, s.Store, there.Store, func(table string, rows int64) { progress[table] = rows }))
		want := s.dump(s.Store)
		s.filled(want)
		if diff := cmp.Diff(want, s.dump(there.Store)); diff != "" {
			s.Errorf("there (-want +got):\n%s", diff)
		}
		for table, rows := range want {
			if progress[table] != int64(len(rows)-1) {
				s.Errorf("%s: progress says %d rows, it has %d", table, progress[table], len(rows)-1)
			}
		}
		back := newSuite(s.t, s.Kind())
		s.ok(back.DeleteSite(s.ctx, back.site.ID))
		s.ok(Copy(s.ctx, there.Store, back.Store, nil))
		if diff := cmp.Diff(want, s.dump(back.Store)); diff != "" {
			s.Errorf("and back (-want +got):\n%s", diff)
		}
		// New rows get new ids, and everything else works.
		there.consistent()
		h := there.record(there.scan(Run{}, Target{}, 77, model.Exposed))
		if h.ID <= 3 {
			s.Errorf("a new host has the number %d of another", h.ID)
		}
		there.consistent()
	})
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindSQLite)
	s.fill()
	path := filepath.Join(t.TempDir(), "backup.db")
	s.ok(s.Backup(s.ctx, path))
	if err := s.Backup(s.ctx, path); err == nil {
		s.Error("a file is overwritten")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		s.Errorf("%v, %v", info.Mode(), err)
	}
	want := s.dump(s.Store)
	s.filled(want)
	s.record(s.scan(Run{}, Target{}, 77, model.Exposed))
	restored := s.open(path)
	s.ok(restored.CheckSchema(s.ctx))
	if diff := cmp.Diff(want, s.dump(restored)); diff != "" {
		s.Errorf("restored (-want +got):\n%s", diff)
	}
}

// TestBackupInUse backs up while results are recorded all the time: the backup ends, and the copy is complete.
func TestBackupInUse(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindSQLite)
	record := func(i int) {
		r := s.scan(Run{}, Target{}, i, model.Exposed, "f1")
		r.Document = fmt.Appendf(nil, "%d %x", i, sha256.Sum256(fmt.Append(nil, i)))
		for n := range 2000 { // data that does not compress, so that the copy takes several steps
			r.Document = append(r.Document, fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i, n)))...)
		}
		s.record(r)
	}
	n := 0
	for ; n < 150; n++ {
		record(n)
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	done := make(chan error, 1)
	go func() { done <- s.Backup(s.ctx, path) }()
	running := true
	for ; running && n < 5000; n++ {
		select {
		case err := <-done:
			s.ok(err)
			running = false
		default:
			record(n)
		}
	}
	if running {
		s.ok(<-done)
	}
	restored := &suite{complaints: t, t: t, ctx: s.ctx}
	restored.Store = restored.open(path)
	restored.consistent()
	if got := restored.number(`SELECT count(*) FROM results`); got < 150 || got > int64(n) {
		t.Errorf("the copy has %d results of %d", got, n)
	}
	var answer string
	s.ok(restored.one(s.ctx, []any{&answer}, `PRAGMA integrity_check`))
	same(s, "integrity", answer, "ok")
}

func TestPrune(t *testing.T) {
	onBoth(t, func(s *suite) {
		s.fill()
		if err := s.Backup(s.ctx, filepath.Join(s.t.TempDir(), "b.db")); (err != nil) != s.pg {
			s.Errorf("a backup beside pg_dump: %v", err)
		}
		size, err := s.Size(s.ctx)
		s.ok(err)
		if size < 100_000 {
			s.Errorf("the size is %d", size)
		}
		ended, err := s.ExpireExceptions(s.ctx, s.clock().Add(2*time.Hour))
		s.ok(err)
		if len(ended) != 1 {
			s.Fatalf("ended %+v", ended)
		}
		s.ok(s.EndRollout(s.ctx, 1))
		before, err := s.allHosts()
		s.ok(err)
		n, err := s.Prune(s.ctx, began.Add(time.Hour))
		s.ok(err)
		if n == 0 || s.number(`SELECT count(*) FROM results`) != 6 || s.number(`SELECT count(*) FROM runs`) != 3 {
			s.Errorf("after the first week: %d rows went, results %d, runs %d",
				n, s.number(`SELECT count(*) FROM results`), s.number(`SELECT count(*) FROM runs`))
		}
		s.consistent()
		_, err = s.Prune(s.ctx, s.clock().Add(1000*time.Hour))
		s.ok(err)
		after, err := s.allHosts()
		s.ok(err)
		same(s, "hosts", after, before)
		for table, want := range map[string]int64{
			"results": 0, "events": 0, "acts": 1, "runs": 1, "units": 3, "spans": 3, "snapshots": 3,
			"documents": 7, "exceptions": 0, "targets": 3, "sessions": 0, "rollouts": 0, "rollout_hosts": 0,
		} {
			if n := s.number(`SELECT count(*) FROM ` + table); n != want {
				s.Errorf("%d rows are left in %s, want %d", n, table, want)
			}
		}
		if n := s.number(`SELECT count(*) FROM findings WHERE ended <> 0`); n != 0 {
			s.Errorf("%d ended findings are left", n)
		}
		h, err := s.Host(s.ctx, 1)
		s.ok(err)
		if _, _, err := s.LastSnapshot(s.ctx, h.ID, RunScan); err != nil {
			s.Errorf("the last snapshot: %v", err)
		}
		if n, err = s.Prune(s.ctx, s.clock().Add(1000*time.Hour)); err != nil || n != 0 {
			s.Errorf("%d more rows go, %v", n, err)
		}
	})
}

func (s *suite) allHosts() ([]Host, error) {
	all, _, err := s.Hosts(s.ctx, HostFilter{}, Page{Sort: "id"})
	return all, err
}
