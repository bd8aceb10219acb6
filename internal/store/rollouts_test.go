package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// rolloutTest is a rollout over five of six hosts, of which the third is at another site.
type rolloutTest struct {
	*suite
	Rollout
	branch      Site
	hosts       []Host
	plan        *model.Plan
	stop, maybe RolloutStop
	planned     []PlannedHost
}

// A rollout is planned host by host, in any order and more than once; hosts close with later results, open again, and
// leave the fleet. Who knows one site sees its hosts alone.
func TestRollouts(t *testing.T) {
	onBoth(t, func(s *suite) {
		o := newRolloutTest(s)
		o.waits()
		o.plans()
		o.seesAll()
		o.seesOneSite()
		o.followsResults()
		o.ends()
	})
}

func newRolloutTest(s *suite) *rolloutTest {
	o := &rolloutTest{
		suite: s, branch: Site{Name: "branch"},
		Rollout: Rollout{
			Name: "all", Query: "severity=high", Strategy: "restrict", Goal: "findings", By: "eve", Accept: true,
		},
		plan: &model.Plan{
			Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone},
			Changes:  []model.Change{{ID: "1", Setting: "x", Closes: []string{"f1"}}},
		},
		stop: RolloutStop{
			Certainty: "observed", Who: "10.0.0.9 (LAB\\ann)", What: "opens samr as user",
			Because: "the plan refuses it",
		},
		maybe: RolloutStop{Certainty: "possible", Who: "printers", What: "print", Because: "x"},
	}
	s.ok(s.SaveSite(s.ctx, &o.branch))
	for n, findings := range [][]string{1: {"f1", "f2"}, 2: {"f1"}, 3: {"f1"}, 4: {"f9"}, 5: {}, 6: {"f1"}} {
		if n > 0 {
			o.hosts = append(o.hosts, s.record(o.result(n, findings...)))
		}
	}
	s.ok(s.AddRollout(s.ctx, &o.Rollout, HostFilter{IDs: []int64{1, 2, 3, 4, 5}}))
	if o.Hosts != 5 {
		s.Errorf("%d hosts", o.Hosts)
	}
	plan, stop, maybe := o.plan, o.stop, o.maybe
	o.planned = []PlannedHost{
		{
			HostID: 1, State: RolloutOpen, Changes: []byte("one"), Plan: plan, Closes: []string{"f1", "f2"},
			Stops: []RolloutStop{maybe, stop, stop},
		},
		{
			HostID: 2, State: RolloutOpen, Changes: []byte("one"), Plan: plan, Closes: []string{"f1"},
			Stops: []RolloutStop{maybe},
		},
		{
			HostID: 3, State: RolloutOpen, Changes: []byte("one"), Plan: plan, Closes: []string{"f1"},
			Stops: []RolloutStop{stop},
		},
		{HostID: 4, State: RolloutOpen, Changes: []byte("two"), Plan: plan, Closes: []string{"f1"}},
		// none of the rollout's
		{HostID: 6, State: RolloutOpen, Changes: []byte("two"), Plan: plan, Closes: []string{"f1"}},
	}
	return o
}

// result is a scan of one of the hosts.
func (o *rolloutTest) result(n int, findings ...string) *Result {
	r := o.scan(Run{}, Target{}, n, model.Exposed, findings...)
	if n == 3 {
		r.Host.SiteID = o.branch.ID
	}
	return r
}

// waits: the hosts wait to be planned.
func (o *rolloutTest) waits() {
	s := o.suite
	waiting, err := s.WaitingHosts(s.ctx, o.Rollout.ID, 3)
	s.ok(err)
	same(s, "waiting", waiting, []int64{1, 2, 3})
	due, err := s.UnplannedRollouts(s.ctx)
	s.ok(err)
	same(s, "to plan", len(due), 1)
}

// plans: some hosts are planned twice, one is none of the rollout's, one has no audit.
func (o *rolloutTest) plans() {
	s, planned := o.suite, o.planned
	s.advance(1000)
	s.ok(s.RecordPlanned(s.ctx, o.Rollout.ID, planned[:2]))
	s.ok(s.RecordPlanned(s.ctx, o.Rollout.ID, planned))
	s.ok(s.RecordPlanned(s.ctx, o.Rollout.ID,
		[]PlannedHost{
			{HostID: 5, State: RolloutUnaudited, Why: "never audited"}, {HostID: 1, State: RolloutNothing},
		}))
	s.fails(s.RecordPlanned(s.ctx, 99, planned), ErrNotFound)
	s.ok(s.RolloutPlanned(s.ctx, o.Rollout.ID))
	o.Planned = s.clock()
	o.States = map[RolloutState]int{RolloutOpen: 3, RolloutUnwatched: 1, RolloutUnaudited: 1}
}

// seesAll: who knows every site sees one group for each plan, and whom it stops.
func (o *rolloutTest) seesAll() {
	s, plan, stop, maybe := o.suite, o.plan, o.stop, o.maybe
	got, err := s.Rollout(s.ctx, o.Rollout.ID, nil)
	s.ok(err)
	same(s, "rollout", got, o.Rollout)
	groups, total, err := s.RolloutGroups(s.ctx, o.Rollout.ID, nil, Page{})
	s.ok(err)
	same(s, "groups", total, 2)
	same(s, "group", groups[0], RolloutGroup{
		ID: groups[0].ID, System: "samba", Product: "samba", Role: model.Standalone, Changes: plan.Changes,
		Closes: []string{"f1", "f2"}, Hosts: 3,
		States: map[RolloutState]int{RolloutOpen: 3}, Plan: plan,
	})
	stops, total, err := s.RolloutStops(s.ctx, o.Rollout.ID, nil, Page{})
	s.ok(err)
	stop.Hosts, maybe.Hosts = 2, 2
	same(s, "stops", total, 2)
	same(s, "stops", stops, []RolloutStop{stop, maybe})
}

// seesOneSite: who knows one site sees the host there, and who knows none sees nothing.
func (o *rolloutTest) seesOneSite() {
	s, stop := o.suite, o.stop
	branch := Only(s.Store, Sites{o.branch.ID}, 0)
	got, err := branch.Rollout(s.ctx, o.Rollout.ID, nil)
	s.ok(err)
	same(s, "rollout at a site", got.States, map[RolloutState]int{RolloutOpen: 1})
	groups, total, err := branch.RolloutGroups(s.ctx, o.Rollout.ID, nil, Page{})
	s.ok(err)
	same(s, "groups at a site", fmt.Sprint(total, groups[0].Hosts, groups[0].Closes), "1 1 [f1]")
	stops, _, err := branch.RolloutStops(s.ctx, o.Rollout.ID, nil, Page{})
	s.ok(err)
	stop.Hosts = 1
	same(s, "stops at a site", stops, []RolloutStop{stop})
	list, total, err := branch.RolloutHosts(s.ctx, o.Rollout.ID, RolloutFilter{}, Page{})
	s.ok(err)
	same(s, "hosts at a site", total, 1)
	same(s, "host", list[0], RolloutHost{
		HostID: 3, Host: "HOST3", Address: "10.0.0.3:445", Site: "branch", Group: groups[0].ID, State: RolloutOpen,
		Since: s.clock(), Before: model.Exposed, Verdict: model.Exposed,
	})
	nobody := Only(s.Store, Sites{}, 0)
	_, err = nobody.Rollout(s.ctx, o.Rollout.ID, nil)
	s.fails(err, ErrNotFound)
	if all, total, err := nobody.Rollouts(s.ctx, nil, Page{}); err != nil || total != 0 || len(all) != 0 {
		s.Errorf("of no site: %+v, %d, %v", all, total, err)
	}
}

// follow takes later results into account, and checks how many hosts moved and where all stand.
func (o *rolloutTest) follow(want int64, states map[RolloutState]int) {
	s := o.suite
	s.Helper()
	s.advance(1000)
	moved, err := s.FollowRollouts(s.ctx)
	s.ok(err)
	all, _, err := s.Rollouts(s.ctx, nil, Page{})
	s.ok(err)
	same(s, "moved", moved, want)
	same(s, "states", all[0].States, states)
}

// followsResults: hosts close, open again and leave with their results.
func (o *rolloutTest) followsResults() {
	s := o.suite
	o.follow(0, o.States)
	s.advance(1000)
	s.record(o.result(1, "f2")) // one of two is not enough
	s.record(o.result(2))
	o.follow(1, map[RolloutState]int{RolloutOpen: 2, RolloutClosed: 1, RolloutUnwatched: 1, RolloutUnaudited: 1})
	s.advance(1000)
	s.record(o.result(1))
	s.record(o.result(2, "f1")) // it is back
	_, err := s.RetireHost(s.ctx, 3, s.clock())
	s.ok(err)
	o.follow(3, map[RolloutState]int{
		RolloutOpen: 1, RolloutClosed: 1, RolloutGone: 1, RolloutUnwatched: 1, RolloutUnaudited: 1,
	})
	list, _, err := s.RolloutHosts(s.ctx, o.Rollout.ID, RolloutFilter{State: RolloutClosed}, Page{Sort: "-since"})
	s.ok(err)
	same(s, "closed", fmt.Sprint(list[0].HostID, list[0].Since.Equal(s.clock())), "1 true")
}

// ends: two hosts become one, one is forgotten, and the rollout is planned again, ended and deleted without a rest.
func (o *rolloutTest) ends() {
	s, planned := o.suite, o.planned
	s.ok(s.MergeHosts(s.ctx, o.hosts[5].ID, 2))
	s.ok(s.DeleteHost(s.ctx, 4))
	list, total, err := s.RolloutHosts(s.ctx, o.Rollout.ID, RolloutFilter{}, Page{Sort: "id"})
	s.ok(err)
	same(s, "hosts", fmt.Sprint(total, list[0].HostID, list[3].HostID), "4 1 6")
	n, err := s.PlanAgain(s.ctx, o.Rollout.ID)
	s.ok(err)
	same(s, "planned again", n, 2)
	s.ok(s.RecordPlanned(s.ctx, o.Rollout.ID, []PlannedHost{planned[4], {HostID: 5, State: RolloutUnaudited}}))
	s.ok(s.EndRollout(s.ctx, o.Rollout.ID))
	s.fails(s.EndRollout(s.ctx, o.Rollout.ID), ErrConflict)
	s.record(o.result(6))
	o.follow(0, map[RolloutState]int{RolloutOpen: 1, RolloutClosed: 1, RolloutGone: 1, RolloutUnaudited: 1})
	open, err := s.OpenRollouts(s.ctx)
	s.ok(err)
	same(s, "open", open, 0)
	s.ok(s.DeleteRollout(s.ctx, o.Rollout.ID))
	s.fails(s.DeleteRollout(s.ctx, o.Rollout.ID), ErrNotFound)
	for _, table := range []string{
		"rollout_groups", "rollout_sets", "rollout_closes", "rollout_hosts", "rollout_stops", "rollout_stopped",
	} {
		if n := s.number(`SELECT count(*) FROM ` + table); n != 0 {
			s.Errorf("%d rows are left in %s", n, table)
		}
	}
}

// A host of which no finding shows that it is changed waits for an audit: it closes with one that shows its values, and
// is planned anew after any other. A finding that comes later watches it, too.
func TestRolloutAudited(t *testing.T) {
	onBoth(t, func(s *suite) {
		audit := func(n int) *Result {
			r := s.scan(Run{}, Target{}, n, "")
			r.Kind, r.Findings = RunAudit, nil
			return r
		}
		for n := 1; n <= 4; n++ {
			s.record(s.scan(Run{}, Target{}, n, model.Exposed))
			s.record(audit(n))
		}
		o := Rollout{Name: "all", Strategy: "restrict"}
		s.ok(s.AddRollout(s.ctx, &o, HostFilter{}))
		plan := &model.Plan{Changes: []model.Change{{ID: "1", Setting: "x"}}}
		var planned []PlannedHost
		for n := int64(1); n <= 4; n++ {
			planned = append(planned, PlannedHost{
				HostID: n, State: RolloutOpen, Changes: []byte("one"), Plan: plan, Closes: []string{"f1"},
				Stops: []RolloutStop{{Who: "a"}},
			})
		}
		s.advance(1000)
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned))
		s.ok(s.RolloutPlanned(s.ctx, o.ID))
		hosts := func() []RolloutHost {
			list, _, err := s.RolloutHosts(s.ctx, o.ID, RolloutFilter{}, Page{Sort: "id"})
			s.ok(err)
			return list
		}
		same(s, "why", hosts()[0].Why, whyUnwatched)
		due := func() []AuditedHost {
			all, err := s.AuditedHosts(s.ctx, 10)
			s.ok(err)
			return all
		}
		same(s, "before an audit", due(), nil)
		s.advance(1000)
		s.record(audit(1))
		s.record(audit(2))
		s.record(s.scan(Run{}, Target{}, 3, model.Exposed, "f1"))
		all := due()
		same(s, "audited", len(all), 2)
		got, err := s.RolloutPlan(s.ctx, all[0].Group)
		s.ok(err)
		same(s, "plan", got, plan)
		_, err = s.RolloutPlan(s.ctx, 999)
		s.fails(err, ErrNotFound)
		all[0].Made = true
		s.ok(s.RecordAudited(s.ctx, all))
		s.ok(s.RecordAudited(s.ctx, all)) // again does nothing
		_, err = s.FollowRollouts(s.ctx)
		s.ok(err)
		var states []RolloutState
		for _, h := range hosts() {
			states = append(states, h.State)
		}
		same(s, "states", states, []RolloutState{RolloutClosed, RolloutWaiting, RolloutOpen, RolloutUnwatched})
		same(s, "its group", hosts()[1].Group, 0)
		unplanned, err := s.UnplannedRollouts(s.ctx)
		s.ok(err)
		same(s, "to plan", len(unplanned), 1)
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned[1:2])) // with what it would stop
		same(s, "planned anew", hosts()[1].State, RolloutUnwatched)
		same(s, "once more", due(), nil)
	})
}

// What comes after a host was planned is not in its plan: it changed, was audited for the first time, was observed, or
// shows again what had closed. The same result once more is no news, and a new plan has all of it.
func TestRolloutNewer(t *testing.T) {
	onBoth(t, func(s *suite) {
		audit := func(n int) *Result {
			r := s.scan(Run{}, Target{}, n, "")
			r.Kind, r.Findings = RunAudit, nil
			return r
		}
		for n := 1; n <= 6; n++ {
			s.record(s.scan(Run{}, Target{}, n, model.Exposed, "f1"))
			if n != 2 {
				s.record(audit(n))
			}
		}
		o := Rollout{Name: "all", Strategy: "restrict"}
		s.ok(s.AddRollout(s.ctx, &o, HostFilter{}))
		newer := func(want ...int64) {
			s.Helper()
			var got []int64
			list, total, err := s.RolloutHosts(s.ctx, o.ID, RolloutFilter{Newer: true}, Page{Sort: "id"})
			s.ok(err)
			for _, h := range list {
				got = append(got, h.HostID)
			}
			same(s, "newer than the plan", got, want)
			same(s, "their number", total, len(want))
			list, _, err = s.RolloutHosts(s.ctx, o.ID, RolloutFilter{}, Page{Sort: "id"})
			s.ok(err)
			for _, h := range list {
				same(s, fmt.Sprint("mark of host ", h.HostID), h.Newer, slices.Contains(want, h.HostID))
			}
		}
		newer() // not planned yet
		plan := func(n int64) PlannedHost {
			return PlannedHost{
				HostID: n, State: RolloutOpen, Changes: []byte("one"), Plan: &model.Plan{}, Closes: []string{"f1"},
			}
		}
		planned := []PlannedHost{
			plan(1), {HostID: 2, State: RolloutUnaudited}, plan(3), plan(4), plan(5), {HostID: 6, State: RolloutNothing},
		}
		s.advance(time.Second)
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned))
		newer()
		s.advance(time.Second)
		s.record(s.scan(Run{}, Target{}, 1, model.Exposed, "f1")) // the same once more
		s.record(audit(1))
		s.record(audit(2))                                               // its first
		s.record(s.scan(Run{}, Target{}, 3, model.Exposed, "f1", "f2"))  // changed
		s.record(s.scan(Run{}, Target{}, 4, model.Closed))               // closed
		s.ok(s.SaveDocument(s.ctx, 6, KindObserve, s.clock(), s.came())) // observed
		_, err := s.FollowRollouts(s.ctx)
		s.ok(err)
		newer(2, 3, 6)
		s.advance(time.Second)
		s.record(s.scan(Run{}, Target{}, 4, model.Exposed, "f1"))
		s.advance(time.Second)
		_, err = s.FollowRollouts(s.ctx) // it is open again, later than its result
		s.ok(err)
		newer(2, 3, 4, 6)
		s.advance(time.Second)
		_, err = s.PlanAgain(s.ctx, o.ID)
		s.ok(err)
		planned[1] = plan(2)
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned))
		newer()
	})
}

// A rollout waits for no host that nobody looks at any more, whatever its state is. When it is looked at again, one
// that was open is so again, and another one is planned anew.
func TestRolloutGone(t *testing.T) {
	onBoth(t, func(s *suite) {
		for n := 1; n <= 5; n++ {
			s.record(s.scan(Run{}, Target{}, n, model.Exposed, "f1"))
		}
		o := Rollout{Name: "all", Strategy: "restrict"}
		s.ok(s.AddRollout(s.ctx, &o, HostFilter{}))
		site, err := s.SiteByName(s.ctx, "main")
		s.ok(err)
		var targets []Target
		for n := int64(1); n <= 2; n++ {
			x := Target{SiteID: site.ID, Spec: fmt.Sprintf("gone-%d.test", n), Kind: TargetHost, Enabled: true}
			s.ok(s.SaveTarget(s.ctx, &x))
			_, err := s.exec(s.ctx, `UPDATE targets SET host_id = $2 WHERE id = $1`, x.ID, n)
			s.ok(err)
			targets = append(targets, x)
		}
		plan := &model.Plan{Changes: []model.Change{{ID: "1", Setting: "x"}}}
		open := func(n int64, closes string) PlannedHost {
			return PlannedHost{
				HostID: n, State: RolloutOpen, Changes: []byte("one"), Plan: plan, Closes: []string{closes},
				Stops: []RolloutStop{{Who: "a"}},
			}
		}
		planned := []PlannedHost{
			open(1, "f1"), open(2, "f2"),
			{HostID: 3, State: RolloutUnaudited},
			{HostID: 4, State: RolloutQuestion},
			open(5, "f1"),
		}
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned))
		s.ok(s.RolloutPlanned(s.ctx, o.ID))
		follow := func(what string, want ...RolloutState) {
			s.Helper()
			s.advance(1000)
			_, err := s.FollowRollouts(s.ctx)
			s.ok(err)
			list, _, err := s.RolloutHosts(s.ctx, o.ID, RolloutFilter{}, Page{Sort: "id"})
			s.ok(err)
			var got []RolloutState
			for _, h := range list {
				got = append(got, h.State)
				if (h.State == RolloutGone) != (h.Why == whyRetired || h.Why == whyOff) {
					s.Errorf("%s: %s because %q", what, h.State, h.Why)
				}
			}
			same(s, what, got, want)
		}
		follow("at first", RolloutOpen, RolloutUnwatched, RolloutUnaudited, RolloutQuestion, RolloutOpen)
		enable := func(on bool) {
			for _, x := range targets {
				x.Enabled = on
				s.ok(s.SaveTarget(s.ctx, &x))
			}
		}
		enable(false)
		for _, id := range []int64{3, 4} {
			_, err := s.RetireHost(s.ctx, id, s.clock())
			s.ok(err)
		}
		follow("off and retired", RolloutGone, RolloutGone, RolloutGone, RolloutGone, RolloutOpen)
		follow("still", RolloutGone, RolloutGone, RolloutGone, RolloutGone, RolloutOpen)
		// An import shows that the change was made, although no target leads there; later, that it is undone.
		for _, step := range []struct {
			finding string
			want    RolloutState
		}{{"f9", RolloutClosed}, {"f1", RolloutGone}} {
			s.advance(time.Second)
			s.record(s.scan(Run{}, Target{}, 1, model.Exposed, step.finding))
			follow("an import shows "+step.finding, step.want, RolloutGone, RolloutGone, RolloutGone, RolloutOpen)
		}
		enable(true)
		s.advance(time.Second)
		s.record(s.scan(Run{}, Target{}, 3, model.Exposed, "f1"))
		follow("back", RolloutOpen, RolloutWaiting, RolloutWaiting, RolloutGone, RolloutOpen)
		due, err := s.UnplannedRollouts(s.ctx)
		s.ok(err)
		same(s, "to plan", len(due), 1)
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned[1:3])) // with what it would stop
	})
}

// A host that nobody looks at any more and that has no plan is planned when somebody imports an audit of it, once for
// each audit; a retired one when it is back.
func TestRolloutGoneAudited(t *testing.T) {
	onBoth(t, func(s *suite) {
		for n := 1; n <= 3; n++ {
			s.record(s.scan(Run{}, Target{}, n, model.Exposed, "f1"))
		}
		o := Rollout{Name: "all", Strategy: "restrict"}
		s.ok(s.AddRollout(s.ctx, &o, HostFilter{}))
		off := Target{SiteID: s.site.ID, Spec: "off.test", Kind: TargetHost}
		s.ok(s.SaveTarget(s.ctx, &off))
		_, err := s.exec(s.ctx, `UPDATE targets SET host_id = 1 WHERE id = $1`, off.ID)
		s.ok(err)
		_, err = s.RetireHost(s.ctx, 2, s.clock())
		s.ok(err)
		var never []PlannedHost
		for id := int64(1); id <= 3; id++ {
			never = append(never, PlannedHost{HostID: id, State: RolloutUnaudited, Why: "never audited"})
		}
		s.ok(s.RecordPlanned(s.ctx, o.ID, never))
		s.ok(s.RolloutPlanned(s.ctx, o.ID))
		follow := func(what string, want ...RolloutState) {
			s.Helper()
			s.advance(time.Second)
			_, err := s.FollowRollouts(s.ctx)
			s.ok(err)
			list, _, err := s.RolloutHosts(s.ctx, o.ID, RolloutFilter{}, Page{Sort: "id"})
			s.ok(err)
			var got []RolloutState
			for _, h := range list {
				got = append(got, h.State)
			}
			same(s, what, got, want)
		}
		audit := func() {
			s.advance(time.Second)
			for n := 1; n <= 3; n++ {
				r := s.scan(Run{}, Target{}, n, "")
				r.Kind, r.Findings = RunAudit, nil
				s.record(r)
			}
		}
		follow("nobody looks", RolloutGone, RolloutGone, RolloutUnaudited)
		follow("still", RolloutGone, RolloutGone, RolloutUnaudited)
		audit()
		follow("audited", RolloutWaiting, RolloutGone, RolloutUnaudited)
		due, err := s.UnplannedRollouts(s.ctx)
		s.ok(err)
		same(s, "to plan", len(due), 1)
		planned := []PlannedHost{{
			HostID: 1, State: RolloutOpen, Changes: []byte("one"), Closes: []string{"f1"},
			Plan: &model.Plan{Changes: []model.Change{{ID: "1", Setting: "x"}}},
		}}
		s.ok(s.RecordPlanned(s.ctx, o.ID, planned))
		follow("planned, and nobody looks", RolloutGone, RolloutGone, RolloutUnaudited)
		follow("the same audit", RolloutGone, RolloutGone, RolloutUnaudited)
		s.advance(time.Second)
		s.record(s.scan(Run{}, Target{}, 1, model.Exposed))
		s.record(s.scan(Run{}, Target{}, 2, model.Exposed, "f1"))
		follow("an import shows that it is made; the other is back", RolloutClosed, RolloutWaiting, RolloutUnaudited)
	})
}
