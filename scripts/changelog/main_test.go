package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestEveryFile checks the format of the next release's files.
func TestEveryFile(t *testing.T) {
	t.Chdir("../..")
	if _, _, err := read(folder); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"Fixed\n\nIt works.\n":                             "",
		"Added\n\n`scan` asks\nmore. See docs.\n":          "",
		"Security\n\nA flag (`--x`).\n":                    "",
		"fixed\n\nIt works.\n":                             "first line",
		"Fixed: it works.\n":                               "first line",
		"Fixed\nIt works.\n":                               "not blank",
		"Fixed\n":                                          "not blank",
		"Fixed\n\nIt works\n":                              "full stop",
		"Fixed\n\n- It works.\n":                           "one paragraph",
		"Fixed\n\nIt works.\n\nAnd more.\n":                "one paragraph",
		"Fixed\n\nIt works. And this. And that. And on.\n": "4 sentences",
		"": "first line",
	} {
		_, err := parse(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

const (
	before = "# Changelog\n\nIntro.\n\n## Unreleased\n\n- Old news.\n\n## 0.1.0 (2026-01-01)\n\n- First.\n"
	after  = "# Changelog\n\nIntro.\n\n## 0.2.0 (2026-11-29)\n\n- Old news.\n\n### Changed\n\n- B.\n\n### Fixed\n\n- " +
		"A.\n- C.\n\n" +
		"## 0.1.0 (2026-01-01)\n\n- First.\n"
)

func TestRelease(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		document: before, folder + "/a.md": "Fixed\n\nA.\n", folder + "/b.md": "Changed\n\nB.\n",
		folder + "/c.md": "Fixed\n\nC.\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run([]string{"release", "next"}); err == nil {
		t.Error("a version that is none was taken")
	}
	if err := run([]string{"release", "0.1.0"}); err == nil {
		t.Error("a version was released twice")
	}
	if err := run([]string{"release", "0.2.0"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(document)
	want := strings.Replace(after, "2026-11-29", time.Now().UTC().Format(time.DateOnly), 1)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("%v: %d files are left", err, len(left))
	}
	if err := run([]string{"release", "0.3.0"}); err == nil {
		t.Error("nothing was released")
	}
}
