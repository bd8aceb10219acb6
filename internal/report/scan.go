package report

import (
	"encoding/json"
	"fmt"
	"io"

	"ipcguard/internal/model"
)

// ScanWriter takes scan results one at a time, as they come. Close ends the document; it does not close the output.
type ScanWriter interface {
	Write(*model.Scan) error
	Close() error
}

// ScanFormats lists the formats of NewScanWriter, the default first.
func ScanFormats() []string { return []string{"text", "json", "jsonl", "csv"} }

// NewScanWriter returns the writer of one format. Style is for text alone.
func NewScanWriter(w io.Writer, format string, style Style) (ScanWriter, error) {
	switch format {
	case "text":
		return &scanText{w: w, style: style, palette: newPalette(style.Color)}, nil
	case "json":
		return &scanJSON{w: w}, nil
	case "jsonl":
		return &scanJSONL{w: w}, nil
	case "csv":
		return newScanCSV(w), nil
	}
	return nil, fmt.Errorf("unknown format %q: want one of %v", format, ScanFormats())
}

// scanJSON writes one array, an element a line, so that a run that was cut short is mended with one bracket.
type scanJSON struct {
	w     io.Writer
	count int
}

func (j *scanJSON) Write(s *model.Scan) error {
	b, err := json.Marshal(s)
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

func (j *scanJSON) Close() error {
	end := "\n]\n"
	if j.count == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(j.w, end)
	return err
}

// scanJSONL writes one object a line, each in one write.
type scanJSONL struct{ w io.Writer }

func (j *scanJSONL) Write(s *model.Scan) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = j.w.Write(append(b, '\n'))
	return err
}

func (j *scanJSONL) Close() error { return nil }
