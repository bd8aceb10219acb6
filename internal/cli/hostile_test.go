package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"ipcguard/internal/peer"
)

// hostile is a folder of the shared cases of hostile input.
func hostile(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(peer.ModuleRoot(t), "../shared/cases/hostile", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	return dir
}

// call runs one command line.
func call(args ...string) (stdout, stderr string, code int) {
	var out, diag bytes.Buffer
	code = Main(args, strings.NewReader(""), &out, &diag)
	return out.String(), diag.String(), code
}

// auditFile is the audit of a small configuration.
func auditFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	conf, file := filepath.Join(dir, "smb.conf"), filepath.Join(dir, "audit.json")
	if err := os.WriteFile(conf, []byte("[global]\n\tmap to guest = Bad User\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, diag, code := call("audit", conf, "--format", "json", "-o", file); code != exitExposed {
		t.Fatalf("exit %d: %s", code, diag)
	}
	return file
}

// unprintable finds what a terminal would act on.
func unprintable(s string) (rune, bool) {
	i := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r)
	})
	if i < 0 {
		return 0, false
	}
	return []rune(s[i:])[0], true
}

// TestMutatedPolicies refuses each, and shows nothing of it that a terminal would act on.
func TestMutatedPolicies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(hostile(t, "mut"), "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %d files", err, len(files))
	}
	audit := auditFile(t)
	for _, f := range files {
		out, diag, code := call("plan", "--audit", audit, "--policy", f)
		if r, bad := unprintable(out + diag); bad || code != exitUsage {
			t.Errorf("%s: exit %d, %U\n%q", filepath.Base(f), code, r, diag)
		}
	}
}

// TestMutatedAudit shows a host's name with an escape in it in every format of a plan.
func TestMutatedAudit(t *testing.T) {
	file := filepath.Join(hostile(t, "mut"), "json_audit-1-9323.json")
	for _, format := range []string{"text", "html", "json"} {
		out, diag, code := call("plan", "--audit", file, "--format", format)
		if r, bad := unprintable(out + diag); bad || code != exitOK || out == "" {
			t.Errorf("%s: exit %d, %U, %s", format, code, r, diag)
		}
	}
}

func TestPolicies(t *testing.T) {
	deep := strings.Repeat("[", 9) + strings.Repeat("]", 9)
	for text, want := range map[string]string{
		"needs: [sqlserver]\navoid:\n  - a\n  - b\n": "",
		"":                                      "",
		"needs: &n [a]\navoid: *n\n":            "line 1: anchors and aliases",
		"<<: {needs: [a]}\n":                    "line 1: anchors and aliases",
		"needs: " + deep:                        "line 1: more than 8 levels",
		"needs: " + strings.Repeat("[", 30_000): "line 1: more than 8 levels",
		strings.Repeat("- ", 20_000) + "a":      "line 1: more than 8 levels",
		"a:\n b:\n  c:\n   d:\n    e:\n     f:\n      g:\n       h:\n        i: 1\n": "more than 8 levels",
		"nonsense: 1":     `unknown key "nonsense"`,
		"needs: [\x1b[2J": "1:",
		"\x1b]0;x\x07: 1": "unknown key",
		"needs: [1]":      "needs",
	} {
		_, err := parsePolicy([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzPolicy reads any policy: it does not panic, and what it takes is within the bounds.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte("needs: [sqlserver, 'pipe:samr']\navoid:\n  - a\nmin_days: 3\nstrategy: block\n"))
	f.Add([]byte("a: &a [x]\nb: *a\n"))
	f.Add([]byte("? [a, b]\n: - - c\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxPolicy {
			return
		}
		p, err := parsePolicy(b)
		if err == nil && len(p.Needs)+len(p.Avoid)+len(p.Checks) > len(b) {
			t.Fatalf("%d bytes hold more entries than bytes", len(b))
		}
	})
}

// FuzzEvidence gives any file to the verbs that start from results: they end, with an exit status that says how.
func FuzzEvidence(f *testing.F) {
	f.Add([]byte(
		`{"schema":"ipcguard.audit/1","platform":{"system":"samba","product":"samba"},"settings":[{"id":"restrict anonymous","present":true,"configured":0}]}`))
	f.Add([]byte(scanDocument + "]}\n"))
	f.Add([]byte(`{"schema":"ipcguard.observe/1","uses":[{"server":"a"},{"server":"b"}]}`))
	dir := f.TempDir()
	audit, fuzzed, out := filepath.Join(dir, "audit.json"), filepath.Join(dir, "fuzzed"), filepath.Join(dir, "out")
	if err := os.WriteFile(audit,
		[]byte(`{"schema":"ipcguard.audit/1","platform":{"system":"windows","product":"win2019"},"settings":[]}`),
		0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(fuzzed, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"plan", "--audit", fuzzed, "-o", out},
			{"plan", "--audit", audit, "--scan", fuzzed, "--format", "html", "-o", out},
			{"plan", "--audit", audit, "--observe", fuzzed, "--format", "json", "-o", out},
			{"what-if", "--audit", audit, "--observe", fuzzed, "--setting", "RestrictAnonymous=1", "-o", out},
			{"export", fuzzed, "--as", "reg", "-o", out},
		} {
			_, diag, code := call(args...)
			if r, bad := unprintable(diag); bad || code < exitOK || code > exitPartial {
				t.Fatalf("%v: exit %d, %U\n%q", args, code, r, diag)
			}
		}
	})
}

const scanDocument = `{"schema":"ipcguard.scan/1","target":"srv1","address":"127.0.0.1:445","started":"2026-01-01T00:00:00Z","verdict":"exposed","identities":[],"findings":[`

// FuzzEarlier resumes from any file: what is kept of it are whole lines.
func FuzzEarlier(f *testing.F) {
	f.Add([]byte(scanDocument + "]}\n"))
	f.Add([]byte(scanDocument + "]}\n" + scanDocument))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(dir, "fuzzed")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := readEarlier(name)
		if err == nil && (e.size > int64(len(b)) || e.size > 0 && b[e.size-1] != '\n') {
			t.Fatalf("%d bytes of %d are whole lines", e.size, len(b))
		}
	})
}
