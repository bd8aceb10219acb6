package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// HostFirewall is the setting of changes that are rules of the host's firewall. They are exported, never applied.
const HostFirewall = "host-firewall"

// block closes IPC$ itself. If something in use would stop, it makes no changes, unless the policy accepts that.
func (w *work) block(p *model.Plan) {
	m, err := w.means()
	if err != "" {
		p.Refused = err
		return
	}
	p.Means = m.ID
	changes, missing := w.blockChanges(m)
	if missing != "" {
		p.Refused = missing
		return
	}
	cfg := w.cfg
	cfg.Settings = maps.Clone(cfg.Settings)
	for _, ch := range changes {
		if ch.Setting != HostFirewall {
			cfg.Settings[ch.Setting] = ch.To
		}
	}
	p.Breaks = w.blockBreaks(m, cfg)
	w.otherWays(m)
	w.warnBlock(m, p)
	if why := w.inUse(m, p.Breaks); why != "" && !w.e.Policy.AcceptBreakage && len(changes) > 0 {
		p.Refused = why + ". " + w.prefer()
		return
	}
	p.Changes = changes
	p.Residual = w.blockResidual(m, cfg)
	if len(m.Ports) == 0 { // the model has no firewall rules
		w.findDoors()
		w.doors = slices.DeleteFunc(w.doors, func(d door) bool { return d.kind == "" })
		p.Open = w.stillOpen(cfg, w.levelsIn(w.c.View(cfg), nil))
	}
	p.Left = w.unblocked(p, cfg)
	p.Checks = w.e.Policy.Checks
	for _, ch := range changes {
		if ch.When == "reboot" || ch.When == "service-restart" {
			w.warn("%s is not in force until: %s", ch.Setting, ch.TakesEffect)
		}
		w.warnRules(ch)
		w.warnPolicy(ch)
	}
}

// means returns the way to block that the policy names, or the system's first.
func (w *work) means() (*catalog.Way, string) {
	ways := w.c.WaysFor(w.platform.System)
	if len(ways) == 0 {
		return nil, "no way to block is known for this system"
	}
	var names []string
	for _, m := range ways {
		if w.e.Policy.Means == "" || w.e.Policy.Means == m.ID {
			return m, ""
		}
		names = append(names, m.ID)
	}
	return nil, fmt.Sprintf("%q is no way to block %s: %s", w.e.Policy.Means, w.platform.System,
		strings.Join(names, ", "))
}

func (w *work) blockChanges(m *catalog.Way) (out []model.Change, missing string) {
	out = []model.Change{}
	if len(m.Ports) > 0 {
		out = append(out, model.Change{
			ID: "1", Setting: HostFirewall, Where: "inbound TCP " + strings.Join(m.Ports, ", "),
			To: model.Value{Present: true, Type: "firewall-rule", Data: slices.Clone(m.Ports)}, Closes: []string{"ipc"},
			When:        "now",
			TakesEffect: "at once", Reach: "everyone", ExportOnly: m.OnlyExport, Untested: m.Note,
			Why: "what does not reach the ports reaches neither IPC$ nor a share",
		})
	}
	if s, why := w.missing(m); why != "" {
		return nil, fmt.Sprintf("%s does nothing here: %s: %s", m.ID, s, why)
	}
	sets, _ := w.c.SetsOn(m, w.platform)
	for _, x := range sets {
		s := w.c.Setting(x.Setting)
		if s == nil {
			return nil, fmt.Sprintf("%s is no setting of the catalog", x.Setting)
		}
		if _, possible := w.c.Fit(s.Applies, w.platform); !possible {
			return nil, fmt.Sprintf("this product does not read %s, so that %s does nothing here", s.ID, m.ID)
		}
		from, read := w.cfg.Settings[s.ID]
		if !read {
			return nil, fmt.Sprintf("the value of %s before the change was not read, so there would be no way back: "+
				"audit the host itself first", s.ID)
		}
		data := w.blockValue(x)
		value, ok := s.Value(model.Value{Present: true, Data: data})
		if !ok {
			return nil, fmt.Sprintf("%s cannot be set to %v", s.ID, data)
		}
		if now, known := w.effective(s.ID); known && s.Same(now, value) {
			continue
		}
		e := &edit{setting: s, where: w.where(s), from: from, options: []option{{data: value}}}
		ch := w.change(len(out)+1, chosen{e, 0}, []string{"ipc"})
		ch.ExportOnly, ch.Untested = m.OnlyExport, m.Note
		ch.Why = "it takes " + m.Takes + ", and leaves " + m.Leaves
		if m.KeepsIPC {
			ch.Closes = []string{"default-shares"}
		}
		out = append(out, ch)
	}
	return out, ""
}

// blockValue returns the value that a setting of a way gets on this host.
func (w *work) blockValue(x catalog.WaySet) any {
	if x.Value == catalog.NeededPipes {
		return w.allowedPipes()
	}
	return x.Value
}

// allowedPipes returns the pipes of the declared services.
func (w *work) allowedPipes() []string {
	out := []string{}
	for _, s := range w.needs.declared {
		for _, p := range s.Pipes {
			if !holds(out, p) {
				out = append(out, p)
			}
		}
	}
	for _, n := range sortedKeys(w.needs.pipes) {
		if !holds(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// meetsUsers reports whether a way to block takes anything from signed-in users.
func meetsUsers(m *catalog.Way) bool { return m.Spares != "users" }

func (w *work) blockBreaks(m *catalog.Way, cfg catalog.Config) []model.Break {
	out := []model.Break{}
	add := func(b model.Break) {
		if !slices.ContainsFunc(out, func(o model.Break) bool { return o.Who == b.Who && o.What == b.What }) {
			out = append(out, b)
		}
	}
	because := m.ID + " takes " + m.Takes
	for _, u := range w.uses() {
		if !w.stops(m, &u) {
			continue
		}
		x := Replay{Use: u}
		certainty := "observed"
		if m.ByList && w.c.View(cfg).Pipe(model.User, u.Pipe) == model.OutcomeUnknown || m.Spares == "encrypted" {
			certainty = "possible"
		}
		add(x.Break(certainty, because))
	}
	for _, s := range w.wanted() {
		if s.Breaks.Block == "" || m.Spares != "" || m.KeepsIPC {
			continue
		}
		add(model.Break{
			Who: s.Title, What: s.Breaks.Block, Certainty: "documented", Because: because, Service: s.ID,
			Sources: s.Sources,
		})
	}
	sets, _ := w.c.SetsOn(m, w.platform)
	for _, x := range sets {
		if s := w.c.Setting(x.Setting); s != nil {
			data, _ := s.Value(model.Value{Present: true, Data: w.blockValue(x)})
			for _, b := range w.breakage(&edit{setting: s}, data) {
				add(b.Break)
			}
		}
	}
	return out
}

// stops reports whether an observed use may stop.
func (w *work) stops(m *catalog.Way, u *model.Use) bool {
	if u.Outcome != model.Allowed || m.KeepsIPC {
		return false
	}
	if disk := u.Share != "" && !strings.EqualFold(u.Share, "IPC$"); disk && !m.Shares {
		return false
	}
	if id, sure := asked(u.Identity); !meetsUsers(m) && sure && id == model.User {
		return false
	}
	if m.Spares == "encrypted" && u.Identity == model.Opaque {
		return false
	}
	return !m.ByList || u.Pipe != "" && !holds(w.allowedPipes(), u.Pipe)
}

// inUse returns what is in use and would stop: because it was observed or declared, or because nobody knows.
func (w *work) inUse(m *catalog.Way, breaks []model.Break) string {
	if !meetsUsers(m) {
		return ""
	}
	var who []string
	for _, b := range breaks {
		if b.Certainty == "observed" || b.Service != "" && w.needs.declares(b.Service) {
			who = append(who, b.Who+": "+b.What)
		}
	}
	if who != nil {
		const most = 3
		more := ""
		if len(who) > most {
			who, more = who[:most], fmt.Sprintf(" and %d more", len(who)-most)
		}
		return "blocking would stop what is in use: " + strings.Join(who, "; ") + more
	}
	if m.KeepsIPC {
		return ""
	}
	if g := Weigh(w.e.Observed, w.e.Policy.MinDays); !g.Enough {
		return "nobody can say whether blocking would stop something in use: " + g.Why
	}
	return ""
}

// prefer returns why restricting is better, with what it would do here.
func (w *work) prefer() string {
	e := *w.e
	e.Policy.Strategy, e.Policy.Means = Restrict, ""
	r, err := Make(e)
	if err != nil || r.Question != "" {
		return "Accept the breakage to block all the same (--accept-breakage)"
	}
	stops := 0
	for _, b := range r.Breaks {
		if b.Certainty == "observed" {
			stops++
		}
	}
	what := fmt.Sprintf("needs %d changes", len(r.Changes))
	if len(r.Changes) == 1 {
		what = "needs 1 change"
	} else if len(r.Changes) == 0 {
		what = "has nothing left to change"
	}
	return fmt.Sprintf("Restricting keeps strangers out and leaves those who sign in alone: here it %s and stops %d "+
		"of the uses that were seen (--strategy restrict). Accept the breakage to block all the same "+
		"(--accept-breakage)", what, stops)
}

// otherWays adds the other ways to block to the rejected settings, with what each would really do. If the product
// decides which setting counts, the way is named after that setting, and the setting without effect is mentioned.
func (w *work) otherWays(taken *catalog.Way) {
	for _, m := range w.c.WaysFor(w.platform.System) {
		if m == taken {
			continue
		}
		name, why := m.ID, "it takes "+m.Takes+", and leaves "+m.Leaves
		if m.Note != "" {
			why += "; " + m.Note
		}
		if sets, others := w.c.SetsOn(m, w.platform); len(sets) > 0 && len(others) > 0 {
			name = sets[0].Setting
			why = "it is the one that this product reads (" + strings.Join(others, ", ") + " does nothing here), and " +
				why
		}
		if m.KeepsIPC {
			why += ": it does not block IPC$"
		}
		if s, missing := w.missing(m); missing != "" {
			w.reject(name, "it does nothing here: "+s+": "+missing)
			continue
		}
		w.reject(name, why+" (--means "+m.ID+")")
	}
}

// missing returns a setting of a way that this release does not know, and why. It is empty if the release knows them
// all.
func (w *work) missing(m *catalog.Way) (setting, why string) {
	sets, _ := w.c.SetsOn(m, w.platform)
	for _, x := range sets {
		if s := w.c.Setting(x.Setting); s != nil {
			if why := s.MissingIn(w.platform.Version); why != "" {
				return s.ID, why
			}
		}
	}
	return "", ""
}

func (w *work) warnBlock(m *catalog.Way, p *model.Plan) {
	var defaults []string
	for _, s := range w.cfg.Shares {
		if s.Default && !strings.EqualFold(s.Name, "IPC$") {
			defaults = append(defaults, s.Name)
		}
	}
	names := strings.Join(w.goesWith(m, defaults), ", ")
	switch {
	case m.Shares:
		w.warn("all other shares go too, not IPC$ alone: %s", names)
	case m.KeepsIPC:
		w.warn("the other default shares go (%s), and IPC$ does not: it stays, with every pipe", names)
	default:
		w.warn("disk shares stay (%s); what clients do over pipes stops, such as listing shares and finding DFS "+
			"targets",
			names)
	}
	var stops []string
	for _, s := range w.wanted() {
		if s.Breaks.Block != "" && meetsUsers(m) && !m.KeepsIPC {
			stops = append(stops, s.Title+" ("+s.Breaks.Block+")")
		}
	}
	switch {
	case stops != nil:
		w.warn("services found or declared here that stop working: %s", strings.Join(stops, "; "))
	case len(w.wanted()) == 0:
		w.warn("which services of this host stop working is not known: the audit found none it could name")
	default:
		w.warn("of the services found here none is documented to stop; that none does is not known")
	}
	if m.Note != "" {
		w.warn("%s: %s", m.ID, m.Note)
	}
}

// goesWith names the shares that stop together with IPC$: those that the system makes (by role, if the source does not
// list them), and, if the way stops every share, those that somebody made.
func (w *work) goesWith(m *catalog.Way, defaults []string) []string {
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, n) }) {
				out = append(out, n)
			}
		}
	}
	add(defaults...)
	if w.platform.System == "windows" {
		add(w.administrative(defaults)...)
		if !m.KeepsIPC {
			add("print$")
			switch w.platform.Role {
			case model.DomainController:
				add("SYSVOL", "NETLOGON")
			case model.UnknownRole:
				add("on a domain controller SYSVOL and NETLOGON")
			}
		}
	}
	for _, s := range w.cfg.Shares {
		if m.Shares && !s.Default && !strings.EqualFold(s.Name, "IPC$") ||
			w.platform.System != "windows" && !strings.EqualFold(s.Name, "IPC$") {
			add(s.Name)
		}
	}
	if out == nil {
		out = []string{"homes, printers, print$, and every share of the configuration"}
	}
	return out
}

// administrative returns the drive shares and ADMIN$, or nothing if the host does not make them. Only a list of shares
// says which drives there are.
func (w *work) administrative(listed []string) []string {
	for _, id := range []string{"AutoShareServer", "AutoShareWks"} {
		s := w.c.Setting(id)
		certain, _ := w.c.Fit(s.Applies, w.platform)
		if n, known := w.effective(id); certain && known && model.Text(n) == "0" {
			return nil
		}
	}
	if slices.ContainsFunc(listed, func(n string) bool { return len(n) == 2 && n[1] == '$' }) {
		return []string{"ADMIN$"}
	}
	return []string{"C$", "D$ …", "ADMIN$"}
}

// blockResidual returns what the model says is still open.
func (w *work) blockResidual(m *catalog.Way, cfg catalog.Config) []string {
	out := []string{}
	if len(m.Ports) > 0 {
		return append(out, "whatever reaches the ports from inside the exceptions of the rule, or through another "+
			"interface, sees everything as before")
	}
	v := w.c.View(cfg)
	for _, id := range model.Identities() {
		pipes := []string{}
		for i := range w.c.Pipes {
			p := &w.c.Pipes[i]
			if p.Probe == "never" {
				continue
			}
			if o := v.Pipe(id, p.Name); o == model.Allowed ||
				o == model.OutcomeUnknown && levelOf(v.Tree(id)) > shut && m.ByList {
				pipes = append(pipes, p.Name)
			}
		}
		if len(pipes) == 0 {
			continue
		}
		verb := "still opens"
		if m.ByList {
			verb = "may still open"
		}
		const most = 8
		more := ""
		if len(pipes) > most {
			pipes, more = pipes[:most], fmt.Sprintf(" and %d more", len(pipes)-most)
		}
		out = append(out, fmt.Sprintf("%s %s %s%s", word(id), verb, strings.Join(pipes, ", "), more))
	}
	return out
}
