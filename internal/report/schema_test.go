package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// schemaOf compiles a JSON schema.
func schemaOf(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid validates a document against a schema.
func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// everything returns a scan with every finding of the catalog, at every severity.
func everything(t *testing.T) *model.Scan {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := someScan()
	levels := []model.Severity{model.Critical, model.High, model.Medium, model.Low, model.Info}
	for i := range c.Findings {
		f := &c.Findings[i]
		s.Findings = append(s.Findings, model.Finding{
			ID: f.ID, Title: f.Title, Severity: levels[i%len(levels)], Identity: f.Identity, Evidence: "evidence",
			Fix:      f.Fix.Text(),
			Settings: f.Settings, Sources: f.Sources, Controls: c.ControlsFor(model.Platform{}, f.Settings...),
		})
	}
	return s
}

// TestSARIFSchema: the output is valid by the schema of SARIF 2.1.0 that the standard's toolkit ships, and an invalid
// document is not.
func TestSARIFSchema(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(peer.Npm(t, "jest-sarif-1.0.0-beta.0"), "lib", "schemas",
		"sarif-2.1.0-rtm.5.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := schemaOf(t, string(b))
	documents := map[string]string{
		"a scan and an audit": written(t, "sarif"), "every finding": render(t, "sarif", Style{}, everything(t)),
		"nothing":                  render(t, "sarif", Style{}),
		"hosts that do not answer": render(t, "sarif", Style{}, sample()...),
	}
	for name, text := range documents {
		if err := valid(t, s, text); err != nil {
			t.Errorf("%s: %v\n%.2000s", name, err, text)
		}
	}
	var log map[string]any
	if err := json.Unmarshal([]byte(documents["every finding"]), &log); err != nil {
		t.Fatal(err)
	}
	delete(log["runs"].([]any)[0].(map[string]any), "tool")
	wrong, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	if valid(t, s, string(wrong)) == nil {
		t.Error("the schema takes a run without a tool")
	}
}

// TestOCSFSchema: every line is a compliance finding by the tables of OCSF 1.3.0: all required fields, no unknown
// fields, every number from its enumeration. See testdata/README.md for the origin of the schema.
func TestOCSFSchema(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "ocsf-1.3.0-compliance_finding.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := schemaOf(t, string(b))
	lines := strings.Split(strings.TrimSpace(written(t, "ocsf")+render(t, "ocsf", Style{}, everything(t))), "\n")
	if len(lines) < 20 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if err := valid(t, s, l); err != nil {
			t.Errorf("%v\n%.1000s", err, l)
		}
	}
	for name, change := range map[string]func(map[string]any){
		"no time":          func(e map[string]any) { delete(e, "time") },
		"another class":    func(e map[string]any) { e["class_uid"] = 2001 },
		"a severity of 7":  func(e map[string]any) { e["severity_id"] = 7 },
		"an unknown field": func(e map[string]any) { e["host"] = "x" },
		"no standards":     func(e map[string]any) { delete(e["compliance"].(map[string]any), "standards") },
	} {
		var event map[string]any
		if err := json.Unmarshal([]byte(lines[0]), &event); err != nil {
			t.Fatal(err)
		}
		change(event)
		wrong, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		if valid(t, s, string(wrong)) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}
