package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/peer"
)

// unseal rewrites a journal in the format of earlier versions.
func unseal(t *testing.T, s *stand) {
	t.Helper()
	dir := filepath.Join(s.e.State, "journal", s.id)
	j, err := s.e.open(s.id)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, stepsFile))
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	n := 0
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if j.Steps[i].Event == Kept {
			continue
		}
		step := []byte(strings.Replace(line[macText+1:], fmt.Sprintf(`{"n":%d,`, i), fmt.Sprintf(`{"n":%d,`, n), 1))
		text = fmt.Appendf(text, "%08x %s\n", crc32.Checksum(step, castagnoli), step)
		n++
	}
	before, err := os.ReadFile(filepath.Join(dir, beforeFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{
		stepsFile: string(text), beforeFile: strings.Replace(string(before), schemaJournal, schemaUnsealed, 1),
		"guard.lock": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(s.e.State, ledgerFile)); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedKey: whatever happened to the key, nothing is restored, and the error names the command that repairs it.
func TestDamagedKey(t *testing.T) {
	for _, b := range []string{
		"", "-----BEGIN PRIVATE",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		s := stands(t)["kept"](t)
		if err := os.WriteFile(filepath.Join(s.e.State, keyFile), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.e.Rollback(t.Context(), s.id, false)
		var open *private.Error
		if !errors.As(err, &open) || open.Mend != private.Moved(s.e.State) ||
			applytest.Dump(s.f.Tree, "HKLM") != s.now {
			t.Errorf("a key %q: %v", b, err)
		}
	}
}

// TestUnsealed: journals of earlier versions are shown, and undone only on request, also if sealing them was
// interrupted at any point.
func TestUnsealed(t *testing.T) {
	for name, make := range stands(t) {
		if name == "undone" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				s := make(t)
				unseal(t, s)
				all, err := s.e.History()
				if err != nil || len(all) != 1 || all[0].Sealed {
					t.Fatalf("%v, %v", all, err)
				}
				var unsealed *UnsealedError
				if _, err := s.e.Rollback(t.Context(), s.id, true); !errors.As(err, &unsealed) {
					t.Fatalf("%v", err)
				}
				found, err := s.e.Recover(t.Context())
				if err != nil || len(found) != 1 || (found[0].Err == nil) != (name == "kept") {
					t.Fatalf("%+v, %v", found, err)
				}
				if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
					t.Fatal("the host was touched")
				}
				var met *[]string
				s.e.Fault, met = applytest.KillAt(n)
				dead := applytest.Survive(func() { _, _ = s.e.Adopt(s.id) })
				s.e.Fault = nil
				if dead {
					if all, err := s.e.History(); err != nil || len(all) != 1 {
						t.Fatalf("killed at %s: %v, %v", (*met)[n], all, err)
					}
				}
				if _, err := s.e.Adopt(s.id); err != nil {
					t.Fatalf("killed at %v: %v", *met, err)
				}
				if _, err := s.e.Rollback(t.Context(), s.id, false); err != nil {
					t.Fatal(err)
				}
				if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.before {
					t.Fatalf("rolled back to\n%s\nfrom\n%s", got, s.before)
				}
				if !dead {
					break
				}
			}
		})
	}
	t.Run("a seal that was taken off", func(t *testing.T) {
		s := stands(t)["kept"](t)
		ledger, err := os.ReadFile(filepath.Join(s.e.State, ledgerFile))
		if err != nil {
			t.Fatal(err)
		}
		unseal(t, s)
		if err := os.WriteFile(filepath.Join(s.e.State, ledgerFile), ledger, 0o600); err != nil {
			t.Fatal(err)
		}
		s.refuses(t, "its seal was taken off")
	})
}

// TestForgedJournal puts a forged journal into a state directory: one without a seal, for a value of Winlogon.
func TestForgedJournal(t *testing.T) {
	const id = "20261129-000000-abcdef"
	forged := filepath.Join(peer.Shared(t, "cases/windows/journal"), id)
	s := stands(t)["undone"](t)
	copyDir(t, forged, filepath.Join(s.e.State, "journal", id))
	// Unfinished, so that a recovery has something to do.
	steps := filepath.Join(s.e.State, "journal", id, stepsFile)
	b, err := os.ReadFile(steps)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	if err := os.WriteFile(steps, []byte(strings.Join(lines[:2], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.e.Open = func(context.Context, string) (apply.Target, error) { return applytest.KeptOpen{Target: s.f}, nil }
	found, err := s.e.Recover(t.Context())
	var unsealed *UnsealedError
	if err != nil || len(found) != 2 || !errors.As(errors.Join(found[0].Err, found[1].Err), &unsealed) {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := s.e.Rollback(t.Context(), id, true); !errors.As(err, &unsealed) {
		t.Errorf("%v", err)
	}
	if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
		t.Errorf("the host became\n%s", got)
	}
}

// TestStateDirectoryOfOthers: a directory that others own, can write or redirect is refused with the command that
// repairs it.
func TestStateDirectoryOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Wine gives every file to the one user")
	}
	mode := func(m os.FileMode) func(string) error { return func(p string) error { return os.Chmod(p, m) } }
	owned := func(p string) error { return os.Lchown(p, 1234, -1) }
	linked := func(p string) error {
		if err := os.Rename(p, p+".real"); err != nil {
			return err
		}
		return os.Symlink(p+".real", p)
	}
	type spoil struct {
		what string
		path func(s *stand) string
		do   func(string) error
		mend string
	}
	state := func(s *stand) string { return s.e.State }
	up := func(s *stand) string { return filepath.Dir(s.e.State) }
	below := func(name string) func(s *stand) string {
		return func(s *stand) string { return filepath.Join(s.e.State, name) }
	}
	journal := func(name string) func(s *stand) string {
		return func(s *stand) string { return filepath.Join(s.e.State, "journal", s.id, name) }
	}
	list := []spoil{
		{"the state directory is open", state, mode(0o770), "chmod go-w"},
		{"the directory above is open", up, mode(0o777), "chmod go-w"},
		{"the journals' directory is open", below("journal"), mode(0o702), "chmod go-w"},
		{"the journal is open", journal(""), mode(0o720), ""},
		{"a file is open", journal(stepsFile), mode(0o602), ""},
		{"the ledger is open", below(ledgerFile), mode(0o620), "chmod go-w"},
		{"the key can be read", below(keyFile), mode(0o604), "chmod 600"},
		{"the state directory is a link", state, linked, "mv "},
		{"the journal is a link", journal(""), linked, ""},
		{"a file is a link", journal(beforeFile), linked, ""},
		{"the key is a link", below(keyFile), linked, "rm "},
		{"a file has two names", journal(beforeFile), func(p string) error {
			return os.Link(p, filepath.Join(filepath.Dir(p), "..", "x"))
		}, ""},
	}
	if os.Geteuid() == 0 {
		list = append(list,
			spoil{"the state directory is another's", state, owned, "mv "},
			spoil{"the directory above is another's", up, owned, "chown root"},
			spoil{"the journals' directory is another's", below("journal"), owned, "mv "},
			spoil{"the journal is another's", journal(""), owned, ""},
			spoil{"a file is another's", journal(beforeFile), owned, ""},
			spoil{"the key is another's", below(keyFile), owned, "mv "},
			spoil{"the ledger is another's", below(ledgerFile), owned, "mv "},
			spoil{"the lock is another's", below("lock"), owned, "mv "},
		)
	}
	for _, c := range list {
		t.Run(c.what, func(t *testing.T) {
			home := filepath.Join(applytest.MemoryDir(t), "above")
			s := stands(t)["too late"](t)
			if err := os.Mkdir(home, 0o755); err != nil {
				t.Fatal(err)
			}
			moved := filepath.Join(home, "state")
			if err := os.Rename(s.e.State, moved); err != nil {
				t.Fatal(err)
			}
			s.e.State = moved
			if _, err := s.e.History(); err != nil {
				t.Fatal(err)
			}
			if err := c.do(c.path(s)); err != nil {
				t.Fatal(err)
			}
			s.refuses(t, c.what)
			if c.mend == "" {
				return // set aside
			}
			_, err := s.e.Recover(t.Context())
			var trouble *private.Error
			if !errors.As(err, &trouble) || !strings.HasPrefix(trouble.Mend, c.mend) ||
				!strings.Contains(trouble.Mend, trouble.Path) {
				t.Errorf("%v, mended by %+v", err, trouble)
			}
		})
	}
}
