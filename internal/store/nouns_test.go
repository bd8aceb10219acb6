package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/model"
)

func TestEvents(t *testing.T) {
	onBoth(t, func(s *suite) {
		branch := Site{Name: "branch"}
		s.ok(s.SaveSite(s.ctx, &branch))
		var all []Event
		for i := range 10 {
			all = append(all, Event{
				At:   s.clock().Add(time.Duration(i) * time.Minute),
				Kind: []EventKind{EventNewHost, EventBecameExposed, EventVanished}[i%3], HostID: int64(i%2 + 1),
				Host: "h", Site: []string{"main", "branch"}[i%2], Severity: severities[1+i%5],
				Subject: "s", Before: "b", After: "a", Text: "t", Excepted: i == 4,
				Exception: int64(i % 5),
			})
		}
		s.ok(s.AddEvents(s.ctx, all))
		s.ok(s.AddEvents(s.ctx, nil))
		for _, test := range []struct {
			filter EventFilter
			page   Page
			want   []int64
			total  int
		}{
			{EventFilter{}, Page{Size: 3}, []int64{10, 9, 8}, 10},
			{EventFilter{}, Page{Size: 3, Offset: 8, Sort: "id"}, []int64{9, 10}, 10},
			{EventFilter{Site: "branch"}, Page{}, []int64{10, 8, 6, 4, 2}, 5},
			{EventFilter{HostID: 1, Kinds: []EventKind{EventVanished, EventNewHost}}, Page{}, []int64{9, 7, 3, 1}, 4},
			{EventFilter{Least: model.High}, Page{}, []int64{10, 9, 5, 4}, 4},
			{EventFilter{Since: all[3].At, Until: all[6].At}, Page{}, []int64{6, 5, 4}, 3},
			{EventFilter{AfterID: 7, NotExcepted: true}, Page{Sort: "id"}, []int64{8, 9, 10}, 3},
			{EventFilter{AfterID: 3, NotExcepted: true}, Page{Sort: "id", Size: 2}, []int64{4, 6}, 6},
			{EventFilter{RunID: 4}, Page{}, nil, 0},
		} {
			events, total, err := s.Events(s.ctx, test.filter, test.page)
			s.ok(err)
			var ids []int64
			for _, e := range events {
				ids = append(ids, e.ID)
				same(s, "event", e, all[e.ID-1])
			}
			same(s, fmt.Sprintf("%+v", test.filter), ids, test.want)
			if total != test.total {
				s.Errorf("%+v: total %d, want %d", test.filter, total, test.total)
			}
		}
	})
}

func TestSchedules(t *testing.T) {
	onBoth(t, func(s *suite) {
		a := Schedule{
			Name:     "nightly",
			Kind:     RunScan,
			Cron:     "0 2 * * *",
			Zone:     "UTC",
			Window:   "Mon-Fri 22:00-06:00",
			Selector: Selector{Tag: "x", Hosts: []int64{4}},
			Quick:    true,
			Enabled:  true,
		}
		s.ok(s.SaveSchedule(s.ctx, &a))
		s.fails(s.SaveSchedule(s.ctx, &Schedule{Name: "nightly"}), ErrConflict)
		next := s.clock().Add(time.Hour)
		s.ok(s.SetScheduleNext(s.ctx, a.ID, s.clock(), next))
		a.Last, a.Next = s.clock(), next
		got, err := s.Schedule(s.ctx, a.ID)
		s.ok(err)
		same(s, "schedule", got, a)
		a.Enabled, a.Selector = false, Selector{}
		s.ok(s.SaveSchedule(s.ctx, &a))
		all, err := s.Schedules(s.ctx)
		s.ok(err)
		same(s, "schedules", all, []Schedule{a})
		s.ok(s.DeleteSchedule(s.ctx, a.ID))
		s.fails(s.DeleteSchedule(s.ctx, a.ID), ErrNotFound)
	})
}

func TestWorkers(t *testing.T) {
	onBoth(t, func(s *suite) {
		w := Worker{Name: "w1", Site: "main", Version: "1.2", Protocol: 3, Started: s.clock(), Busy: 4, Done: 5e9}
		s.ok(s.Heartbeat(s.ctx, w))
		s.advance(time.Minute)
		w.Busy = 1
		s.ok(s.Heartbeat(s.ctx, w))
		w.Seen = s.clock()
		all, err := s.Workers(s.ctx)
		s.ok(err)
		same(s, "workers", all, []Worker{w})
		s.ok(s.RemoveWorker(s.ctx, "w1"))
		if all, err = s.Workers(s.ctx); err != nil || len(all) != 0 {
			s.Errorf("%+v, %v", all, err)
		}

		lease := func(holder string, want bool) {
			s.Helper()
			got, err := s.Lease(s.ctx, "planner", holder, time.Minute)
			s.ok(err)
			if got != want {
				s.Errorf("%s has it: %v, want %v", holder, got, want)
			}
		}
		lease("a", true)
		lease("b", false)
		s.advance(50 * time.Second)
		lease("a", true)
		s.advance(50 * time.Second)
		lease("b", false)
		s.advance(10 * time.Second)
		lease("b", true)
		lease("a", false)
		s.ok(s.ReleaseLease(s.ctx, "planner", "a"))
		lease("a", false)
		s.ok(s.ReleaseLease(s.ctx, "planner", "b"))
		lease("a", true)
		s.advance(-time.Minute) // as far as the clocks of two servers may differ
		lease("b", false)
		s.advance(-time.Second) // the holder was killed, and the clock set back
		lease("b", true)
		lease("a", false)

		_, err = s.Meta(s.ctx, "k")
		s.fails(err, ErrNotFound)
		for _, value := range []string{"v", "w"} {
			s.ok(s.SetMeta(s.ctx, "k", value))
			got, err := s.Meta(s.ctx, "k")
			s.ok(err)
			same(s, "meta", got, value)
		}
		s.ok(s.SetMeta(s.ctx, "k", ""))
		_, err = s.Meta(s.ctx, "k")
		s.fails(err, ErrNotFound)
	})
}

func TestChannels(t *testing.T) {
	onBoth(t, func(s *suite) {
		c := Credential{Name: "scan", Kind: "password", Account: "CORP\\scan", Sealed: []byte{0, 1, 255}}
		s.ok(s.SaveCredential(s.ctx, &c))
		s.fails(s.SaveCredential(s.ctx, &Credential{Name: "scan", Sealed: []byte{}}), ErrConflict)
		s.ok(s.SaveCredential(s.ctx, &Credential{ID: c.ID, Name: "scan2", Kind: "hash", Account: "x", Used: s.clock()}))
		got, err := s.Credential(s.ctx, c.ID)
		s.ok(err)
		same(s, "credential", got, Credential{
			ID:      c.ID,
			Name:    "scan2",
			Kind:    "hash",
			Account: "x",
			Sealed:  c.Sealed,
			Created: c.Created,
			Used:    s.clock(),
		})
		target := Target{SiteID: s.site.ID, Spec: "t", Credential: c.ID}
		s.ok(s.SaveTarget(s.ctx, &target))
		s.fails(s.DeleteCredential(s.ctx, c.ID), ErrConflict)
		s.ok(s.DeleteTargets(s.ctx, []int64{target.ID}))
		s.ok(s.DeleteCredential(s.ctx, c.ID))
		s.fails(s.SaveTarget(s.ctx, &Target{SiteID: s.site.ID, Spec: "u", Credential: 99}), ErrConflict)

		ch := Channel{
			Name:    "chat",
			Kind:    "webhook",
			Config:  "{}",
			Sealed:  []byte("x"),
			Kinds:   []EventKind{EventVanished},
			Least:   model.High,
			Digest:  "@daily",
			Quiet:   "22:00-07:00",
			Zone:    "Europe/Berlin",
			Enabled: true,
		}
		s.ok(s.SaveChannel(s.ctx, &ch))
		ch.Acts = TellActsToo
		s.ok(s.SaveChannel(s.ctx, &ch))
		kept, err := s.Channel(s.ctx, ch.ID)
		s.ok(err)
		same(s, "channel", kept, ch)
		d := Delivery{Channel: ch.ID, Key: "event:1", Events: []int64{1, 2}, Acts: []int64{}, Due: s.clock()}
		s.ok(s.AddDelivery(s.ctx, &d))
		s.fails(s.AddDelivery(s.ctx, &Delivery{Channel: ch.ID, Key: "event:1"}), ErrConflict)
		later := Delivery{Channel: ch.ID, Key: "act:2", Acts: []int64{2, 3}, Due: s.clock().Add(time.Second)}
		s.ok(s.AddDelivery(s.ctx, &later))
		due, err := s.DueDeliveries(s.ctx, s.clock(), 10)
		s.ok(err)
		same(s, "due", due, []Delivery{d})
		s.ok(s.DeliveryDone(s.ctx, d.ID, "refused"))
		if due, err = s.DueDeliveries(s.ctx, s.clock(), 10); err != nil || len(due) != 0 {
			s.Errorf("due at once again: %+v, %v", due, err)
		}
		s.advance(2 * time.Second)
		if due, err = s.DueDeliveries(s.ctx, s.clock(), 10); err != nil || len(due) != 0 {
			s.Errorf("the next message overtakes one that was refused: %+v, %v", due, err)
		}
		other := Channel{Name: "other", Kind: "webhook", Config: "{}", Enabled: true}
		s.ok(s.SaveChannel(s.ctx, &other))
		free := Delivery{Channel: other.ID, Key: "event:1", Due: s.clock()}
		s.ok(s.AddDelivery(s.ctx, &free))
		due, err = s.DueDeliveries(s.ctx, s.clock(), 10)
		s.ok(err)
		same(s, "due on the other channel", due, []Delivery{free})
		s.ok(s.DeleteChannel(s.ctx, other.ID))
		s.advance(time.Minute)
		if due, err = s.DueDeliveries(s.ctx, s.clock(), 10); err != nil || len(due) != 2 || due[0].Tries != 1 ||
			due[0].Error != "refused" || !slices.Equal(due[1].Acts, later.Acts) {
			s.Errorf("due after a minute: %+v, %v", due, err)
		}
		s.ok(s.DeliveryDone(s.ctx, later.ID, ""))
		if ch, err = s.Channel(s.ctx, ch.ID); err != nil || !ch.LastOK.Equal(s.clock()) || ch.LastFail != "" {
			s.Errorf("channel: %+v, %v", ch, err)
		}
		for range MaxTries {
			s.ok(s.DeliveryDone(s.ctx, d.ID, "refused"))
		}
		s.advance(1000 * time.Hour)
		if due, err = s.DueDeliveries(s.ctx, s.clock(), 10); err != nil || len(due) != 0 {
			s.Errorf("never given up: %+v, %v", due, err)
		}
		if _, total, err := s.Deliveries(s.ctx, ch.ID, Page{}); err != nil || total != 2 {
			s.Errorf("%d deliveries, %v", total, err)
		}
		s.ok(s.DeleteChannel(s.ctx, ch.ID))
		if n := s.number(`SELECT count(*) FROM deliveries`); n != 0 {
			s.Errorf("%d deliveries of no channel", n)
		}
	})
}

func TestAccounts(t *testing.T) {
	onBoth(t, func(s *suite) {
		u := User{Name: "eve", Role: RoleAdmin, Password: "$argon2id$…"}
		s.ok(s.SaveUser(s.ctx, &u))
		s.fails(s.SaveUser(s.ctx, &User{Name: "eve"}), ErrConflict)
		s.ok(s.SetLastVisit(s.ctx, u.ID, s.clock()))
		u.LastVisit = s.clock()
		got, err := s.UserByName(s.ctx, "eve")
		s.ok(err)
		same(s, "user", got, u)
		tok := Token{Name: "ci", UserID: u.ID, Scope: ScopeRead, Hash: []byte{1, 2, 3}, Until: s.clock().Add(time.Hour)}
		s.ok(s.SaveToken(s.ctx, &tok))
		s.fails(s.SaveToken(s.ctx, &Token{Name: "ci", UserID: u.ID, Hash: []byte{9}}), ErrConflict)
		found, err := s.TokenByHash(s.ctx, []byte{1, 2, 3})
		s.ok(err)
		same(s, "token", found, tok)
		_, err = s.TokenByHash(s.ctx, []byte{1, 2})
		s.fails(err, ErrNotFound)
		for _, id := range []int64{0, u.ID, 77} {
			all, err := s.Tokens(s.ctx, id)
			s.ok(err)
			if want := 1; (id == 77) != (len(all) == 0) || len(all) > want {
				s.Errorf("tokens of %d: %+v", id, all)
			}
		}

		for i := range 3 {
			s.ok(s.AddFailure(s.ctx, "name:eve", s.clock().Add(time.Duration(i)*time.Minute)))
		}
		if n, err := s.Failures(s.ctx, "name:eve", s.clock().Add(time.Minute)); err != nil || n != 2 {
			s.Errorf("%d failures, %v", n, err)
		}
		s.ok(s.AddFailure(s.ctx, "other", s.clock().Add(25*time.Hour)))
		if n := s.number(`SELECT count(*) FROM failures`); n != 1 {
			s.Errorf("%d failures are kept for longer than a day", n)
		}
		s.ok(s.ClearFailures(s.ctx, "other"))

		for i := range 5 {
			s.ok(s.AddAct(s.ctx, &Act{
				Who:     "eve",
				From:    "127.0.0.1",
				Action:  "target.add",
				Subject: fmt.Sprintf("Host%d", i),
				Detail:  "100%",
			}))
		}
		for text, want := range map[string]int{"": 5, "HOST3": 1, "0%": 5, "_": 0, "target.": 5} {
			acts, total, err := s.Acts(s.ctx, text, Page{})
			s.ok(err)
			if total != want || len(acts) != want {
				s.Errorf("%q is in %d acts, want %d", text, total, want)
			}
		}

		sessions := s.Sessions()
		s.ok(sessions.CommitCtx(s.ctx, "t1", []byte("a"), s.clock().Add(time.Hour)))
		s.ok(sessions.CommitCtx(s.ctx, "t1", []byte("b"), s.clock().Add(time.Hour)))
		s.ok(sessions.CommitCtx(s.ctx, "t2", nil, s.clock().Add(time.Minute)))
		s.advance(30 * time.Minute)
		b, ok, err := sessions.FindCtx(s.ctx, "t1")
		if err != nil || !ok || string(b) != "b" {
			s.Errorf("session: %q %v %v", b, ok, err)
		}
		if _, ok, err = sessions.FindCtx(s.ctx, "t2"); err != nil || ok {
			s.Errorf("an ended session is found: %v", err)
		}
		all, err := sessions.AllCtx(s.ctx)
		s.ok(err)
		same(s, "sessions", all, map[string][]byte{"t1": []byte("b")})
		s.ok(sessions.DeleteCtx(s.ctx, "t1"))
		if _, ok, err = sessions.FindCtx(s.ctx, "t1"); err != nil || ok {
			s.Errorf("a deleted session is found: %v", err)
		}
		s.ok(s.DeleteToken(s.ctx, tok.ID))
	})
}
