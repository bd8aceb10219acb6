package arch

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"ipcguard/internal/peer"
)

// maxColumns is the longest line of a comment, with tabs of four columns.
const maxColumns = 120

// TestColumns finds comments on lines of their own that are longer than maxColumns. Preformatted lines, as tables and
// pictures have, may be longer.
func TestColumns(t *testing.T) {
	root := peer.ModuleRoot(t)
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (name == "dist" || name == "bin" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_gen.go") {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			text := strings.TrimLeft(lines.Text(), "\t")
			if !strings.HasPrefix(text, "// ") {
				continue
			}
			seen++
			tabs := len(lines.Text()) - len(text)
			if columns := 4*tabs + utf8.RuneCountInString(text); columns > maxColumns {
				t.Errorf("%s:%d: a comment of %d columns", path, n, columns)
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10_000 {
		t.Fatalf("found %d lines of comments: the walk is broken", seen)
	}
}
