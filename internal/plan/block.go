package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// HostFirewall is the setting of changes that are rules of the host's firewall. They are exported, never applied.
const HostFirewall = "host-firewall"

// means is one way to block.
type means struct {
	name   string
	system string
	sets   []set
	takes  string // what goes for everybody
	leaves string // what stays
	note   string // what has to be known before choosing it
	shares bool   // disk shares go too
	only   bool   // exported, never applied
}

type set struct {
	id   string
	data any
}

// ways to block, the first of a system being the one that is taken when none is named.
var ways = []means{
	{name: "server-service", system: "windows", sets: []set{{"LanmanServer.Start", 4}}, shares: true, takes: "IPC$, every pipe from afar and every share", leaves: "nothing of file and printer sharing"},
	{name: "pipe-firewall", system: "windows", sets: []set{{"AllowedPipes", nil}, {"PipeFirewallActive", 1}}, only: true, takes: "every pipe that is not listed, from everybody", leaves: "disk shares, and IPC$ without pipes", note: "documented for XP SP2 and Server 2003 SP1; whether the server of Vista and later honours it was never tested here, so it is exported for a trial on a spare host and not applied"},
	{name: "host-firewall", system: "windows", sets: []set{{HostFirewall, nil}}, shares: true, only: true, takes: "IPC$ and every share, from wherever the rule holds", leaves: "the host's own programs", note: "a rule of the host's own firewall: make an exception for the addresses that manage the host before it is enabled"},
	{name: "auto-share", system: "windows", sets: []set{{"AutoShare", 0}}, takes: "the drive shares (C$, D$ …) and ADMIN$", leaves: "IPC$ with every pipe, and every share that somebody made"},
	{name: "ipc-hosts-deny", system: "samba", sets: []set{{"IPC$:hosts deny", []string{"ALL"}}}, takes: "IPC$ and every pipe, from everybody", leaves: "disk shares"},
	{name: "no-pipes", system: "samba", sets: []set{{"nt pipe support", false}}, takes: "every pipe, from everybody", leaves: "disk shares, and IPC$ without pipes"},
	{name: "restrict-anonymous", system: "samba", sets: []set{{"restrict anonymous", 2}}, takes: "IPC$ from strangers", leaves: "IPC$ for those who sign in, and disk shares"},
	{name: "encryption", system: "samba", sets: []set{{"server smb encrypt", "required"}}, takes: "every session without a key: strangers, and clients without SMB3 encryption", leaves: "those who sign in with SMB3"},
	{name: "host-firewall", system: "samba", sets: []set{{HostFirewall, nil}}, shares: true, only: true, takes: "IPC$ and every share, from wherever the rule holds", leaves: "the host's own programs", note: "a rule of the host's own firewall: make an exception for the addresses that manage the host before it is enabled"},
	{name: "restrict-anonymous", system: "ksmbd", sets: []set{{"ksmbd:restrict anonymous", 1}}, takes: "IPC$ from strangers", leaves: "IPC$ for those who sign in"},
}

// Means lists the ways to block a system, the one taken by default first.
func Means(system string) []string {
	var out []string
	for _, m := range ways {
		if m.system == system {
			out = append(out, m.name)
		}
	}
	return out
}

// block closes IPC$ itself. It makes no changes where something in use would stop, unless that is accepted.
func (w *work) block(p *model.Plan) {
	m, err := w.means()
	if err != "" {
		p.Refused = err
		return
	}
	p.Means = m.name
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
	p.Checks = w.e.Policy.Checks
	for _, ch := range changes {
		if ch.When == "reboot" || ch.When == "service-restart" {
			w.warn("%s is not in force until: %s", ch.Setting, ch.TakesEffect)
		}
		w.warnRules(ch)
	}
}

func (w *work) means() (*means, string) {
	var names []string
	for i := range ways {
		m := &ways[i]
		if m.system != w.platform.System {
			continue
		}
		if w.e.Policy.Means == "" || w.e.Policy.Means == m.name {
			return m, ""
		}
		names = append(names, m.name)
	}
	if names == nil {
		return nil, "no way to block is known for this system"
	}
	return nil, fmt.Sprintf("%q is no way to block %s: %s", w.e.Policy.Means, w.platform.System, strings.Join(names, ", "))
}

func (w *work) blockChanges(m *means) (out []model.Change, missing string) {
	out = []model.Change{}
	for _, x := range m.sets {
		if x.id == HostFirewall {
			out = append(out, model.Change{
				ID: strconv.Itoa(len(out) + 1), Setting: HostFirewall, Where: "inbound TCP 139, 445", To: model.Value{Present: true, Type: "firewall-rule", Data: []string{"139", "445"}},
				Closes: []string{"ipc"}, When: "now", TakesEffect: "at once", Reach: "everyone", ExportOnly: true, Untested: m.note,
				Why: "what does not reach the ports reaches neither IPC$ nor a share",
			})
			continue
		}
		id, data := x.id, x.data
		if id == "AutoShare" {
			id = w.autoShare()
		}
		s := w.c.Setting(id)
		from, read := w.cfg.Settings[id]
		if !read {
			return nil, fmt.Sprintf("the value of %s before the change was not read, so there would be no way back: audit the host itself first", id)
		}
		if id == "AllowedPipes" {
			data = w.allowedPipes()
		}
		value, ok := s.Value(model.Value{Present: true, Data: data})
		if !ok {
			return nil, fmt.Sprintf("%s cannot be set to %v", id, data)
		}
		if now, known := w.effective(id); known && s.Same(now, value) {
			continue
		}
		e := &edit{setting: s, where: w.where(s), from: from, options: []option{{data: value}}}
		ch := w.change(len(out)+1, chosen{e, 0}, []string{"ipc"})
		ch.ExportOnly, ch.Untested = m.only, m.note
		ch.Why = "it takes " + m.takes + ", and leaves " + m.leaves
		if m.name == "auto-share" {
			ch.Closes = []string{"default-shares"}
		}
		out = append(out, ch)
	}
	return out, ""
}

// autoShare is the value that this product family reads. See Q185590.
func (w *work) autoShare() string {
	if q := w.c.Product(w.platform.Product); q != nil && q.Family == "client" || w.platform.Role == model.Workstation {
		return "AutoShareWks"
	}
	return "AutoShareServer"
}

// allowedPipes are the pipes of what is declared.
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

// meetsUsers tells whether a way to block takes anything from those who sign in.
func (m *means) meetsUsers() bool { return m.name != "restrict-anonymous" }

func (w *work) blockBreaks(m *means, cfg catalog.Config) []model.Break {
	out := []model.Break{}
	add := func(b model.Break) {
		if !slices.ContainsFunc(out, func(o model.Break) bool { return o.Who == b.Who && o.What == b.What }) {
			out = append(out, b)
		}
	}
	for _, u := range w.uses() {
		if u.Outcome != model.Allowed || m.name == "auto-share" {
			continue
		}
		id, sure := asked(u.Identity)
		if disk := u.Share != "" && !strings.EqualFold(u.Share, "IPC$"); disk && !m.shares {
			continue
		}
		if !m.meetsUsers() && sure && id == model.User {
			continue
		}
		if m.name == "encryption" && u.Identity == model.Opaque {
			continue
		}
		if m.name == "pipe-firewall" && (u.Pipe == "" || holds(w.allowedPipes(), u.Pipe)) {
			continue
		}
		x := Replay{Use: u}
		certainty := "observed"
		if m.name == "pipe-firewall" && w.c.View(cfg).Pipe(model.User, u.Pipe) == model.OutcomeUnknown || m.name == "encryption" {
			certainty = "possible"
		}
		add(x.Break(certainty, m.name+" takes "+m.takes))
	}
	for _, s := range w.wanted() {
		if s.Breaks.Block == "" || !m.meetsUsers() || m.name == "auto-share" || m.name == "encryption" {
			continue
		}
		add(model.Break{Who: s.Title, What: s.Breaks.Block, Certainty: "documented", Because: m.name + " takes " + m.takes, Service: s.ID, Sources: s.Sources})
	}
	for _, x := range m.sets {
		id := x.id
		if id == "AutoShare" {
			id = w.autoShare()
		}
		if s := w.c.Setting(id); s != nil {
			data, _ := s.Value(model.Value{Present: true, Data: x.data})
			for _, b := range w.breakage(&edit{setting: s}, data) {
				add(b.Break)
			}
		}
	}
	return out
}

// inUse says what would stop that is in use: seen, declared, or nobody knows.
func (w *work) inUse(m *means, breaks []model.Break) string {
	if !m.meetsUsers() {
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
	if m.name == "auto-share" {
		return ""
	}
	if g := Weigh(w.e.Observed, w.e.Policy.MinDays); !g.Enough {
		return "nobody can say whether blocking would stop something in use: " + g.Why
	}
	return ""
}

// prefer says why restricting is the better way, with what it would do here.
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
	return fmt.Sprintf("Restricting keeps strangers out and leaves those who sign in alone: here it %s and stops %d of the uses that were seen (--strategy restrict). Accept the breakage to block all the same (--accept-breakage)", what, stops)
}

// otherWays tells the other ways to block, and what each would really do.
func (w *work) otherWays(taken *means) {
	for i := range ways {
		m := &ways[i]
		if m.system != w.platform.System || m == taken {
			continue
		}
		why := "it takes " + m.takes + ", and leaves " + m.leaves
		if m.note != "" {
			why += "; " + m.note
		}
		name := m.name
		if name == "auto-share" {
			name = w.autoShare()
			other := "AutoShareWks"
			if name == other {
				other = "AutoShareServer"
			}
			why = "it is the one that this product reads (" + other + " does nothing here), and " + why + ": it does not block IPC$ (--means auto-share)"
		} else {
			why += " (--means " + m.name + ")"
		}
		w.reject(name, why)
	}
}

func (w *work) warnBlock(m *means, p *model.Plan) {
	var defaults []string
	for _, s := range w.cfg.Shares {
		if s.Default && !strings.EqualFold(s.Name, "IPC$") {
			defaults = append(defaults, s.Name)
		}
	}
	names := strings.Join(defaults, ", ")
	if names == "" && w.platform.System != "windows" {
		for _, s := range w.cfg.Shares {
			if !strings.EqualFold(s.Name, "IPC$") {
				defaults = append(defaults, s.Name)
			}
		}
		names = strings.Join(defaults, ", ")
	}
	if names == "" {
		names = "C$, D$ …, ADMIN$, print$"
		if w.platform.Role == model.DomainController {
			names += ", SYSVOL, NETLOGON"
		}
		if w.platform.System != "windows" {
			names = "homes, printers, print$, and every share of the configuration"
		}
	}
	switch {
	case m.shares:
		w.warn("all other shares go too, not IPC$ alone: %s", names)
	case m.name == "auto-share":
		w.warn("the other default shares go (%s), and IPC$ does not: it stays, with every pipe", names)
	default:
		w.warn("disk shares stay (%s); what clients do over pipes stops, such as listing shares and finding DFS targets", names)
	}
	var stops []string
	for _, s := range w.wanted() {
		if s.Breaks.Block != "" && m.meetsUsers() && m.name != "auto-share" {
			stops = append(stops, s.Title+" ("+s.Breaks.Block+")")
		}
	}
	switch {
	case stops != nil:
		w.warn("services found or declared here that stop working: %s", strings.Join(stops, "; "))
	case len(w.wanted()) == 0:
		w.warn("which services of this host stop working is not known: the audit found none it could name")
	default:
		w.warn("none of the services found here is documented to stop")
	}
	if m.note != "" {
		w.warn("%s: %s", m.name, m.note)
	}
}

// blockResidual says what the model sees as still open.
func (w *work) blockResidual(m *means, cfg catalog.Config) []string {
	out := []string{}
	if slices.ContainsFunc(m.sets, func(s set) bool { return s.id == HostFirewall }) {
		return append(out, "whatever reaches the ports from inside the exceptions of the rule, or through another interface, sees everything as before")
	}
	v := w.c.View(cfg)
	for _, id := range model.Identities() {
		pipes := []string{}
		for i := range w.c.Pipes {
			p := &w.c.Pipes[i]
			if p.Probe == "never" {
				continue
			}
			if o := v.Pipe(id, p.Name); o == model.Allowed || o == model.OutcomeUnknown && levelOf(v.Tree(id)) > shut && m.name == "pipe-firewall" {
				pipes = append(pipes, p.Name)
			}
		}
		if len(pipes) == 0 {
			continue
		}
		verb := "still opens"
		if m.name == "pipe-firewall" {
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
