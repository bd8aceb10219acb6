// Package audit reads configurations and reports their real effect: one file a source, one kind of result for all of
// them.
//
//	hive, mounted folder ┐
//	.reg                 │
//	GPO, GptTmpl, .pol   ├─► facts ─► catalog.Resolve, catalog.Evaluate ─► lints ─► join with a scan ─► model.Audit
//	smb.conf             │
//	output of tools      │
//	local, winreg://     ┘
//
// The rules of the package:
//
//   - A source collects facts: which settings it looked for, what it found, and what it cannot know. It judges nothing.
//   - A setting that was looked for and not found is absent; one that was not looked for is unknown. The two are never
//     mixed up.
//   - What cannot be read is a problem with its file and position; the rest is still read, and the result is partial.
//   - Nothing is changed or started. What would need to be, such as a stopped service, is reported.
//   - The catalog knows what a value means; only checks of several values of one source together are here (lint*.go).
package audit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Options configures an audit. The zero value takes everything from the source.
type Options struct {
	Catalog *catalog.Catalog // nil: the embedded catalog
	Product string           // a catalog product, by ID or name; overrides the source
	Role    model.Role       // overrides the source
	Scans   []*model.Scan    // of the same hosts, to be joined
	// Combine policies and .reg files into one result: applied in the given order, the last wins.
	Merge  bool
	Client netip.Addr // the client, for rules about addresses; the zero value is any client
	Jobs   int        // sources in parallel; 0 is the number of processors
	Pipes  Pipes      // connects to winreg:// sources; nil refuses them
}

// facts holds what one source contains.
type facts struct {
	source   model.Source
	host     string
	platform model.Platform
	values   map[string]model.Value // by setting; Present false: looked for and absent; missing: not looked for
	origin   map[string]string      // by setting: file and position
	hints    map[string]string      // by setting: what else the source says about the effective value
	soft     map[string]bool        // by setting: a policy sets the value unless there is one already
	shares   []model.Share          // nil is unknown
	services []model.Service
	lints    []lint
	problems []string
	partial  bool
	unread   string       // why the configuration may contain more than was read, shares included; empty if it may not
	defaults *model.Share // the settings that a new share starts with; nil is unknown
	accounts []model.AccountLine
	here     bool // the source is this machine
	complete bool // shares is complete: the usershare folder and Samba's registry were read

	inherited map[string]bool // by setting of [IPC$]: the value comes from [global]
}

func newFacts(kind, name, system string) *facts {
	return &facts{
		source: model.Source{Kind: kind, Name: name}, platform: model.Platform{System: system, Role: model.UnknownRole},
		values: map[string]model.Value{}, origin: map[string]string{}, hints: map[string]string{},
		soft: map[string]bool{}, inherited: map[string]bool{},
	}
}

// problem records something that could not be read.
func (f *facts) problem(format string, args ...any) {
	const most = 1000 // a badly corrupted file causes a problem for every value
	f.partial = true
	if len(f.problems) < most {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// why records how the platform is known.
func (f *facts) why(format string, args ...any) {
	f.platform.Why = append(f.platform.Why, fmt.Sprintf(format, args...))
}

// lint is a finding about the source itself, or about several of its values together.
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
	in := catalog.Config{
		Platform: f.platform, Settings: f.values, Shares: f.shares, Unread: f.unread,
		EveryShare: f.complete, Defaults: f.defaults, AccountLines: f.accounts, Client: o.Client,
	}
	o.Catalog.View(in).JudgeShares()
	a := &model.Audit{
		Schema: model.SchemaAudit, Source: f.source, Host: f.host, Platform: f.platform, Partial: f.partial,
		Problems: f.problems, Settings: o.Catalog.Resolve(in), Access: o.Catalog.Evaluate(in),
		Findings: []model.Finding{},
		Services: f.services, Shares: f.shares, Unread: f.unread, EveryShare: f.complete, Defaults: f.defaults,
		AccountLines: f.accounts,
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
	j.exceptions()
	j.weak()
	j.join()
	slices.SortStableFunc(a.Findings, func(x, y model.Finding) int { return y.Severity.Rank() - x.Severity.Rank() })
	return a
}

// override applies what the user said about the platform.
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
			f.problem("--product %s is a product of %s, and this is the configuration of %s: it was judged without "+
				"--product", o.Product, q.System, p.System)
		}
	}
	if o.Role != "" {
		p.Role = o.Role
		f.why("the role is %s because --role says so", o.Role)
	}
}

// judging is the state while one result is computed.
type judging struct {
	*Options
	*facts
	audit *model.Audit
}

// setting returns a resolved setting.
func (j *judging) setting(id string) *model.Setting {
	for i := range j.audit.Settings {
		if j.audit.Settings[i].ID == id {
			return &j.audit.Settings[i]
		}
	}
	return &model.Setting{ID: id, Basis: model.BasisUnknown, State: model.StateUnknown}
}

// number returns a setting's effective number.
func (j *judging) number(id string) (int, bool) {
	s := j.setting(id)
	if s.State == model.StateNotApplicable {
		return 0, false
	}
	return model.Whole(s.Effective)
}

// configured returns a setting's configured number, whether it is effective or not.
func (j *judging) configured(id string) (int, bool) {
	v, ok := j.values[id]
	if !ok || !v.Present {
		return 0, false
	}
	return v.Whole()
}

// names returns a setting's effective list.
func (j *judging) names(id string) []string {
	l, _ := j.setting(id).Effective.([]string)
	return l
}

// add turns a lint into a finding.
func (j *judging) add(l lint) {
	out := model.Finding{
		ID: l.id, Severity: l.severity, Setting: l.setting, Pipe: l.pipe, Identity: l.identity,
		Evidence: l.evidence, Fix: l.fix,
	}
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

// looks returns the places that a finding is based on, each with its content. A setting that was not read is left out;
// if none remains, it returns the source as a whole.
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

// has reports whether there already is a finding about a setting.
func (j *judging) has(setting string) bool {
	return slices.ContainsFunc(j.audit.Findings, func(f model.Finding) bool { return f.Setting == setting })
}
