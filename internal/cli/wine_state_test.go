package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// ofOthers opens the state directory to everybody, as Windows' inherited rights do, its journals, and one file of a
// journal: each is refused with the command that narrows it. Wine derives access lists from the modes of its host's
// files.
func (w *wineHost) ofOthers(t *testing.T) {
	list, err := filepath.Glob(filepath.Join(w.Path(w.state), "journal", "*", "before.json"))
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, path := range []string{
		w.Path(w.state), w.Path(w.state + `\journal`), w.Path(w.state + `\key`), filepath.Dir(list[0]), list[0],
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o007 != 0 { // Administrators are the group
			t.Errorf("%s was made with mode %v", path, info.Mode())
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o007); err != nil {
			t.Fatal(err)
		}
		out := w.ipcguard(t, 1, "recover")
		if !strings.Contains(out, "it is open to Everyone (S-1-1-0), and not to SYSTEM and Administrators alone") {
			t.Errorf("%s is open, and this is said:\n%s", path, out)
		}
		if narrow := regexp.MustCompile(
			`hint: .*icacls C:\\state.* /inheritance:r /remove:g \*S-1-1-0 /grant:r \*S-1-5-18:.*F \*S-1-5-32-544:.*F`); path != list[0] && path != filepath.Dir(list[0]) && !narrow.MatchString(out) {
			t.Errorf("%s: how to mend it is not told:\n%s", path, out)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	w.ipcguard(t, 0, "recover")
}

// forged puts the journal of another's hand into a state directory of its own: with a value of Winlogon that a recovery
// would write, for this very machine.
func (w *wineHost) forged(t *testing.T) {
	const id = "20261129-000000-abcdef"
	from := filepath.Join(peer.Shared(t, "cases/windows/journal"), id)
	host := struct {
		Host map[string]string `json:"host"`
	}{}
	list, err := filepath.Glob(filepath.Join(w.Path(w.state), "journal", "*", "before.json"))
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	b, err := os.ReadFile(list[0])
	if err == nil {
		err = json.Unmarshal(b, &host)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.state = `C:\forged`
	defer func() { w.state = `C:\state` }()
	to := filepath.Join(w.Path(w.state), "journal", id)
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plan.json", "before.json", "steps", "record-1.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		switch name {
		case "before.json":
			before := map[string]any{}
			if err := json.Unmarshal(b, &before); err != nil {
				t.Fatal(err)
			}
			before["host"] = host.Host
			if b, err = json.Marshal(before); err != nil {
				t.Fatal(err)
			}
			text = string(b)
		case "steps": // begun, and writing
			lines := strings.SplitAfter(text, "\n")
			text = lines[0] + lines[1]
		}
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const winlogon = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon`
	before, _ := w.Run(t, "reg", "query", winlogon)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"recover"}, "nothing proves that nobody changed it"},
		{[]string{"rollback", id, "--force"}, "rollback --unsealed " + id},
		{[]string{"rollback", id, "--unsealed", "--force"}, "no setting of Windows that this"},
		{[]string{"recover"}, "could not be recovered"}, // sealed now, and refused for its place all the same
	} {
		if out := w.ipcguard(t, 1, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("%v: no %q in\n%s", c.args, c.want, out)
		}
	}
	if after, _ := w.Run(t, "reg", "query", winlogon); after != before || strings.Contains(after, "Userinit-h9") {
		t.Errorf("Winlogon is\n%s\nand was\n%s", after, before)
	}
}
