package csv

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"ipcguard/internal/model"
)

// Writer writes a table row by row.
type Writer struct{ w *csv.Writer }

// NewWriter returns a Writer and writes the header.
func NewWriter(w io.Writer) (*Writer, error) {
	out := &Writer{csv.NewWriter(w)}
	if err := out.w.Write(Columns); err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	return out, nil
}

// Write writes one row. It ignores r.Line.
func (w *Writer) Write(r Row) error {
	cells := []string{r.Spec, r.Site, strings.Join(r.Tags, " "), r.Owner, r.Criticality, r.Note, r.AuditSource}
	for i, c := range cells {
		cells[i] = model.EscapeCell(c)
	}
	if err := w.w.Write(cells); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}

// Flush writes buffered data.
func (w *Writer) Flush() error {
	w.w.Flush()
	if err := w.w.Error(); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}
