package report

import (
	"encoding/json"
	"fmt"
	"io"

	"ipcguard/internal/model"
)

// AuditWriter writes audit results one at a time. Close ends the document; it does not close the output.
type AuditWriter interface {
	Write(*model.Audit) error
	Close() error
}

// AuditFormats lists the formats of NewAuditWriter, the default first.
func AuditFormats() []string {
	return []string{"text", "json", "jsonl", "csv", "html", "sarif", "ocsf"}
}

// NewAuditWriter returns the writer of one format.
func NewAuditWriter(w io.Writer, format string, style Style) (AuditWriter, error) {
	switch format {
	case "text":
		return &auditText{w: w, style: style, palette: newPalette(style.Color)}, nil
	case "json":
		return &listJSON[model.Audit]{w: model.JSONWriter{Writer: w}}, nil
	case "jsonl":
		return &linesJSON[model.Audit]{model.JSONWriter{Writer: w}}, nil
	case "csv":
		return newAuditCSV(w), nil
	case "html", "sarif", "ocsf":
		return whole[model.Audit]{newDocument(w, format, style), (*Document).AddAudit}, nil
	}
	return nil, fmt.Errorf("unknown format %q: want one of %v", format, AuditFormats())
}

// listJSON writes one array, an element a line, so that an interrupted run needs only a closing bracket.
type listJSON[T any] struct {
	w     io.Writer
	count int
}

// Write adds an element.
func (j *listJSON[T]) Write(v *T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	lead := ",\n"
	if j.count == 0 {
		lead = "[\n"
	}
	j.count++
	_, err = j.w.Write(append([]byte(lead), b...))
	return err
}

// Close ends the array.
func (j *listJSON[T]) Close() error {
	end := "\n]\n"
	if j.count == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(j.w, end)
	return err
}

// linesJSON writes one object a line, each in one write.
type linesJSON[T any] struct{ w io.Writer }

// Write writes a line.
func (j *linesJSON[T]) Write(v *T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = j.w.Write(append(b, '\n'))
	return err
}

// Close does nothing.
func (j *linesJSON[T]) Close() error { return nil }

// whole collects results for a document that is written at once.
type whole[T any] struct {
	*Document
	add func(*Document, *T)
}

// Write adds a result.
func (c whole[T]) Write(v *T) error {
	c.add(c.Document, v)
	return nil
}
