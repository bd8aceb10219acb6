package store

import (
	"testing"
	"time"

	"ipcguard/internal/model"
)

func TestExceptions(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b", "c")
		targets[0].Tags, targets[1].Tags = []string{"old"}, []string{"old"}
		_, _, err := s.SaveTargets(s.ctx, targets)
		s.ok(err)
		run := s.run(RunScan)
		var hosts []Host
		for i := range targets {
			hosts = append(hosts, s.record(s.scan(run, targets[i], i+1, model.Exposed, "f1", "f2")))
		}
		covered := func(what string, want ...int) {
			s.Helper()
			var got []int
			for _, h := range hosts {
				h, err := s.Host(s.ctx, h.ID)
				s.ok(err)
				got = append(got, h.Excepted)
			}
			same(s, what, got, want)
			s.consistent()
		}
		until := s.clock().Add(24 * time.Hour)
		byTag := Exception{Finding: "f1", Tag: "OLD", Reason: "printer", Owner: "ops", By: "eve", Until: until}
		s.ok(s.SaveException(s.ctx, &byTag))
		covered("by tag", 1, 1, 0)
		byHost := Exception{Finding: "f1", HostID: hosts[2].ID, Reason: "r", Owner: "ops", Until: until.Add(time.Hour)}
		s.ok(s.SaveException(s.ctx, &byHost))
		covered("and by host", 1, 1, 1)
		all := Exception{Finding: "f2", Reason: "r", Owner: "ops", Until: until.Add(2 * time.Hour)}
		s.ok(s.SaveException(s.ctx, &all))
		covered("and for all", 2, 2, 2)
		findings, err := s.HostFindings(s.ctx, hosts[0].ID)
		s.ok(err)
		if findings[0].Exception != byTag.ID || findings[1].Exception != all.ID {
			s.Errorf("covered by %d and %d", findings[0].Exception, findings[1].Exception)
		}

		// A finding of another kind is not hidden, and a new one of the same name is covered at once.
		s.record(s.scan(s.run(RunScan), targets[0], 1, model.Exposed, "f2", "f9"))
		covered("after a new finding", 1, 2, 2)
		s.record(s.scan(s.run(RunScan), targets[0], 1, model.Exposed, "f1", "f2", "f9"))
		covered("after one came back", 2, 2, 2)

		// Tags come and go.
		targets[1].Tags = nil
		s.ok(s.SaveTarget(s.ctx, &targets[1]))
		covered("without its tag", 2, 1, 2)
		targets[2].Tags = []string{"old"}
		s.ok(s.SaveTarget(s.ctx, &targets[2]))
		s.ok(s.WithdrawException(s.ctx, byHost.ID, "eve"))
		covered("by its tag instead", 2, 1, 2)

		byTag.Tag, byTag.HostID, byTag.Until = "", hosts[1].ID, until.Add(time.Hour)
		s.ok(s.SaveException(s.ctx, &byTag))
		covered("for a host instead", 1, 2, 1)

		s.advance(24*time.Hour + 90*time.Minute)
		covered("until it is ended", 1, 2, 1)
		ended, err := s.ExpireExceptions(s.ctx, s.clock())
		s.ok(err)
		if len(ended) != 1 || ended[0].ID != byTag.ID {
			s.Errorf("ended: %+v", ended)
		}
		covered("after its end", 1, 1, 1)
		if ended, err = s.ExpireExceptions(s.ctx, s.clock()); err != nil || len(ended) != 0 {
			s.Errorf("ended twice: %+v, %v", ended, err)
		}
		now, err := s.Exceptions(s.ctx, false)
		s.ok(err)
		same(s, "in force", now, []Exception{all})
		ever, err := s.Exceptions(s.ctx, true)
		s.ok(err)
		if len(ever) != 3 {
			s.Errorf("ever: %+v", ever)
		}
		s.fails(s.WithdrawException(s.ctx, byTag.ID, "eve"), ErrNotFound)
		s.fails(s.SaveException(s.ctx,
			&Exception{
				ID:      byTag.ID,
				Finding: "f1",
				Reason:  "r",
				Owner:   "o",
				Until:   s.clock().Add(time.Hour),
			}), ErrNotFound)
		for _, bad := range []Exception{
			{Reason: "r", Owner: "o", Until: until.Add(48 * time.Hour)},
			{Finding: "f", Owner: "o", Until: until.Add(48 * time.Hour)},
			{Finding: "f", Reason: "r", Until: until.Add(48 * time.Hour)},
			{Finding: "f", Reason: "r", Owner: "o", Until: s.clock()},
			{Finding: "f", Reason: "r", Owner: "o", Until: until.Add(48 * time.Hour), HostID: 1, Tag: "t"},
		} {
			if err := s.SaveException(s.ctx, &bad); err == nil {
				s.Errorf("saved %+v", bad)
			}
		}
	})
}
