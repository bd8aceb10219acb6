package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// writer is a file that writes to a terminal, a log or a page, and what of it keeps texts from outside visible there:
// the words that must stand in the file, or where the cleaning is, or why there is nothing to clean.
type writer struct {
	file  string
	names []string // each must be named in the file
	why   string
}

// The command line's stderr is a VisibleWriter (root.go), so files that write there alone need nothing more.
const toStderr = "the command line's stderr"

// writers lists those of the rooms that reach people. Rooms below hand back values, or write files of their own.
var writers = []writer{
	{"apply/engine/append.go", nil, "the journal's files"},
	{"apply/engine/engine.go", nil, "evidence for the log of events, whose writer is eventlog_windows.go"},
	{"apply/engine/eventlog_windows.go", []string{"VisibleWriter"}, ""},
	{"apply/engine/guard_process.go", nil, "the guard's own log: it is this program's stderr"},
	{"apply/engine/journal.go", nil, "the journal's files"},
	{"apply/engine/read.go", nil, "the journal's steps, no output"},
	{"apply/engine/record.go", nil, "the journal's steps, no output"},
	{"apply/engine/seal.go", nil, "a hash"},
	{"apply/engine/undo.go", nil, "the journal's steps, no output"},
	{"cli/apply.go", []string{"plainly"}, ""},
	{"cli/applyshow.go", []string{"plainly"}, "called by verbs that are plain"},
	{"cli/audit.go", nil, "report writes"},
	{"cli/confirm.go", []string{"plainly"}, ""},
	{"cli/credentials.go", nil, toStderr},
	{"cli/demo.go", []string{"VisibleWriter"}, "the practice server's words are this program's"},
	{"cli/exit.go", []string{"Visible"}, ""},
	{"cli/explain.go", []string{"JSONWriter"}, "the catalog's own words"},
	{"cli/export.go", []string{"plainly"}, ""},
	{"cli/fleet.go", []string{"JSONWriter", "VisibleWriter"}, "slog quotes texts in its text form"},
	{"cli/gatewaycheck.go", []string{"VisibleWriter", "JSONWriter"}, ""},
	{"cli/gatewaywhatif.go", []string{"VisibleWriter", "JSONWriter"}, ""},
	{"cli/gatewaypolicy.go", []string{"VisibleWriter"}, ""},
	{"cli/handover.go", nil, "for systemd and the process before it, no people"},
	{"cli/history.go", []string{"plainly", "JSONWriter"}, ""},
	{"cli/key.go", []string{"Hidden"}, ""},
	{"cli/observe.go", nil, "report writes"},
	{"cli/output.go", nil, "report writes"},
	{"cli/progress.go", nil, "numbers alone"},
	{"cli/recover.go", []string{"plainly"}, ""},
	{"cli/rollback.go", []string{"plainly"}, ""},
	{"cli/root.go", []string{"VisibleWriter"}, ""},
	{"cli/resume.go", nil, "lines of a file of results, as they were"},
	{"cli/scan.go", nil, "report writes"},
	{"cli/serve.go", nil, "say, of fleet.go"},
	{"cli/servecheck.go", nil, "say, of fleet.go"},
	{"cli/serveconfig.go", nil, "the operator's own flags, quoted as TOML"},
	{"cli/servekey.go", nil, "say, of fleet.go"},
	{"cli/servestore.go", nil, "say, of fleet.go"},
	{"cli/service_windows.go", []string{"VisibleWriter", "Visible"}, ""},
	{"cli/servicelog.go", nil, "behind service_windows.go's VisibleWriter"},
	{"cli/target.go", nil, toStderr},
	{"cli/terminal.go", []string{"VisibleWriter"}, ""},
	{"cli/testdata/nullsession/main.go", nil, "a program of the tests, which alone read it"},
	{"cli/verify.go", []string{"plainly", "JSONWriter"}, ""},
	{"cli/version.go", nil, "the build's own words"},
	{"cli/worker.go", nil, "say, of fleet.go"},
	{"fleet/access/device.go", nil, "a hash"},
	{"fleet/csv/write.go", nil, "targets, whose words are refused where characters are hidden when they are added"},
	{"fleet/gate/gate.go", nil, "for workers, no people"},
	{"fleet/gate/incoming.go", nil, "it throws away the rest of a body"},
	{"fleet/handover/archive.go", []string{"shown", "table"}, ""},
	{"fleet/handover/table.go", []string{"EscapeCell"}, "its callers show hidden characters"},
	{"fleet/handover/tickets.go", []string{"shown", "table"}, ""},
	{"fleet/notify/compose.go", []string{"line"}, "events pass line in notify.go before they are composed"},
	{"fleet/notify/email.go", []string{"line"}, ""},
	{"fleet/notify/syslog.go", nil, "events pass line in notify.go before they are composed"},
	{"fleet/notify/webhook.go", nil, "events pass line in notify.go before they are composed"},
	{"fleet/remote/identity.go", nil, "the worker's own file"},
	{"fleet/secret/file.go", nil, "the key's file"},
	{"fleet/secret/secret.go", nil, "a hash"},
	{"fleet/targets.go", nil, "fleet/csv writes"},
	{"report/audit.go", []string{"JSONWriter"}, ""},
	{"report/auditcsv.go", []string{"Cell"}, ""},
	{"report/audittext.go", []string{"Clean"}, ""},
	{"report/csv.go", []string{"Hidden", "Cell"}, ""},
	{"report/explain.go", nil, "the catalog's own words"},
	{"report/html.go", []string{"Hidden"}, ""},
	{"report/hostview.go", nil, "a part of a page, which web/render.go cleans as a whole"},
	{"report/logons.go", []string{"Clean", "Cell", "JSONWriter"}, ""},
	{"report/ocsf.go", []string{"JSONWriter"}, ""},
	{"report/plan.go", []string{"Clean"}, ""},
	{"report/sarif.go", []string{"JSONWriter"}, ""},
	{"report/style.go", []string{"VisibleWriter"}, ""},
	{"report/text.go", []string{"Clean"}, ""},
	{"report/use.go", []string{"JSONWriter", "Cell", "Hidden"}, ""},
	{"report/usegraph.go", []string{"Clean"}, ""},
	{"report/usetext.go", []string{"Clean"}, ""},
	{"report/whatif.go", []string{"JSONWriter", "Clean"}, ""},
	{"web/api/api.go", []string{"JSONWriter"}, ""},
	{"web/api/export.go", nil, "web/view and fleet/csv write"},
	{"web/api/operate.go", []string{"JSONWriter"}, ""},
	{"web/api/problem.go", []string{"JSONWriter"}, ""},
	{"web/export.go", nil, "web/view and fleet/csv write"},
	{"web/plan.go", []string{"JSONWriter"}, "pages that report made"},
	{"web/login.go", nil, "JSON for the page's own script: bytes in base64, and a name that access.CheckName took"},
	{"web/render.go", []string{"clean"}, ""},
	{"web/server.go", nil, "ok, of its own"},
	{"web/tlscert/tlscert.go", nil, "the certificate's files"},
	{"web/upload.go", nil, "a file that a preview keeps, packed, for the import alone"},
	{"web/view/files.go", []string{"JSONWriter", "Cell"}, ""},
}

// TestWriters finds every file that writes to a terminal, a log or a page and is not in the table, and what the table
// says of a file and is not so.
func TestWriters(t *testing.T) {
	root := filepath.Join(peer.ModuleRoot(t), "internal")
	found := map[string]bool{}
	for _, room := range []string{"apply/engine", "cli", "fleet", "report", "web"} {
		for _, name := range writersOf(t, filepath.Join(root, room)) {
			file := room + "/" + name
			found[file] = true
			if !slices.ContainsFunc(writers, func(w writer) bool { return w.file == file }) {
				t.Errorf("%s writes: say in the table what keeps texts from outside visible there", file)
			}
		}
	}
	for _, w := range writers {
		switch {
		case !found[w.file]:
			t.Errorf("%s does not write: take it off the table", w.file)
		case len(w.names) == 0 && w.why == "":
			t.Errorf("%s: no names and no reason", w.file)
		}
		called := namesIn(t, filepath.Join(root, w.file))
		for _, name := range w.names {
			if !called[name] {
				t.Errorf("%s no longer names %s", w.file, name)
			}
		}
	}
}

// TestOneJudgement finds files that judge characters by themselves. Those of the list refuse more than what is hidden.
func TestOneJudgement(t *testing.T) {
	refuse := []string{"model/visible.go", "web/view/filter.go", "fleet/access/tokens.go", "fleet/acts/refusal.go"}
	root := filepath.Join(peer.ModuleRoot(t), "internal")
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, word := range []string{
			"unicode.IsControl", "unicode.Cf", "unicode.Bidi_Control", "unicode.IsPrint", "unicode.IsGraphic",
		} {
			if !strings.Contains(string(text), word) {
				continue
			}
			if seen++; !slices.Contains(refuse, filepath.ToSlash(name)) {
				t.Errorf("%s uses %s: model.Hidden is the judgement of characters", name, word)
			}
		}
		return nil
	})
	if err != nil || seen < len(refuse) {
		t.Fatalf("%v: %d uses", err, seen)
	}
}

// namesIn is every identifier of a file.
func namesIn(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			out[id.Name] = true
		}
		return true
	})
	return out
}

// writes tells whether a node of the syntax begins or does a write to a terminal, a log or a page: the standard outputs
// and the command line's own names of them, the makers of logs, printing, encoders, templates, and Write of anything.
func writes(n ast.Node) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, _ := s.X.(*ast.Ident)
	name := s.Sel.Name
	switch {
	case of != nil && of.Name == "os":
		return name == "Stdout" || name == "Stderr"
	case of != nil && of.Name == "fmt":
		return strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Fprint")
	case of != nil && of.Name == "io":
		return name == "WriteString" || name == "Copy"
	case of != nil && of.Name == "slog":
		return strings.HasSuffix(name, "Handler") && name != "DiscardHandler" && name != "Handler"
	case of != nil && (of.Name == "json" || of.Name == "csv" || of.Name == "eventlog"):
		return name == "NewEncoder" || name == "NewWriter" || name == "Open"
	}
	return slices.Contains([]string{"stdout", "stderr", "screen", "Write", "Execute", "ExecuteTemplate"}, name)
}

// writersOf finds the files below a root that write, without tests.
func writersOf(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found := false
		ast.Inspect(file, func(n ast.Node) bool {
			found = found || n != nil && writes(n)
			return !found
		})
		if found {
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
