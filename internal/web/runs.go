package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

type runs struct {
	Rows  []store.Run
	Pager pager
	Heads []head
	Live  bool   // a run of the list is active
	Again string // the path that refreshes its rows
}

func runsPage(v *visit) error {
	d, err := v.runList()
	if err != nil {
		return err
	}
	return v.render("runs", "Runs", d)
}

// runRows sends the rows of the list for a refresh.
func runRows(v *visit) error {
	d, err := v.runList()
	if err != nil {
		return err
	}
	return v.moved(pathWith("/runs", v.r.URL.RawQuery), d.Live, "runs", "run-rows", d)
}

func (v *visit) runList() (runs, error) {
	columns := []column{
		{"id", "run", "", true},
		{"state", "state", "", false},
		{"created", "begun", "", true},
		{"by", "by", "", false},
		{"total", "targets", "num", true},
		{"done", "done", "num", true},
		{"exposed", "exposed", "num", true},
		{"limited", "limited", "num", true},
		{"closed", "closed", "num", true},
		{"unknown", "not known", "num", true},
		{"failed", "failed", "num", true},
	}
	page := v.pageOf("-id", columns)
	list, total, err := v.store.Runs(v.ctx(), page)
	d := runs{Rows: list, Pager: v.pager(page, len(list), total), Heads: v.heads(byParam, page.Sort, columns)}
	d.Live = slices.ContainsFunc(list, func(r store.Run) bool { return live(r.State) })
	d.Again = pathWith("/runs/rows", v.r.URL.RawQuery)
	return d, err
}

// live reports whether a run is active.
func live(state store.RunState) bool { return state == store.RunRunning || state == store.RunWaiting }

// newRun is the form that starts a run.
type newRun struct {
	Form                *form
	Site, Tag, Owner    field
	Kind                field
	Quick               field
	Hosts               int
	Sites, Tags, Owners []option
}

var runKinds = []option{
	{Value: "scan", Label: "scan: what do strangers get?"},
	{Value: "audit", Label: "audit: what does the configuration say?"},
	{Value: "discover", Label: "discover: which hosts are in the ranges?"},
}

func newRunPage(v *visit) error { return v.showNewRun(newForm(v.r.URL.Query()), http.StatusOK) }

func (v *visit) showNewRun(f *form, status int) error {
	c, err := v.choices(f.Values)
	if err != nil {
		return err
	}
	d := newRun{Form: f}
	d.Kind = f.Choose("kind", "What", "", runKinds)
	d.Site = f.Choose("site", "Site", "", c.Sites)
	d.Tag = f.Choose("tag", "Tag", "", c.Tags)
	d.Owner = f.Choose("owner", "Owner", "", c.Owners)
	d.Quick = f.Field("quick", "Quick: ask the null-session question alone", "")
	return v.renderStatus(status, "newrun", "Start a run", d)
}

func startRun(v *visit) error {
	f := newForm(v.r.PostForm)
	run, err := v.acts.StartRun(v.ctx(), v.who(), acts.NewRun{
		Kind: store.RunKind(f.Get("kind")), Selector: store.Selector{
			Site: f.Get("site"), Tag: f.Get("tag"),
			Owner: f.Get("owner"),
		}, Quick: f.yes("quick"),
	})
	switch {
	case f.refused(err):
		return v.showNewRun(f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/runs/"+strconv.FormatInt(run.ID, 10), "The run begins.")
}

// run is one run with its progress.
type run struct {
	store.Run
	Live     bool
	What     string
	Percent  int
	Rounded  int // rounded to tens, so that screen readers announce it less often
	Rate     string
	Left     string
	Waiting  int // of Total, what has not ended
	Other    int // what ended neither with a verdict nor with a failure
	Units    []store.Unit
	Filter   string
	Pager    pager
	Heads    []head
	States   []stateLink
	Again    string // the path that refreshes what changes
	Events   []store.Event
	Schedule string
}

type stateLink struct {
	State   store.UnitState
	URL     string
	Current bool
}

func (v *visit) runOf() (*run, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errNotFound
	}
	r, err := v.store.Run(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	d := &run{Run: r, What: acts.Chosen(r.Selector), Live: live(r.State)}
	ended := r.Done
	if r.Total > 0 {
		d.Percent = min(ended*100/r.Total, 100)
	} else if !d.Live {
		d.Percent = 100
	}
	d.Rounded = d.Percent / 10 * 10
	d.Waiting = max(0, r.Total-r.Done)
	d.Other = max(0, r.Done-r.Exposed-r.Limited-r.Closed-r.Unknown-r.Failed)
	if until := r.LastResult; !r.Started.IsZero() && until.After(r.Started) && ended > 0 {
		took := max(until.Sub(r.Started), time.Second) // a shorter time is not meaningful
		d.Rate = strconv.FormatFloat(float64(ended)/took.Seconds(), 'f', 1, 64) + " a second"
		if d.Live && ended < r.Total {
			d.Left = span(time.Duration(float64(took) / float64(ended) * float64(r.Total-ended)))
		}
	}
	return d, nil
}

func runPage(v *visit) error {
	d, err := v.runOf()
	if err != nil {
		return err
	}
	if err := v.unitsOf(d); err != nil {
		return err
	}
	if d.Events, _, err = v.store.Events(v.ctx(), store.EventFilter{RunID: d.ID}, store.Page{Size: mostEvents, Sort: "-at"}); err != nil {
		return err
	}
	if d.Run.Schedule != 0 {
		if s, err := v.store.Schedule(v.ctx(), d.Run.Schedule); err == nil {
			d.Schedule = s.Name
		}
	}
	return v.render("run", string(d.Kind)+" "+strconv.FormatInt(d.ID, 10), d)
}

// unitsOf parses which part of a run's targets is requested.
func (v *visit) unitsOf(d *run) error {
	state := store.UnitState(view.Known(v.r.URL.Query().Get("state"), texts(store.UnitWaiting, store.UnitRunning,
		store.UnitDone, store.UnitFailed, store.UnitSkipped)...))
	columns := []column{
		{"spec", "target", "", false},
		{"state", "state", "", false},
		{"worker", "worker", "", false},
		{"attempt", "tries", "num", true},
		{"ended", "ended", "", true},
		{"reason", "why", "", false},
	}
	page := v.pageOf("target", columns)
	d.Heads = v.heads(byParam, page.Sort, columns)
	d.Again = pathWith("/runs/"+strconv.FormatInt(d.ID, 10)+"/progress", v.r.URL.RawQuery)
	units, total, err := v.store.Units(v.ctx(), d.ID, state, page)
	if err != nil {
		return err
	}
	d.Units, d.Pager = units, v.pager(page, len(units), total)
	for _, s := range []store.UnitState{
		"", store.UnitWaiting, store.UnitRunning, store.UnitDone, store.UnitFailed,
		store.UnitSkipped,
	} {
		d.States = append(d.States, stateLink{s, v.with("state", string(s), "offset", "", "page", ""), s == state})
	}
	return nil
}

// stopPolling is htmx's own status: the content is final.
const stopPolling = 286

// runProgress sends the part of a run's page that changes.
func runProgress(v *visit) error {
	d, err := v.runOf()
	if err != nil {
		return err
	}
	if err := v.unitsOf(d); err != nil {
		return err
	}
	return v.moved("/runs/"+url.PathEscape(v.r.PathValue("id")), d.Live, "run", "moved", d)
}

// moved answers a page's refresh of a part while it is live. A person who opens it is redirected to the page.
func (v *visit) moved(page string, live bool, name, part string, d any) error {
	if v.r.Header.Get("HX-Request") == "" {
		http.Redirect(v.w, v.r, page, http.StatusSeeOther)
		return nil
	}
	status := http.StatusOK
	if !live {
		status = stopPolling
	}
	return v.fragment(status, name, part, d)
}

func cancelRun(v *visit) error {
	return v.remove(func(ctx context.Context, who access.Who, id int64) error {
		_, err := v.acts.CancelRun(ctx, who, id)
		return err
	}, "/runs/"+url.PathEscape(v.r.PathValue("id")), "The run is cancelled. What is being asked right now still ends.")
}
