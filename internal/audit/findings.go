package audit

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// exposures adds a finding for every kind of data that the access model gives to a stranger. A made-up user that is let
// in is a guest, and has a finding of its own only if guests do not get the same.
func (j *judging) exposures() {
	guest := j.audit.Access[model.Guest]
	for _, id := range model.Strangers() {
		access := j.audit.Access[id]
		for _, d := range model.Disclosures() {
			if !d.IsExposure() || access.Discloses[d] != model.Allowed {
				continue
			}
			if id == model.UnknownUser && guest.Discloses[d] == model.Allowed {
				continue
			}
			l := lint{id: fmt.Sprintf("%s-reads-%s", id, d), severity: model.Medium, identity: id}
			if c := j.Catalog.FindingFor(id, d); c != nil {
				l.id, l.severity, l.settings = c.ID, "", c.Settings
				for _, p := range c.Pipes {
					if access.Pipes[p] == model.Allowed {
						l.pipe = p
						break
					}
				}
			}
			l.evidence = fmt.Sprintf("the configuration gives %s to %s", d.Noun(), id.Callers())
			if why := access.Why["discloses:"+string(d)]; len(why) > 0 {
				l.evidence += ": " + strings.Join(why, "; ")
			}
			j.add(l)
		}
	}
}

// worst returns the severity of what strangers get of some kinds of data, whether all of it is certainly refused to
// them, and what they certainly get. ids are the strangers that count; none means all of them.
func (j *judging) worst(kinds []model.Disclosure, ids ...model.Identity) (level model.Severity, closed bool,
	given []model.Disclosure,
) {
	closed = true
	if len(ids) == 0 {
		ids = model.Strangers()
	}
	for _, id := range ids {
		for _, d := range kinds {
			if !d.IsExposure() {
				continue
			}
			switch j.audit.Access[id].Discloses[d] {
			case model.Allowed:
				closed = false
				if !slices.Contains(given, d) {
					given = append(given, d)
				}
				if c := j.Catalog.FindingFor(id, d); c != nil {
					if s := j.Catalog.Severity(c, j.platform); s.Rank() > level.Rank() {
						level = s
					}
				}
			case model.OutcomeUnknown:
				closed = false
			}
		}
	}
	return level, closed, given
}

// weak adds a finding for every setting that is weaker than wanted and has none yet. Its severity depends on what
// strangers get because of it, not on the number.
func (j *judging) weak() {
	for i := range j.audit.Settings {
		s := &j.audit.Settings[i]
		if s.State != model.StateWeak || j.has(s.ID) {
			continue
		}
		c := j.Catalog.Setting(s.ID)
		l := lint{
			id: "weak-setting", setting: s.ID, evidence: s.ID + " is " + model.Text(s.Effective) + basis(s),
			fix: wanted(j, s.ID),
		}
		if c.Finding != "" {
			l.id, l.fix = c.Finding, ""
		}
		var whom []model.Identity
		if c.Reach == "anonymous" && c.System == "windows" && !c.Governs.Session { // Samba treats guests as anonymous
			whom = []model.Identity{model.Anonymous}
		}
		level, closed, given := j.worst(c.Governs.Discloses, whom...)
		switch {
		case len(given) > 0:
			l.severity = level
			l.evidence += fmt.Sprintf("; strangers get %s", model.Nouns(given))
		case c.Side == "client":
			l.severity = model.Low
			l.evidence += "; it is about this machine as a client"
		case l.id == "weak-setting" && len(c.Governs.Discloses) == 0 && len(c.Governs.Pipes) == 0 &&
			!c.Governs.Session && !c.Governs.Tree:
			l.severity = model.Info // general hardening: it gives strangers nothing
			l.evidence += "; it gives strangers nothing"
		case len(c.Governs.Discloses) > 0 && closed:
			// A plan against strangers leaves it, so nothing has to be done.
			l.severity = model.Info
			l.evidence += "; here something else keeps strangers out, so it opens nothing by itself"
			l.fix = "Nothing has to be closed here. ipcguard plan --goal harden sets it all the same, as a second lock."
		}
		if _, why, ok := strings.Cut(s.Why, ". "); ok {
			l.evidence += ". " + why
		}
		j.add(l)
	}
}

func basis(s *model.Setting) string {
	if s.Basis == model.BasisDefault {
		return " by default"
	}
	return ""
}

// wanted returns the value to set.
func wanted(j *judging, id string) string {
	c := j.Catalog.Setting(id)
	for _, w := range c.Wanted {
		if !j.mayBe(w.Scope.Since, w.Scope.Until) ||
			len(w.Scope.Roles) > 0 && !slices.Contains(w.Scope.Roles, j.platform.Role) {
			continue
		}
		value := model.Text(w.Value)
		switch w.Compare {
		case "at-least":
			value += " or more"
		case "at-most":
			value += " or less"
		case "subset":
			if value != "empty" {
				value = "at most " + value
			}
		case "not-root":
			value += ", or another account without rights"
		}
		return fmt.Sprintf("Set %s to %s.", id, value)
	}
	return ""
}

// mayBe reports whether the platform may lie between two products of the catalog, both included; empty is no bound.
func (j *judging) mayBe(since, until string) bool {
	at := func(id string) int {
		return slices.IndexFunc(j.Catalog.Products, func(p catalog.Product) bool { return p.ID == id })
	}
	own := at(j.platform.Product)
	if own < 0 {
		return true
	}
	return (since == "" || own >= at(since)) && (until == "" || own <= at(until))
}

// is reports whether the platform certainly is this product or a later one.
func (j *judging) is(since string) bool {
	return j.platform.Product != "" && j.mayBe(since, "")
}
