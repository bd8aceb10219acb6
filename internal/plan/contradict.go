package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// weigh compares the scans with the audit. If a scan answered what the model leaves unknown, its answer counts. If the
// two contradict each other, the plan stops, and weigh returns the question that would settle it.
func (w *work) weigh() (question string) {
	a := w.e.Audit
	if p := w.e.Policy.Role; p != "" && a.Platform.Role != "" && a.Platform.Role != model.UnknownRole &&
		p != a.Platform.Role {
		return fmt.Sprintf("the audit found a %s and the declaration says %s: which of the two is this host?",
			word(a.Platform.Role), word(p))
	}
	if w.classic() && !w.needs.declares("nt4_trust") && w.e.Policy.Strategy != Block {
		return "this is a domain controller in the manner of NT 4.0: do its members, or trusts with NT 4.0 domains, " +
			"still look at its accounts without credentials? --needs nt4-trust says yes, and restrict anonymous " +
			"then stops at 1; --role standalone says no"
	}
	v := w.view()
	var differs []string
	scans := 0
	for _, s := range w.e.Scans {
		if s.Verdict == model.Unreachable {
			w.warn("the scan of %s reached nothing, so it says nothing about this host", s.Target)
			continue
		}
		scans++
		if q := w.otherHost(s); q != "" {
			return q
		}
		for _, r := range s.Identities {
			if !r.Identity.IsStranger() {
				continue
			}
			for _, d := range exposures {
				scanned, by := w.given(s, &r, d)
				at := door{identity: r.Identity, kind: d}
				modelled := v.Discloses(r.Identity, d)
				switch {
				case scanned == model.NotTested:
				case modelled == model.OutcomeUnknown:
					if old, ok := w.settled[at]; !ok || levelOf(old) < levelOf(scanned) {
						w.settled[at] = scanned
					}
				case levelOf(scanned) != levelOf(modelled):
					differs = append(differs,
						fmt.Sprintf("%s gets %s: %s by the configuration, %s by the scan (%s)", r.Identity, d, modelled,
							scanned, by))
				}
			}
		}
	}
	if len(differs) == 0 {
		return ""
	}
	why := "is this the configuration of the host that was scanned, and has it been restarted since it was changed?"
	if slices.ContainsFunc(a.Findings, func(f model.Finding) bool { return f.ID == "pending-restart" }) {
		why = "the audit shows a change that is not in force yet: restart the Server service, then scan again"
	} else if a.Unread != "" {
		why = "what was not read may say so (" + a.Unread +
			"): audit the host itself, or the configuration with all its files"
	} else if w.platform.System == "samba" {
		why += " On Samba, rpcd workers keep the old configuration until they are signalled."
	}
	const most = 4 // enough to see the pattern
	more := ""
	if len(differs) > most {
		differs, more = differs[:most], fmt.Sprintf("; and %d more", len(differs)-most)
	}
	return "the scan and the configuration contradict each other (" + strings.Join(differs, "; ") + more + "): " + why
}

// otherHost returns evidence that a scan is of another host.
func (w *work) otherHost(s *model.Scan) string {
	p := w.platform
	if s.Server.System != "" && s.Server.System != "unknown" && p.System != "" && p.System != "ksmbd" &&
		s.Server.System != p.System {
		return fmt.Sprintf("the audit is of %s and the scan of %s found %s: is it the same host?", p.System, s.Target,
			s.Server.System)
	}
	if s.Server.Build > 0 && p.Build > 0 && p.System == "windows" && s.Server.Build != p.Build {
		return fmt.Sprintf("the audit is of build %d and the scan of %s found build %d: is it the same host, or was "+
			"it updated in between?", p.Build, s.Target, s.Server.Build)
	}
	if a := w.e.Audit.Host; a != "" && s.Server.Name != "" &&
		!strings.EqualFold(strings.SplitN(a, ".", 2)[0], strings.SplitN(s.Server.Name, ".", 2)[0]) {
		return fmt.Sprintf(
			"the audit is of a host named %s and the scan of %s found one named %s: is it the same host?", a, s.Target,
			s.Server.Name)
	}
	return ""
}

// given returns what a scan says about one kind of data, as far as a plan may rely on it. If the listed shares were
// refused, that says nothing about others.
func (w *work) given(s *model.Scan, r *model.IdentityResult, d model.Disclosure) (model.Outcome, string) {
	seen := w.c.Seen(s, r, d)
	switch {
	case seen.Outcome == model.Allowed:
	case seen.Outcome == model.Denied && (d != model.DisclosesFiles || r.Session.Outcome == model.Denied):
	default:
		return model.NotTested, ""
	}
	return seen.Outcome, seen.By
}

func (w *work) warn(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if !slices.Contains(w.warnings, s) {
		w.warnings = append(w.warnings, s)
	}
}

func word[T ~string](s T) string { return strings.ReplaceAll(string(s), "-", " ") }
