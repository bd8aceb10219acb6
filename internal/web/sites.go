package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

// sites lists the parts of the network and who scans them.
type sites struct {
	Sites   []siteRow
	Workers []workerRow
}

type siteRow struct {
	store.Site
	Alive   int
	Targets int
}

type workerRow struct {
	store.Worker
	Silent bool // for so long that its hosts are given to others
	Older  bool // it understands fewer jobs than the newest
}

// silentAfter is when a worker counts as silent on a page: three of its heartbeats.
const silentAfter = 3 * heartbeat

func (v *visit) workerRows() ([]workerRow, error) {
	workers, err := v.store.Workers(v.ctx())
	if err != nil {
		return nil, err
	}
	newest := 0
	for _, w := range workers {
		newest = max(newest, w.Protocol)
	}
	var out []workerRow
	for _, w := range workers {
		out = append(out, workerRow{w, v.now().Sub(w.Seen) > silentAfter, w.Protocol < newest})
	}
	return out, nil
}

func sitesPage(v *visit) error {
	var d sites
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
	return v.render("sites", "Sites and workers", d)
}

// site is the form of one.
type site struct {
	Form   *form
	Site   store.Site
	Fields map[string]field
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
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Site{}, errNotFound
	}
	return v.store.Site(v.ctx(), id)
}

func (v *visit) showSite(s store.Site, f *form, status int) error {
	title := "Site " + brief(s.Name)
	if s.ID == 0 {
		title = "Add a site"
	}
	return v.renderStatus(status, "site", title, site{f, s, map[string]field{
		"name":        f.Field("name", "Name", "Workers name it: ipcguard worker --site NAME"),
		"rate":        f.Field("rate", "Connections a second", "Of all workers of the site together; empty is no limit"),
		"concurrency": f.Field("concurrency", "Hosts at a time", "For each worker; empty is the scanner's own"),
		"window":      f.Field("window", "When scanning is allowed", "Mon-Fri 22:00-06:00; Sat,Sun. Empty is always"),
		"zone":        f.Field("zone", "Time zone", "Europe/Berlin; empty is UTC"),
	}})
}

// The bounds of a site's numbers: more connections a second than a network card makes, more hosts than a worker holds.
const (
	maxRate        = 1_000_000
	maxConcurrency = 10_000
)

func saveSite(v *visit) error {
	var s store.Site
	if v.r.PathValue("id") != "" {
		var err error
		if s, err = v.siteOf(); err != nil {
			return err
		}
	}
	f := newForm(v.r.PostForm)
	s.Name, s.Window, s.Zone = f.need("name"), f.line("window"), f.line("zone")
	s.Rate, s.Concurrency = f.count("rate", maxRate), int(f.count("concurrency", maxConcurrency))
	f.checkZone("zone", s.Zone)
	f.checkWindow("window", s.Window, s.Zone)
	if !f.ok() {
		return v.showSite(s, f, http.StatusUnprocessableEntity)
	}
	isNew := s.ID == 0
	switch err := v.store.SaveSite(v.ctx(), &s); {
	case errors.Is(err, store.ErrConflict):
		f.wrong("name", "Another site has this name.")
		return v.showSite(s, f, http.StatusConflict)
	case err != nil:
		return err
	}
	if isNew {
		v.act("site.add", s.Name, "")
	} else {
		v.act("site.change", s.Name, "")
	}
	return v.done("/sites", "The site was saved.")
}

func deleteSite(v *visit) error {
	s, err := v.siteOf()
	if err != nil {
		return err
	}
	switch err := v.store.DeleteSite(v.ctx(), s.ID); {
	case errors.Is(err, store.ErrConflict):
		return v.done("/sites", "The site has targets or hosts and stays.")
	case err != nil:
		return err
	}
	v.act("site.delete", s.Name, "")
	return v.done("/sites", "The site was removed.")
}

// checkZone and checkWindow say what is wrong with times that were typed in.
func (f *form) checkZone(name, zone string) {
	if _, err := when.Zone(zone); err != nil {
		f.wrong(name, "There is no such time zone: want a name such as Europe/Berlin.")
	}
}

func (f *form) checkWindow(name, window, zone string) {
	if _, err := when.ParseWindow(window, zone); err != nil && f.Wrong["zone"] == "" {
		f.wrong(name, plainError(err))
	}
}

// heartbeat is how often a worker reports.
const heartbeat = 10 * time.Second
