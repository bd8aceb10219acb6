package acts

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

// NewRun says what is to be done, and over which targets.
type NewRun struct {
	Kind     store.RunKind  `json:"kind"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"` // of a scan: the null-session question alone
}

// kind checks a kind of run.
func (k *checks) kind(kind store.RunKind) {
	oneOf(k, "kind", kind, store.RunScan, store.RunAudit, store.RunDiscover)
}

// selector checks which targets are chosen.
func (k *checks) selector(s *store.Selector) {
	k.line("selector.site", &s.Site)
	k.line("selector.tag", &s.Tag)
	k.line("selector.owner", &s.Owner)
	s.Tag = strings.ToLower(s.Tag)
	if len(s.Targets) > maxChosen || len(s.Hosts) > maxChosen {
		k.wrong("selector", "want at most %d targets or hosts by number", maxChosen)
	}
}

// StartRun starts a run over the targets that are enabled and chosen.
func (a *Acts) StartRun(ctx context.Context, who access.Who, in NewRun) (r store.Run, err error) {
	err = a.do(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		var k checks
		k.kind(in.Kind)
		k.selector(&in.Selector)
		if err := k.err(); err != nil {
			return line{}, err
		}
		r = store.Run{Kind: in.Kind, Selector: in.Selector, Quick: in.Quick, By: who.Name()}
		if err := a.fleet.Start(ctx, tx, &r); errors.Is(err, fleet.ErrNothing) {
			return line{}, &Refusal{Text: Words(err)}
		} else if err != nil {
			return line{}, err
		}
		return line{"run.start", runName(r.ID), string(r.Kind) + " of " + count(r.Total, "target", "targets") + ": " + Chosen(in.Selector)}, nil
	})
	return r, err
}

func runName(id int64) string { return "run " + strconv.FormatInt(id, 10) }

// Chosen says in words which targets a selector takes.
func Chosen(s store.Selector) string {
	var parts []string
	for _, p := range [][2]string{{"site ", s.Site}, {"tag ", s.Tag}, {"owner ", s.Owner}} {
		if p[1] != "" {
			parts = append(parts, p[0]+plain(p[1]))
		}
	}
	if n := len(s.Targets); n > 0 {
		parts = append(parts, count(n, "target", "targets"))
	}
	if n := len(s.Hosts); n > 0 {
		parts = append(parts, count(n, "host", "hosts"))
	}
	if len(parts) == 0 {
		return "all targets"
	}
	return strings.Join(parts, ", ")
}

// CancelRun ends a run: what is not done is skipped, and what is under way is not recorded.
func (a *Acts) CancelRun(ctx context.Context, who access.Who, id int64) (r store.Run, err error) {
	err = a.do(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		if _, err := tx.Run(ctx, id); err != nil {
			return line{}, err
		}
		if err := tx.CancelRun(ctx, id); err != nil {
			return line{}, inUse(err, "the run has ended already")
		}
		r, err = tx.Run(ctx, id)
		return line{"run.cancel", runName(id), ""}, err
	})
	return r, err
}

// ScheduleChange is a schedule as somebody wants it.
type ScheduleChange struct {
	Name     string         `json:"name"`
	Kind     store.RunKind  `json:"kind"`
	Cron     string         `json:"cron"`
	Zone     string         `json:"zone,omitempty"`
	Window   string         `json:"window,omitempty"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"`
	Enabled  *bool          `json:"enabled,omitempty"` // true where it is left out
}

// SaveSchedule adds a schedule where id is 0, or changes one.
func (a *Acts) SaveSchedule(ctx context.Context, who access.Who, id int64, in ScheduleChange) (s store.Schedule, err error) {
	err = a.do(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		s = store.Schedule{}
		if id != 0 {
			if s, err = tx.Schedule(ctx, id); err != nil {
				return line{}, err
			}
		}
		var k checks
		k.need("name", &in.Name)
		k.need("cron", &in.Cron)
		k.kind(in.Kind)
		k.selector(&in.Selector)
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
		s.Name, s.Kind, s.Cron, s.Zone, s.Window = in.Name, in.Kind, in.Cron, in.Zone, in.Window
		s.Selector, s.Quick, s.Enabled = in.Selector, in.Quick, in.Enabled == nil || *in.Enabled
		return line{action("schedule", id), s.Name, s.Cron}, taken(tx.SaveSchedule(ctx, &s), "name", "another schedule has this name")
	})
	return s, err
}

// DeleteSchedule removes a schedule; its runs stay.
func (a *Acts) DeleteSchedule(ctx context.Context, who access.Who, id int64) error {
	return a.do(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		s, err := tx.Schedule(ctx, id)
		if err != nil {
			return line{}, err
		}
		return line{"schedule.delete", s.Name, ""}, tx.DeleteSchedule(ctx, id)
	})
}
