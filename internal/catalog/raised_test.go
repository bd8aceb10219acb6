package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
)

// literals returns the string literals in the code of some packages.
func literals(t *testing.T, rooms ...string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, room := range rooms {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", room, err, len(files))
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil {
						out[s] = true
					}
				}
				return true
			})
		}
	}
	return out
}

// TestEverythingCanBeRaised: every finding is raised by code, every service can be detected, and every rule is used.
func TestEverythingCanBeRaised(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	said := literals(t, "scan", "audit")
	bySetting := map[string]bool{}
	for i := range c.Settings {
		bySetting[c.Settings[i].Finding] = true
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		exposure := f.Discloses.IsExposure() && f.Identity.IsStranger()
		if !exposure && !said[f.ID] && !bySetting[f.ID] {
			t.Errorf("finding %s: no code raises it", f.ID)
		}
	}
	// These leave no trace in a configuration: the user declares them with --needs.
	declared := []string{
		"print_async_par", "witness_swn", "exchange_nspi", "localsystem_services_generic",
		"lmhosts_include",
	}
	for i := range c.Services {
		s := &c.Services[i]
		d := s.Detect
		found := len(d.Services)+len(d.Shares)+len(d.Ports)+len(s.Pipes) > 0 || said[s.ID]
		if found == slices.Contains(declared, s.ID) {
			t.Errorf("service %s: found %v, to be declared %v", s.ID, found, !found)
		}
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		p := c.Pipe(r.Pipe)
		if p == nil {
			t.Errorf("rule %s on %s: there is no such pipe", r.Discloses, r.Pipe)
			continue
		}
		if !slices.ContainsFunc(p.Interfaces, func(b catalog.Bound) bool { return b.ID == r.Interface }) {
			t.Errorf("rule %s on %s: nothing asks %s there", r.Discloses, r.Pipe, r.Interface)
		}
	}
}
