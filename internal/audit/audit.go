// Package audit reads configurations and says what they really do: one file a source, one result for all of them.
//
//	hive, mounted folder ┐
//	.reg                 │
//	GPO, GptTmpl, .pol   ├─► facts ─► catalog.Resolve, catalog.Evaluate ─► lints ─► join with a scan ─► model.Audit
//	smb.conf             │
//	output of tools      │
//	local, winreg://     ┘
//
// The rules of the room:
//
//   - A source gathers facts: which settings it looked for, what it found, and what it cannot know. It judges nothing.
//   - What was looked for and is not there is absent; what was not looked for is unknown. The two are never mixed up.
//   - What cannot be read is a problem with its file and place; the rest is read all the same, and the result is partial.
//   - Nothing is changed or started. What would have to be (a stopped service) is said.
//   - What a value means is the catalog's; only what ties several values of one source together is here (lint*.go).
package audit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Options says how to audit. The zero value takes everything from the source.
type Options struct {
	Catalog *catalog.Catalog // nil is the embedded one
	Product string           // a catalog product, by id or name, instead of what the source tells
	Role    model.Role       // instead of what the source tells
	Scans   []*model.Scan    // of the same hosts, to be joined
	Merge   bool             // policies and .reg files become one result: applied in the order given, the last wins
	Client  netip.Addr       // the caller, for rules about addresses; the zero value is anybody
	Jobs    int              // sources at a time; 0 is the number of processors
	Pipes   Pipes            // how to reach winreg:// sources; nil refuses them
}

// facts are what one source told.
type facts struct {
	source   model.Source
	host     string
	platform model.Platform
	values   map[string]model.Value // by setting; Present false was looked for and is absent; missing was not looked for
	origin   map[string]string      // by setting: file and place
	hints    map[string]string      // by setting: what else the source says about the value in effect
	soft     map[string]bool        // by setting: a policy sets the value unless there is one already
	shares   []model.Share          // nil is not known
	services []model.Service
	lints    []lint
	problems []string
	partial  bool
	unread   string       // why the configuration may say more than was read, shares included; empty where it may not
	defaults *model.Share // what a share that is made now begins with; nil is not known
	accounts []model.AccountLine
	here     bool // it is the machine that this runs on
	complete bool // every share is among shares: the folder of usershares and Samba's registry were read

	inherited map[string]bool // by setting of [IPC$]: it is [global]'s
}

func newFacts(kind, name, system string) *facts {
	return &facts{
		source: model.Source{Kind: kind, Name: name}, platform: model.Platform{System: system, Role: model.UnknownRole},
		values: map[string]model.Value{}, origin: map[string]string{}, hints: map[string]string{}, soft: map[string]bool{}, inherited: map[string]bool{},
	}
}

// problem notes something that could not be read.
func (f *facts) problem(format string, args ...any) {
	const most = 1000 // a thoroughly corrupted file has the same to say about every value
	f.partial = true
	if len(f.problems) < most {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// why notes how the platform is known.
func (f *facts) why(format string, args ...any) {
	f.platform.Why = append(f.platform.Why, fmt.Sprintf(format, args...))
}

// lint is a finding of the source itself, or of several of its values together.
type lint struct {
	id       string
	severity model.Severity // empty: the catalog's
	setting  string
	pipe     string
	identity model.Identity
	evidence string
	fix      string // empty: the catalog's
	settings []string
	looks    []model.Look // nil: the places of the settings
}

// judge turns facts into a result.
func judge(o *Options, f *facts) *model.Audit {
	o.override(f)
	in := catalog.Config{Platform: f.platform, Settings: f.values, Shares: f.shares, Unread: f.unread, EveryShare: f.complete, Defaults: f.defaults, AccountLines: f.accounts, Client: o.Client}
	o.Catalog.View(in).JudgeShares()
	a := &model.Audit{
		Schema: model.SchemaAudit, Source: f.source, Host: f.host, Platform: f.platform, Partial: f.partial,
		Problems: f.problems, Settings: o.Catalog.Resolve(in), Access: o.Catalog.Evaluate(in), Findings: []model.Finding{},
		Services: f.services, Shares: f.shares, Unread: f.unread, EveryShare: f.complete, Defaults: f.defaults, AccountLines: f.accounts,
	}
	for i := range a.Settings {
		s := &a.Settings[i]
		s.Origin, s.Inherited = f.origin[s.ID], f.inherited[s.ID]
		if hint := f.hints[s.ID]; hint != "" {
			s.Why += "; " + hint
		}
	}
	j := &judging{Options: o, facts: f, audit: a}
	if f.platform.System == "windows" {
		j.driverOfSMB1()
	}
	j.exposures()
	for _, l := range f.lints {
		j.add(l)
	}
	switch f.platform.System {
	case "windows":
		j.windows()
	case "samba":
		j.samba()
	}
	j.weak()
	j.join()
	slices.SortStableFunc(a.Findings, func(x, y model.Finding) int { return y.Severity.Rank() - x.Severity.Rank() })
	return a
}

// override puts in what the user said about the platform.
func (o *Options) override(f *facts) {
	p := &f.platform
	if o.Product != "" {
		if q, _ := o.Catalog.ProductRelease(o.Product); q != nil && q.System == p.System {
			p.Product, p.Build = q.ID, q.Builds[0]
			f.why("the product is %s because --product says so", q.ID)
			if len(q.Roles) == 1 && o.Role == "" {
				p.Role = q.Roles[0]
			}
			if q.Family == "client" && p.Role == model.UnknownRole {
				p.Role = model.Workstation
				f.why("the role is workstation: the product is none for servers")
			}
		} else if q != nil {
			f.why("--product %s is a product of %s and does not fit this source", o.Product, q.System)
		}
	}
	if o.Role != "" {
		p.Role = o.Role
		f.why("the role is %s because --role says so", o.Role)
	}
}

// judging is the work on one result.
type judging struct {
	*Options
	*facts
	audit *model.Audit
}

// setting finds a resolved setting.
func (j *judging) setting(id string) *model.Setting {
	for i := range j.audit.Settings {
		if j.audit.Settings[i].ID == id {
			return &j.audit.Settings[i]
		}
	}
	return &model.Setting{ID: id, Basis: model.BasisUnknown, State: model.StateUnknown}
}

// number is a setting's effective number.
func (j *judging) number(id string) (int, bool) {
	s := j.setting(id)
	if s.State == model.StateNotApplicable {
		return 0, false
	}
	return model.Whole(s.Effective)
}

// configured is a number that is written, whether it counts or not.
func (j *judging) configured(id string) (int, bool) {
	v, ok := j.values[id]
	if !ok || !v.Present {
		return 0, false
	}
	return v.Whole()
}

// names is a setting's effective list.
func (j *judging) names(id string) []string {
	l, _ := j.setting(id).Effective.([]string)
	return l
}

// add makes a finding of a lint.
func (j *judging) add(l lint) {
	out := model.Finding{ID: l.id, Severity: l.severity, Setting: l.setting, Pipe: l.pipe, Identity: l.identity, Evidence: l.evidence, Fix: l.fix}
	settings := l.settings
	if c := j.Catalog.Finding(l.id); c != nil {
		out.Title, out.Sources = c.Title, c.Sources
		if out.Severity == "" {
			out.Severity = j.Catalog.Severity(c, j.platform)
		}
		if out.Fix == "" {
			out.Fix = j.Catalog.Fix(c, j.platform)
		}
		if settings == nil && l.setting == "" {
			settings = c.Settings
		}
	}
	if l.setting != "" && !slices.Contains(settings, l.setting) {
		settings = append([]string{l.setting}, settings...)
	}
	for _, id := range settings {
		s := j.Catalog.Setting(id)
		if s == nil || s.System != j.platform.System {
			continue
		}
		if _, possible := j.Catalog.Fit(s.Applies, j.platform); possible || s.ID == l.setting {
			out.Settings = append(out.Settings, s.ID)
		}
	}
	out.Controls = j.Catalog.ControlsFor(j.platform, out.Settings...)
	if out.Severity == "" {
		out.Severity = model.Info
	}
	if out.Looks = l.looks; out.Looks == nil {
		out.Looks = j.looks(out.Settings)
	}
	j.audit.Findings = append(j.audit.Findings, out)
}

// looks are the places that a finding rests on, each with what stands there. A setting that was not read is none; where
// nothing else is left, it is the source as a whole.
func (j *judging) looks(settings []string) []model.Look {
	var out []model.Look
	for _, id := range settings {
		s := j.setting(id)
		if s.Where == "" || s.NotRead {
			continue
		}
		l := model.Look{Asked: s.Where, Of: cmp.Or(s.Origin, j.audit.Source.Name), Times: 1, Answer: "absent"}
		if s.Present {
			l.Answer = model.Text(s.Configured)
		}
		out = append(out, l)
	}
	if out == nil {
		out = []model.Look{{Asked: "the whole configuration", Of: j.audit.Source.Name, Times: 1, Answer: "read"}}
	}
	return out
}

// has tells whether there is a finding about a setting already.
func (j *judging) has(setting string) bool {
	return slices.ContainsFunc(j.audit.Findings, func(f model.Finding) bool { return f.Setting == setting })
}
