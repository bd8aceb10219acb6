package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// DocumentFormats lists the formats that are one document about all results: scans, audits, or both together.
func DocumentFormats() []string { return []string{"html", "sarif", "ocsf"} }

// Document is one document about all results. Close writes it.
type Document struct {
	w       io.Writer
	format  string
	catalog *catalog.Catalog
	now     time.Time
	hosts   []*subject
	plan    func(*model.Audit, []*model.Scan) *model.Plan
}

// PlanWith returns the few changes that close most, for a page: from a plan of an audit and the scans of the same host.
// A function without a plan returns nil; then a page shows the catalog's advice.
func (d *Document) PlanWith(plan func(*model.Audit, []*model.Scan) *model.Plan) { d.plan = plan }

// NewDocument starts a document in one of DocumentFormats.
func NewDocument(w io.Writer, format string, style Style) (*Document, error) {
	if err := oneFormat(format, DocumentFormats()); err != nil {
		return nil, err
	}
	return newDocument(w, format, style), nil
}

func oneFormat(format string, all []string) error {
	for _, f := range all {
		if f == format {
			return nil
		}
	}
	return fmt.Errorf("unknown format %q: want one of %v", format, all)
}

func newDocument(w io.Writer, format string, style Style) *Document {
	c, _ := catalog.Load() // the built-in catalog never fails
	now := style.Now
	if now.IsZero() {
		now = time.Now()
	}
	return &Document{w: w, format: format, catalog: c, now: now.UTC()}
}

// subject is what a document shows of one host: a scan's or an audit's result in common terms.
type subject struct {
	Kind     string // scan or audit
	Name     string
	Host     string // the machine's own name
	About    string // what it is
	Verdict  string
	Reason   string
	Partial  bool
	Problems []string
	Why      []string
	Time     time.Time
	Findings []model.Finding
	Cells    map[model.Disclosure]cellOf
	Access   []accessOf
	Settings []model.Setting
	Services []model.Service
	Shares   []model.Share
	Sources  []string
	Answer   Answer
	Platform model.Platform
	Limits   []string // what a scan did not test, in sentences
	WeakWays []string // results of the weak ways in, in sentences
	doors    []door
	ways     []way
	scan     *model.Scan
	audit    *model.Audit
}

// cellOf is one cell of the matrix host × disclosure: the most that any stranger gets.
type cellOf struct {
	Outcome model.Outcome
	Why     string
}

// accessOf is what one identity may do.
type accessOf struct {
	Identity model.Identity
	Session  model.Outcome
	Tree     model.Outcome
	Given    []string
	Empty    []string // answered, without data
	Refused  []string
	Open     []string // unknown or inconclusive
}

// AddScan takes a scan in.
func (d *Document) AddScan(s *model.Scan) {
	h := &subject{
		Kind: "scan", Name: s.Target, Host: s.Server.Name, About: serverLine(s), Verdict: string(s.Verdict),
		Reason:  s.Reason,
		Partial: s.Partial, Time: s.Started.UTC(), Findings: s.Findings, Cells: map[model.Disclosure]cellOf{},
		Sources: []string{s.Address},
		Answer:  ScanAnswer(s), Platform: seenPlatform(s.Server), Limits: limitLines(s.Limits), WeakWays: wayLines(s),
		scan: s,
	}
	h.doors, h.ways = scanWays(d.catalog, s)
	for i := range s.Identities {
		r := &s.Identities[i]
		a := accessOf{Identity: r.Identity, Session: r.Session.Outcome, Tree: r.Tree.Outcome}
		for _, kind := range model.Disclosures() {
			o := seenOf(d.catalog, s, r, kind)
			a.put(kind, o)
			h.worst(r.Identity, kind, cellOf{o, ""})
		}
		h.Access = append(h.Access, a)
	}
	d.hosts = append(d.hosts, h)
}

// AddAudit takes an audit in.
func (d *Document) AddAudit(a *model.Audit) {
	h := &subject{
		Kind: "audit", Name: a.Source.Name, Host: a.Host, About: platformLine(a.Platform), Verdict: AuditVerdict(a),
		Partial: a.Partial, Problems: a.Problems, Why: a.Platform.Why, Time: d.now, Findings: a.Findings,
		Cells:    map[model.Disclosure]cellOf{},
		Settings: a.Settings, Services: a.Services, Shares: a.Shares, Sources: a.Source.Parts,
		Answer: AuditAnswer(a), Platform: a.Platform, audit: a,
	}
	h.doors, h.ways = auditWays(d.catalog, a)
	for _, id := range model.Identities() {
		access, ok := a.Access[id]
		if !ok {
			continue
		}
		x := accessOf{Identity: id, Session: access.Session, Tree: access.Tree}
		for _, kind := range model.Disclosures() {
			o := access.Discloses[kind]
			x.put(kind, o)
			h.worst(id, kind, cellOf{o, strings.Join(access.Why["discloses:"+string(kind)], "; ")})
		}
		h.Access = append(h.Access, x)
	}
	d.hosts = append(d.hosts, h)
}

func (a *accessOf) put(kind model.Disclosure, o model.Outcome) {
	switch o {
	case model.Allowed:
		a.Given = append(a.Given, string(kind))
	case gaveNothing:
		a.Empty = append(a.Empty, string(kind))
	case model.Denied, model.Absent:
		a.Refused = append(a.Refused, string(kind))
	case "", model.NotTested:
	default:
		a.Open = append(a.Open, string(kind))
	}
}

// rank orders outcomes by their importance for a reader.
func rank(o model.Outcome) int {
	switch o {
	case model.Allowed:
		return 6
	case model.OutcomeUnknown, model.Inconclusive:
		return 5
	case gaveNothing:
		return 4
	case model.NotTested:
		return 3
	case model.Denied:
		return 2
	case model.Absent:
		return 1
	}
	return 0
}

// worst keeps the most that any stranger gets. If one was refused and another was not tested, the result for the other
// is unknown.
func (h *subject) worst(id model.Identity, kind model.Disclosure, c cellOf) {
	if !id.IsStranger() {
		return
	}
	c.Why = strings.TrimSuffix(string(id)+": "+c.Why, ": ")
	if h.Kind == "scan" && c.Outcome == "" {
		c.Outcome = model.NotTested
	}
	if rank(c.Outcome) > rank(h.Cells[kind].Outcome) {
		h.Cells[kind] = c
	}
}

// Close writes the document.
func (d *Document) Close() error {
	switch d.format {
	case "html":
		return d.html()
	case "sarif":
		return d.sarif()
	}
	return d.ocsf()
}

// AuditVerdict sums up an audit in one word: exposed if the configuration gives strangers data, weak if something else
// should be changed, unknown if something relevant could not be read or settled, ok otherwise.
func AuditVerdict(a *model.Audit) string {
	weak := false
	for _, f := range a.Findings {
		weak = weak || f.Severity.Rank() > model.Info.Rank()
	}
	open := false
	for _, id := range model.Strangers() {
		for _, kind := range model.Disclosures() {
			switch a.Access[id].Discloses[kind] {
			case model.Allowed:
				if kind.IsExposure() {
					return "exposed"
				}
			case model.OutcomeUnknown:
				open = open || id == model.Anonymous && kind.IsExposure()
			}
		}
	}
	switch {
	case weak:
		return "weak"
	case open || a.Partial || len(a.Access) == 0:
		return "unknown"
	}
	return "ok"
}

// seenPlatform returns a server's platform as seen from outside.
func seenPlatform(s model.Server) model.Platform {
	p := model.Platform{System: s.System, Build: s.Build, Role: cmp.Or(s.Role, model.UnknownRole)}
	switch s.System {
	case "samba":
		p.Product = "samba"
	case "unknown":
		p.System = ""
	}
	return p
}

// platformLine describes the platform of a configuration.
func platformLine(p model.Platform) string {
	var parts []string
	switch {
	case p.Name != "":
		parts = append(parts, Clean(p.Name))
	case p.Product != "":
		parts = append(parts, Clean(p.Product))
	case p.System != "":
		parts = append(parts, Clean(p.System)+", product not known")
	}
	if p.Version != "" {
		parts = append(parts, Clean(p.Version))
	}
	switch p.Role {
	case model.UnknownRole, "":
		parts = append(parts, "role not known")
	default:
		parts = append(parts, strings.ReplaceAll(Clean(string(p.Role)), "-", " "))
	}
	return strings.Join(parts, " · ")
}

// controlText describes a control in one line.
func controlText(c model.Control) string {
	return strings.Join(strings.Fields(c.Benchmark+" "+c.Version+" "+c.ID), " ")
}
