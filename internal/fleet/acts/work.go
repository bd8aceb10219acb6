package acts

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// NewRun is a run to start, with its targets.
type NewRun struct {
	Kind     store.RunKind  `json:"kind"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"` // of a scan: only the null-session question
}

// kind checks a kind of run.
func (k *checks) kind(kind store.RunKind) {
	oneOf(k, "kind", kind, store.RunScan, store.RunAudit, store.RunDiscover)
}

// selector checks a selection of targets.
func (k *checks) selector(s *store.Selector) {
	k.line("selector.site", &s.Site)
	k.line("selector.tag", &s.Tag)
	k.line("selector.owner", &s.Owner)
	s.Tag = strings.ToLower(s.Tag)
	if s.Targets != nil && len(s.Targets) == 0 || s.Hosts != nil && len(s.Hosts) == 0 {
		// a script with an empty list does not mean everything
		k.wrong("selector", "no target or host is named; leave the list out to select by the rest alone")
	}
	if len(s.Targets) > MaxChosen || len(s.Hosts) > MaxChosen {
		k.wrong("selector", "want at most %d targets or hosts by number", MaxChosen)
	}
}

// StartRun starts a run over the selected targets that are enabled.
func (a *Acts) StartRun(ctx context.Context, who access.Who, in NewRun) (r store.Run, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		var k checks
		k.kind(in.Kind)
		k.selector(&in.Selector)
		if err := k.err(); err != nil {
			return line{}, err
		}
		sites, err := chosenAt(ctx, tx, who, &in.Selector)
		if err != nil {
			return line{}, err
		}
		r = store.Run{Kind: in.Kind, Selector: in.Selector, Quick: in.Quick, By: who.Name()}
		if err := a.fleet.Start(ctx, tx, &r); errors.Is(err, fleet.ErrNothing) {
			return line{}, &Refusal{Text: Words(err)}
		} else if err != nil {
			return line{}, err
		}
		return entry("run.start", runName(r.ID),
			string(r.Kind)+" of "+model.Count(r.Total, "target", "targets")+": "+Chosen(in.Selector)).at(sites...), nil
	})
	if err == nil {
		a.fleet.Began(r)
	}
	return r, err
}

// chosenAt returns the sites of a selection for an account that may not select from all: it must name the site, or
// hosts or targets of one site, which it then sets.
func chosenAt(ctx context.Context, tx *store.Tx, who access.Who, s *store.Selector) ([]int64, error) {
	if who.Can(store.RoleOperator) {
		return nil, nil
	}
	none := &Refusal{Kind: Forbidden, Fields: []Field{{"selector.site", "choose one of your sites"}}}
	if s.Site == "" {
		sites, err := sitesOf(ctx, tx, who, store.RoleOperator, s.Hosts)
		if err != nil {
			return nil, err
		}
		for _, id := range s.Targets {
			t, err := tx.Target(ctx, id)
			if err == nil {
				err = at(who, store.RoleOperator, t.SiteID)
			}
			if err != nil {
				return nil, err
			}
			sites = append(sites, t.SiteID)
		}
		slices.Sort(sites)
		if sites = slices.Compact(sites); len(sites) != 1 {
			return nil, none
		}
		site, err := tx.Site(ctx, sites[0])
		if err != nil {
			return nil, err
		}
		s.Site = site.Name
	}
	site, err := tx.SiteByName(ctx, s.Site)
	if errors.Is(err, store.ErrNotFound) || err == nil && !who.At(site.ID, store.RoleOperator) {
		return nil, none
	}
	return []int64{site.ID}, err
}

// siteNamed returns the id of the site of a run or schedule, if the account's role there allows an act on it. Runs and
// schedules for all sites need a role for the whole fleet.
func siteNamed(ctx context.Context, tx *store.Tx, who access.Who, name string) ([]int64, error) {
	if who.Can(store.RoleOperator) {
		return nil, nil
	}
	site, err := tx.SiteByName(ctx, name)
	if err == nil {
		err = at(who, store.RoleOperator, site.ID)
	}
	return []int64{site.ID}, err
}

func runName(id int64) string { return "run " + strconv.FormatInt(id, 10) }

// Chosen describes the targets that a selector matches.
func Chosen(s store.Selector) string {
	var parts []string
	for _, p := range [][2]string{{"site ", s.Site}, {"tag ", s.Tag}, {"owner ", s.Owner}} {
		if p[1] != "" {
			parts = append(parts, p[0]+plain(p[1]))
		}
	}
	if n := len(s.Targets); n > 0 {
		parts = append(parts, model.Count(n, "target", "targets"))
	}
	if n := len(s.Hosts); n > 0 {
		parts = append(parts, model.Count(n, "host", "hosts"))
	}
	if len(parts) == 0 {
		return "all targets"
	}
	return strings.Join(parts, ", ")
}

// CancelRun cancels a run: open units are skipped, and running ones are not recorded.
func (a *Acts) CancelRun(ctx context.Context, who access.Who, id int64) (ended store.Run, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		r, err := tx.Run(ctx, id)
		if err != nil {
			return line{}, err
		}
		sites, err := siteNamed(ctx, tx, who, r.Selector.Site)
		if err != nil {
			return line{}, err
		}
		if err := tx.CancelRun(ctx, id); err != nil {
			return line{}, inUse(err, "the run has ended already")
		}
		ended, err = tx.Run(ctx, id)
		return entry("run.cancel", runName(id), "").at(sites...), err
	})
	if err == nil {
		a.fleet.Cancelled(ended)
	}
	return ended, err
}

// ScheduleChange is the wanted state of a schedule.
type ScheduleChange struct {
	Name     string         `json:"name"`
	Kind     store.RunKind  `json:"kind"`
	Cron     string         `json:"cron"` // a cron line, or a sentence such as "every day at 02:00, Europe/Berlin"
	Zone     string         `json:"zone,omitempty"`
	Window   string         `json:"window,omitempty"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"`
	Enabled  *bool          `json:"enabled,omitempty"` // true if omitted
}

// SaveSchedule adds a schedule if id is 0, or changes one.
func (a *Acts) SaveSchedule(
	ctx context.Context, who access.Who, id int64, in ScheduleChange,
) (s store.Schedule, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		s = store.Schedule{}
		if id != 0 {
			if s, err = tx.Schedule(ctx, id); err == nil {
				_, err = siteNamed(ctx, tx, who, s.Selector.Site)
			}
			if err != nil {
				return line{}, err
			}
		}
		var k checks
		k.need("name", &in.Name)
		k.need("cron", &in.Cron)
		k.kind(in.Kind)
		k.selector(&in.Selector)
		if k.right("cron") {
			if line, zone, err := when.Read(in.Cron); err == nil { // errors are reported below
				in.Cron, in.Zone = line, cmp.Or(zone, in.Zone)
			} else {
				k.wrong("cron", "%s", Words(err))
			}
		}
		k.clock(&in.Zone, &in.Window)
		if k.right("cron") && k.right("zone") {
			due, err := when.ParseSchedule(in.Cron, in.Zone)
			if err != nil {
				k.wrong("cron", "%s", Words(err))
			} else if s.Next = due.Next(a.now()); s.Next.IsZero() {
				k.wrong("cron", "this never comes")
			}
		}
		if err := k.err(); err != nil {
			return line{}, err
		}
		sites, err := chosenAt(ctx, tx, who, &in.Selector)
		if err != nil {
			return line{}, err
		}
		s.Name, s.Kind, s.Cron, s.Zone, s.Window = in.Name, in.Kind, in.Cron, in.Zone, in.Window
		s.Selector, s.Quick, s.Enabled = in.Selector, in.Quick, in.Enabled == nil || *in.Enabled
		return entry(action("schedule", id), s.Name,
			s.Cron).at(sites...), taken(tx.SaveSchedule(ctx, &s), "name", "another schedule has this name")
	})
	return s, err
}

// DeleteSchedule deletes a schedule; its runs stay.
func (a *Acts) DeleteSchedule(ctx context.Context, who access.Who, id int64) error {
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		s, err := tx.Schedule(ctx, id)
		if err != nil {
			return line{}, err
		}
		sites, err := siteNamed(ctx, tx, who, s.Selector.Site)
		if err != nil {
			return line{}, err
		}
		return entry("schedule.delete", s.Name, "").at(sites...), tx.DeleteSchedule(ctx, id)
	})
}
