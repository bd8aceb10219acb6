// Package arch holds no code: its test enforces the arrows between the packages, as docs/architecture.md draws them.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// room is a package with everything below it, and what it may import.
type room struct {
	path   string
	rooms  []string // of this module; "*" is all of them
	beyond []string // modules of others; nil is none
}

// rooms is the table of arrows. They go down only: a room may import rooms that stand below it.
var rooms = []room{
	{"cmd/ipcguard", []string{"cli"}, nil},
	{"cli", []string{"*"}, []string{"*"}},
	{"web", []string{"fleet", "store", "report", "plan", "catalog", "model"}, []string{"*"}},
	{"fleet", []string{"store", "scan", "audit", "plan", "catalog", "model"}, []string{"*"}},
	{"store", []string{"model"}, []string{"*"}},
	{"gateway", []string{"smb", "ntlm", "dcerpc", "catalog", "model"}, []string{"*"}},
	{"apply/verify", []string{"apply", "scan", "kerberos", "smb", "ntlm", "dcerpc", "catalog", "model"}, nil},
	{"apply/engine", []string{"apply", "change", "format", "catalog", "model"}, []string{"golang.org/x/sys"}},
	{"apply/target", []string{"apply", "change", "smb", "dcerpc", "format", "catalog", "model"}, []string{"golang.org/x/sys"}},
	{"apply/applytest", []string{"apply", "change", "format", "model", "peer"}, []string{"golang.org/x/sys"}},
	{"apply", []string{"change", "format", "model"}, []string{"golang.org/x/sys"}},
	{"plan", []string{"catalog", "model"}, nil},
	{"export", []string{"change", "format", "catalog", "model"}, nil},
	{"change", []string{"format", "catalog", "model"}, nil},
	{"scan", []string{"kerberos", "smb", "ntlm", "dcerpc", "catalog", "model"}, []string{"golang.org/x"}},
	{"audit", []string{"kerberos", "format", "dcerpc", "catalog", "model"}, []string{"*"}},
	{"observe", []string{"smb", "ntlm", "dcerpc", "format", "catalog", "model"}, []string{"*"}},
	{"report", []string{"catalog", "model"}, []string{"*"}},
	{"smbtest", []string{"smb", "ntlm", "dcerpc", "catalog", "model"}, []string{"github.com/goccy/go-yaml", "golang.org/x"}},
	{"kerberos", []string{"ntlm"}, []string{"github.com/jcmturner", "golang.org/x"}},
	{"catalog", []string{"format", "model"}, []string{"github.com/goccy/go-yaml"}},
	{"dcerpc", nil, nil},
	{"smb", []string{"ntlm"}, []string{"golang.org/x/crypto"}}, // ntlm/spnego wraps the tokens of a session setup
	{"ntlm", nil, []string{"golang.org/x/crypto"}},
	{"format", nil, []string{"github.com/klauspost/compress", "github.com/ulikunitz/xz", "www.velocidex.com/golang/regparser"}},
	{"model", nil, nil},
	{"status", nil, nil},
	{"peer", nil, []string{"golang.org/x/sys"}},
	{"arch", nil, nil},
	{"scripts/changelog", nil, nil},
}

// leaf may be imported by every room, as the standard library may.
const leaf = "status"

// forTests are imported by tests alone. So is peer, which the command line must not have either.
var forTests = []string{"peer", "smbtest", "apply/applytest"}

// silent rooms never log and never end the program; pure ones do no input and output at all.
var (
	silent       = []string{"smb", "ntlm", "dcerpc", "format", "model", "status", "catalog", "plan", "change", "export"}
	pure         = []string{"plan", "change", "model", "status", "dcerpc", "ntlm"}
	logs         = []string{"log", "log/slog"}
	inputsOutput = []string{"os", "os/exec", "net", "net/http", "syscall", "io/ioutil"}
)

const module = "ipcguard"

// objection says why a file of a room may not import a path, or nothing.
func objection(from, path string, test bool) string {
	i := slices.IndexFunc(rooms, func(r room) bool { return r.path == from })
	if i < 0 {
		return "the room " + from + " is not in the table"
	}
	r := rooms[i]
	first, _, _ := strings.Cut(path, "/")
	switch {
	case path == module || strings.HasPrefix(path, module+"/"):
		to := roomOf(strings.TrimPrefix(path, module+"/"))
		switch {
		case to == from || to == leaf:
		case to == "peer" && !test && from != "apply/applytest":
			return "only tests import peer"
		case test && (slices.Contains(forTests, to) || sibling(from, to)):
		case slices.Contains(r.rooms, "*") || slices.Contains(r.rooms, to):
		default:
			return from + " may not import " + to
		}
	case !strings.Contains(first, "."):
		if !test && slices.Contains(silent, from) && slices.Contains(logs, path) {
			return from + " never logs"
		}
		if !test && slices.Contains(pure, from) && slices.Contains(inputsOutput, path) {
			return from + " does no input or output"
		}
	case test:
	case !slices.ContainsFunc(r.beyond, func(m string) bool { return m == "*" || path == m || strings.HasPrefix(path, m+"/") }):
		return from + " may not import " + path
	}
	return ""
}

// roomOf finds the room of a package: the longest path of the table that it lies at or below, or the part below internal.
func roomOf(pkg string) string {
	below, ok := strings.CutPrefix(pkg, "internal/")
	if !ok {
		return pkg
	}
	room := house(below)
	for _, r := range rooms {
		if len(r.path) > len(room) && (below == r.path || strings.HasPrefix(below, r.path+"/")) {
			room = r.path
		}
	}
	return room
}

// sibling tells whether a room is one of the same house, or one that such a room may import: the tests of a house try its
// rooms together.
func sibling(from, to string) bool {
	return slices.ContainsFunc(rooms, func(r room) bool {
		return house(r.path) == house(from) && (to == r.path || slices.Contains(r.rooms, to))
	})
}

// house is the first part of a room's path.
func house(room string) string {
	name, _, _ := strings.Cut(room, "/")
	return name
}

func TestArrows(t *testing.T) {
	root := peer.ModuleRoot(t)
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (name == "testdata" || name == "dist" || name == "bin" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		seen++
		room := roomOf(filepath.ToSlash(filepath.Dir(relative)))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := objection(room, imported, strings.HasSuffix(name, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", relative, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Errorf("found %d Go files below %s: the walk is broken", seen, root)
	}
}

// TestTable holds the table itself against the words of the design: arrows go down only.
func TestTable(t *testing.T) {
	for i, r := range rooms {
		for _, to := range r.rooms {
			below := slices.IndexFunc(rooms, func(r room) bool { return r.path == to })
			if to != "*" && below <= i {
				t.Errorf("%s stands at or above %s, and may not be imported by it", to, r.path)
			}
		}
	}
	for _, test := range []struct {
		from, path string
		test       bool
		allowed    bool
	}{
		{"scan", "ipcguard/internal/smb/smb2", false, true},
		{"smb", "ipcguard/internal/scan", false, false},
		{"smb", "ipcguard/internal/model", false, false},
		{"smb", "ipcguard/internal/smbtest", true, true},
		{"smb", "ipcguard/internal/smbtest", false, false},
		{"scan", "ipcguard/internal/peer", true, true},
		{"cli", "ipcguard/internal/peer", false, false},
		{"dcerpc", "ipcguard/internal/status", false, true},
		{"dcerpc", "golang.org/x/crypto/md4", false, false},
		{"ntlm", "golang.org/x/crypto/md4", false, true},
		{"ntlm", "golang.org/x/cryptonite", false, false},
		{"plan", "os", false, false},
		{"dcerpc", "log/slog", false, false},
		{"nowhere", "fmt", false, false},
		{"apply/engine", "ipcguard/internal/apply/durable", false, true},
		{"apply/engine", "ipcguard/internal/apply/target", false, false},
		{"apply/engine", "ipcguard/internal/apply/target", true, true},
		{"apply/target", "ipcguard/internal/apply/engine", false, false},
		{"apply", "ipcguard/internal/apply/verify", false, false},
	} {
		if why := objection(test.from, test.path, test.test); (why == "") != test.allowed {
			t.Errorf("%s imports %s (test: %v): allowed should be %v, objection %q", test.from, test.path, test.test, test.allowed, why)
		}
	}
}

// TestDocument holds the table that people read against the one that is enforced.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(peer.ModuleRoot(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) == 5 && strings.HasPrefix(cells[1], " `") {
			written[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[3])
		}
	}
	for _, r := range rooms {
		imports, ok := written[r.path]
		if want := strings.Join(r.rooms, ", "); !ok || imports != want {
			t.Errorf("docs/architecture.md says that %s imports %q, the table says %q", r.path, imports, want)
		}
		delete(written, r.path)
	}
	for name := range written {
		t.Errorf("docs/architecture.md has a room %s that the table lacks", name)
	}
}
