package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// The catalog as pages: every entry with its sources, like "ipcguard explain".

type catalogIndex struct {
	Text   string
	Groups []catalogGroup
	Found  int
}

type catalogGroup struct {
	Kind, Title string
	Rows        []catalogRow
}

type catalogRow struct{ ID, Title, More, URL string }

func catalogPage(v *visit) error {
	q := strings.TrimSpace(v.r.URL.Query().Get("q"))
	if q != "" && len(q) < 200 {
		if t, _, ok := v.catalog.Topic(q); ok {
			if kind, id := topicKind(&t); kind != "" {
				http.Redirect(v.w, v.r, topicPath(kind, id), http.StatusSeeOther)
				return nil
			}
		}
	}
	d := catalogIndex{Text: q}
	for _, g := range v.catalogGroups() {
		if q != "" {
			g.Rows = slices.DeleteFunc(g.Rows, func(r catalogRow) bool {
				return !strings.Contains(strings.ToLower(r.ID+" "+r.Title), strings.ToLower(q))
			})
		}
		d.Found += len(g.Rows)
		if len(g.Rows) > 0 {
			d.Groups = append(d.Groups, g)
		}
	}
	return v.render("catalog", "Catalog", d)
}

func (s *Server) catalogGroups() []catalogGroup {
	group := func(kind, title string, n int, row func(int) (id, title, more string)) catalogGroup {
		g := catalogGroup{Kind: kind, Title: title}
		for i := range n {
			id, title, more := row(i)
			g.Rows = append(g.Rows, catalogRow{id, title, more, topicPath(kind, id)})
		}
		return g
	}
	c := s.catalog
	return []catalogGroup{
		group("claim", "What people say", len(c.Claims), func(i int) (string, string, string) {
			return c.Claims[i].ID, c.Claims[i].Claim, verdictWords[c.Claims[i].Verdict]
		}),
		group("topic", "Words", len(c.Topics), func(i int) (string, string, string) {
			return c.Topics[i].ID,
				c.Topics[i].Title, ""
		}),
		group("finding", "Findings", len(c.Findings), func(i int) (string, string, string) {
			return c.Findings[i].ID, c.Findings[i].Title, "from the " + c.Findings[i].Kind
		}),
		group("setting", "Settings", len(c.Settings), func(i int) (string, string, string) {
			return c.Settings[i].ID, c.Settings[i].Title, c.Settings[i].System
		}),
		group("pipe", "Pipes", len(c.Pipes), func(i int) (string, string, string) {
			return c.Pipes[i].Name,
				c.Pipes[i].Title, ""
		}),
		group("interface", "Interfaces", len(c.Interfaces), func(i int) (string, string, string) {
			return c.Interfaces[i].ID, c.Interfaces[i].Title, c.Interfaces[i].UUID
		}),
		group("service", "Services", len(c.Services), func(i int) (string, string, string) {
			return c.Services[i].ID,
				c.Services[i].Title, ""
		}),
		group("product", "Products", len(c.Products), func(i int) (string, string, string) {
			return c.Products[i].ID, c.Products[i].Title, c.Products[i].System
		}),
	}
}

var verdictWords = map[string]string{"true": "true", "false": "false", "partly": "partly true", "unknown": "not known"}

func topicKind(t *catalog.Topic) (kind, id string) {
	switch {
	case t.Note != nil:
		return "topic", t.Note.ID
	case t.Setting != nil:
		return "setting", t.Setting.ID
	case t.Service != nil:
		return "service", t.Service.ID
	case t.Pipe != nil:
		return "pipe", t.Pipe.Name
	case t.Interface != nil:
		return "interface", t.Interface.ID
	case t.Finding != nil:
		return "finding", t.Finding.ID
	case t.Claim != nil:
		return "claim", t.Claim.ID
	case t.Product != nil:
		return "product", t.Product.ID
	case len(t.Control) > 0:
		return "control", t.Name
	}
	return "", ""
}

// topicView is one entry.
type topicView struct {
	catalog.Topic
	Kind, ID, Title string
	Where           func(catalog.Scope) string
	Controls        []model.Control
	ControlNotes    []string
	Rules           []catalog.Rule
	Tables          []pipeTable
	Bound           []catalog.Interface
	Pipes           []string // of an interface
	Product         *productView
	Verdict         string
	Cited           []string
	Hosts           string // the list of the fleet's hosts that have it
}

type pipeTable struct{ Where, Answer string }

type productView struct {
	*catalog.Product
	Rows []productRow
}

type productRow struct {
	Role          model.Role
	Session, Tree model.Outcome
	Given, Open   []string
}

func topicPage(v *visit) error {
	kind, id := v.r.PathValue("kind"), v.r.PathValue("id")
	t, ok := v.entry(kind, id)
	if !ok {
		return errNotFound
	}
	d := topicView{Topic: t, Kind: kind, ID: id, Where: v.catalog.ScopeText}
	switch {
	case t.Note != nil:
		d.Title = t.Note.Title
		d.cite(t.Note.Sources)
	case t.Setting != nil:
		v.settingTopic(&d, t.Setting)
	case t.Service != nil:
		d.Title = t.Service.Title
		d.cite(t.Service.Sources)
	case t.Pipe != nil:
		d.Title = t.Pipe.Title
		v.pipeTopic(&d, t.Pipe)
	case t.Interface != nil:
		d.Title = t.Interface.Title
		for _, p := range v.catalog.Pipes {
			for _, b := range p.Interfaces {
				if b.ID == t.Interface.ID {
					d.Pipes = append(d.Pipes, p.Name)
				}
			}
		}
		d.cite(t.Interface.Sources)
	case t.Finding != nil:
		d.Title = t.Finding.Title
		d.cite(t.Finding.Sources)
		d.Hosts = "/findings?finding=" + url.QueryEscape(t.Finding.ID)
	case t.Claim != nil:
		d.Title, d.Verdict = t.Claim.Claim, verdictWords[t.Claim.Verdict]
		d.cite(t.Claim.Sources)
	case t.Product != nil:
		d.Title = t.Product.Title
		d.Product = v.productTopic(t.Product)
		d.cite(t.Product.Sources)
	default:
		d.Title = "what benchmarks mean by it"
		for _, r := range t.Control {
			d.cite(r.Sources)
		}
	}
	return v.render("topic", id, d)
}

// cite adds sources that are not cited yet.
func (d *topicView) cite(sources []string) {
	for _, s := range sources {
		if !slices.Contains(d.Cited, s) {
			d.Cited = append(d.Cited, s)
		}
	}
}

func (v *visit) settingTopic(d *topicView, s *catalog.Setting) {
	d.Title = s.Title
	for _, x := range s.Defaults {
		d.cite(x.Sources)
	}
	for _, x := range s.TakesEffect {
		d.cite(x.Sources)
	}
	for _, x := range s.Breaks {
		d.cite(x.Sources)
	}
	d.Controls = v.catalog.ControlsFor(model.Platform{}, s.ID)
	for _, r := range v.catalog.Controls {
		if r.Setting == s.ID {
			if r.Notes != "" {
				d.ControlNotes = append(d.ControlNotes, r.Notes)
			}
			d.cite(r.Sources)
		}
	}
	d.cite(s.Sources)
	d.Hosts = "/settings?setting=" + url.QueryEscape(s.ID)
}

// entry finds one entry by kind and ID.
func (s *Server) entry(kind, id string) (catalog.Topic, bool) {
	t, _, ok := s.catalog.Topic(id)
	if ok {
		if k, i := topicKind(&t); k == kind && strings.EqualFold(i, id) {
			return t, true
		}
	}
	// an earlier entry has the same name
	own := catalog.Topic{Name: id}
	switch kind {
	case "setting":
		own.Setting = s.catalog.Setting(id)
	case "pipe":
		own.Pipe = s.catalog.Pipe(id)
	case "interface":
		own.Interface = s.catalog.Interface(id)
	case "service":
		own.Service = s.catalog.Service(id)
	case "finding":
		own.Finding = s.catalog.Finding(id)
	case "product":
		own.Product = s.catalog.Product(id)
	case "claim":
		for i := range s.catalog.Claims {
			if s.catalog.Claims[i].ID == id {
				own.Claim = &s.catalog.Claims[i]
			}
		}
	case "topic":
		for i := range s.catalog.Topics {
			if s.catalog.Topics[i].ID == id {
				own.Note = &s.catalog.Topics[i]
			}
		}
	}
	k, _ := topicKind(&own)
	if ok && k != "" {
		own.Related = t.Related
	}
	return own, k == kind && k != ""
}

func (s *Server) pipeTopic(d *topicView, p *catalog.Pipe) {
	for _, b := range p.Interfaces {
		if i := s.catalog.Interface(b.ID); i != nil {
			d.Bound = append(d.Bound, *i)
		}
	}
	name := catalog.PipeName(p.Name)
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(n string) bool { return catalog.PipeName(n) == name })
	}
	for _, t := range s.catalog.PipeTables {
		answer := ""
		switch {
		case in(t.Hard):
			answer = "yes, whatever NullSessionPipes says"
		case in(t.Unsure):
			answer = "the documents disagree"
		case in(t.Builtin):
			answer = "yes"
		default:
			continue
		}
		d.Tables = append(d.Tables, pipeTable{s.catalog.ScopeText(t.Scope), answer})
		d.cite(t.Sources)
	}
	for _, r := range s.catalog.Rules {
		if catalog.PipeName(r.Pipe) == name {
			d.Rules = append(d.Rules, r)
			d.cite(r.Sources)
		}
	}
	d.cite(p.Sources)
}

func (s *Server) productTopic(p *catalog.Product) *productView {
	out := &productView{Product: p}
	roles := []model.Role{model.Workstation, model.Member, model.DomainController}
	switch p.Family {
	case "client":
		roles = roles[:1]
	case "server":
		roles = roles[1:]
	}
	for _, role := range roles {
		in := catalog.Config{
			Platform: model.Platform{System: p.System, Product: p.ID, Build: p.Builds[1], Role: role},
			Complete: true,
		}
		a := s.catalog.Evaluate(in, model.Anonymous)[model.Anonymous]
		row := productRow{Role: role, Session: a.Session, Tree: a.Tree}
		for _, k := range model.Disclosures() {
			switch a.Discloses[k] {
			case model.Allowed:
				row.Given = append(row.Given, words(k))
			case model.OutcomeUnknown:
				row.Open = append(row.Open, words(k))
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
