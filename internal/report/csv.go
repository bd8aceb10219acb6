package report

import (
	"encoding/csv"
	"io"
	"strings"

	"ipcguard/internal/model"
)

// scanCSV writes one row for each finding, and one row for a host without any.
type scanCSV struct {
	w      *csv.Writer
	headed bool
}

func newScanCSV(w io.Writer) *scanCSV { return &scanCSV{w: csv.NewWriter(w)} }

func (c *scanCSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return c.w.Write([]string{
		"target", "address", "verdict", "reason", "server", "system", "finding", "severity", "identity", "pipe",
		"evidence", "fix", "settings", "controls", "started", "weak_ways",
	})
}

func (c *scanCSV) Write(s *model.Scan) error {
	if err := c.head(); err != nil {
		return err
	}
	findings := s.Findings
	if len(findings) == 0 {
		findings = []model.Finding{{}}
	}
	for _, f := range findings {
		var controls []string
		for _, x := range f.Controls {
			controls = append(controls, strings.Join(strings.Fields(x.Benchmark+" "+x.Version+" "+x.ID), " "))
		}
		row := []string{
			s.Target, s.Address, string(s.Verdict), s.Reason, s.Server.Name, s.Server.System, f.ID, string(f.Severity),
			string(f.Identity), f.Pipe, f.Evidence, f.Fix, strings.Join(f.Settings, "; "), strings.Join(controls, "; "),
			s.Started.UTC().Format("2006-01-02T15:04:05Z"), strings.Join(wayLines(s), "; "),
		}
		for i := range row {
			row[i] = Cell(row[i])
		}
		if err := c.w.Write(row); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *scanCSV) Close() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// Cell makes a text safe for spreadsheets: a text that they would evaluate as a formula gets an apostrophe, and control
// characters, which can hide one, are removed. A scanned server chooses its own name.
func Cell(s string) string {
	return model.EscapeCell(strings.Map(func(r rune) rune {
		if model.Hidden(r) {
			return ' '
		}
		return r
	}, s))
}
