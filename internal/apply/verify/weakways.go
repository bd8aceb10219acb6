package verify

import (
	"context"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
)

// probeWeak tries the weak ways in, if allowed, and adds the results to a scan. An NTLMv1 logon that an earlier pass
// saw refused is not sent again.
func (v *Verification) probeWeak(ctx context.Context, s *model.Scan) error {
	if v.Weak == nil || s.Verdict == model.Unreachable || s.Banned != "" {
		return nil
	}
	got, err := v.ask(ctx, scan.Options{
		User: v.User, Weak: v.Weak, NoAnonymous: true, NoGuest: true,
		NoUnknownUser: true, Earlier: v.weakened,
	})
	if err != nil {
		return err
	}
	v.weakened, s.WeakWays = got, got.WeakWays
	return ctx.Err()
}

// weakWays compares the weak ways in that the plan closes with the results. If they were not to be tried, or the plan
// closes none, no proof was requested, and an untried way is a note.
func (v *Verification) weakWays(p *Proof, c *catalog.Catalog) {
	if v.Plan == nil {
		return
	}
	for _, way := range v.ends(c) {
		w := p.Scans[0].Way(way.Way)
		check := Check{
			Check: "weak:" + way.Way, Looks: w.Looks, Detail: strings.TrimSpace(w.Status + " " + w.Detail),
			Note: v.Weak == nil,
		}
		switch w.Outcome {
		case model.Denied:
			check.Result, check.Detail = Passed, strings.TrimSuffix("tried and refused: "+check.Detail, ": ")
		case model.Allowed:
			check.Result, check.Detail = Failed, strings.TrimSuffix("accepted: "+check.Detail, ": ")
		case model.Inconclusive:
			check.Result = Inconclusive
		default:
			check.Result = Unchecked
			if v.Weak == nil {
				check.Detail += "; --probe-weak-logons tries them with an account that is made for it"
			}
		}
		switch {
		case check.Result != Failed && check.Result != Inconclusive:
		case way.Maybe != "":
			check.Result, check.Detail, check.Note = Unchecked, check.Detail+"; the change need not end it: "+way.Maybe,
				true
		case way.later != "":
			end := v.postponed(way.later, verdict{check.Result, check.Detail, check.Looks})
			check.Result, check.Detail = end.result, end.detail
		}
		p.Checks = append(p.Checks, check)
	}
}

// ending is a weak way in that the plan closes, and the restart that this takes; later is empty if it takes none, or
// has happened.
type ending struct {
	catalog.WeakWay
	later string
}

// ends returns the weak ways in that the plan's changes close and their undo does not.
func (v *Verification) ends(c *catalog.Catalog) (out []ending) {
	for _, ch := range v.Plan.Changes {
		s := c.Setting(ch.Setting)
		if s == nil || s.Side == "client" {
			continue
		}
		value, ok := s.Value(ch.To)
		if _, ofShare := s.LineOfShare(ch.Where); !ok || ofShare {
			continue
		}
		for _, w := range c.WeakWays(s, value, v.Plan.Platform) {
			later := ""
			if (ch.When == "service-restart" || ch.When == "reboot") && !v.restarted(ch.ID) {
				later = ch.TakesEffect
			}
			if !slices.ContainsFunc(out, func(o ending) bool { return o.Way == w.Way }) {
				out = append(out, ending{w, later})
			}
		}
	}
	return out
}
