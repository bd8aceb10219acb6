package report

import (
	"fmt"
	"io"

	"ipcguard/internal/model"
)

// ScanWriter writes scan results one at a time. Close ends the document; it does not close the output.
type ScanWriter interface {
	Write(*model.Scan) error
	Close() error
}

// ScanFormats lists the formats of NewScanWriter, the default first.
func ScanFormats() []string { return []string{"text", "json", "jsonl", "csv", "html", "sarif", "ocsf"} }

// NewScanWriter returns the writer of one format. Style is only for text.
func NewScanWriter(w io.Writer, format string, style Style) (ScanWriter, error) {
	switch format {
	case "text":
		return &scanText{w: w, style: style, palette: newPalette(style.Color)}, nil
	case "json":
		return &listJSON[model.Scan]{w: model.JSONWriter{Writer: w}}, nil
	case "jsonl":
		return &linesJSON[model.Scan]{model.JSONWriter{Writer: w}}, nil
	case "csv":
		return newScanCSV(w), nil
	case "html", "sarif", "ocsf":
		return whole[model.Scan]{newDocument(w, format, style), (*Document).AddScan}, nil
	}
	return nil, fmt.Errorf("unknown format %q: want one of %v", format, ScanFormats())
}
