package store

import (
	"testing"

	"ipcguard/internal/model"
)

func TestMoves(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b")
		targets[1].Tags = []string{"t"}
		s.ok(s.SaveTarget(s.ctx, &targets[1]))
		run := s.run(RunScan)
		s.ok(s.SetRunState(s.ctx, run.ID, RunWaiting, "the window is closed"))
		got, err := s.Run(s.ctx, run.ID)
		s.ok(err)
		if got.State != RunWaiting || got.Reason != "the window is closed" {
			s.Errorf("run: %+v", got)
		}
		if err := s.SetRunState(s.ctx, run.ID, RunDone, ""); err == nil {
			s.Error("a run is ended by its state alone")
		}
		h := s.record(s.scan(run, targets[0], 1, model.Exposed))
		s.ok(s.DoneUnit(s.ctx, run.ID, targets[1].ID, "nothing there"))
		s.ok(s.DoneUnit(s.ctx, run.ID, targets[1].ID, "again"))
		if got, err = s.Run(s.ctx, run.ID); err != nil || got.Done != 2 {
			s.Errorf("run: %+v, %v", got, err)
		}
		s.ok(s.CancelRun(s.ctx, run.ID))
		s.fails(s.SetRunState(s.ctx, run.ID, RunRunning, ""), ErrNotFound)

		s.ok(s.SetTargetHost(s.ctx, targets[1].ID, h.ID))
		s.fails(s.SetTargetHost(s.ctx, 99, h.ID), ErrNotFound)
		if h, err = s.Host(s.ctx, h.ID); err != nil || len(h.Tags) != 1 || h.Tags[0] != "t" {
			s.Errorf("host: %+v, %v", h, err)
		}
		spec, err := s.TargetBySpec(s.ctx, s.site.ID, "b")
		s.ok(err)
		byID, err := s.TargetsByID(s.ctx, []int64{targets[1].ID, 99})
		s.ok(err)
		same(s, "by number", byID, []Target{spec})
		s.ok(s.MoveHost(s.ctx, h.ID, "10.0.0.50:445"))
		h, err = s.Host(s.ctx, h.ID)
		s.ok(err)
		at, err := s.HostsByAddress(s.ctx, s.site.ID, []string{"10.0.0.1:445", "10.0.0.50:445", "10.0.0.9:445"})
		s.ok(err)
		same(s, "by address", at, map[string]Host{"10.0.0.1:445": h, "10.0.0.50:445": h})
		none, err := s.HostsByAddress(s.ctx, s.site.ID, nil)
		s.ok(err)
		same(s, "by no address", none, nil)
		s.consistent()
	})
}
