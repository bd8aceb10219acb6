// Package takeaway writes whole views of the fleet as files, for the page and for the API: as lists of JSON, and as the
// documents that reports know.
package takeaway

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
)

// MaxHosts bounds a format that is one document, which is made in memory: some 20 KiB a host.
const MaxHosts = 10_000

// Pages hands on a list page by page.
func Pages[T any](sort string, get func(store.Page) ([]T, error), put func(T) error) error {
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

// JSON writes a list, a value a line.
func JSON(w io.Writer, each func(put func(any) error) error) error {
	lead := "[\n"
	err := each(func(x any) error {
		b, err := json.Marshal(x)
		if err != nil {
			return err
		}
		_, err = w.Write(append([]byte(lead), b...))
		lead = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if lead == "[\n" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// Document writes scans in a format of report.
func Document(w io.Writer, format string, now time.Time, each func(put func(*model.Scan) error) error) error {
	d, err := report.NewScanWriter(w, format, report.Style{Now: now})
	if err != nil {
		return err
	}
	if err := each(d.Write); err != nil {
		return err
	}
	return d.Close()
}

// Scans tells of each host of a filter what is open on it, in the shape that reports take.
func Scans(ctx context.Context, st *store.Store, c *catalog.Catalog, f store.HostFilter, put func(*model.Scan) error) error {
	return st.EachHost(ctx, f, func(h store.Host) error {
		s := &model.Scan{
			Schema: model.SchemaScan, Target: h.Name, Address: h.Address, Started: h.LastSeen, Verdict: h.Verdict,
			Server: model.Server{Name: h.Name, System: h.System, OS: h.OS, SMB1: h.SMB1, Signing: h.Signing},
		}
		findings, err := st.HostFindings(ctx, h.ID)
		if err != nil {
			return err
		}
		for _, x := range findings {
			if !x.Ended.IsZero() || f.Finding != "" && x.Finding != f.Finding {
				continue
			}
			found := model.Finding{ID: x.Finding, Severity: x.Severity, Identity: x.Identity, Pipe: x.Pipe, Evidence: x.Evidence, Settings: x.Settings}
			if known := c.Finding(x.Finding); known != nil {
				found.Title, found.Fix = known.Title, c.Fix(known, model.Platform{System: h.System})
			}
			for _, setting := range x.Settings {
				found.Controls = append(found.Controls, c.ControlsFor(model.Platform{}, setting)...)
			}
			s.Findings = append(s.Findings, found)
		}
		return put(s)
	})
}
