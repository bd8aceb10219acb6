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
	"unicode"

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
	{"scripts/manpages", []string{"cli"}, []string{"github.com/spf13/cobra"}},
	{"cli", []string{"*"}, []string{"*"}},
	{"scripts/measure", []string{"measured", "audit", "catalog", "model"}, nil},
	{"scripts/site", []string{"measured", "report", "catalog"}, nil},
	{"web", []string{"fleet", "store", "report", "plan", "catalog", "model"}, []string{"*"}},
	{"fleet", []string{"store", "scan", "audit", "plan", "export", "catalog", "model"}, []string{"*"}},
	{"store", []string{"model"}, []string{"*"}},
	{"apply/verify", []string{"apply", "scan", "smb", "ntlm", "dcerpc", "catalog", "model"}, nil},
	{"apply/engine", []string{"apply", "change", "format", "catalog", "model"}, []string{"golang.org/x/sys"}},
	{
		"apply/target",
		[]string{"apply", "change", "smb", "dcerpc", "format", "catalog", "model"},
		[]string{"golang.org/x/sys"},
	},
	{"apply/applytest", []string{"apply", "change", "format", "model", "peer"}, []string{"golang.org/x/sys"}},
	{"apply", []string{"change", "format", "model"}, []string{"golang.org/x/sys"}},
	{"gateway", []string{"smb", "ntlm", "dcerpc", "model"}, nil},
	{"plan", []string{"catalog", "model"}, nil},
	{"export", []string{"change", "format", "catalog", "model"}, nil},
	{"change", []string{"format", "catalog", "model"}, nil},
	{"scan", []string{"kerberos", "smb", "ntlm", "dcerpc", "catalog", "model"}, nil},
	{"audit", []string{"format", "dcerpc", "catalog", "model"}, []string{"*"}},
	{"observe", []string{"smb", "ntlm", "dcerpc", "format", "model"}, []string{"*"}},
	{"measured", []string{"catalog", "model"}, nil},
	{"report", []string{"catalog", "model"}, []string{"*"}},
	{"smbtest", []string{"smb", "ntlm", "dcerpc", "model"}, []string{"github.com/goccy/go-yaml"}},
	{"kerberos", []string{"ntlm"}, []string{"github.com/jcmturner"}},
	{"catalog", []string{"format", "model"}, nil},
	{"dcerpc", nil, nil},
	{"smb", []string{"ntlm"}, nil}, // ntlm/spnego wraps the tokens of a session setup
	{"ntlm", nil, []string{"golang.org/x/crypto"}},
	{"format", nil, []string{"github.com/ulikunitz/xz"}},
	{"model", nil, []string{"golang.org/x/text"}},
	{"status", nil, nil},
	{"peer", nil, []string{"golang.org/x/sys"}},
	{"arch", nil, nil},
	{"scripts/changelog", nil, nil},
	{"scripts/packages", nil, nil},
	{"packaging/image", nil, []string{"github.com/google/go-containerregistry", "golang.org/x/crypto"}},
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
	case !slices.ContainsFunc(r.beyond, func(m string) bool {
		return m == "*" || path == m || strings.HasPrefix(path, m+"/")
	}):
		return from + " may not import " + path
	}
	return ""
}

// roomOf finds the room of a package: the longest path of the table that it lies at or below, or the part below
// internal.
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

// sibling tells whether a room is one of the same house, or one that such a room may import: the tests of a house try
// its rooms together.
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

// arrow is one import of a file.
type arrow struct {
	file, from, path string // the file, its room, and what it imports
	test             bool
}

// arrows finds every import of the module.
func arrows(t *testing.T) []arrow {
	t.Helper()
	root := peer.ModuleRoot(t)
	var out []arrow
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root &&
			(name == "testdata" || name == "dist" || name == "bin" || strings.HasPrefix(name, ".")) {
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
		room := roomOf(filepath.ToSlash(filepath.Dir(relative)))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			out = append(out, arrow{relative, room, imported, strings.HasSuffix(name, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("found %d imports below %s: the walk is broken", len(out), root)
	}
	return out
}

func TestArrows(t *testing.T) {
	for _, a := range arrows(t) {
		if why := objection(a.from, a.path, a.test); why != "" {
			t.Errorf("%s imports %s: %s", a.file, a.path, why)
		}
	}
}

// TestNothingDead finds rooms of the table that are not there, and arrows that nobody goes along: whoever reads the
// table takes them for how things are.
func TestNothingDead(t *testing.T) {
	all := arrows(t)
	for _, r := range rooms {
		in := slices.DeleteFunc(slices.Clone(all), func(a arrow) bool { return a.from != r.path })
		if len(in) == 0 {
			t.Errorf("there is no room %s", r.path)
		}
		for _, to := range r.rooms {
			if to != "*" && to != "peer" && !slices.ContainsFunc(in, func(a arrow) bool {
				below, ok := strings.CutPrefix(a.path, module+"/")
				return ok && roomOf(below) == to
			}) {
				t.Errorf("%s may import %s, and does not", r.path, to)
			}
		}
		for _, m := range r.beyond {
			if m != "*" && !slices.ContainsFunc(in, func(a arrow) bool {
				return !a.test && (a.path == m || strings.HasPrefix(a.path, m+"/"))
			}) {
				t.Errorf("%s may import %s, and does not", r.path, m)
			}
		}
	}
}

// TestPicture holds the rooms of the picture against those of the table.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(peer.ModuleRoot(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```\n")
	picture, _, ok := strings.Cut(after, "```")
	if !ok {
		t.Fatal("docs/architecture.md has no picture")
	}
	drawn := map[string]bool{}
	for _, word := range strings.FieldsFunc(picture, func(r rune) bool { return !unicode.IsLetter(r) && r != '/' }) {
		drawn[word] = true
	}
	for _, r := range rooms {
		if name := house(r.path); name != "cmd" && name != "scripts" && name != "packaging" && !drawn[name] {
			t.Errorf("the picture lacks %s", name)
		}
	}
	for word := range drawn {
		if !slices.ContainsFunc(rooms, func(r room) bool { return house(r.path) == word || r.path == word }) {
			t.Errorf("the picture has %s, which is no room", word)
		}
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
			t.Errorf("%s imports %s (test: %v): allowed should be %v, objection %q", test.from, test.path, test.test,
				test.allowed, why)
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
