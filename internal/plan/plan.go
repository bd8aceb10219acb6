package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Make makes a plan. Evidence or a declaration that cannot be used is an *InputError. Contradicting evidence, or a
// block that would stop something in use, is not an error: the plan then has no changes and says why.
func Make(e Evidence) (*model.Plan, error) {
	w, err := begin(&e)
	if err != nil {
		return nil, err
	}
	p := w.document()
	if p.Question = w.weigh(); p.Question == "" {
		if p.Strategy == Block {
			w.block(p)
		} else if err := w.restrict(p); err != nil {
			return nil, err
		}
	}
	p.Rejected = append(p.Rejected, w.rejected...)
	p.Warnings = append(p.Warnings, w.warnings...)
	w.coverage(p)
	return p, seal(p)
}

func begin(e *Evidence) (*work, error) {
	if e.Audit == nil {
		return nil, ErrNoAudit
	}
	w := &work{
		c: e.Catalog, e: e, settled: map[door]model.Outcome{}, memo: map[string][]level{}, named: map[opener]bool{},
	}
	if w.c == nil {
		c, err := catalog.Load()
		if err != nil {
			return nil, err
		}
		w.c = c
	}
	switch e.Policy.Strategy {
	case "", Restrict, Block:
	default:
		return nil, &InputError{fmt.Sprintf("%q is no strategy", e.Policy.Strategy), "restrict or block"}
	}
	if g := e.Policy.Goal; g != "" && !slices.Contains(Goals(), g) {
		return nil, &InputError{fmt.Sprintf("%q is no goal", g), strings.Join(Goals(), ", ")}
	}
	if e.Policy.Listen && e.Policy.Goal != Findings {
		return nil, &InputError{
			"to listen first goes with the goal " + Findings + ": the others refuse nobody who signs in", "",
		}
	}
	if len(e.Policy.Want) > 0 && e.Policy.Strategy == Block {
		return nil, &InputError{"a wanted setting goes with restrict, and not with block", ""}
	}
	if g := e.Policy.Goal; g != "" && g != Strangers && e.Policy.Strategy == Block {
		return nil, &InputError{fmt.Sprintf("the goal %s goes with restrict, and not with block", g), ""}
	}
	if len(e.Policy.Only) > 0 && e.Policy.Strategy == Block {
		return nil, &InputError{"a single setting goes with restrict, and not with block", ""}
	}
	for _, name := range slices.Concat(e.Policy.Avoid, e.Policy.Only) {
		if w.c.Setting(name) == nil {
			return nil, &InputError{fmt.Sprintf("%q is no setting of the catalog", name), ""}
		}
	}
	for _, a := range e.Policy.Allow {
		name, _, ok := strings.Cut(a, "=")
		if !ok || w.c.Setting(strings.TrimSpace(name)) == nil {
			return nil, &InputError{
				fmt.Sprintf("%q is no setting of the catalog with a value", a),
				"NAME=VALUE, such as RestrictAnonymous=2",
			}
		}
	}
	w.cfg = catalog.ConfigOf(e.Audit)
	if r := e.Policy.Role; r != "" && (w.cfg.Platform.Role == "" || w.cfg.Platform.Role == model.UnknownRole) {
		w.cfg.Platform.Role = r
	}
	w.platform, w.shares, w.defaults = w.cfg.Platform, w.cfg.Shares, w.cfg.Defaults
	return w, w.readNeeds()
}

// document returns the plan without changes.
func (w *work) document() *model.Plan {
	p := &model.Plan{
		Schema: model.SchemaPlan, Tool: w.e.Tool, By: w.e.By, Made: w.e.Made, Target: w.target(), Platform: w.platform,
		Strategy: w.e.Policy.Strategy,
		Changes:  []model.Change{}, Breaks: []model.Break{}, Keeps: []model.Keep{}, Rejected: []model.Rejected{},
		Residual: []string{}, Warnings: []string{}, BasedOn: Facts(w.c, w.e.Audit),
	}
	if p.Strategy == "" {
		p.Strategy = Restrict
	}
	p.Fingerprint = Fingerprint(p.Platform, p.BasedOn)
	p.Shares, p.SharesLeft = w.diskShares()
	return p
}

// maxNamed bounds the shares that a plan names for its proof. The scan tries no more either.
const maxNamed = 256

// diskShares returns the shares that verify asks for by name: those of the configuration, including hidden ones, and
// those that a scan opened under a name that it shows. Shares that strangers could open come first. left counts those
// that are not named.
func (w *work) diskShares() (named []model.Share, left int) {
	var open, shut []model.Share
	known := map[string]bool{}
	add := func(name string, guest bool) {
		if known[strings.ToLower(name)] || strings.EqualFold(name, "IPC$") || strings.Contains(name, "%") {
			return
		}
		known[strings.ToLower(name)] = true
		s := model.Share{Name: name, Guest: guest}
		if guest {
			open = append(open, s)
		} else {
			shut = append(shut, s)
		}
	}
	for _, s := range w.e.Scans {
		for _, r := range s.Identities {
			for _, x := range r.Shares {
				if r.Identity.IsStranger() && x.Name != "" && x.Open.Outcome == model.Allowed {
					add(x.Name, true)
				}
			}
		}
	}
	for _, s := range w.cfg.Shares {
		if !s.Default && !strings.EqualFold(s.Name, "homes") && !strings.EqualFold(s.Name, "printers") {
			add(s.Name, s.OpenToGuests())
		}
	}
	all := slices.Concat(open, shut)
	return all[:min(len(all), maxNamed)], max(0, len(open)-maxNamed)
}

func (w *work) target() string {
	if w.e.Target != "" {
		return w.e.Target
	}
	for _, s := range w.e.Scans {
		if s.Target != "" {
			return s.Target
		}
	}
	if w.e.Audit.Host != "" {
		return w.e.Audit.Host
	}
	return w.e.Audit.Source.Name
}

// restrict takes from strangers what they should not have, and adds what the goal and the wishes ask for.
func (w *work) restrict(p *model.Plan) error {
	w.findDoors()
	wishes, wanted, err := w.wishes()
	if err != nil {
		return err
	}
	before := w.openDoors()
	lines, edits := split(slices.DeleteFunc(w.edits(before), func(e *edit) bool {
		return w.wished(e.setting) || w.wishedLine(e.setting, e.share)
	}))
	lines = append(lines, wanted...)
	w.take(slices.Concat(lines, wishes))
	found := w.search(edits)
	found = append(w.spared(found, wishes), wishes...)
	if w.needless(lines, found) {
		lines = slices.DeleteFunc(lines, func(ch chosen) bool { return !ch.edit.wanted && !ch.forLater() })
		w.take(slices.Concat(lines, wishes))
	}
	after := w.after(found)
	found = slices.Concat(found, lines)
	slices.SortStableFunc(found, func(a, b chosen) int { return a.edit.order - b.edit.order })
	var more []chosen
	if g := w.e.Policy.Goal; g == Harden || g == Findings {
		more = w.harden(found)
	}
	found = slices.Concat(w.exceptions(slices.Concat(found, more)), w.exceptedAccounts(slices.Concat(found, more)),
		found)
	cfg := w.with(w.cfg, slices.Concat(found, more)...)
	for i, ch := range w.inOrder(found) {
		var closes, may []string
		if ch.edit.share != "" {
			closes = w.closesShares(ch.edit, before, after)
		} else {
			closes, may = w.closes(found, ch, after)
		}
		c := w.change(i+1, ch, closes)
		if may != nil {
			c.Why = "whether it closes " + strings.Join(may, ", ") + " is not known; see what stays open. " + c.Why
		}
		switch {
		case ch.edit.why != "":
			c.Why = ch.edit.why
		case w.wished(ch.edit.setting):
			c.Why, c.Closes = "wanted. "+c.Why, append(c.Closes, w.mended(ch.edit.setting)...)
		case ch.forLater():
			c.Why = "closes no share of today: the next one that is made would be open to strangers. " + c.Why
		case len(c.Closes) == 0 && may == nil:
			c.Why = "closes nothing by itself: it writes out what strangers must keep, which they had only because " +
				"everything was open: " + w.mustKeep()
		}
		p.Changes = append(p.Changes, c)
	}
	for _, ch := range more {
		c := w.change(len(p.Changes)+1, ch, w.mended(ch.edit.setting))
		if c.Reach == "anonymous" {
			c.Why = "closes nothing that stands open here: a second lock. " + c.Why
		}
		p.Changes = append(p.Changes, c)
	}
	found = append(found, more...)
	p.Breaks = append(w.breaks(cfg, found), w.unlisted(cfg)...)
	p.Keeps = w.keeps(cfg)
	w.alternatives(edits, found)
	w.left(p)
	p.Left = w.unmended(p, cfg)
	p.Residual, p.Open = w.residual(cfg, after), w.stillOpen(cfg, after)
	p.Checks = w.checks()
	w.warnRestrict(p)
	return nil
}

// inOrder sorts the changes: lists before the switches that make them count, so that nothing that must stay is shut out
// in between; else in the catalog's order.
func (w *work) inOrder(found []chosen) []chosen {
	out := slices.Clone(found)
	slices.SortStableFunc(out, func(a, b chosen) int {
		switch x, y := w.isList(a), w.isList(b); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return out
}

// closes returns what would be more open without one of the changes: what is shut with it, and what is less open but
// not known to be shut.
func (w *work) closes(all []chosen, one chosen, after []level) (shuts, may []string) {
	without := w.after(slices.DeleteFunc(slices.Clone(all), func(o chosen) bool { return o.edit == one.edit }))
	shuts = []string{}
	for i, d := range w.doors {
		switch {
		case without[i] <= after[i] || after[i] > shut && d.beside:
			continue
		case after[i] > shut:
			may = addName(may, d.called())
			continue
		}
		names := []string{w.doorName(d)}
		if d.beside {
			names = w.openUsershares()
		}
		for _, name := range names {
			shuts = addName(shuts, name)
		}
	}
	return shuts, may
}

func addName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// openUsershares returns the doors of the usershares that are known, open and need not stay open. Lines of smb.conf
// close the other shares and name them.
func (w *work) openUsershares() (out []string) {
	for i := range w.cfg.Shares {
		if s := &w.cfg.Shares[i]; s.UserShare && !w.needs.share(s.Name) && w.openShare(s) {
			out = append(out, w.doorName(door{identity: model.Anonymous, share: s.Name}))
		}
	}
	return out
}

// doorName returns the finding for a door, or a name for what is behind it.
func (w *work) doorName(d door) string {
	switch {
	case d.unlisted:
		return "null-session-unrestricted"
	case d.pipe != "":
		return "anonymous-pipe:" + d.pipe
	case d.share != "":
		return "anonymous-share:" + d.share
	}
	if f := w.c.FindingFor(d.identity, d.kind); f != nil && d.identity != model.UnknownUser {
		return f.ID
	}
	return fmt.Sprintf("%s-reads-%s", d.identity, d.kind)
}

func (w *work) change(n int, ch chosen, closes []string) model.Change {
	s := ch.edit.setting
	effect := w.c.Effect(s, w.platform)
	out := model.Change{
		ID: strconv.Itoa(n), Setting: s.ID, Where: ch.edit.where, From: exact(s, ch.edit.from), To: ch.value(),
		Closes: closes,
		When:   effect.When, TakesEffect: effect.How, Reach: s.Reach, Why: w.why(s, ch.data()), Sources: s.Sources,
		Policy: w.policyOf(s.ID),
	}
	if ch.edit.wanted && !out.From.Present {
		out.Effective = ch.edit.now
	}
	if v, ok := w.effective(s.ID); ok && ch.edit.share == "" {
		out.Effective = v
		if w.inherited(s.ID) { // the section has no line of its own
			out.From = model.Value{}
		}
	}
	return out
}

// inherited reports whether [IPC$] inherits a value from [global].
func (w *work) inherited(id string) bool {
	return slices.ContainsFunc(w.e.Audit.Settings, func(a model.Setting) bool { return a.ID == id && a.Inherited })
}

// exact returns a value as it was written.
func exact(s *catalog.Setting, v model.Value) model.Value {
	if v.Present && v.Type == "" {
		v.Type = s.Type
	}
	return v
}

// why returns the catalog's reason for a value.
func (w *work) why(s *catalog.Setting, data any) string {
	for _, want := range s.Wanted {
		if _, possible := w.c.Fit(want.Scope, w.platform); possible && want.Why != "" && want.Compare != "any" {
			return want.Why
		}
	}
	for _, m := range s.Values {
		v, ok := s.Value(model.Value{Present: true, Data: m.Value})
		if _, possible := w.c.Fit(m.Scope, w.platform); ok && possible && s.Same(v, data) {
			return m.Means
		}
	}
	return s.Summary
}

// alternatives adds the settings that were considered and not used.
func (w *work) alternatives(edits []*edit, found []chosen) {
	for _, e := range edits {
		if planned(found, e.setting) || slices.ContainsFunc(found, func(ch chosen) bool {
			return ch.edit == e
		}) || slices.ContainsFunc(w.rejected, func(r model.Rejected) bool { return r.Setting == e.setting.ID }) {
			continue
		}
		last := e.options[len(e.options)-1]
		switch {
		case len(found) > 0 && last.cost[costUnusual] > 0 && last.cost[costDocumented]+last.cost[costNeeded] > 0:
			w.reject(e.name(), "the value "+model.Text(last.data)+" would close no more than the plan does, and stops more: "+
				w.dearest(e, last))
		case len(found) > 0:
			w.reject(e.name(), "the value "+model.Text(last.data)+" would close nothing more than the plan does")
		default:
			w.reject(e.name(), "the value "+model.Text(last.data)+" would close nothing here")
		}
	}
	if len(found) == 0 {
		return
	}
	for i := range w.c.Settings { // settings that people often use, and what they would really do
		s := &w.c.Settings[i]
		if s.System != w.platform.System || s.Reach != "everyone" || s.Side == "client" {
			continue
		}
		if _, possible := w.c.Fit(s.Applies, w.platform); possible {
			if s.Unsuited != "" {
				w.reject(s.ID, s.Unsuited)
			}
		}
	}
}

func (w *work) dearest(e *edit, o option) string {
	for _, b := range w.breakage(e, o.data) {
		return b.Who + ": " + b.What
	}
	return ""
}

// uses returns the observed uses of this host.
func (w *work) uses() []model.Use { return w.e.Observed.of() }

// of returns the uses of the named servers; all if none is named.
func (o *Observed) of() []model.Use {
	if o == nil {
		return nil
	}
	if len(o.Servers) == 0 {
		return o.Uses
	}
	return slices.DeleteFunc(slices.Clone(o.Uses), func(u model.Use) bool {
		return !slices.ContainsFunc(o.Servers, func(s string) bool { return strings.EqualFold(s, u.Witness()) })
	})
}
