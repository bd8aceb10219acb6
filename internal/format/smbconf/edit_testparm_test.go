package smbconf

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// tails are ends of files after which an added line may become part of another.
var tails = []string{
	"", "comment = a \\", "comment = x\\\n", "[one]", "[one]\n comment = x\\\n\\\n", "# foo", "foo", "\\",
	"guest ok\\\n = yes\n",
	"[one\\\n]\n", "[global] \\\n x\n", "comment=a\\\n\n\nguest ok=yes",
}

// TestEditsKeepTheRest changes and removes a parameter of any configuration, and checks with testparm that nothing else
// differs.
func TestEditsKeepTheRest(t *testing.T) {
	bin := findTestparm(t)
	dir := t.TempDir()
	edits, round := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		write := func(name string, includes ...string) string {
			p := filepath.Join(dir, fmt.Sprintf("%d-%s.conf", round, name))
			text := genText(t, includes) + rapid.SampledFrom(tails).Draw(t, "tail")
			if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return p
		}
		path := write("main", write("inner"))
		c, err := Load(path, Options{})
		if err != nil || c.Broken != nil {
			return
		}
		name := rapid.SampledFrom([]string{
			"guest ok", "read only", "hosts allow", "restrict anonymous",
			"map to guest",
		}).Draw(t, "name")
		value := map[string]string{
			"guest ok": "no", "read only": "yes", "hosts allow": "10.0.0.1 127.",
			"restrict anonymous": "2", "map to guest": "Never",
		}[name]
		section := "global"
		if k, _ := Lookup(name); k.Share && len(c.Shares) > 0 && rapid.Bool().Draw(t, "of a share") {
			section = rapid.SampledFrom(c.Shares).Draw(t, "share").Name
		}
		edit := func() (*Edit, error) { return Set(path, Options{}, section, name, value) }
		if rapid.Bool().Draw(t, "remove") {
			edit = func() (*Edit, error) { return Remove(path, Options{}, section, name) }
		}
		e, err := edit()
		if err != nil {
			return // and nothing is written
		}
		before, _ := testparm(t, bin, path)
		if err := os.WriteFile(path, e.After, 0o600); err != nil {
			t.Fatal(err)
		}
		after, broken := testparm(t, bin, path)
		if broken || len(before) != len(after) {
			t.Fatalf("%d sections became %d\n%s\n---\n%s", len(before), len(after), e.Before, e.After)
		}
		for s, params := range before {
			delete(params, name)
			delete(after[s], name)
			if fmt.Sprint(params) != fmt.Sprint(after[s]) {
				t.Fatalf("[%s] %s changed [%s] from %v\nto %v\n%q\n%q", section, name, s, params, after[s], e.Before,
					e.After)
			}
		}
		edits++
	})
	t.Logf("%d edits", edits)
}

// TestEditAtALineThatGoesOn: an edit that would become part of the last line of a file is refused.
func TestEditAtALineThatGoesOn(t *testing.T) {
	for _, text := range []string{"[s]\npath = /s\ncomment = a \\", "[s]\npath = /s\ncomment = a\\\n\\"} {
		o := Options{ReadFile: files{"smb.conf": text}.read}
		if e, err := Set("smb.conf", o, "global", "restrict anonymous", "2"); err == nil {
			t.Errorf("%q became %q", text, e.After)
		}
	}
}
