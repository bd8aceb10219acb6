package api

import (
	"encoding/json"
	"slices"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// me is the caller.
type me struct {
	ID    int64            `json:"id"`
	Name  string           `json:"name"`
	Role  store.Role       `json:"role"`            // for this request: a token's scope may permit less
	Sites []store.SiteRole `json:"sites,omitempty"` // and at single sites, if that is more
	Scope store.Scope      `json:"scope,omitempty"` // of the token
	Via   string           `json:"via"`
}

func whoIsIt(c *call) (any, error) {
	out := me{ID: c.who.User.ID, Name: c.who.User.Name, Role: c.who.Role, Scope: c.who.Scope, Via: c.who.Via}
	for _, s := range c.who.User.Sites {
		if role := c.who.Sites[s.SiteID]; role != "" {
			s.Role = role
			out.Sites = append(out.Sites, s)
		}
	}
	return out, nil
}

func document(c *call) (any, error) { return json.RawMessage(c.doc), nil }

// overview is a summary of the fleet.
type overview struct {
	Counts    store.Counts             `json:"counts"`
	Score     *int                     `json:"score,omitempty"` // percent; absent without hosts
	Discloses map[model.Disclosure]int `json:"discloses"`       // hosts that disclose it to strangers
}

func getOverview(c *call) (any, error) {
	counts, err := c.store.Counts(c.ctx(), view.Hosts(c.query, c.now()))
	if err != nil {
		return nil, err
	}
	cells, err := c.store.CellCounts(c.ctx(), view.Hosts(c.query, c.now()))
	out := overview{Counts: counts, Discloses: cells}
	if n, ok := counts.Score(); ok {
		out.Score = &n
	}
	return out, err
}

func listStandings(c *call) (any, error) {
	return all(c.store.Standings(c.ctx(), view.Hosts(c.query, c.now())))
}

func search(c *call) (any, error) {
	return all(view.Search(view.Source{Ctx: c.ctx(), Store: c.store, Catalog: c.catalog, Now: c.now()},
		c.query.Get("q")))
}

func listViews(c *call) (any, error) { return all(c.store.Views(c.ctx(), c.who.User.ID)) }

func listHosts(c *call) (any, error) {
	hosts, total, err := c.store.Hosts(c.ctx(), view.Hosts(c.query, c.now()), c.page())
	return part(c, hosts, total, err)
}

func listClients(c *call) (any, error) {
	ways, total, err := c.store.ClientLogons(c.ctx(), view.Hosts(c.query, c.now()), c.page())
	return part(c, ways, total, err)
}

// hostDetail is everything known of a host now.
type hostDetail struct {
	store.Host
	Names        []store.HostName    `json:"names"`
	HostFindings []store.HostFinding `json:"host_findings"`
}

func getHost(c *call) (any, error) {
	h, err := c.host()
	if err != nil {
		return nil, err
	}
	out := hostDetail{Host: h}
	if out.Names, err = c.store.HostNames(c.ctx(), h.ID); err != nil {
		return nil, err
	}
	out.HostFindings, err = c.store.HostFindings(c.ctx(), h.ID)
	return out, err
}

func (c *call) host() (store.Host, error) {
	id, err := c.id()
	if err != nil {
		return store.Host{}, err
	}
	return c.store.Host(c.ctx(), id)
}

func listSpans(c *call) (any, error) {
	h, err := c.host()
	if err != nil {
		return nil, err
	}
	kinds := []store.RunKind{store.RunScan, store.RunAudit}
	if k := c.query.Get("kind"); k != "" {
		kinds = []store.RunKind{store.RunKind(k)}
	}
	var out []store.Span
	for _, k := range kinds {
		spans, err := c.store.Spans(c.ctx(), h.ID, k)
		if err != nil {
			return nil, err
		}
		out = append(out, spans...)
	}
	return all(out, nil)
}

func listResults(c *call) (any, error) {
	h, err := c.host()
	if err != nil {
		return nil, err
	}
	results, total, err := c.store.Results(c.ctx(), h.ID, c.page())
	return part(c, results, total, err)
}

// anyDocument is a document of the command line: its schema field names it.
type anyDocument struct{}

var documentKinds = []string{"scan", "audit", "observe", "plan", "journal"}

func getDocument(c *call) (any, error) {
	kind := c.r.PathValue("kind")
	if !slices.Contains(documentKinds, kind) {
		return nil, store.ErrNotFound
	}
	h, err := c.host()
	if err != nil {
		return nil, err
	}
	if kind == "journal" && !c.who.At(h.SiteID, store.RoleOperator) { // it contains whole configuration files
		return nil, access.ErrForbidden
	}
	read := c.store.Document
	if c.yes("previous") {
		read = c.store.PreviousDocument
	}
	b, _, err := read(c.ctx(), h.ID, kind)
	if err == nil && !json.Valid(b) {
		err = store.ErrNotFound
	}
	return json.RawMessage(b), err
}

func makePlan(c *call) (any, error) {
	in, err := body[acts.NewPlan](c)
	if err != nil {
		return nil, err
	}
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return c.acts.Plan(c.ctx(), c.who, id, in)
}

func listFindings(c *call) (any, error) {
	findings, total, err := c.store.Findings(c.ctx(), view.Hosts(c.query, c.now()), c.page())
	return part(c, findings, total, err)
}

func countFindings(c *call) (any, error) {
	return all(c.store.FindingCounts(c.ctx(), view.Hosts(c.query, c.now())))
}

func countSettings(c *call) (any, error) {
	return all(c.store.SettingCounts(c.ctx(), view.Hosts(c.query, c.now())))
}

func listEvents(c *call) (any, error) {
	events, total, err := c.store.Events(c.ctx(), view.Events(c.query), c.page())
	return part(c, events, total, err)
}

func getTrend(c *call) (any, error) {
	from, to := view.Span(c.query, c.now())
	return all(c.store.Trend(c.ctx(), from, to, c.query.Get("site")))
}

func compare(c *call) (any, error) {
	differences, total, err := c.store.Compare(c.ctx(), view.Time(c.query.Get("from"), true),
		view.Time(c.query.Get("to"), true), view.Hosts(c.query, c.now()), c.page())
	return part(c, differences, total, err)
}

func listWorkers(c *call) (any, error) { return all(c.store.Workers(c.ctx())) }

func listTags(c *call) (any, error) { return all(c.store.Tags(c.ctx(), nil)) }

func listOwners(c *call) (any, error) { return all(c.store.Owners(c.ctx(), nil)) }

func listActs(c *call) (any, error) {
	acts, total, err := c.store.Acts(c.ctx(), c.query.Get("q"), c.page())
	return part(c, acts, total, err)
}
