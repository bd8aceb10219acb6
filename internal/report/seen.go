package report

import (
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// gaveNothing is how a report calls a question that was answered with an empty list: not refused, and nothing was there to
// give, or nothing was shown.
const gaveNothing model.Outcome = "nothing"

// seenOf is what a scan says about one kind of data: the best answer of everything that an identity asked for it. A pipe,
// an interface or a call that was refused refuses what the catalog says would have come of it.
func seenOf(k *catalog.Catalog, r *model.IdentityResult, kind model.Disclosure) model.Outcome {
	if r.Session.Outcome == model.Denied {
		return model.Denied
	}
	out := model.Outcome("")
	note := func(o model.Outcome) {
		if rank(o) > rank(out) {
			out = o
		}
	}
	if kind == model.DisclosesFiles {
		for _, s := range r.Shares {
			note(s.Tree.Outcome)
			if s.Tree.Outcome == model.Allowed {
				out = ""
				note(s.Open.Outcome)
			}
		}
		return out
	}
	if r.Tree.Outcome == model.Denied {
		return model.Denied
	}
	for _, p := range r.Pipes {
		if p.Open.Outcome != model.Allowed {
			if pipe := k.Pipe(p.Pipe); pipe != nil {
				for _, i := range pipe.Interfaces {
					if i.Probe == "call" && gives(k, i.ID, kind) {
						note(p.Open.Outcome)
					}
				}
			}
			continue
		}
		for _, i := range p.Interfaces {
			if i.Bind.Outcome != model.Allowed && gives(k, i.Interface, kind) {
				note(i.Bind.Outcome)
			}
			for _, c := range i.Calls {
				note(answered(k, i.Interface, c, kind))
			}
		}
	}
	return out
}

// answered is what one call says about one kind of data; empty where it was not about it.
func answered(k *catalog.Catalog, name string, c model.CallResult, kind model.Disclosure) model.Outcome {
	switch {
	case c.Discloses == kind:
		return c.Outcome
	case c.Discloses != "" && c.Discloses != model.DisclosesNothing, c.Count > 0: // it was about something else
		return ""
	}
	i := k.Interface(name)
	if i == nil {
		return ""
	}
	for _, known := range i.Calls {
		switch {
		case known.Name != c.Call || known.Discloses != kind:
		case c.Outcome == model.Allowed:
			return gaveNothing
		default:
			return c.Outcome
		}
	}
	return ""
}

// gives tells whether the calls that probes make on an interface give one kind of data.
func gives(k *catalog.Catalog, name string, kind model.Disclosure) bool {
	if i := k.Interface(name); i != nil {
		for _, c := range i.Calls {
			if c.Discloses == kind && c.Avoid == "" {
				return true
			}
		}
	}
	return false
}
