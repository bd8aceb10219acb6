package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The pages say what a flag's value is, list the commands, and name documents where a package has them.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{dir, "1.2.0"}, "1700000000"); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string][]string{
		"ipcguard.1": {
			`.TH "IPCGUARD" "1" "Nov 2023" "ipcguard 1.2.0"`, `\fBipcguard COMMAND [flags]\fP`,
			".TP 12\n\\fBscan\\fP\nFind out what a stranger can reach\n", `\fB--help\fP` + "\n",
		},
		"ipcguard-serve.1": {
			`\fB--listen\fP=\fIVALUE\fP` + "\n\taddress of the page (default 127.0.0.1:8443)\n",
			`\fB--url\fP=\fIVALUE\fP` + "\n\tthe page's address as users reach it, for links in notifications\n",
			`\fB--no-tls\fP` + "\n", ".TP 12\n\\fBbackup\\fP\n", "/usr/share/doc/ipcguard/docs/fleet.md describes",
		},
		"ipcguard-worker-join.1": {`\fB--code-file\fP=\fIVALUE\fP`},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		for _, want := range says {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not say %q:\n%s", name, want, b)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 20 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, odd := range []string{"[=false]", `=""`, "=[]", " docs/"} {
			if strings.Contains(string(b), odd) {
				t.Errorf("%s has %q", page, odd)
			}
		}
	}
}
