package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// residual returns what stays open or unknown, and what would settle it.
func (w *work) residual(cfg catalog.Config, after []level) []string {
	v := w.c.View(cfg)
	out := []string{}
	for _, g := range w.remains(v, after) {
		out = append(out, g.String())
	}
	out = append(out, w.offUnknownLists(after)...)
	before := w.view()
	for _, n := range sortedKeys(w.needs.pipes) {
		if w.opens(before, w.cfg, n) && w.opens(v, cfg, n) && cfg.Platform.System == "windows" {
			out = append(out, fmt.Sprintf("anonymous: the pipe %s stays open (%s).", n, w.needs.pipes[n]))
		}
	}
	for _, n := range sortedKeys(w.needs.shares) {
		out = append(out, fmt.Sprintf("the share %s stays open to strangers (%s).", n, w.needs.shares[n]))
	}
	return append(out, w.notRead()...)
}

// offUnknownLists names what leaves a list of which it is not known whether it counts.
func (w *work) offUnknownLists(after []level) (out []string) {
	for i, d := range w.doors {
		if after[i] == chink && !d.unlisted {
			out = append(out, fmt.Sprintf("anonymous: %s is off the list; whether that closes it is not known, because "+
				"whether RestrictNullSessAccess lets strangers into everything is not. A scan of the host settles it.",
				d.called()))
		}
	}
	return out
}

// remain is what the same strangers are still given, or may be, for one reason.
type remain struct {
	kinds []string
	who   []string
	level level
	why   string
	scan  bool // a scan was given it
}

func (g *remain) String() string {
	who, kinds := strings.Join(g.who, ", "), strings.Join(g.kinds, ", ")
	switch {
	case g.level == open:
		return fmt.Sprintf("%s: still given %s (%s). No setting of this product closes it without stopping what is "+
			"needed.", who, kinds, g.why)
	case g.scan:
		return fmt.Sprintf("%s: the scan was given %s, and the model does not know whether the changes close it (%s). "+
			"Scan again after them.", who, kinds, g.why)
	}
	return fmt.Sprintf("%s: not known whether given %s (%s). A scan of the host settles it.", who, kinds, g.why)
}

// remains returns what is not shut after the changes.
func (w *work) remains(v *catalog.View, after []level) []*remain {
	var all []*remain
	for _, id := range model.Strangers() {
		for _, g := range w.remainsOf(v, id, after) {
			at := slices.IndexFunc(all, func(o *remain) bool {
				return o.level == g.level && o.why == g.why && o.scan == g.scan && slices.Equal(o.kinds, g.kinds)
			})
			if at < 0 {
				all = append(all, g)
			} else {
				all[at].who = append(all[at].who, g.who...)
			}
		}
	}
	return all
}

func (w *work) remainsOf(v *catalog.View, id model.Identity, after []level) []*remain {
	var mine []*remain
	for i, d := range w.doors {
		if d.identity != id || d.kind == "" || d.beside || after[i] == shut { // what is open beside is open at all
			continue
		}
		why := strings.Join(v.Why(id, d.kind), "; ")
		if levelOf(v.Session(id)) == ajar { // whether they are let in at all comes first
			why = "whether they are let in at all is not known: " + strings.Join(v.WhySession(id), "; ")
		}
		scanned := levelOf(w.settled[d]) == open && w.settled[d] != ""
		at := slices.IndexFunc(mine, func(g *remain) bool {
			return g.level == after[i] && g.why == why && g.scan == scanned
		})
		if at < 0 {
			at, mine = len(mine),
				append(mine, &remain{level: after[i], why: why, scan: scanned, who: []string{word(id)}})
		}
		mine[at].kinds = append(mine[at].kinds, d.kind.Noun())
	}
	return mine
}

// stillOpen lists the doors that the changes do not shut. A share that must stay open says nothing about others, so the
// model is also asked about files without those that stay.
func (w *work) stillOpen(cfg catalog.Config, after []level) []model.OpenDoor {
	v := w.c.View(cfg)
	others := v
	if len(w.needs.shares) > 0 {
		others = v.Without(w.needs.share)
	}
	var out []model.OpenDoor
	for i, d := range w.doors {
		if after[i] == shut || d.beside || d.unlisted { // a finding of the audit says it, and no scan can see it
			continue
		}
		o := model.OpenDoor{What: w.doorName(d), Known: after[i] == open}
		switch {
		case d.kind == model.DisclosesFiles && o.Known && levelOf(others.Discloses(d.identity, d.kind)) < open:
			o.Shares, o.Why = sortedKeys(w.needs.shares), "these shares have to stay"
			if levelOf(others.Discloses(d.identity, d.kind)) == ajar {
				o.Known, o.Why = false,
					"beside the shares that have to stay: "+strings.Join(others.Why(d.identity, d.kind), "; ")
			}
		case after[i] == chink:
			o.Why = "it leaves the list, and whether the list counts is not known"
		case d.kind != "":
			o.Why = strings.Join(v.Why(d.identity, d.kind), "; ")
		}
		out = append(out, o)
	}
	return out
}

// notRead names settings that would matter and that the audit's source did not contain.
func (w *work) notRead() []string {
	var missing []string
	for i := range w.c.Settings {
		s := &w.c.Settings[i]
		if s.System != w.platform.System || s.Side == "client" || len(s.Wanted) == 0 || s.PerShare() {
			continue
		}
		g := s.Governs
		if _, possible := w.c.Fit(s.Applies, w.platform); !possible ||
			!g.Session && !g.Tree && len(g.Pipes) == 0 && len(g.Discloses) == 0 {
			continue
		}
		if v, read := w.cfg.Settings[s.ID]; !read || !v.Present && (s.Type == "policy" || s.Type == "members") {
			missing = append(missing, s.ID)
		}
	}
	if missing == nil {
		return nil
	}
	return []string{fmt.Sprintf("not read, and so neither judged nor changed: %s. An audit of a source that has "+
		"them (the host itself, its policies) settles it.", strings.Join(missing, ", "))}
}

// keeps returns what keeps working, and why. It asks the model for a signed-in user before and after.
func (w *work) keeps(cfg catalog.Config) []model.Keep {
	before, after := w.view(), w.c.View(cfg)
	same := func(pipe string) bool {
		return levelOf(after.Pipe(model.User, pipe)) >= levelOf(before.Pipe(model.User, pipe))
	}
	out := []model.Keep{}
	for _, s := range w.wanted() {
		why := ""
		for _, p := range s.Pipes {
			if reason := w.needs.pipes[catalog.PipeName(p)]; reason != "" && w.opens(after, cfg, p) {
				why = p + " stays open to anonymous callers, because " + s.Title + " needs it without credentials here"
				break
			}
		}
		switch {
		case why != "":
		case !slices.ContainsFunc(s.Pipes, func(p string) bool { return !same(p) }) && s.Anonymous == "none":
			why = "it signs in, and signed-in users keep every pipe"
		case !slices.ContainsFunc(s.Pipes, func(p string) bool { return !same(p) }) && s.Anonymous == "unknown":
			why = "signed-in users keep every pipe; whether it ever comes without credentials is not documented"
		case !slices.ContainsFunc(s.Pipes, func(p string) bool { return !same(p) }):
			why = "signed-in users keep every pipe, and on this product it does not need to come without credentials"
		default:
			continue
		}
		if len(s.Pipes) == 0 && len(s.Names) == 0 {
			why = "which pipes it uses is not known, since no document names one: " + strings.TrimSuffix(s.Needs, ".")
		}
		out = append(out, model.Keep{What: s.Title, Why: why})
	}
	if w.platform.Role == model.DomainController && w.platform.System == "windows" {
		names, _, _ := after.AnonymousPipes()
		var by []string
		for _, n := range w.byRole("NullSessionPipes") {
			if holds(names, n) {
				by = append(by, n)
			}
		}
		if by != nil {
			out = append(out, model.Keep{
				What: "pipes of a domain controller: " + strings.Join(by, ", "),
				Why: "old trusts and clients open them before they have proved who they are; what lies behind is " +
					"closed by other settings as far as it can be",
			})
		}
	}
	seen, pipes := int64(0), map[string]string{}
	for _, u := range w.uses() {
		if id, sure := asked(u.Identity); sure && id == model.User && u.Outcome == model.Allowed && u.Pipe != "" {
			seen += max(u.Count, 1)
			pipes[u.Pipe] = ""
		}
	}
	if seen > 0 {
		out = append(out, model.Keep{
			What: fmt.Sprintf("%d observed uses by users and machines: %s", seen,
				strings.Join(sortedKeys(pipes), ", ")), Why: "they signed in, and signed-in users keep every pipe",
		})
	}
	return out
}

// wanted returns the services to mention: the declared ones, then those found on the host.
func (w *work) wanted() []*catalog.Service {
	out := slices.Clone(w.needs.declared)
	for _, s := range w.needs.found {
		if !w.needs.declares(s.ID) {
			out = append(out, s)
		}
	}
	return out
}

// checks returns what verify should try as a signed-in user: that logging on still works, then what is needed here.
func (w *work) checks() []string {
	out, known := []string{"logon:user"}, map[string]bool{"logon:user": true}
	add := func(s string) {
		if !known[s] {
			known[s] = true
			out = append(out, s)
		}
	}
	v := w.view()
	for _, s := range w.needs.declared {
		for _, port := range s.Detect.Ports {
			add(fmt.Sprintf("tcp::%d", port)) // of the target, whatever name verify uses for it
		}
		for _, p := range s.Pipes {
			if o := v.Pipe(model.User, p); o == model.Allowed || o == model.OutcomeUnknown && len(s.Pipes) == 1 {
				add("pipe:" + p)
			}
		}
		for _, share := range s.Detect.Shares {
			add("share:" + share)
		}
	}
	for _, u := range w.uses() {
		if id, sure := asked(u.Identity); sure && id == model.User && u.Outcome == model.Allowed && u.Pipe != "" &&
			w.c.Pipe(u.Pipe) != nil {
			add("pipe:" + w.c.Pipe(u.Pipe).Name)
		}
	}
	for _, s := range w.cfg.Shares[:min(len(w.cfg.Shares), maxNamed)] { // each costs verify a connection
		if !s.Default && s.Off == "" && !s.Printer && !strings.EqualFold(s.Name, "IPC$") &&
			!strings.ContainsAny(s.Name, "%$") {
			add("share:" + s.Name)
		}
	}
	for _, c := range w.e.Policy.Checks {
		add(c)
	}
	return out
}

func (w *work) warnRestrict(p *model.Plan) {
	if w.platform.Role == model.UnknownRole || w.platform.Role == "" {
		w.warn("the role is not known: say --role workstation, member, standalone or domain-controller. Until then " +
			"the list of pipes keeps what a domain controller needs.")
	}
	if w.platform.Product == "" {
		w.warn("the product is not known, so defaults that differ by release stay unknown")
	}
	if w.e.Audit.Partial {
		w.warn("the audit could not read everything: see its problems")
	}
	for _, ch := range p.Changes {
		switch ch.When {
		case "reboot", "service-restart":
			w.warn("%s is not in force until: %s", ch.Setting, ch.TakesEffect)
		case "unknown", "":
			w.warn("when %s takes effect is not documented (%s): verify after it, and again after a restart",
				ch.Setting, ch.TakesEffect)
		}
		if share, ok := w.c.Setting(ch.Setting).LineOfShare(ch.Where); ok && w.wishedLine(w.c.Setting(ch.Setting), share) {
			w.warn("connections that are open to the share %s keep it as it was until they end: smbcontrol smbd "+
				"close-share with its name ends them", share)
		}
		w.warnRules(ch)
		w.warnPolicy(ch)
	}
	if w.platform.System == "samba" && len(p.Changes) > 0 {
		w.warn("connections that are open keep their pipes until IPC$ is closed once (smbcontrol smbd close-share " +
			"'IPC$')")
	}
}

// warnPolicy warns that a policy writes what a change writes, and so reverts it: registry policies within 90 to 120
// minutes, security settings within 16 hours.
func (w *work) warnPolicy(ch model.Change) {
	if ch.Policy != "" {
		w.warn("%s is written by a policy (%s): it comes back at the next refresh, in 90 to 120 minutes or for "+
			"security settings in 16 hours. Change it in the policy", ch.Setting, ch.Policy)
	}
}

// idle returns why a change of a setting would have no effect: this release does not know it, or a policy writes it to
// a place of its own that takes precedence. It is empty if neither is the case.
func (w *work) idle(s *catalog.Setting) string {
	if why := s.MissingIn(w.platform.Version); why != "" {
		return why
	}
	for i := range w.e.Audit.Settings {
		a := &w.e.Audit.Settings[i]
		if a.ID != s.ID || !a.Present {
			continue
		}
		for _, alias := range s.Aliases {
			if strings.HasPrefix(alias, `HKLM\`) &&
				strings.HasSuffix(strings.ToLower(a.Origin), strings.ToLower(alias)) {
				return "a policy writes it at " + alias + ", which counts before its own place: change it in the policy"
			}
		}
	}
	return ""
}

// policyOf returns the policy in which an audit found a value; empty if it was found elsewhere.
func (w *work) policyOf(setting string) string {
	for i := range w.e.Audit.Settings {
		s := &w.e.Audit.Settings[i]
		if s.ID != setting || !s.Present {
			continue
		}
		inPolicy := strings.Contains(strings.ToLower(s.Origin), `\policies\`) ||
			strings.HasSuffix(s.Origin, "GptTmpl.inf") || strings.HasSuffix(strings.ToLower(s.Origin), "registry.pol")
		file := strings.Contains(strings.ToLower(s.Origin), ".reg:") // merged with policies, and not a policy itself
		if inPolicy || w.e.Audit.Source.Kind == "gpo" && s.Origin != "" && !file {
			return s.Origin
		}
	}
	return ""
}

// warnRules names detection rules that report a change, so that those who watch know beforehand.
func (w *work) warnRules(ch model.Change) {
	for _, src := range ch.Sources {
		if f := strings.Fields(src); len(f) == 3 && (f[1] == "sigma" || f[1] == "elastic") {
			w.warn("a stock rule of %s (%s) reports a change of %s as an attack: tell those who watch", f[1], f[2],
				ch.Setting)
		}
	}
}
