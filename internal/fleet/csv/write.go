package csv

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// Writer writes a table row by row.
type Writer struct{ w *csv.Writer }

// NewWriter writes the first line.
func NewWriter(w io.Writer) (*Writer, error) {
	out := &Writer{csv.NewWriter(w)}
	if err := out.w.Write(Columns); err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	return out, nil
}

// Write writes one row. Its Line does not count.
func (w *Writer) Write(r Row) error {
	cells := []string{r.Spec, r.Site, strings.Join(r.Tags, " "), r.Owner, r.Criticality, r.Note, r.AuditSource}
	for i, c := range cells {
		cells[i] = Escape(c)
	}
	if err := w.w.Write(cells); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}

// Flush writes what is still held back.
func (w *Writer) Flush() error {
	w.w.Flush()
	if err := w.w.Error(); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}

// formula are the first letters that make a spreadsheet calculate.
const formula = "=+-@\t\r"

// Escape puts an apostrophe before what a spreadsheet would take for a formula, and before what begins like such an
// escape already, so that Unescape always gives back what was written.
func Escape(cell string) string {
	if isFormula(cell) || strings.HasPrefix(cell, "'") && isFormula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

// unescape takes the apostrophe off again.
func unescape(cell string) string {
	if strings.HasPrefix(cell, "'") && isFormula(strings.TrimLeft(cell, "'")) {
		return cell[1:]
	}
	return cell
}

func isFormula(cell string) bool {
	return cell != "" && strings.IndexByte(formula, cell[0]) >= 0
}
