package acts

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

// NewRollout selects the hosts of a rollout, and the kind of its plans.
type NewRollout struct {
	Name string `json:"name"`
	// Hosts by the filter of their list, as in its URL after the ?; without hosts and query all hosts.
	Query string  `json:"query,omitempty"`
	Hosts []int64 `json:"hosts,omitempty"` // or by id
	// Change only this setting, on the hosts that have a finding which it closes.
	Setting  string `json:"setting,omitempty"`
	Strategy string `json:"strategy,omitempty" enum:"restrict,block"` // restrict if omitted
	// Of restrict, how far it goes; strangers if omitted.
	Goal   string `json:"goal,omitempty" enum:"strangers,harden,findings"`
	Accept bool   `json:"accept_breakage,omitempty"`

	// Read parses the query as page and API parse those of their lists.
	Read func(query string, now time.Time) (store.HostFilter, error) `json:"-"`
}

// maxRolloutHosts bounds the hosts of one rollout: twice the largest measured fleet. Plan a larger one site by site.
const maxRolloutHosts = 100_000

// StartRollout creates one plan for many hosts. The server plans for one host after the other, from what is stored of
// them; it changes none of them. Hosts that the account may not operate are left out.
func (a *Acts) StartRollout(ctx context.Context, who access.Who, in NewRollout) (o store.Rollout, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		f, err := a.checkRollout(&in)
		if err != nil {
			return line{}, err
		}
		if !who.Can(store.RoleOperator) {
			f.Within = store.Sites{}
			for site := range who.Sites {
				if who.At(site, store.RoleOperator) {
					f.Within = append(f.Within, site)
				}
			}
			slices.Sort(f.Within)
		}
		if len(in.Hosts) > 0 {
			if _, err := sitesOf(ctx, tx, who, store.RoleOperator, in.Hosts); err != nil {
				return line{}, err
			}
			f.IDs = in.Hosts
		}
		if in.Setting != "" {
			f.Setting = in.Setting
		}
		f.Retired = false
		counts, err := tx.Counts(ctx, f)
		if err != nil {
			return line{}, err
		}
		switch {
		case counts.Hosts == 0:
			return line{}, &Refusal{Text: "there is no such host: choose others"}
		case counts.Hosts > maxRolloutHosts:
			return line{}, &Refusal{Text: "these are " + strconv.Itoa(counts.Hosts) +
				" hosts, and a rollout has at most " + strconv.Itoa(maxRolloutHosts) + ": choose them site by site"}
		}
		open, err := tx.OpenRollouts(ctx)
		if err != nil {
			return line{}, err
		}
		if open >= store.MaxRollouts {
			return line{}, &Refusal{
				Kind: Conflict,
				Text: strconv.Itoa(open) + " rollouts are followed already: end one first",
			}
		}
		o = store.Rollout{
			Name: in.Name, Query: in.Query, Setting: in.Setting, Strategy: in.Strategy,
			Goal: in.Goal, Accept: in.Accept, By: who.Name(),
		}
		if err := tx.AddRollout(ctx, &o, f); err != nil {
			return line{}, err
		}
		sites, err := tx.RolloutSites(ctx, o.ID)
		what := o.Strategy
		if o.Setting != "" {
			what = o.Setting + " alone"
		}
		return entry("rollout.start", o.Name, what+", "+model.Count(o.Hosts, "host", "hosts")).at(sites...), err
	})
	return o, err
}

// checkRollout returns the filter of the selected hosts.
func (a *Acts) checkRollout(in *NewRollout) (f store.HostFilter, err error) {
	var k checks
	k.need("name", &in.Name)
	if len(in.Hosts) > 0 && in.Query != "" {
		k.wrong("hosts", "name hosts or a query, not both")
	}
	if in.Hosts != nil && len(in.Hosts) == 0 { // a script with an empty list does not mean every host
		k.wrong("hosts", "no host is named; leave this out to plan for all that the query selects")
	}
	if len(in.Hosts) > MaxChosen {
		k.wrong("hosts", "want at most %d hosts by number", MaxChosen)
	}
	if len(in.Query) > maxQuery {
		k.wrong("query", "this is longer than %d bytes", maxQuery)
	} else if in.Query != "" {
		if f, err = in.Read(in.Query, a.now()); err != nil {
			k.wrong("query", "%s", Words(err))
		}
	}
	if in.Strategy == "" {
		in.Strategy = plan.Restrict
	}
	oneOf(&k, "strategy", in.Strategy, plan.Restrict, plan.Block)
	if in.Goal != "" {
		oneOf(&k, "goal", in.Goal, plan.Goals()...)
	}
	in.Setting = strings.TrimSpace(in.Setting)
	if s := a.o.Catalog.Setting(in.Setting); in.Setting != "" {
		switch {
		case s == nil:
			k.wrong("setting", "there is no such setting")
		case in.Strategy == plan.Block:
			k.wrong("setting", "a single setting goes with restrict, and not with block")
		default:
			in.Setting, in.Goal = s.ID, plan.Findings // the setting was named, so whatever it closes is wanted
		}
	}
	if in.Strategy == plan.Block {
		in.Goal = ""
	}
	return f, k.err()
}

// PlanAgain replans the remaining hosts of a rollout: those audited since then get a plan, and the others one based on
// what is known now.
func (a *Acts) PlanAgain(ctx context.Context, who access.Who, id int64) (o store.Rollout, err error) {
	err = a.onRollout(ctx, who, id, func(tx *store.Tx, was store.Rollout) (line, error) {
		if !was.Ended.IsZero() {
			return line{}, &Refusal{Kind: Conflict, Text: "the rollout has ended"}
		}
		n, err := tx.PlanAgain(ctx, id)
		if err != nil {
			return line{}, err
		}
		o, err = tx.Rollout(ctx, id, nil)
		return entry("rollout.plan", was.Name, model.Count(int(n), "host", "hosts")), err
	})
	return o, err
}

// EndRollout stops following a rollout: its hosts keep their state, and it is stored as long as history.
func (a *Acts) EndRollout(ctx context.Context, who access.Who, id int64) (o store.Rollout, err error) {
	err = a.onRollout(ctx, who, id, func(tx *store.Tx, was store.Rollout) (line, error) {
		if err := tx.EndRollout(ctx, id); errors.Is(err, store.ErrConflict) {
			return line{}, &Refusal{Kind: Conflict, Text: "the rollout has ended already"}
		} else if err != nil {
			return line{}, err
		}
		o, err = tx.Rollout(ctx, id, nil)
		return entry("rollout.end", was.Name,
			model.Count(was.States[store.RolloutClosed], "host", "hosts")+" of "+strconv.Itoa(was.Hosts)+" closed"), err
	})
	return o, err
}

// DeleteRollout forgets a rollout. What was made of its hosts stays.
func (a *Acts) DeleteRollout(ctx context.Context, who access.Who, id int64) error {
	return a.onRollout(ctx, who, id, func(tx *store.Tx, was store.Rollout) (line, error) {
		return entry("rollout.delete", was.Name, model.Count(was.Hosts, "host", "hosts")), tx.DeleteRollout(ctx, id)
	})
}

// onRollout does something to a rollout as an operator of every site that its hosts lie at.
func (a *Acts) onRollout(
	ctx context.Context, who access.Who, id int64, do func(tx *store.Tx, was store.Rollout) (line, error),
) error {
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		was, err := tx.Rollout(ctx, id, nil)
		if err != nil {
			return line{}, err
		}
		sites, err := tx.RolloutSites(ctx, id)
		if err != nil {
			return line{}, err
		}
		seen := who.Can(store.RoleViewer)
		for _, site := range sites {
			seen = seen || who.At(site, store.RoleViewer)
		}
		for _, site := range sites {
			if !seen {
				return line{}, store.ErrNotFound
			}
			if !who.At(site, store.RoleOperator) { // some of its hosts are shown to them
				return line{}, access.ErrForbidden
			}
		}
		l, err := do(tx, was)
		return l.at(sites...), err
	})
}
