package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

const (
	// planLease is the lease of the server that plans rollouts.
	planLease = "plan"
	// planAtOnce is the number of hosts planned in one transaction: about 2 ms each, so that others wait at most a
	// fifth of a second for the result, and a server that stops loses no more.
	planAtOnce = 100
	// maxStops bounds the listed uses of one host that its changes would stop: longer lists come from scanners and
	// management tools that connect every minute from another port.
	maxStops = 200
)

// PlanRollouts plans for the waiting hosts of rollouts until there are none. Only one server does it at a time.
func (f *Fleet) PlanRollouts(ctx context.Context) error {
	if err := f.lookForMade(ctx); err != nil {
		return err
	}
	mine := false
	for {
		due, err := f.st.UnplannedRollouts(ctx)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			if mine {
				return f.st.ReleaseLease(ctx, planLease, f.o.Name)
			}
			return nil
		}
		if mine, err = f.st.Lease(ctx, planLease, f.o.Name, store.MissedBeats*f.o.Heartbeat); err != nil || !mine {
			return err
		}
		// It was deleted meanwhile.
		if err := f.planSome(ctx, due[0]); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
}

// lookForMade compares the unwatched hosts of rollouts that were audited since with their changes.
func (f *Fleet) lookForMade(ctx context.Context) error {
	audited, err := f.st.AuditedHosts(ctx, planAtOnce)
	if err != nil || len(audited) == 0 {
		return err
	}
	plans := map[int64]*model.Plan{}
	for i := range audited {
		a := &audited[i]
		if plans[a.Group] == nil {
			p, err := f.st.RolloutPlan(ctx, a.Group)
			if errors.Is(err, store.ErrNotFound) { // the rollout was deleted meanwhile
				continue
			}
			if err != nil {
				return err
			}
			plans[a.Group] = p
		}
		b, _, err := f.st.Document(ctx, a.Host, string(store.RunAudit))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil {
			continue // planned anew, it says so
		}
		// An audit that cannot be read shows nothing.
		if found, err := plan.ReadAudit(b); err == nil {
			a.Made = made(plans[a.Group], found)
		}
	}
	return f.st.RecordAudited(ctx, audited)
}

// made reports whether an audit shows every value that a plan sets.
func made(p *model.Plan, a *model.Audit) bool {
	for _, c := range p.Changes {
		if !slices.ContainsFunc(a.Settings, func(s model.Setting) bool {
			return s.ID == c.Setting && s.Where == c.Where && !s.NotRead && s.Value().Equal(c.To)
		}) {
			return false
		}
	}
	return true
}

// planSome plans for the next hosts of a rollout.
func (f *Fleet) planSome(ctx context.Context, o store.Rollout) error {
	hosts, err := f.st.WaitingHosts(ctx, o.ID, planAtOnce)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		f.o.Log.Info("a rollout is planned", "rollout", o.ID, "by", o.By)
		return f.st.RolloutPlanned(ctx, o.ID)
	}
	wish := Wish{Strategy: o.Strategy, Goal: o.Goal, Accept: o.Accept, Setting: o.Setting, By: o.By, Made: o.Created}
	planned := make([]store.PlannedHost, 0, len(hosts))
	for _, id := range hosts {
		p, err := f.planOne(ctx, id, wish)
		switch {
		case err == nil:
			planned = append(planned, p)
		case ctx.Err() != nil || later(err):
			return err
		case errors.Is(err, store.ErrNotFound): // it was deleted meanwhile with its row
		default:
			f.o.Log.Warn("a host of a rollout cannot be planned", "rollout", o.ID, "host", id, "err", err)
			planned = append(planned, store.PlannedHost{
				HostID: id,
				State:  store.RolloutFailed,
				Why:    "what is stored of it cannot be read: audit and scan it again",
			})
		}
	}
	return f.st.RecordPlanned(ctx, o.ID, planned)
}

// planOne plans for one host.
func (f *Fleet) planOne(ctx context.Context, id int64, wish Wish) (store.PlannedHost, error) {
	out := store.PlannedHost{HostID: id}
	e, err := f.evidence(ctx, id, wish)
	if errors.Is(err, ErrNoAudit) {
		out.State, out.Why = store.RolloutUnaudited,
			"it was never audited: a plan starts from what the configuration says"
		return out, nil
	}
	if err != nil {
		return out, err
	}
	p, err := plan.Make(*e)
	if err != nil {
		return out, err
	}
	switch {
	case p.Question != "":
		out.State, out.Why = store.RolloutQuestion, sentence(p.Question)
	case p.Refused != "":
		out.State, out.Why = store.RolloutRefused, sentence(p.Refused)
	case len(p.Changes) == 0:
		out.State, out.Why = store.RolloutNothing, whyNothing(p, wish.Setting)
	default:
		out.State, out.Closes = store.RolloutOpen, plan.Closes(e, p)
		if out.Changes, out.Plan, err = ofGroup(p); err != nil {
			return out, err
		}
	}
	if len(p.Changes) == 0 {
		return out, nil
	}
	for i, b := range p.Breaks {
		if i == maxStops {
			out.Stops = append(out.Stops, store.RolloutStop{
				Certainty: "observed",
				Who:       "further clients",
				What:      fmt.Sprintf("uses beyond the %d that are listed of a host", maxStops),
			})
			break
		}
		b = plan.Alike(b)
		s := store.RolloutStop{
			Certainty: b.Certainty,
			Who:       shown(b.Who),
			What:      shown(b.What),
			Because:   shown(b.Because),
		}
		if !slices.Contains(out.Stops, s) {
			out.Stops = append(out.Stops, s)
		}
	}
	return out, nil
}

// whyNothing returns why a plan changes nothing: why not the requested setting, or the first thing it leaves out, else
// that there is nothing to close.
func whyNothing(p *model.Plan, setting string) string {
	for _, r := range p.Rejected {
		if r.Setting == setting {
			return sentence(r.Setting + ": " + r.Why)
		}
	}
	for _, l := range p.Left {
		return sentence(l.Finding + ": " + l.Why)
	}
	return "there is nothing to close"
}

// mostWhy bounds why a host gets no changes: the longest sentence of the planner names a few pipes and settings.
const mostWhy = 1000

// sentence returns a text of the planner with no hidden characters, and says so where it is cut.
func sentence(s string) string {
	s = strings.Map(plainly, s)
	if len(s) > mostWhy {
		s = strings.ToValidUTF8(s[:mostWhy], "") + "…"
	}
	return s
}

// ofGroup returns what the hosts of one group have in common: the bytes that identify it, and a plan with only the
// changes, which names no host.
func ofGroup(p *model.Plan) ([]byte, *model.Plan, error) {
	type change struct {
		Setting, Where, Policy string
		From, To               model.Value
		ExportOnly             bool
	}
	key := struct {
		System, Product string
		Role            model.Role
		Strategy, Means string
		Changes         []change
	}{p.Platform.System, p.Platform.Product, p.Platform.Role, p.Strategy, p.Means, nil}
	for _, c := range p.Changes {
		key.Changes = append(key.Changes, change{c.Setting, c.Where, c.Policy, c.From, c.To, c.ExportOnly})
	}
	b, err := json.Marshal(key)
	if err != nil {
		return nil, nil, fmt.Errorf("fleet: the changes of a plan: %w", err)
	}
	common := &model.Plan{
		Schema: p.Schema, Tool: p.Tool, By: p.By, Made: p.Made, Target: "several hosts",
		Platform: model.Platform{System: p.Platform.System, Product: p.Platform.Product, Role: p.Platform.Role},
		Strategy: p.Strategy, Means: p.Means, Changes: p.Changes,
		Breaks: []model.Break{}, Keeps: []model.Keep{}, Rejected: []model.Rejected{},
		Residual: []string{}, Warnings: []string{}, BasedOn: []model.Fact{},
	}
	common.Fingerprint = plan.Fingerprint(common.Platform, common.BasedOn)
	common.Hash, err = plan.Hash(common)
	return b, common, err
}
