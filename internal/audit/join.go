package audit

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Difference is one cell in which a scan saw something else than the access model says.
type Difference struct {
	Identity  model.Identity
	What      string // session, tree, pipe:NAME or discloses:KIND
	Predicted model.Outcome
	Seen      model.Outcome
	Status    string // of the layer that answered
}

// comparing is what a scan is compared with.
type comparing struct {
	catalog *catalog.Catalog
	scan    *model.Scan
	shares  []model.Share // of the configuration
}

// Compare compares the access model with what a scan saw, and returns how many cells could be compared: those that the
// model knows and for which the scan got an answer. shares are those of the configuration.
func Compare(c *catalog.Catalog, access map[model.Identity]model.Access, shares []model.Share,
	s *model.Scan,
) (different []Difference, compared int) {
	w := &comparing{c, s, shares}
	for _, r := range s.Identities {
		a, ok := access[r.Identity]
		if !ok {
			continue
		}
		check := func(what string, predicted model.Outcome, seen model.Step) {
			if !settled(predicted) || !settled(seen.Outcome) {
				return
			}
			compared++
			if predicted != seen.Outcome {
				different = append(different, Difference{r.Identity, what, predicted, seen.Outcome, seen.Status})
			}
		}
		check("session", a.Session, r.Session)
		tree := r.Tree
		if r.Session.Outcome == model.Denied {
			tree = r.Session
		}
		check("tree", a.Tree, tree)
		if tree.Outcome == model.Denied {
			tree.Detail = ""
			for _, name := range sorted(a.Pipes) {
				if a.Pipes[name] != model.Absent { // a refusal at an outer layer says nothing about the inner ones
					check("pipe:"+name, a.Pipes[name], tree)
				}
			}
		}
		for _, p := range r.Pipes {
			check("pipe:"+p.Pipe, a.Pipes[p.Pipe], p.Open)
		}
		for _, d := range model.Disclosures() {
			if tree.Outcome == model.Denied && a.Discloses[d] == model.Absent {
				continue
			}
			check("discloses:"+string(d), a.Discloses[d], w.seen(&r, d))
		}
	}
	return different, compared
}

func sorted(m map[string]model.Outcome) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// settled reports whether an outcome is an answer.
func settled(o model.Outcome) bool {
	return o == model.Allowed || o == model.Denied || o == model.Absent
}

// seen returns what a scan says about one kind of data. Files are a claim about every share, which a server's share
// list cannot settle: a refusal counts if it came at logon, or for every share that the configuration opens.
func (w *comparing) seen(r *model.IdentityResult, d model.Disclosure) model.Step {
	s := w.catalog.Seen(w.scan, r, d)
	if d == model.DisclosesFiles && s.Outcome != model.Allowed && r.Session.Outcome != model.Denied &&
		!w.everyShare(r) {
		return model.Step{Outcome: model.NotTested}
	}
	if r.Session.Outcome == model.Denied {
		return r.Session
	}
	if d != model.DisclosesFiles && r.Tree.Outcome == model.Denied {
		return r.Tree
	}
	step := model.Step{Outcome: s.Outcome}
	if n := len(s.Looks); n > 0 {
		step.Status = s.Looks[n-1].Answer
	}
	return step
}

// everyShare reports whether the scan requested every share that the configuration opens to strangers by name.
func (w *comparing) everyShare(r *model.IdentityResult) bool {
	open := 0
	for _, s := range w.shares {
		if !s.Guest || strings.EqualFold(s.Name, "IPC$") {
			continue
		}
		open++
		if !slices.ContainsFunc(r.Shares, func(o model.ShareResult) bool { return strings.EqualFold(o.Name, s.Name) }) {
			return false
		}
	}
	return open > 0 && r.SharesLeft == 0
}

// join compares the result with the scan of the same host.
func (j *judging) join() {
	if len(j.Scans) == 0 {
		return
	}
	s, why := j.scanOf()
	if s == nil {
		j.problem("--scan: %s", why)
		j.audit.Problems, j.audit.Partial = j.problems, true
		return
	}
	if j.reverse(s) {
		return
	}
	different, _ := Compare(j.Catalog, j.audit.Access, j.audit.Shares, s)
	if len(different) > 0 {
		j.differences(s, different)
	}
	j.posture(s)
}

// scanOf returns the scan that belongs to this configuration: the only one, or the one whose server has the name.
func (j *judging) scanOf() (*model.Scan, string) {
	if len(j.Scans) == 1 {
		return j.Scans[0], ""
	}
	var found []*model.Scan
	for _, s := range j.Scans {
		target, _, _ := strings.Cut(s.Target, ":")
		for _, n := range append([]string{s.Server.Name, s.Server.DNSName, target}, s.Aliases...) {
			if j.host != "" && strings.EqualFold(n, j.host) {
				found = append(found, s)
				break
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], ""
	case 0:
		return nil, fmt.Sprintf("none of %d scans is of a server named %s", len(j.Scans),
			orWord(j.host, "like this one, whose name the source does not tell"))
	}
	return nil, fmt.Sprintf("%d scans are of a server named %s; hand over the one that is meant", len(found), j.host)
}

// reverse detects plain signs that configuration and scan are of different hosts.
func (j *judging) reverse(s *model.Scan) bool {
	system := s.Server.System
	if system != "" && system != "unknown" && j.platform.System != "" && system != j.platform.System {
		j.add(lint{
			id: "observed-differs", severity: model.High, settings: []string{}, looks: negotiated(s, system),
			evidence: fmt.Sprintf("the configuration is of a %s server and the scan of %s saw %s: these are two hosts",
				j.platform.System, s.Target, system),
		})
		return true
	}
	return false
}

// differences adds a finding for each identity and direction: more open than configured, or less.
func (j *judging) differences(s *model.Scan, all []Difference) {
	for _, id := range model.Identities() {
		var more, less []string
		var kinds []model.Disclosure
		var moreLooks, lessLooks []model.Look
		for _, d := range all {
			if d.Identity != id {
				continue
			}
			text := fmt.Sprintf("%s: configured %s, seen %s", cellName(d.What), d.Predicted, d.Seen)
			if d.Status != "" {
				text += " (" + d.Status + ")"
			}
			look := catalog.LookOf(s, s.Of(id), cellName(d.What), model.Step{Outcome: d.Seen, Status: d.Status})
			if d.Seen == model.Allowed {
				more, moreLooks = append(more, text), append(moreLooks, look)
				if kind, ok := strings.CutPrefix(d.What, "discloses:"); ok && model.Disclosure(kind).IsExposure() {
					kinds = append(kinds, model.Disclosure(kind))
				}
			} else {
				less, lessLooks = append(less, text), append(lessLooks, look)
			}
		}
		causes := j.causes(s)
		if len(more) > 0 {
			l := lint{
				id: "open-despite-configuration", identity: id, settings: j.governing(kinds), looks: moreLooks,
				evidence: fmt.Sprintf("%s get more at %s than the configuration gives: %s", id.Callers(), s.Target,
					shorten(more)),
			}
			if len(kinds) == 0 {
				l.severity = model.Medium // open, but no data was disclosed
			}
			if id == model.User {
				l.severity = model.Low
			}
			l.fix = causes
			j.add(l)
		}
		if len(less) > 0 {
			l := lint{
				id: "observed-differs", identity: id, settings: []string{}, looks: lessLooks,
				evidence: fmt.Sprintf("%s get less at %s than the configuration gives: %s", id.Callers(), s.Target,
					shorten(less)), fix: causes,
			}
			if len(more) == 0 {
				l.severity = model.Low
			}
			j.add(l)
		}
	}
}

func cellName(what string) string {
	if rest, ok := strings.CutPrefix(what, "discloses:"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(what, "pipe:"); ok {
		return "pipe " + rest
	}
	return what
}

// shorten lists at most a few of many.
func shorten(all []string) string {
	const most = 6
	if len(all) <= most {
		return strings.Join(all, "; ")
	}
	return strings.Join(all[:most], "; ") + fmt.Sprintf("; and %d more", len(all)-most)
}

// governing returns the settings of this system that control kinds of data.
func (j *judging) governing(kinds []model.Disclosure) []string {
	out := []string{}
	for i := range j.Catalog.Settings {
		s := &j.Catalog.Settings[i]
		if s.System != j.platform.System || s.Side == "client" {
			continue
		}
		if slices.ContainsFunc(s.Governs.Discloses,
			func(d model.Disclosure) bool { return slices.Contains(kinds, d) }) && j.values[s.ID].Present {
			out = append(out, s.ID)
		}
	}
	return out
}

// causes lists the likely causes of a difference, the likeliest first.
func (j *judging) causes(s *model.Scan) string {
	var out []string
	if j.unread != "" {
		out = append(out, "what was not read, which may say so ("+j.unread+")")
	}
	if j.platform.System == "samba" {
		out = append(out,
			"a worker with the old configuration (end or HUP the rpcd_* processes, or restart smbd together with samba-dcerpcd)",
			"a change that was not loaded (smbcontrol smbd reload-config)",
			"another file or the registry overrides this one (testparm -s on the host)")
	} else {
		if slices.ContainsFunc(j.audit.Findings, func(f model.Finding) bool { return f.ID == "pending-restart" }) {
			out = append(out, "the restart of the Server service that is pending")
		} else {
			out = append(out, "a change that waits for a restart of the Server service or the computer")
		}
		out = append(out, "a policy that overrides the registry (gpresult /h on the host)")
	}
	if n := s.Server.Name; n != "" && j.host != "" && !strings.EqualFold(n, j.host) {
		out = append([]string{fmt.Sprintf(
			"the wrong host: the configuration is of %s and the scanned server calls itself %s", j.host, n)}, out...)
	} else {
		out = append(out, "the wrong host or an older copy of the configuration")
	}
	return "Likely causes, to be looked at in this order: " + strings.Join(out, "; ") + ". Then scan again."
}

// negotiated returns the evidence of what a server shows to every client.
func negotiated(s *model.Scan, saw string) []model.Look {
	return []model.Look{{Asked: "negotiate", Of: s.Address, Times: 1, First: s.Started, Last: s.Started, Answer: saw}}
}

// posture compares what a server shows to every client.
func (j *judging) posture(s *model.Scan) {
	say := func(setting, configured, saw string) {
		j.add(lint{
			id: "observed-differs", setting: setting, settings: []string{}, looks: negotiated(s, saw),
			evidence: fmt.Sprintf("%s at %s: configured %s, seen %s", setting, s.Target, configured, saw),
			fix:      j.causes(s),
		})
	}
	if b := s.Server.Build; b != 0 && j.platform.Build != 0 && b != j.platform.Build {
		say("build", fmt.Sprint(j.platform.Build), fmt.Sprint(b))
	}
	if j.platform.System != "windows" || s.Server.Dialects == nil {
		return
	}
	if n, ok := j.number("SMB1"); ok && (n == 1) != s.Server.SMB1 {
		say("SMB1", model.Text(n == 1), model.Text(s.Server.SMB1))
	}
	if n, ok := j.number("RequireSecuritySignature"); ok && s.Server.Signing != "" &&
		(n == 1) != (s.Server.Signing == "required") {
		say("RequireSecuritySignature", model.Text(n == 1), s.Server.Signing)
	}
}
