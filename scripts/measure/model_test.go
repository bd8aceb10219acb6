package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/audit"
	"ipcguard/internal/measured"
	"ipcguard/internal/model"
)

// For every measured release, the access model must predict what its server did: docs/measured, cell by cell.
func TestMeasured(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "docs", "measured", "measured.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := measured.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	compared := holdModel(t, table)
	for of, n := range compared {
		if n < 100 && strings.HasPrefix(of, "samba") || n == 0 {
			t.Errorf("%s: %d cells compared", of, n)
		}
	}
}

// holdModel compares the access model with every cell of a table, and returns how many of each server it compared.
func holdModel(t *testing.T, table *measured.Table) map[string]int {
	t.Helper()
	text := map[string]string{}
	for _, c := range table.Configurations {
		text[c.System+" "+c.Name] = c.Text
	}
	version := map[string]string{}
	for _, s := range table.Servers {
		version[s.System+" "+s.Release] = s.Release
		if _, tools, ok := strings.Cut(s.Version, "ksmbd-tools "); ok { // they decide, not the kernel
			version[s.System+" "+s.Release] = tools
		}
	}
	compared, open, different := map[string]int{}, 0, map[string]bool{}
	for of := range version {
		compared[of] = 0
	}
	for _, row := range table.Rows {
		for _, release := range row.Releases {
			of := row.System + " " + release
			a := judged(t, row.System, version[of], text[row.System+" "+row.Configuration])
			for _, what := range slices.Sorted(maps.Keys(row.Cells)) {
				seen, said := row.Cells[what], predicted(a, row.Identity, what)
				switch {
				case !settled(seen):
				case !settled(said):
					open++
				case said != seen:
					compared[of]++
					different[fmt.Sprintf("%s, %s, %s: %s: predicted %s because %v, was %s",
						of, row.Configuration, row.Identity, what, said, a.Access[row.Identity].Why[what], seen)] = true
				default:
					compared[of]++
				}
			}
		}
	}
	for _, d := range slices.Sorted(maps.Keys(different)) {
		t.Error(d)
	}
	t.Logf("cells compared %v; %d that were measured the model leaves open", compared, open)
	return compared
}

var audits = map[string]*model.Audit{}

// judged returns the audit of a configuration on one release.
func judged(t *testing.T, system, release, text string) *model.Audit {
	t.Helper()
	key := system + release + text
	if a := audits[key]; a != nil {
		return a
	}
	name := filepath.Join(t.TempDir(), map[string]string{"samba": "smb.conf", "ksmbd": "ksmbd.conf"}[system])
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := audit.Options{Product: system + "-" + release}.Source(t.Context(), name)
	if err != nil || len(list) != 1 {
		t.Fatalf("%s %s: %v", system, release, err)
	}
	if p := list[0].Platform; p.Version != release || p.Product != system {
		t.Fatalf("%+v", p)
	}
	audits[key] = list[0]
	return list[0]
}

// predicted returns a cell of the model, by its name in package measured.
func predicted(a *model.Audit, id model.Identity, what string) model.Outcome {
	access, ok := a.Access[id]
	if !ok {
		return ""
	}
	switch kind, name, _ := strings.Cut(what, ":"); kind {
	case "session":
		return access.Session
	case "tree":
		return access.Tree
	case "pipe":
		return access.Pipes[name]
	default:
		return access.Discloses[model.Disclosure(name)]
	}
}

// settled reports whether an outcome can be compared.
func settled(o model.Outcome) bool {
	return o == model.Allowed || o == model.Denied || o == model.Absent
}
