// Package view is what pages and API share: filters, and lists that can be exported completely.
//
//	query ─► filter ─► every row of a list ─► CSV, JSON
//	                └► every host's findings ─► SARIF, OCSF
//
// The rules of this package:
//
//   - A filter has one name and one meaning, and an exported list is in [Views]: pages and API use both.
//   - Files are written as they are read. A format that is one document is bounded by [MaxHosts].
//   - No cell of a table can be interpreted as a formula by a spreadsheet.
package view

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// View is a list that can be exported.
type View struct {
	Name   string
	Params []Param // its filter
	Row    any     // a value of its rows' type
	Scans  bool    // it lists hosts, and can be exported as SARIF and OCSF
	each   func(s Source, q url.Values, put func(any) error) error
}

// Source is what a view reads.
type Source struct {
	Ctx     context.Context
	Store   store.Reader
	Catalog *catalog.Catalog
	Now     time.Time
}

// Views lists them.
func Views() []View {
	return []View{
		{"hosts", HostFilter, store.Host{}, true, func(s Source, q url.Values, put func(any) error) error {
			return s.Store.EachHost(s.Ctx, Hosts(q, s.Now), func(h store.Host) error { return put(h) })
		}},
		{"clients", HostFilter, store.ClientLogon{}, false, func(s Source, q url.Values, put func(any) error) error {
			return pages("client", put, func(p store.Page) ([]store.ClientLogon, error) {
				l, _, err := s.Store.ClientLogons(s.Ctx, Hosts(q, s.Now), p)
				return l, err
			})
		}},
		{"findings", HostFilter, store.HostFinding{}, true, func(s Source, q url.Values, put func(any) error) error {
			return pages("host", put, func(p store.Page) ([]store.HostFinding, error) {
				l, _, err := s.Store.Findings(s.Ctx, Hosts(q, s.Now), p)
				return l, err
			})
		}},
		{
			"finding-counts", HostFilter,
			store.FindingCount{},
			false,
			whole(func(s Source, q url.Values) ([]store.FindingCount, error) {
				return s.Store.FindingCounts(s.Ctx, Hosts(q, s.Now))
			}),
		},
		{"settings", HostFilter, store.SettingCount{}, false, whole(func(s Source, q url.Values) ([]store.SettingCount,
			error,
		) {
			return s.Store.SettingCounts(s.Ctx, Hosts(q, s.Now))
		})},
		{"events", EventFilter, store.Event{}, false, func(s Source, q url.Values, put func(any) error) error {
			return pages("id", put, func(p store.Page) ([]store.Event, error) {
				l, _, err := s.Store.Events(s.Ctx, Events(q), p)
				return l, err
			})
		}},
		{"runs", nil, store.Run{}, false, func(s Source, _ url.Values, put func(any) error) error {
			return pages("id", put, func(p store.Page) ([]store.Run, error) {
				l, _, err := s.Store.Runs(s.Ctx, p)
				return l, err
			})
		}},
		{"compare", slices.Concat(HostFilter, Between), store.Difference{}, false, func(s Source, q url.Values,
			put func(any) error,
		) error {
			return pages("name", put, func(p store.Page) ([]store.Difference, error) {
				l, _, err := s.Store.Compare(s.Ctx, Time(q.Get("from"), true), Time(q.Get("to"), true), Hosts(q, s.Now),
					p)
				return l, err
			})
		}},
		{"trend", TrendFilter, store.TrendPoint{}, false, whole(func(s Source, q url.Values) ([]store.TrendPoint,
			error,
		) {
			from, to := Span(q, s.Now)
			return s.Store.Trend(s.Ctx, from, to, q.Get("site"))
		})},
		{
			"exceptions",
			[]Param{{Name: "all", Kind: Boolean}},
			store.Exception{},
			false,
			whole(func(s Source, q url.Values) ([]store.Exception, error) {
				return s.Store.Exceptions(s.Ctx, yes(q, "all"))
			}),
		},
		{"schedules", nil, store.Schedule{}, false, whole(func(s Source, _ url.Values) ([]store.Schedule,
			error,
		) {
			return s.Store.Schedules(s.Ctx)
		})},
		{"sites", nil, store.Site{}, false, whole(func(s Source, _ url.Values) ([]store.Site,
			error,
		) {
			return s.Store.Sites(s.Ctx)
		})},
		{"workers", nil, store.Worker{}, false, whole(func(s Source, _ url.Values) ([]store.Worker,
			error,
		) {
			return s.Store.Workers(s.Ctx)
		})},
	}
}

// Find returns a view by its name.
func Find(name string) (View, bool) {
	all := Views()
	i := slices.IndexFunc(all, func(v View) bool { return v.Name == name })
	if i < 0 {
		return View{}, false
	}
	return all[i], true
}

// whole yields a short list.
func whole[T any](get func(Source, url.Values) ([]T, error)) func(Source, url.Values, func(any) error) error {
	return func(s Source, q url.Values, put func(any) error) error {
		l, err := get(s, q)
		for _, x := range l {
			if err := put(x); err != nil {
				return err
			}
		}
		return err
	}
}

// pages yields a list page by page.
func pages[T any](sort string, put func(any) error, get func(store.Page) ([]T, error)) error {
	for p := (store.Page{Size: store.MaxPage, Sort: sort}); ; p.Offset += p.Size {
		list, err := get(p)
		if err != nil {
			return err
		}
		for _, x := range list {
			if err := put(x); err != nil {
				return err
			}
		}
		if len(list) < p.Size {
			return nil
		}
	}
}

// The formats of files.
const (
	CSV   = "csv"
	JSON  = "json"
	SARIF = "sarif"
	OCSF  = "ocsf"
)

// Formats returns the formats of a view.
func (v View) Formats() []string {
	if v.Scans {
		return []string{CSV, JSON, SARIF, OCSF}
	}
	return []string{CSV, JSON}
}

// Media returns a format's media type.
func Media(format string) string {
	switch format {
	case CSV:
		return "text/csv; charset=utf-8"
	case SARIF:
		return "application/sarif+json"
	case OCSF:
		return "application/jsonl" // a line a finding
	}
	return "application/json"
}

// File returns the file name of a view.
func (v View) File(format string) string {
	if format == SARIF || format == OCSF {
		format += ".json"
	}
	return "ipcguard-" + v.Name + "." + format
}

// MaxHosts bounds a format that is one document, which is built in memory: about 20 KiB a host.
const MaxHosts = 10_000

// TooManyError means that a document would contain more hosts than [MaxHosts].
type TooManyError struct{ Hosts int }

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("these are %d hosts, and one document holds %d: filter them by site, tag or owner", e.Hosts,
		MaxHosts)
}

// Fits returns a [TooManyError] if a view is too large for a format.
func (v View) Fits(s Source, format string, q url.Values) error {
	if format != SARIF {
		return nil
	}
	counts, err := s.Store.Counts(s.Ctx, Hosts(q, s.Now))
	if err == nil && counts.Hosts > MaxHosts {
		err = &TooManyError{counts.Hosts}
	}
	return err
}

// Write writes a view in one of its formats.
func (v View) Write(w io.Writer, s Source, format string, q url.Values) error {
	switch format {
	case CSV:
		return writeCSV(w, v.Row, func(put func(any) error) error { return v.each(s, q, put) })
	case JSON:
		return writeJSON(w, func(put func(any) error) error { return v.each(s, q, put) })
	case SARIF:
		return document(w, format, s.Now, func(put func(*model.Scan) error) error {
			return scans(s, Hosts(q, s.Now),
				put)
		})
	case OCSF: // a line a finding: a host's need not be together
		return scans(s, Hosts(q, s.Now), func(x *model.Scan) error {
			return document(w, format, s.Now, func(put func(*model.Scan) error) error { return put(x) })
		})
	}
	return fmt.Errorf("view: %q is no format", format)
}
