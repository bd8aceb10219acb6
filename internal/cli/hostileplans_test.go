package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/export"
	"ipcguard/internal/peer"
)

// TestHostilePlans: every crafted plan is refused with the change named, before a dry run, an apply and every export,
// and nothing of its text reaches the terminal but characters.
func TestHostilePlans(t *testing.T) {
	root := peer.Shared(t, "cases/hostile")
	const conf = "[global]\n\tserver role = standalone server\n[public]\n\tpath = /srv\n\tguest ok = yes\n"
	for file, want := range map[string]string{
		"01-crafted-plan-root-exec/evil-preexec.json":    "[public] root preexec",
		"01-crafted-plan-root-exec/evil-include.json":    "[global] include",
		"01-crafted-plan-root-exec/evil-newshare.json":   "[owned] path",
		"01-crafted-plan-root-exec/evil-fw.json":         "[global] panic action",
		"02-terminal-escapes-from-plan/evil-escape.json": "[public] comment",
		"02-terminal-escapes-from-plan/evil-where.json":  "[pub",
		// a question is no change: it is asked, and nothing is done
		"02-terminal-escapes-from-plan/evil-question.json": "why",
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			plan := filepath.Join(root, filepath.FromSlash(file))
			dir := t.TempDir()
			path := filepath.Join(dir, "smb.conf")
			if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			apply := []string{"apply", plan, "--target", "samba:" + path, "--state", filepath.Join(dir, "state")}
			runs := [][]string{append(apply, "--dry-run"), append(apply, "--yes")}
			for _, form := range export.Forms() {
				runs = append(runs, []string{
					"export", plan, "--as", form, "--source", path, "-o", filepath.Join(dir, form),
				})
			}
			for _, args := range runs {
				var out bytes.Buffer
				code := Main(args, strings.NewReader(""), &out, &out)
				if said := out.String(); code == exitOK || args[0] == "apply" && !strings.Contains(said, want) ||
					args[0] == "export" && want != "why" &&
						(code != exitFailed || !strings.Contains(said, "is refused") || !strings.Contains(said, want)) {
					t.Errorf("%s: exit status %d: %q", args[:4], code, said)
				}
				if strings.ContainsAny(out.String(), "\x1b\a\u009b") {
					t.Errorf("%s: escapes reach the terminal: %q", args[:4], out.String())
				}
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != conf {
				t.Errorf("smb.conf is %q, %v", now, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("something was left: %v, %v", left, err)
			}
			// what is shown of the plan by other verbs
			for _, args := range [][]string{{"verify", "127.0.0.1:9", "--plan", plan}} {
				var out bytes.Buffer
				Main(args, strings.NewReader(""), &out, &out)
				if strings.ContainsAny(out.String(), "\x1b\a\u009b") {
					t.Errorf("%s: escapes reach the terminal: %q", args[0], out.String())
				}
			}
		})
	}
}
