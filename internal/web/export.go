package web

import (
	"encoding/csv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
	"ipcguard/internal/web/takeaway"
)

// Any view can be taken along: the same filter, all of its lines.

// exportFormats are those of hosts and findings.
var exportFormats = []string{"csv", "json", "sarif", "ocsf"}

func exportView(v *visit) error {
	name := v.r.PathValue("file")
	view, format, _ := strings.Cut(name, ".")
	q := v.r.URL.Query()
	kind := map[string]string{"csv": "text/csv; charset=utf-8", "json": "application/json", "sarif": "application/sarif+json", "ocsf": "application/json"}[format]
	if kind == "" {
		return errNotFound
	}
	var write func(io.Writer) error
	switch {
	case view == "hosts" && format == "csv":
		write = func(w io.Writer) error { return v.hostsCSV(w, filterOf(q)) }
	case view == "hosts" && format == "json":
		write = func(w io.Writer) error {
			return takeaway.JSON(w, func(put func(any) error) error {
				return v.store.EachHost(v.ctx(), filterOf(q), func(h store.Host) error { return put(h) })
			})
		}
	case view == "findings" && format == "csv":
		write = func(w io.Writer) error { return v.findingsCSV(w, filterOf(q)) }
	case view == "findings" && format == "json":
		write = func(w io.Writer) error {
			return takeaway.JSON(w, func(put func(any) error) error {
				return v.eachFinding(filterOf(q), func(f store.HostFinding) error { return put(f) })
			})
		}
	case (view == "hosts" || view == "findings") && format == "ocsf":
		write = func(w io.Writer) error { // a line a finding: hosts need not be held together
			return v.eachScan(filterOf(q), func(s *model.Scan) error {
				return takeaway.Document(w, format, v.now(), func(put func(*model.Scan) error) error { return put(s) })
			})
		}
	case (view == "hosts" || view == "findings") && format == "sarif":
		counts, err := v.store.Counts(v.ctx(), filterOf(q))
		if err != nil {
			return err
		}
		if counts.Hosts > takeaway.MaxHosts {
			return problem{http.StatusUnprocessableEntity, "These are " + number(counts.Hosts) + " hosts, and one document holds " + number(takeaway.MaxHosts) + " at most: filter them by site, tag or owner."}
		}
		write = func(w io.Writer) error {
			return takeaway.Document(w, format, v.now(), func(put func(*model.Scan) error) error { return v.eachScan(filterOf(q), put) })
		}
	case view == "events" && (format == "csv" || format == "json"):
		write = func(w io.Writer) error { return v.eventsFile(w, format, q) }
	default:
		return errNotFound
	}
	h := v.w.Header()
	h.Set("Content-Type", kind)
	suffix := format
	if format == "sarif" || format == "ocsf" {
		suffix += ".json"
	}
	h.Set("Content-Disposition", `attachment; filename="ipcguard-`+view+"."+suffix+`"`)
	if err := write(v.w); err != nil {
		// Half of a file must not pass for a whole one.
		v.log.Error("an export ended early", "file", name, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// table writes CSV whose cells no spreadsheet takes for formulas.
type table struct{ *csv.Writer }

func (t table) row(cells ...string) error {
	for i := range cells {
		cells[i] = report.Cell(cells[i])
	}
	return t.Write(cells)
}

func (v *visit) hostsCSV(w io.Writer, f store.HostFilter) error {
	t := table{csv.NewWriter(w)}
	head := []string{"name", "address", "site", "verdict", "severity", "findings", "excepted", "system", "os", "smb1", "signing", "owner", "criticality", "tags", "first_seen", "last_seen"}
	for _, k := range model.Disclosures() {
		head = append(head, string(k))
	}
	if err := t.row(head...); err != nil {
		return err
	}
	err := v.store.EachHost(v.ctx(), f, func(h store.Host) error {
		row := []string{
			h.Name, h.Address, h.Site, string(h.Verdict), string(h.Severity), strconv.Itoa(h.Findings), strconv.Itoa(h.Excepted), h.System, h.OS,
			strconv.FormatBool(h.SMB1), h.Signing, h.Owner, string(h.Criticality), strings.Join(h.Tags, " "), stampOf(h.FirstSeen), stampOf(h.LastSeen),
		}
		for _, c := range cellsOf(h.Cells) {
			word := c.Mark
			if c.Long != "" {
				word = c.Long
			}
			row = append(row, word)
		}
		return t.row(row...)
	})
	t.Flush()
	if err != nil {
		return err
	}
	return t.Error()
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// eachFinding walks through all findings of a filter.
func (v *visit) eachFinding(f store.HostFilter, do func(store.HostFinding) error) error {
	return takeaway.Pages("host", func(p store.Page) ([]store.HostFinding, error) {
		list, _, err := v.store.Findings(v.ctx(), f, p)
		return list, err
	}, do)
}

func (v *visit) findingsCSV(w io.Writer, f store.HostFilter) error {
	t := table{csv.NewWriter(w)}
	if err := t.row("host", "finding", "severity", "kind", "identity", "pipe", "evidence", "settings", "first_seen", "last_seen", "exception"); err != nil {
		return err
	}
	err := v.eachFinding(f, func(x store.HostFinding) error {
		exception := ""
		if x.Exception != 0 {
			exception = strconv.FormatInt(x.Exception, 10)
		}
		return t.row(x.Host, x.Finding, string(x.Severity), string(x.Kind), string(x.Identity), x.Pipe, x.Evidence, strings.Join(x.Settings, " "), stampOf(x.FirstSeen), stampOf(x.LastSeen), exception)
	})
	t.Flush()
	if err != nil {
		return err
	}
	return t.Error()
}

// eachScan tells of each host what is open on it, in the shape that reports take.
func (v *visit) eachScan(f store.HostFilter, do func(*model.Scan) error) error {
	return takeaway.Scans(v.ctx(), v.store, v.catalog, f, do)
}

func (v *visit) eventsFile(w io.Writer, format string, q url.Values) error {
	f := store.EventFilter{Site: q.Get("site"), Least: model.Severity(known(q.Get("least"), severities...)), NotExcepted: q.Get("open") != "", Since: timeOf(q.Get("since"), false), Until: timeOf(q.Get("until"), true)}
	if k := known(q.Get("kind"), texts(eventKinds()...)...); k != "" {
		f.Kinds = []store.EventKind{store.EventKind(k)}
	}
	f.HostID, _ = strconv.ParseInt(q.Get("host"), 10, 64) // what is no number chooses all
	f.RunID, _ = strconv.ParseInt(q.Get("run"), 10, 64)
	each := func(do func(store.Event) error) error {
		return takeaway.Pages("id", func(p store.Page) ([]store.Event, error) {
			list, _, err := v.store.Events(v.ctx(), f, p)
			return list, err
		}, do)
	}
	if format == "json" {
		return takeaway.JSON(w, func(put func(any) error) error { return each(func(e store.Event) error { return put(e) }) })
	}
	t := table{csv.NewWriter(w)}
	if err := t.row("at", "kind", "severity", "host", "site", "subject", "before", "after", "text", "excepted"); err != nil {
		return err
	}
	if err := each(func(e store.Event) error {
		return t.row(stampOf(e.At), string(e.Kind), string(e.Severity), e.Host, e.Site, e.Subject, e.Before, e.After, e.Text, strconv.FormatBool(e.Excepted))
	}); err != nil {
		return err
	}
	t.Flush()
	return t.Error()
}
