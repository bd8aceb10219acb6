package store

import (
	"testing"
	"time"
)

func TestEnrolled(t *testing.T) {
	onBoth(t, func(s *suite) {
		j := Join{Hash: "abc", SiteID: s.site.ID, Name: "w1", By: "eve", Until: s.clock().Add(time.Hour)}
		s.ok(s.AddJoin(s.ctx, j))
		got, err := s.TakeJoin(s.ctx, "abc")
		s.ok(err)
		same(s, "join", got, j)
		_, err = s.TakeJoin(s.ctx, "abc")
		s.fails(err, ErrNotFound)
		s.ok(s.AddJoin(s.ctx, j))
		s.advance(time.Hour)
		_, err = s.TakeJoin(s.ctx, "abc") // it has expired
		s.fails(err, ErrNotFound)

		e := Enrolled{
			Name:     "w1",
			SiteID:   s.site.ID,
			Serial:   "a",
			Until:    s.clock().Add(time.Hour),
			Renewed:  s.clock(),
			Origin:   "192.0.2.1",
			Protocol: 1,
		}
		s.ok(s.AddEnrolled(s.ctx, &e))
		e.Site = s.site.Name
		s.fails(s.AddEnrolled(s.ctx, &Enrolled{Name: "w1", SiteID: s.site.ID}), ErrConflict)
		s.ok(s.SetCertificate(s.ctx, e.ID, "b", "a", e.Until, s.clock()))
		s.ok(s.CertificateUsed(s.ctx, e.ID, "a")) // the old one: the new one was not used yet
		s.ok(s.SetOrigin(s.ctx, e.ID, "192.0.2.2", 2))
		e.Serial, e.Earlier, e.Origin, e.Protocol = "b", "a", "192.0.2.2", 2
		now, err := s.EnrolledWorker(s.ctx, e.ID)
		s.ok(err)
		same(s, "enrolled", now, e)
		s.ok(s.CertificateUsed(s.ctx, e.ID, "b"))
		e.Earlier = ""
		all, err := s.EnrolledWorkers(s.ctx)
		s.ok(err)
		same(s, "enrolled", all, []Enrolled{e})

		// Units of an enrolled worker are not taken over while it lives.
		targets := s.targets("a", "b", "c")
		run := s.run(RunScan)
		ids, err := s.WaitingTargets(s.ctx, run.ID, s.site.ID, 2)
		s.ok(err)
		same(s, "waiting", ids, []int64{targets[0].ID, targets[1].ID})
		if ids, err := s.WaitingTargets(s.ctx, run.ID, s.site.ID+1, 2); err != nil || len(ids) != 0 {
			s.Errorf("another site's: %v %v", ids, err)
		}
		s.ok(s.Heartbeat(s.ctx, Worker{Name: "w1"}))
		units, err := s.TakeUnits(s.ctx, run.ID, ids, "w1")
		s.ok(err)
		if len(units) != 2 {
			s.Fatalf("%+v", units)
		}
		h := Handout{ID: "job", Worker: e.ID, RunID: run.ID, At: s.clock(), Targets: ids}
		s.ok(s.AddHandout(s.ctx, h))
		_, err = s.Handout(s.ctx, "job", e.ID+1)
		s.fails(err, ErrNotFound)
		back, err := s.Handout(s.ctx, "job", e.ID)
		s.ok(err)
		same(s, "handout", back, h)
		whole := []int64{targets[0].ID, targets[1].ID, targets[2].ID}
		if units, err = s.TakeUnits(s.ctx, run.ID, whole, "server"); err != nil || len(units) != 1 ||
			units[0].TargetID != targets[2].ID {
			s.Errorf("%+v %v", units, err)
		}
		has, err := s.RunningUnits(s.ctx, "w1")
		s.ok(err)
		same(s, "running", has, map[int64][]int64{run.ID: ids})
		if n, err := s.ReturnUnits(s.ctx, run.ID, whole, "w1"); err != nil || n != 2 {
			s.Errorf("%d went back, %v", n, err)
		}
		s.ok(s.RevokeEnrolled(s.ctx, e.ID))
		s.fails(s.RevokeEnrolled(s.ctx, e.ID), ErrNotFound)
		_, err = s.Handout(s.ctx, "job", e.ID) // a revoked worker has no job
		s.fails(err, ErrNotFound)
		s.ok(s.Heartbeat(s.ctx, Worker{Name: "server"}))
		s.fails(s.AddEnrolled(s.ctx, &Enrolled{Name: "server", SiteID: s.site.ID}), ErrConflict)
		s.ok(s.RemoveWorker(s.ctx, "w1"))
		again := Enrolled{Name: "w1", SiteID: s.site.ID}
		s.ok(s.AddEnrolled(s.ctx, &again)) // the name of a revoked worker is free
		if has, err := s.RecentHandouts(s.ctx, e.ID, time.Time{}, s.clock()); err != nil || len(has) != 0 {
			s.Errorf("jobs of a worker that is gone: %+v %v", has, err)
		}
	})
}
