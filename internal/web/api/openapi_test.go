package api

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ipcguard/internal/catalog"
)

const golden = "testdata/openapi.json"

// The document that is kept is the one that is made: a change of the API is seen in its review. UPDATE=1 writes it.
func TestGolden(t *testing.T) {
	made, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Errorf("%s is not what the table says: run UPDATE=1 go test -run TestGolden ./internal/web/api", golden)
	}
}

// What OpenAPI 3.1 asks for beyond its schema: references lead somewhere, operations have names of their own, and each
// parameter of a path is described.
func TestDocument(t *testing.T) {
	made, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, In string }
			Responses   map[string]any
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(made, &d); err != nil {
		t.Fatal(err)
	}
	n, names := 0, map[string]bool{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			n++
			if o.OperationID == "" || names[o.OperationID] {
				t.Errorf("%s %s: the name %q", method, path, o.OperationID)
			}
			names[o.OperationID] = true
			seen := map[string]bool{}
			for _, p := range o.Parameters {
				if seen[p.In+p.Name] {
					t.Errorf("%s %s: parameter %s twice", method, path, p.Name)
				}
				seen[p.In+p.Name] = true
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s: no %s", path, p.Name)
				}
			}
			for _, m := range inPath.FindAllStringSubmatch(path, -1) {
				if !seen["path"+m[1]] {
					t.Errorf("%s: %s is not described", path, m[1])
				}
			}
			if len(o.Responses) < 2 {
				t.Errorf("%s %s: %d answers", method, path, len(o.Responses))
			}
		}
	}
	if d.OpenAPI != "3.1.0" || n != len(routes()) {
		t.Errorf("%s, %d operations of %d", d.OpenAPI, n, len(routes()))
	}
	for _, ref := range strings.Split(string(made), `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if d.Components.Schemas[name] == nil {
			t.Errorf("nothing is called %s", name)
		}
	}
}

// The document is what the published schema of OpenAPI 3.1 takes. scripts/fetch.sh brings it.
func TestOpenAPISchema(t *testing.T) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	b, err := os.ReadFile(filepath.Join(cache, "ipcguard", "npm", "openapi-schema-validator-2.11.0", "schemas", "v3.1",
		"schema.json"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs the schema of OpenAPI 3.1, which scripts/fetch.sh brings: ", err)
	}
	published, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:openapi", published); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:openapi")
	if err != nil {
		t.Fatal(err)
	}
	made, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Error(err)
	}
	value.(map[string]any)["paths"].(map[string]any)["no-slash"] = map[string]any{}
	if s.Validate(value) == nil {
		t.Error("the schema takes anything")
	}
}

func catalogFindings(t *testing.T) []string {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range c.Findings {
		out = append(out, f.ID)
	}
	return out
}
