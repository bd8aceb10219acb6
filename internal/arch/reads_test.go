package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// writing are the names by which something that can write is held: pages and programs have a store.Reader, and act
// through fleet/acts and fleet/access alone.
var writing = map[string][]string{
	"store": {"Store", "Tx", "Queries", "Open", "Copy"},
	"fleet": {"Fleet", "New"},
}

// TestWebReads keeps page and API from holding what can write.
func TestWebReads(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(filepath.Join(peer.ModuleRoot(t), "internal", "web"),
		func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			seen++
			ast.Inspect(file, func(n ast.Node) bool {
				x, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if room, ok := x.X.(*ast.Ident); ok && slices.Contains(writing[room.Name], x.Sel.Name) &&
					room.Obj == nil {
					t.Errorf("%s names %s.%s, which can write", set.Position(x.Pos()), room.Name, x.Sel.Name)
				}
				return true
			})
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Errorf("found %d files: the walk is broken", seen)
	}
}
