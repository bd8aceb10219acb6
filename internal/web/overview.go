package web

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// overview is the first page: the state, the trend, what changed, who works.
type overview struct {
	Site    string
	Sites   []option
	Counts  store.Counts
	Score   *score
	Tiles   []tile
	Trend   *trend
	Since   time.Time
	Told    []hostChange // what changed, one line a host
	Changed int
	Hosts   []openHost // the worst, as are the next two
	BySite  []standing
	ByOwner []standing
	Given   []givenCount
	First   []firstChange // the settings that close most
	openRuns
	Workers []workerRow
	Empty   bool

	Unaudited bool // none of Hosts has an audit yet
	Old       oldAudits

	Problems []fleet.Problem // of the fleet itself
}

// mostFirst is the number of changes that the page recommends first; mostNotice the number of affected parties beside
// each. The catalog has the rest.
const (
	mostFirst  = 3
	mostNotice = 4
)

// firstChange is a setting that closes much, and who would notice the change.
type firstChange struct {
	settingRow
	Notice []string
	More   int // the number of omitted ones
}

// whoNotices returns whom a wanted value of a setting breaks, according to the catalog.
func whoNotices(s *catalog.Setting) []string {
	var out []string
	if s == nil {
		return nil
	}
	for _, b := range s.Breaks {
		wanted := b.Value == nil || slices.ContainsFunc(s.Wanted,
			func(w catalog.Wanted) bool { return fmt.Sprint(w.Value) == fmt.Sprint(b.Value) })
		if wanted && !slices.Contains(out, b.Who) {
			out = append(out, b.Who)
		}
	}
	return out
}

type givenCount struct {
	What  model.Disclosure
	Hosts int
	Meter meter
}

func overviewPage(v *visit) error {
	d := overview{Site: v.r.URL.Query().Get("site"), Since: v.since()}
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return err
	}
	var names []string
	for _, s := range sites {
		names = append(names, s.Name)
	}
	d.Sites = options(d.Site, "every site", names)
	if d.Problems, err = v.problems(names, d.Site); err != nil {
		return err
	}
	for _, read := range []func(*overview) error{v.readStandings, v.readChanges, v.readGiven, v.readFirst} {
		if err := read(&d); err != nil {
			return err
		}
	}
	if d.Old, err = v.oldAudits(store.HostFilter{Site: d.Site}, url.Values{"site": {d.Site}}); err != nil {
		return err
	}
	if d.Hosts, err = v.worstHosts(d.Site); err != nil {
		return err
	}
	d.Unaudited = len(d.Hosts) > 0 && !slices.ContainsFunc(d.Hosts,
		func(h openHost) bool { return !h.LastAudit.IsZero() })
	if d.openRuns, err = v.runsUnderWay(); err != nil {
		return err
	}
	if d.Workers, err = v.workerRows(); err != nil {
		return err
	}
	return v.render("overview", "Overview", d)
}

// readStandings reads how hosts, sites and owners stand, and how that came about.
func (v *visit) readStandings(d *overview) error {
	standings, err := v.store.Standings(v.ctx(), store.HostFilter{Site: d.Site}) // whoever counts these counts all
	if err != nil {
		return err
	}
	d.Counts = store.CountsOf(standings)
	d.Empty = d.Counts.Hosts == 0
	points, err := v.store.Trend(v.ctx(), trendFrom(v.now()), v.now(), d.Site)
	if err != nil {
		return err
	}
	d.Trend, d.Score, d.Tiles = newTrend(weekly(points, weeksBack)), newScore(points), tilesOf(d.Counts, points, d.Site)
	if d.Site == "" && len(d.Sites) > 2 { // of one site it would be one row; the first is "every site"
		d.BySite = worst(standings, func(s store.Standing) string { return s.Site },
			func(n string) string { return listURL("/hosts", "verdict", "exposed", "site", n) })
	}
	d.ByOwner = worst(standings, func(s store.Standing) string { return s.Owner },
		func(n string) string { return listURL("/hosts", "verdict", "exposed", "owner", n, "site", d.Site) })
	// nobody says who owns what
	d.ByOwner = slices.DeleteFunc(d.ByOwner, func(s standing) bool { return s.Name == "" && len(d.ByOwner) == 1 })
	return nil
}

// readChanges reads what changed since the last visit.
func (v *visit) readChanges(d *overview) error {
	f := store.EventFilter{Site: d.Site, Since: d.Since}
	page := store.Page{Size: mostRead, Sort: "-at"}
	events, changed, err := v.store.Events(v.ctx(), f, page)
	if err != nil {
		return err
	}
	d.Changed = changed
	if changed > len(events) { // an earlier severe one must not be hidden by many small changes
		f.Least = model.High
		grave, _, err := v.store.Events(v.ctx(), f, page)
		if err != nil {
			return err
		}
		for _, e := range grave {
			if !slices.ContainsFunc(events, func(x store.Event) bool { return x.ID == e.ID }) {
				events = append(events, e)
			}
		}
	}
	d.Told = oneEach(events, d.Changed)
	return v.named(d.Told)
}

// readGiven reads what strangers are given, and by how many hosts.
func (v *visit) readGiven(d *overview) error {
	cells, err := v.store.CellCounts(v.ctx(), store.HostFilter{Site: d.Site})
	if err != nil {
		return err
	}
	for _, what := range model.Disclosures() {
		if n := cells[what]; n > 0 && what.IsExposure() {
			d.Given = append(d.Given, givenCount{what, n, meter{n, d.Counts.Hosts}})
		}
	}
	slices.SortStableFunc(d.Given, func(a, b givenCount) int { return b.Hosts - a.Hosts })
	return nil
}

// readFirst reads the settings that close most hosts.
func (v *visit) readFirst(d *overview) error {
	counts, err := v.store.SettingCounts(v.ctx(), store.HostFilter{Site: d.Site})
	if err != nil {
		return err
	}
	rows := v.settingRows(counts, d.Counts.Hosts, filterQuery(url.Values{"site": {d.Site}}))
	for _, r := range rows[:min(len(rows), mostFirst)] {
		who := whoNotices(v.catalog.Setting(r.Setting))
		n := min(len(who), mostNotice)
		d.First = append(d.First, firstChange{r, who[:n], len(who) - n})
	}
	return nil
}

// oldAudits are the hosts that changed since their audit: counts of findings still have what it says, and so do plans.
type oldAudits struct {
	Hosts []store.Host // those with the oldest audits
	Total int
	URL   string // of all
}

// More returns the number of hosts that are not listed.
func (o oldAudits) More() int { return o.Total - len(o.Hosts) }

// mostOld bounds the listed hosts with old audits.
const mostOld = 3

func (v *visit) oldAudits(f store.HostFilter, q url.Values) (oldAudits, error) {
	f.Audit = store.AuditOld
	list, total, err := v.store.Hosts(v.ctx(), f, store.Page{Size: mostOld, Sort: "last_audit"})
	q = filterQuery(q)
	q.Set("audit", store.AuditOld)
	return oldAudits{list, total, "/hosts?" + q.Encode()}, err
}

// stale reports whether a host has changed since its audit.
func stale(h store.Host) bool { return !h.LastAudit.IsZero() && h.LastChanged.After(h.LastAudit) }

// problems returns what is wrong with the fleet itself: at the sites of the account, and with the server for accounts
// that see the whole fleet.
func (v *visit) problems(sites []string, at string) ([]fleet.Problem, error) {
	all, err := fleet.Problems(v.ctx(), v.Server.store)
	return slices.DeleteFunc(all, func(p fleet.Problem) bool {
		if p.Site == "" {
			return !v.whom.Can(store.RoleViewer)
		}
		return !slices.Contains(sites, p.Site) || at != "" && p.Site != at
	}), err
}

// mostRuns bounds the listed active runs.
const mostRuns = 50

// openRuns returns the waiting and active runs, the newest first, and the number of further ones.
type openRuns struct {
	Runs     []store.Run
	MoreRuns int
}

func (v *visit) runsUnderWay() (openRuns, error) {
	all, err := v.store.OpenRuns(v.ctx())
	slices.Reverse(all)
	n := min(len(all), mostRuns)
	return openRuns{all[:n], len(all) - n}, err
}

// openRunRows sends the rows of the active runs for a refresh.
func openRunRows(v *visit) error {
	d, err := v.runsUnderWay()
	if err != nil {
		return err
	}
	return v.moved("/", len(d.Runs) > 0, "overview", "open-runs", d)
}

// sawAll resets "since your last visit".
func sawAll(v *visit) error {
	v.sessions.Put(v.ctx(), keySince, v.now().Unix())
	return v.done("/", "From here on, changes are counted anew.")
}
