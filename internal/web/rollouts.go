package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/handover"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

type rollouts struct {
	Rows  []rolloutRow
	Pager pager
	Heads []head
}

// rolloutRow is a rollout with its progress.
type rolloutRow struct {
	store.Rollout
	Closed, Left int
	Meter        meter
}

// leftOf returns the number of hosts that are neither closed nor gone.
func leftOf(states map[store.RolloutState]int) int {
	left := 0
	for state, n := range states {
		if state != store.RolloutClosed && state != store.RolloutGone {
			left += n
		}
	}
	return left
}

func rolloutsPage(v *visit) error {
	columns := []column{
		{"name", "rollout", "", false},
		{"ended", "state", "", true},
		{"", "hosts", "num", false},
		{"", "closed", "num", false},
		{"", "left", "num", false},
		{"", "share closed", "", false},
		{"created", "made", "", true},
		{"by", "by", "", false},
	}
	page := v.pageOf("-id", columns)
	list, total, err := v.store.Rollouts(v.ctx(), nil, page)
	if err != nil {
		return err
	}
	d := rollouts{Pager: v.pager(page, len(list), total), Heads: v.heads(byParam, page.Sort, columns)}
	for _, o := range list {
		closed := o.States[store.RolloutClosed]
		d.Rows = append(d.Rows, rolloutRow{o, closed, leftOf(o.States), meter{closed, o.Hosts}})
	}
	return v.render("rollouts", "Rollouts", d)
}

// newRollout is the form that plans for many hosts.
type newRollout struct {
	Form   *form
	Hosts  []int64
	Query  string
	Words  []string // the hosts that the query selects
	Count  int
	Fields map[string]field
}

func newRolloutPage(v *visit) error {
	f := newForm(v.r.URL.Query())
	if f.Get("name") == "" {
		f.Set("name", rolloutName(f))
	}
	return v.showNewRollout(f, http.StatusOK)
}

// rolloutName returns the default name of a rollout: what it changes, or where.
func rolloutName(f *form) string {
	if s := f.Get("setting"); s != "" {
		return s
	}
	if n := len(f.ids("host")); n > 0 {
		return plural(n, "host", "hosts")
	}
	q, _ := url.ParseQuery(f.Get("query"))
	name := "Hosts"
	for _, w := range filterWords(filterQuery(q)) {
		name += " " + w
	}
	return name
}

func (v *visit) showNewRollout(f *form, status int) error {
	d := newRollout{Form: f, Hosts: f.ids("host")}
	if filter, err := view.ReadHosts(f.Get("query"), v.now()); err == nil {
		q, _ := url.ParseQuery(f.Get("query"))
		d.Words, d.Query = filterWords(q), q.Encode()
		counts, err := v.store.Counts(v.ctx(), filter)
		if err != nil {
			return err
		}
		d.Count = counts.Hosts
	}
	d.Fields = map[string]field{
		"name": f.Field("name", "Name", "What it is called in lists, tickets and files"),
		"query": f.Field("query", "Filter",
			"What follows the ? in the address of the list of hosts, such as verdict=exposed; empty: every host"),
		"setting": f.Field("setting", "Only the setting",
			"Change this one alone, on the hosts that it would fix. Empty is what each host needs"),
		"strategy": f.Choose("strategy", "Strategy", "", strategies),
		"goal":     f.Choose("goal", "Goal of restrict", "", goals),
		"accept":   f.Field("accept", "block even though something in use stops", ""),
	}
	return v.renderStatus(status, "newrollout", "Plan for many hosts", d)
}

var (
	strategies = []option{
		{Value: plan.Restrict, Label: "restrict: strangers lose what they should not have"},
		{Value: plan.Block, Label: "block: IPC$ itself goes, for everybody"},
	}
	goals = []option{
		{Value: plan.Strangers, Label: "strangers: what they are given"},
		{Value: plan.Harden, Label: "harden: and every weak value that stops nothing known"},
		{Value: plan.Findings, Label: "findings: every finding, also what meets signed-in users"},
	}
)

func startRollout(v *visit) error {
	f := newForm(v.r.PostForm)
	o, err := v.acts.StartRollout(v.ctx(), v.who(), acts.NewRollout{
		Name: f.Get("name"), Query: f.Get("query"), Hosts: f.ids("host"), Setting: f.Get("setting"),
		Strategy: f.Get("strategy"), Goal: f.Get("goal"), Accept: f.yes("accept"),
		Read: view.ReadHosts,
	})
	switch {
	case f.refused(err):
		if f.Problem == "" {
			f.Problem = f.Wrong["hosts"] // they have no field on the page
		}
		return v.showNewRollout(f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done(rolloutPath(o.ID), "")
}

func rolloutPath(id int64) string { return "/rollouts/" + strconv.FormatInt(id, 10) }

// rollout is one plan for many hosts.
type rollout struct {
	store.Rollout
	Words      []string // how the hosts were selected
	Live       bool     // it is being planned
	Done       int
	Percent    int
	Rounded    int // rounded to tens, so that screen readers announce it less often
	Unaudited  int
	Newer      int // hosts of which more is known than when they were planned
	Tiles      []rolloutTile
	Groups     []groupRow
	MoreGroups pager
	Stops      []store.RolloutStop
	MoreStops  int
	States     []rolloutTile
	GroupTitle string
	Rows       []rolloutHostRow
	Heads      []head
	Pager      pager
}

// rolloutTile is the number of hosts in a state, with the link to them.
type rolloutTile struct {
	Class, Word, URL string
	Hosts            int
	Current          bool
}

type groupRow struct {
	store.RolloutGroup
	Title, URL                    string
	Closed, Left, Unwatched, Gone int
	Meter                         meter
}

type rolloutHostRow struct {
	store.RolloutHost
	Word, Class string
}

// stateWords are the states of a host in words, with their class, in display order.
var stateWords = []struct {
	state       store.RolloutState
	word, class string
}{
	{store.RolloutOpen, "to change", "exposed"},
	{store.RolloutClosed, "closed", "closed"},
	{store.RolloutUnaudited, "to audit first", "limited"},
	{store.RolloutUnwatched, "to change, an audit will show it", "limited"},
	{store.RolloutWaiting, "being planned", "unknown"},
	{store.RolloutNothing, "nothing to change", "unknown"},
	{store.RolloutQuestion, "contradictory", "unknown"},
	{store.RolloutRefused, "in use", "unknown"},
	{store.RolloutFailed, "unreadable", "unknown"},
	{store.RolloutGone, "no longer looked at", "off"},
}

func (v *visit) rolloutOf() (*rollout, error) {
	id, err := v.number()
	if err != nil {
		return nil, err
	}
	o, err := v.store.Rollout(v.ctx(), id, nil)
	if err != nil {
		return nil, err
	}
	d := &rollout{
		Rollout: o, Live: o.Planned.IsZero() && o.Ended.IsZero(),
		Done: o.Hosts - o.States[store.RolloutWaiting], Percent: 100, Unaudited: o.States[store.RolloutUnaudited],
	}
	if o.Hosts > 0 {
		d.Percent = d.Done * 100 / o.Hosts
	}
	d.Rounded = d.Percent / 10 * 10
	for _, s := range stateWords {
		n := o.States[s.state]
		if n > 0 || s.state == store.RolloutOpen || s.state == store.RolloutClosed {
			d.Tiles = append(d.Tiles, rolloutTile{Class: s.class, Word: s.word, URL: rolloutPath(id) + "?state=" +
				string(s.state) + "#hosts", Hosts: n})
		}
	}
	return d, nil
}

// mostGroups and mostStops bound what one page shows of a rollout: the rest is in its files.
const (
	mostGroups = 12
	mostStops  = 12
)

func rolloutPage(v *visit) error {
	d, err := v.rolloutOf()
	if err != nil {
		return err
	}
	ctx := v.ctx()
	if q, err := url.ParseQuery(d.Query); err == nil {
		d.Words = filterWords(q)
	}
	if err := v.rolloutGroups(d); err != nil {
		return err
	}
	if d.Stops, d.MoreStops, err = v.store.RolloutStops(ctx, d.ID, nil, store.Page{Size: mostStops}); err != nil {
		return err
	}
	if _, d.Newer, err = v.store.RolloutHosts(ctx, d.ID, store.RolloutFilter{Newer: true},
		store.Page{Size: 1, Sort: "id"}); err != nil {
		return err
	}
	f := v.rolloutFilter(d)
	v.rolloutStates(d, f)
	if err := v.rolloutHosts(d, f); err != nil {
		return err
	}
	return v.render("rollout", brief(d.Name), d)
}

// rolloutGroups reads the groups of a rollout.
func (v *visit) rolloutGroups(d *rollout) error {
	groups, total, err := v.store.RolloutGroups(v.ctx(), d.ID, nil, store.Page{Size: mostGroups})
	if err != nil {
		return err
	}
	d.MoreGroups.Total = total
	for _, g := range groups {
		d.Groups = append(d.Groups, groupRow{
			RolloutGroup: g, Title: v.platform(g.System, g.Product, string(g.Role)), URL: rolloutPath(d.ID) +
				"?group=" + strconv.FormatInt(g.ID, 10) + "#hosts",
			Closed: g.States[store.RolloutClosed], Left: leftOf(g.States),
			Unwatched: g.States[store.RolloutUnwatched], Gone: g.States[store.RolloutGone],
			Meter: meter{g.States[store.RolloutClosed], g.Hosts},
		})
	}
	return nil
}

// rolloutFilter returns which hosts of a rollout are asked for, and names the group if it is those of one.
func (v *visit) rolloutFilter(d *rollout) store.RolloutFilter {
	q := v.r.URL.Query()
	f := store.RolloutFilter{
		State: store.RolloutState(view.Known(q.Get("state"), view.RolloutStates...)),
		Newer: q.Get("newer") != "",
	}
	var err error
	if f.Group, err = strconv.ParseInt(q.Get("group"), 10, 64); err == nil {
		d.GroupTitle = "number " + strconv.FormatInt(f.Group, 10)
		for _, g := range d.Groups {
			if g.ID == f.Group {
				d.GroupTitle = g.Title
			}
		}
	}
	return f
}

// rolloutStates makes the links that show the hosts in one state.
func (v *visit) rolloutStates(d *rollout, f store.RolloutFilter) {
	link := func(state, newer string) string {
		return v.with("state", state, "newer", newer, "offset", "", "page", "") + "#hosts"
	}
	d.States = append(d.States, rolloutTile{
		Word: "all", URL: link("", ""), Hosts: d.Hosts, Current: f.State == "" && !f.Newer,
	})
	for _, s := range stateWords {
		if n := d.Rollout.States[s.state]; n > 0 {
			d.States = append(d.States, rolloutTile{
				Word: s.word, URL: link(string(s.state), ""), Hosts: n, Current: f.State == s.state,
			})
		}
	}
	if d.Newer > 0 {
		d.States = append(d.States, rolloutTile{
			Word: "newer than their plan", URL: link("", "yes"), Hosts: d.Newer, Current: f.Newer,
		})
	}
}

// rolloutHosts reads a page of a rollout's hosts.
func (v *visit) rolloutHosts(d *rollout, f store.RolloutFilter) error {
	columns := []column{
		{"host", "host", "", false},
		{"state", "state", "", false},
		{"since", "since", "", true},
		{"verdict", "verdict", "", true},
		{"site", "site", "", false},
		{"owner", "owner", "", false},
		{"", "why", "", false},
	}
	page := v.pageOf("host", columns)
	if !v.r.URL.Query().Has("size") { // the page above it is long
		page.Size = 25
	}
	d.Heads = v.heads(byParam, page.Sort, columns)
	hosts, n, err := v.store.RolloutHosts(v.ctx(), d.ID, f, page)
	if err != nil {
		return err
	}
	d.Pager = v.pager(page, len(hosts), n)
	for _, h := range hosts {
		row := rolloutHostRow{RolloutHost: h}
		for _, s := range stateWords {
			if s.state == h.State {
				row.Word, row.Class = s.word, s.class
			}
		}
		d.Rows = append(d.Rows, row)
	}
	return nil
}

// platform names a product and a role.
func (v *visit) platform(system, product, role string) string {
	name := system
	if p, release := v.catalog.ProductRelease(product); p != nil {
		name = p.Title
		if release != "" {
			name += " " + release
		}
	} else if product != "" {
		name = product
	}
	if role != "" && role != "unknown" {
		name += ", " + words(role)
	}
	return brief(name)
}

// rolloutProgress sends the part of a rollout's page that changes.
func rolloutProgress(v *visit) error {
	d, err := v.rolloutOf()
	if err != nil {
		return err
	}
	return v.moved(rolloutPath(d.ID), d.Live, "rollout", "moved", d)
}

// handedOver sends all files of a rollout, and their names.
func (v *visit) handedOver() (*handover.Rollout, string, error) {
	id, err := v.number()
	if err != nil {
		return nil, "", err
	}
	r, err := handover.Read(v.ctx(), v.store, v.catalog, id)
	return r, "ipcguard-rollout-" + strconv.FormatInt(id, 10), err
}

func rolloutArchive(v *visit) error {
	r, name, err := v.handedOver()
	if err != nil {
		return err
	}
	return v.send(name+".zip", "application/zip", r.WriteArchive)
}

func rolloutTickets(v *visit) error {
	shape, isCSV := strings.CutSuffix(v.r.PathValue("file"), ".csv")
	if !isCSV || !slices.Contains(handover.Shapes(), shape) {
		return errNotFound
	}
	r, name, err := v.handedOver()
	if err != nil {
		return err
	}
	return v.send(name+"-"+shape+".csv", view.Media(view.CSV),
		func(w io.Writer) error { return r.WriteTickets(w, shape) })
}

// auditRollout audits the hosts without an audit; a plan needs one.
func auditRollout(v *visit) error {
	d, err := v.rolloutOf()
	if err != nil {
		return err
	}
	var ids []int64
	for p := (store.Page{Size: store.MaxPage, Sort: "id"}); len(ids) < acts.MaxChosen; p.Offset += p.Size {
		list, _, err := v.store.RolloutHosts(v.ctx(), d.ID, store.RolloutFilter{State: store.RolloutUnaudited}, p)
		if err != nil {
			return err
		}
		for _, h := range list {
			ids = append(ids, h.HostID)
		}
		if len(list) < p.Size {
			break
		}
	}
	if len(ids) == 0 {
		return v.done(rolloutPath(d.ID), "Every host was audited: plan again.")
	}
	return v.start(acts.NewRun{Kind: store.RunAudit, Selector: store.Selector{Hosts: ids}}, rolloutPath(d.ID))
}

func planAgain(v *visit) error {
	return v.onRollout(v.acts.PlanAgain, "The hosts that are left are planned again.")
}

func endRollout(v *visit) error {
	return v.onRollout(v.acts.EndRollout, "The rollout is not followed any more.")
}

func (v *visit) onRollout(do func(context.Context, access.Who, int64) (store.Rollout, error), said string) error {
	return v.remove(func(ctx context.Context, who access.Who, id int64) error {
		_, err := do(ctx, who, id)
		return err
	}, "/rollouts/"+url.PathEscape(v.r.PathValue("id")), said)
}

func deleteRollout(v *visit) error {
	return v.remove(v.acts.DeleteRollout, "/rollouts", "The rollout is deleted.")
}
