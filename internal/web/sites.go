package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/store"
)

// sites lists the parts of the network and their workers.
type sites struct {
	Sites    []siteRow
	Workers  []workerRow
	Enrolled []store.Enrolled
	Form     *form
	Fields   map[string]field
	Code     *acts.JoinCode // a new one

	SiteHeads, WorkerHeads, EnrolledHeads []head
}

type siteRow struct {
	store.Site
	Alive   int
	Targets int
}

type workerRow struct {
	store.Worker
	Silent bool   // for so long that its hosts are given to others
	Older  string // the consequence if it has an earlier version
}

// silentAfter is the time after which a page calls a worker silent: three of its heartbeats.
const silentAfter = 3 * heartbeat

func (v *visit) workerRows() ([]workerRow, error) {
	workers, err := v.store.Workers(v.ctx())
	if err != nil {
		return nil, err
	}
	enrolled, err := v.store.EnrolledWorkers(v.ctx())
	if err != nil {
		return nil, err
	}
	afar := map[string]bool{} // by name; the protocol and the jobs have versions of their own
	for _, e := range enrolled {
		afar[e.Name] = true
	}
	newest := 0
	for _, w := range workers {
		if !afar[w.Name] {
			newest = max(newest, w.Protocol)
		}
	}
	var out []workerRow
	for _, w := range workers {
		row := workerRow{Worker: w, Silent: v.now().Sub(w.Seen) > silentAfter}
		switch {
		case afar[w.Name] && w.Protocol < wire.Protocol:
			row.Older = "the next version of the server refuses it: update it"
		case !afar[w.Name] && w.Protocol < newest:
			row.Older = "it leaves jobs that it does not understand"
		}
		out = append(out, row)
	}
	return out, nil
}

func sitesPage(v *visit) error { return v.showSites(newForm(nil), nil, http.StatusOK) }

func (v *visit) showSites(f *form, code *acts.JoinCode, status int) error {
	options, err := v.siteOptions()
	if err != nil {
		return err
	}
	d := sites{Form: f, Code: code, Fields: map[string]field{
		"site": f.Choose("site", "Site", "Whose hosts it scans", options),
		"name": f.Field("name", "Name", "Empty: the name of its machine"),
	}}
	if d.Enrolled, err = v.store.EnrolledWorkers(v.ctx()); err != nil {
		return err
	}
	all, err := v.store.Sites(v.ctx())
	if err != nil {
		return err
	}
	if d.Workers, err = v.workerRows(); err != nil {
		return err
	}
	for _, s := range all {
		row := siteRow{Site: s}
		for _, w := range d.Workers {
			if w.Site == s.Name && !w.Silent {
				row.Alive++
			}
		}
		if _, row.Targets, err = v.store.Targets(v.ctx(), store.TargetFilter{Site: s.Name}, store.Page{Size: 1}); err != nil {
			return err
		}
		d.Sites = append(d.Sites, row)
	}
	v.arrangeSites(&d)
	return v.renderStatus(status, "sites", "Sites and workers", d)
}

// arrangeSites sorts the three lists of the page.
func (v *visit) arrangeSites(d *sites) {
	columns := []column{
		{"name", "site", "", false},
		{"alive", "workers alive", "num", true},
		{"targets", "targets", "num", true},
		{"rate", "connections a second", "", true},
		{"concurrency", "hosts at a time", "", true},
		{"window", "allowed", "", false},
	}
	order := v.sorted(byParam, "", columns)
	d.SiteHeads = v.heads(byParam, order, columns)
	arrange(d.Sites, order, map[string]func(a, b siteRow) int{
		"name": by(func(s siteRow) string { return s.Name }), "alive": by(func(s siteRow) int { return s.Alive }),
		"targets":     by(func(s siteRow) int { return s.Targets }),
		"rate":        by(func(s siteRow) float64 { return s.Rate }),
		"concurrency": by(func(s siteRow) int { return s.Concurrency }),
		"window":      by(func(s siteRow) string { return s.Window }),
	})
	columns = []column{
		{"name", "worker", "", false},
		{"site", "site", "", false},
		{"seen", "state", "", true},
		{"busy", "busy", "num", true},
		{"done", "done", "num", true},
		{"version", "version", "", false},
	}
	order = v.sorted("workers", "", columns)
	d.WorkerHeads = v.heads("workers", order, columns)
	arrange(d.Workers, order, map[string]func(a, b workerRow) int{
		"name": by(func(w workerRow) string { return w.Name }), "site": by(func(w workerRow) string { return w.Site }),
		"seen": byTime(func(w workerRow) time.Time { return w.Seen }),
		"busy": by(func(w workerRow) int { return w.Busy }), "done": by(func(w workerRow) int64 { return w.Done }),
		"version": by(func(w workerRow) string { return w.Version }),
	})
	columns = []column{
		{"name", "name", "", false},
		{"site", "site", "", false},
		{"joined", "joined", "", true},
		{"renewed", "renewed", "", true},
		{"until", "certificate until", "", false},
		{"origin", "called from", "", false},
		{"", "act", "", false},
	}
	order = v.sorted("joined", "", columns)
	d.EnrolledHeads = v.heads("joined", order, columns)
	arrange(d.Enrolled, order, map[string]func(a, b store.Enrolled) int{
		"name":    by(func(e store.Enrolled) string { return e.Name }),
		"site":    by(func(e store.Enrolled) string { return e.Site }),
		"joined":  byTime(func(e store.Enrolled) time.Time { return e.Created }),
		"renewed": byTime(func(e store.Enrolled) time.Time { return e.Renewed }),
		"until":   byTime(func(e store.Enrolled) time.Time { return e.Until }),
		"origin":  by(func(e store.Enrolled) string { return e.Origin }),
	})
}

// site is the form of one.
type site struct {
	Form   *form
	Site   store.Site
	Fields map[string]field
}

// addWorker shows a join code, once: it is not stored.
func addWorker(v *visit) error {
	f := newForm(v.r.PostForm)
	code, err := v.acts.AddWorker(v.ctx(), v.who(), acts.NewWorker{Site: f.Get("site"), Name: f.Get("name")})
	switch {
	case f.refused(err):
		return v.showSites(f, nil, statusOf(err))
	case err != nil:
		return err
	}
	return v.showSites(newForm(nil), &code, http.StatusCreated)
}

func revokeWorker(v *visit) error {
	return v.remove(v.acts.RevokeWorker, "/sites", "The worker is revoked: it is given nothing any more.")
}

func newSitePage(v *visit) error { return v.showSite(store.Site{}, newForm(nil), http.StatusOK) }

func sitePage(v *visit) error {
	s, err := v.siteOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{"name": {s.Name}, "window": {s.Window}, "zone": {s.Zone}})
	if s.Rate > 0 {
		f.Set("rate", strconv.FormatFloat(s.Rate, 'f', -1, 64))
	}
	if s.Concurrency > 0 {
		f.Set("concurrency", strconv.Itoa(s.Concurrency))
	}
	return v.showSite(s, f, http.StatusOK)
}

func (v *visit) siteOf() (store.Site, error) {
	id, err := v.number()
	if err != nil {
		return store.Site{}, err
	}
	v.site = id
	return v.store.Site(v.ctx(), id)
}

func (v *visit) showSite(s store.Site, f *form, status int) error {
	title := "Site " + brief(s.Name)
	if s.ID == 0 {
		title = "Add a site"
	}
	return v.renderStatus(status, "site", title, site{f, s, map[string]field{
		"name": f.Field("name", "Name", "Such as branch: each worker joins one site"),
		"rate": f.Field("rate", "Connections a second",
			"Of all workers of the site together; empty is no limit"),
		"concurrency": f.Field("concurrency", "Hosts at a time", "For each worker; empty: its --concurrency"),
		"window":      f.Field("window", "When scanning is allowed", "Mon-Fri 22:00-06:00; Sat,Sun. Empty is always"),
		"zone":        f.Field("zone", "Time zone", "Europe/Berlin; empty is UTC"),
	}})
}

func saveSite(v *visit) error {
	var s store.Site
	if v.r.PathValue("id") != "" {
		var err error
		if s, err = v.siteOf(); err != nil {
			return err
		}
	}
	f := newForm(v.r.PostForm)
	_, err := v.acts.SaveSite(v.ctx(), v.who(), s.ID, acts.SiteChange{
		Name: f.Get("name"), Rate: f.number("rate"), Concurrency: f.whole("concurrency"), Window: f.Get("window"),
		Zone: f.Get("zone"),
	})
	switch {
	case f.refused(err):
		return v.showSite(s, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/sites", "The site was saved.")
}

func deleteSite(v *visit) error {
	return v.remove(v.acts.DeleteSite, "/sites", "The site was removed.")
}

// heartbeat is the interval of a worker's heartbeats.
const heartbeat = 10 * time.Second
