package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// knowing are the files outside the catalog that may name a release of Windows: one finds values that a release does
// not read, the other writes scripts for what a release can run.
var knowing = []string{"audit/lints_nt.go", "export/powershell.go"}

// release is a line of the catalog's products that is a release of Windows.
var release = regexp.MustCompile(`(?m)^- \{id: ([^,]+), title: [^}]*system: windows`)

// TestReleasesAreData finds code that decides by a release of Windows: what a release does is knowledge of the catalog.
func TestReleasesAreData(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(peer.ModuleRoot(t), "internal", "catalog", "data", "products.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var releases, seen []string
	for _, m := range release.FindAllSubmatch(list, -1) {
		releases = append(releases, string(m[1]))
	}
	if len(releases) < 40 {
		t.Fatalf("the catalog has %d releases of Windows: the pattern is broken", len(releases))
	}
	eachFile(t, func(path string, set *token.FileSet, file *ast.File) {
		if strings.HasPrefix(path, "catalog/") || strings.HasPrefix(path, "smbtest/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			text, _ := strconv.Unquote(l.Value)
			switch {
			case !slices.Contains(releases, text):
			case slices.Contains(knowing, path):
				seen = append(seen, path)
			default:
				t.Errorf("%s: %q: what a release does is knowledge of the catalog", set.Position(l.Pos()), text)
			}
			return true
		})
	})
	for _, path := range knowing {
		if !slices.Contains(seen, path) {
			t.Errorf("%s names no release: take it off the list", path)
		}
	}
}

// eachFile parses every file of code below internal, without tests. path is relative to internal.
func eachFile(t *testing.T, do func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	root := filepath.Join(peer.ModuleRoot(t), "internal")
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		seen++
		do(filepath.ToSlash(relative), set, file)
		return nil
	})
	if err != nil || seen < 300 {
		t.Fatalf("%v: found %d files: the walk is broken", err, seen)
	}
}
