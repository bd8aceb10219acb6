package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

// me is who asks.
type me struct {
	ID   int64      `json:"id"`
	Name string     `json:"name"`
	Role store.Role `json:"role"` // what this request may do: less than the account's by a token's scope
	Via  string     `json:"via"`
}

func whoIsIt(c *call) (any, error) {
	return me{c.who.User.ID, c.who.User.Name, c.who.Role, c.who.Via}, nil
}

func document(c *call) (any, error) { return json.RawMessage(c.doc), nil }

// overview is the first thing that somebody wants to know.
type overview struct {
	Counts    store.Counts             `json:"counts"`
	Discloses map[model.Disclosure]int `json:"discloses"` // how many hosts give it to strangers
}

func getOverview(c *call) (any, error) {
	counts, err := c.store.Counts(c.ctx(), c.hosts())
	if err != nil {
		return nil, err
	}
	cells, err := c.store.CellCounts(c.ctx(), c.hosts())
	return overview{counts, cells}, err
}

func listHosts(c *call) (any, error) {
	hosts, total, err := c.store.Hosts(c.ctx(), c.hosts(), c.page())
	return part(c, hosts, total, err)
}

// hostDetail is all that is known of a host now.
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

// anyDocument stands for what the command line writes: its schema names each.
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

// planRequest says what kind of plan is wanted.
type planRequest struct {
	Strategy string `json:"strategy,omitempty" enum:"restrict,block"`
	Accept   bool   `json:"accept_breakage,omitempty"`
}

func makePlan(c *call) (any, error) {
	b, err := body[planRequest](c)
	if err != nil {
		return nil, err
	}
	if b.Strategy != "" && b.Strategy != plan.Restrict && b.Strategy != plan.Block {
		return nil, wrong("strategy", "want %s or %s", plan.Restrict, plan.Block)
	}
	h, err := c.host()
	if err != nil {
		return nil, err
	}
	p, err := c.fleet.Plan(c.ctx(), h.ID, b.Strategy, b.Accept)
	switch {
	case errors.Is(err, fleet.ErrNoAudit):
		return nil, &problem{Status: http.StatusUnprocessableEntity, Detail: plainError(err)}
	case err != nil:
		return nil, err
	}
	return p, c.act("plan.make", h.Name, p.Strategy)
}

func listFindings(c *call) (any, error) {
	findings, total, err := c.store.Findings(c.ctx(), c.hosts(), c.page())
	return part(c, findings, total, err)
}

func countFindings(c *call) (any, error) { return all(c.store.FindingCounts(c.ctx(), c.hosts())) }

func countSettings(c *call) (any, error) { return all(c.store.SettingCounts(c.ctx(), c.hosts())) }

func (c *call) events() store.EventFilter {
	q := c.query
	f := store.EventFilter{
		Site: q.Get("site"), HostID: c.number("host"), RunID: c.number("run"), Least: model.Severity(q.Get("least")), Since: c.time("since"),
		Until: c.time("until"), AfterID: c.number("after"), NotExcepted: c.yes("open"),
	}
	if k := q.Get("kind"); k != "" {
		f.Kinds = []store.EventKind{store.EventKind(k)}
	}
	return f
}

func listEvents(c *call) (any, error) {
	events, total, err := c.store.Events(c.ctx(), c.events(), c.page())
	return part(c, events, total, err)
}

// trendDays is what a trend shows where nothing is said: a quarter.
const trendDays = 91

func getTrend(c *call) (any, error) {
	from, to := c.span()
	return all(c.store.Trend(c.ctx(), from, to, c.query.Get("site")))
}

func (c *call) span() (from, to time.Time) {
	from, to = c.time("from"), c.time("to")
	if to.IsZero() {
		to = c.now()
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -trendDays)
	}
	return from, to
}

func compare(c *call) (any, error) {
	differences, total, err := c.store.Compare(c.ctx(), c.time("from"), c.time("to"), c.hosts(), c.page())
	return part(c, differences, total, err)
}

func listWorkers(c *call) (any, error) { return all(c.store.Workers(c.ctx())) }

func listTags(c *call) (any, error) { return all(c.store.Tags(c.ctx())) }

func listOwners(c *call) (any, error) { return all(c.store.Owners(c.ctx())) }

func listActs(c *call) (any, error) {
	acts, total, err := c.store.Acts(c.ctx(), c.query.Get("q"), c.page())
	return part(c, acts, total, err)
}
