package audit

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// maxNamed bounds the names in a finding's evidence; the setting itself has all of them.
const maxNamed = 10

// exceptions adds a finding for every exception that stands, so that none is forgotten: who is exempt, and from what.
// One from a rule that is not in force only informs.
func (j *judging) exceptions() {
	for i := range j.Catalog.Settings {
		s := &j.Catalog.Settings[i]
		var lists, lines []string
		for k := range s.Ends {
			if e := &s.Ends[k]; e.Except != "" && !slices.Contains(lists, e.Except) {
				lists = append(lists, e.Except)
			} else if e.ExceptLine != "" && !slices.Contains(lines, e.ExceptLine) {
				lines = append(lines, e.ExceptLine)
			}
		}
		for _, id := range lists {
			if names := j.names(id); len(names) > 0 && j.setting(id).State != model.StateNotApplicable {
				j.exempt(s, id, id, names, nil)
			}
		}
		for _, id := range lines {
			line := j.Catalog.Setting(id)
			var names []string
			var looks []model.Look
			for k := range j.accounts {
				l := &j.accounts[k]
				if line.Excepts(l, l.Account) {
					names = append(names, l.Account)
					looks = append(looks, model.Look{
						Asked: l.Where, Of: j.audit.Source.Name, Times: 1, Answer: model.Text(l.Value.Data),
					})
				}
			}
			if names != nil {
				j.exempt(s, id, "a line of its own", names, looks)
			}
		}
	}
}

// exempt adds the finding of some names that are exempt from a rule by what the setting id holds.
func (j *judging) exempt(rule *catalog.Setting, id, by string, names []string, looks []model.Look) {
	l := lint{
		id: "exception-stands", setting: id, settings: []string{rule.ID}, looks: looks,
		evidence: fmt.Sprintf("exempt from %s by %s: %s", rule.ID, by, some(names)),
	}
	now := j.setting(rule.ID)
	inForce := slices.ContainsFunc(rule.Ends, func(e catalog.End) bool {
		return (e.Except == id || e.ExceptLine == id) && e.At(rule, now.Effective)
	})
	switch {
	case now.Basis == model.BasisUnknown:
		l.evidence += fmt.Sprintf("; whether %s is in force is not known", rule.ID)
	case !inForce:
		l.severity = model.Info
		l.evidence += fmt.Sprintf("; %s is %s and refuses none of them yet", rule.ID, model.Text(now.Effective))
	}
	j.add(l)
}

// some joins names, and counts those that would make the sentence too long.
func some(names []string) string {
	if left := len(names) - maxNamed; left > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), left)
	}
	return strings.Join(names, ", ")
}
