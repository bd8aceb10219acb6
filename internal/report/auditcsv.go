package report

import (
	"encoding/csv"
	"io"
	"strings"

	"ipcguard/internal/model"
)

// auditCSV writes one row for each setting that is configured, weak or named in a finding, and one row for each
// finding; the column kind distinguishes them.
type auditCSV struct {
	w      *csv.Writer
	headed bool
}

func newAuditCSV(w io.Writer) *auditCSV { return &auditCSV{w: csv.NewWriter(w)} }

func (c *auditCSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return c.w.Write([]string{
		"source", "host", "system", "product", "role", "row", "id", "severity", "identity", "pipe", "evidence", "fix",
		"where",
		"type", "configured", "effective", "basis", "state", "why", "origin", "settings", "controls",
	})
}

// Write adds a result's rows.
func (c *auditCSV) Write(a *model.Audit) error {
	if err := c.head(); err != nil {
		return err
	}
	lead := []string{a.Source.Name, a.Host, a.Platform.System, a.Platform.Product, string(a.Platform.Role)}
	for _, f := range a.Findings {
		var controls []string
		for _, x := range f.Controls {
			controls = append(controls, controlText(x))
		}
		if err := c.row(lead, "finding", f.ID, string(f.Severity), string(f.Identity), f.Pipe, f.Evidence, f.Fix, "",
			"", "", "", "", "", "", "", strings.Join(f.Settings, "; "), strings.Join(controls, "; ")); err != nil {
			return err
		}
	}
	for _, s := range a.Settings {
		configured := ""
		if s.Present {
			configured = model.Text(s.Configured)
		}
		effective := model.Text(s.Effective)
		if s.Basis == model.BasisUnknown {
			effective = ""
		}
		if err := c.row(lead, "setting", s.ID, "", "", "", "", "", s.Where, s.Type, configured, effective,
			string(s.Basis), string(s.State), s.Why, s.Origin, "", ""); err != nil {
			return err
		}
	}
	for _, p := range a.Problems {
		if err := c.row(lead, "problem", "", "", "", "", p, "", "", "", "", "", "", "", "", "", "", ""); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *auditCSV) row(lead []string, rest ...string) error {
	row := append(append([]string{}, lead...), rest...)
	for i := range row {
		row[i] = Cell(row[i])
	}
	return c.w.Write(row)
}

// Close ends the file.
func (c *auditCSV) Close() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}
