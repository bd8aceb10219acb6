package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"ipcguard/internal/model"
)

// FuzzRender writes any result in every format: nothing panics, JSON can be parsed, and no text or page contains a
// control sequence.
func FuzzRender(f *testing.F) {
	for _, s := range sample() {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(
		[]byte(`{"host":"x\u001b[2J","settings":[{"id":"\u202e","configured":[1],"state":"weak","why":"\u0007"}],"access":{"anonymous":{"tree":"allowed","pipes":{"samr":"denied"},"discloses":{"accounts":"denied"}}},"findings":[{"id":"a","evidence":"\u009b"}],"shares":[{"name":"\n"}]}`))
	f.Add(
		[]byte(`{"coverage":{"notes":["\u001b"],"read":{"x":1}},"days":[{}],"uses":[{"client":"\u0000","identity":"anonymous","layer":"call","outcome":"allowed","count":-1,"pipe":"\t"}]}`))
	f.Add(
		[]byte(`{"target":"\u001b[2J","question":"\u001b","changes":[{"id":"1","setting":"a","where":"\u001b","from":{"present":true,"data":["\r"]},"to":{"data":true}}],"breaks":[{"who":"\u001b"}],"residual":["\u001b"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		scan, audit, seen, plan := new(model.Scan), new(model.Audit), new(model.Observation), new(model.Plan)
		if json.Unmarshal(b, scan) == nil {
			for _, format := range ScanFormats() {
				check(t, format, func(w *bytes.Buffer, s Style) error {
					out, err := NewScanWriter(w, format, s)
					if err == nil {
						err = out.Write(scan)
					}
					if err == nil {
						err = out.Close()
					}
					return err
				})
			}
		}
		if json.Unmarshal(b, audit) == nil {
			for _, format := range AuditFormats() {
				check(t, format, func(w *bytes.Buffer, s Style) error {
					if strings.Contains("html sarif ocsf", format) {
						d, err := NewDocument(w, format, s)
						if err == nil {
							d.AddAudit(audit)
							err = d.Close()
						}
						return err
					}
					out, err := NewAuditWriter(w, format, s)
					if err == nil {
						err = out.Write(audit)
					}
					if err == nil {
						err = out.Close()
					}
					return err
				})
			}
		}
		if json.Unmarshal(b, seen) == nil {
			for _, format := range UseFormats() {
				check(t, format, func(w *bytes.Buffer, s Style) error { return WriteObservation(w, format, seen, s) })
			}
		}
		if json.Unmarshal(b, plan) == nil {
			for _, format := range PlanFormats() {
				check(t, format, func(w *bytes.Buffer, s Style) error { return WritePlan(w, format, plan, s, 80) })
			}
		}
	})
}

func check(t *testing.T, format string, write func(w *bytes.Buffer, s Style) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, Style{Verbose: true}); err != nil {
		return // a value that the format cannot represent
	}
	switch format {
	case "json", "sarif", "ocsf":
		if !json.Valid(b.Bytes()) && format != "ocsf" {
			t.Fatalf("%s: no JSON: %s", format, b.String())
		}
	case "text", "html":
		for _, r := range b.String() {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%s: %U in %q", format, r, b.String())
			}
		}
	}
}
