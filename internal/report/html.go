package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// pageText is the page. It loads nothing: its style is in it, and it has no script. html/template escapes every value
// for the place where it stands, so that a server's own name stays text.
//
//go:embed page.html
var pageText string

// styleText is the style of the pages of scans and plans: a template that a page names.
//
//go:embed style.html
var styleText string

// pageFinding is a finding with what the catalog adds to it.
type pageFinding struct {
	model.Finding
	Meaning string
}

// columnsOf are the kinds of data that the matrix has a column for: all that some host has an answer for.
func columnsOf(hosts []*subject) []model.Disclosure {
	var out []model.Disclosure
	for _, kind := range model.Disclosures() {
		if slices.ContainsFunc(hosts, func(h *subject) bool { return rank(h.Cells[kind].Outcome) > 0 }) {
			out = append(out, kind)
		}
	}
	return out
}

// html writes the page.
func (d *Document) html() error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"show":    model.Text,
		"join":    strings.Join,
		"control": controlText,
		"upper":   strings.ToUpper,
		"cell":    func(h *subject, kind model.Disclosure) cellOf { return h.Cells[kind] },
		"mark":    mark,
		"class":   func(o model.Outcome) string { return strings.ReplaceAll(string(o), "-", "") },
		"used":    used,
		"source":  d.source,
		"findings": func(h *subject) []pageFinding {
			var out []pageFinding
			for _, f := range h.Findings {
				p := pageFinding{Finding: f}
				if c := d.catalog.Finding(f.ID); c != nil {
					p.Meaning = c.Meaning
					if p.Title == "" {
						p.Title = c.Title
					}
				}
				if p.Title == "" {
					p.Title = p.ID
				}
				out = append(out, p)
			}
			return out
		},
	}).Parse(styleText + pageText)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	counts := map[string]int{}
	for _, h := range d.hosts {
		counts[h.Verdict]++
	}
	return writePage(d.w, page, map[string]any{
		"Hosts": d.hosts, "Columns": columnsOf(d.hosts), "Counts": counts, "Made": d.now.Format("2006-01-02 15:04 UTC"),
	})
}

// writePage writes a page whole, or not at all. A name may hold what hides or turns the text around it; the page itself
// has none of it.
func writePage(w io.Writer, page *template.Template, data any) error {
	var b bytes.Buffer
	err := page.Execute(&b, data)
	if err == nil {
		_, err = w.Write(bytes.Map(func(r rune) rune {
			if r != '\n' && model.Hidden(r) {
				return '?'
			}
			return r
		}, b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// mark is a cell of the matrix in one sign, so that it can be read without colour.
func mark(o model.Outcome) string {
	switch o {
	case model.Allowed:
		return "open"
	case gaveNothing:
		return "empty"
	case model.Denied:
		return "shut"
	case model.Absent:
		return "none"
	case model.OutcomeUnknown, model.Inconclusive:
		return "?"
	}
	return ""
}

// used keeps the settings that a page shows: written, weak, or in effect on a host; what was never read is counted.
func used(all []model.Setting) []model.Setting {
	var out []model.Setting
	for _, s := range all {
		if !s.NotRead && (s.Present || s.State == model.StateWeak || s.Basis == model.BasisDefault) {
			out = append(out, s)
		}
	}
	return out
}

// source spells out the key of a source: "D KB3034016" with the document's title and address.
func (d *Document) source(cited string) string {
	fields := strings.SplitN(cited, " ", 3)
	if len(fields) < 2 {
		return cited
	}
	s := d.catalog.Source(fields[1])
	if s == nil {
		return cited
	}
	out := s.Title
	if len(fields) > 2 {
		out += ", " + fields[2]
	}
	if s.Where != "" {
		out += " (" + s.Where + ")"
	}
	return out
}
