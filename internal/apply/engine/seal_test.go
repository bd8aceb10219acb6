package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/apply/applytest"
)

// acknowledged sets the number of a journal's steps in the ledger.
func acknowledged(t *testing.T, e *Engine, j *Journal, steps int) {
	t.Helper()
	seal, l, err := e.ledger()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(j.Dir, stepsFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	l.Journals[j.ID] = known{steps, lines[steps-1][:macText]}
	if err := writeLedger(e.State, seal, l, e.fault); err != nil {
		t.Fatal(err)
	}
}

// stand is a host and a state directory in one of the states in which an apply can be left.
type stand struct {
	f      *applytest.Fake
	e      *Engine
	id     string
	before string // the host before the apply
	now    string // and now
}

// stands returns the states in which a wrong journal could do harm: kept (a rollback restores it), waiting past its
// deadline and interrupted (a recovery does), and undone (nothing must).
func stands(t *testing.T) map[string]func(t *testing.T) *stand {
	begin := func(t *testing.T, within time.Duration) (*stand, Request, *Instant) {
		t.Helper()
		f, plan := weakFake()
		now := Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Boot: "a", Uptime: time.Hour}
		s := &stand{f: f, e: engineFor(t, f), before: applytest.Dump(f.Tree, "HKLM")}
		s.e.Clock = at(&now)
		return s, Request{
			Plan: plan, Changes: applytest.Changes("windows", plan.Changes), Bytes: []byte("{}"),
			Target: f, Verify: applytest.Good, Within: within,
		}, &now
	}
	finish := func(t *testing.T, s *stand, r Request) *stand {
		t.Helper()
		j, err := s.e.Apply(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		s.id, s.now = j.ID, applytest.Dump(s.f.Tree, "HKLM")
		return s
	}
	return map[string]func(t *testing.T) *stand{
		"kept": func(t *testing.T) *stand {
			s, r, _ := begin(t, 0)
			return finish(t, s, r)
		},
		"too late": func(t *testing.T) *stand {
			s, r, now := begin(t, time.Minute)
			s = finish(t, s, r)
			now.Wall, now.Uptime = now.Wall.Add(time.Hour), now.Uptime+time.Hour
			return s
		},
		"undone": func(t *testing.T) *stand {
			s, r, _ := begin(t, 0)
			s = finish(t, s, r)
			if _, err := s.e.Rollback(t.Context(), s.id, false); err != nil {
				t.Fatal(err)
			}
			s.now = s.before
			return s
		},
		"cut short": func(t *testing.T) *stand {
			s, r, _ := begin(t, 0)
			writes := 0
			s.e.Fault = func(point string) {
				if point == "write:after" {
					if writes++; writes == 3 {
						panic(applytest.Killed{})
					}
				}
			}
			if !applytest.Survive(func() { _, _ = s.e.Apply(context.Background(), r) }) {
				t.Fatal("not killed")
			}
			s.e.Fault = nil
			all, err := s.e.History()
			if err != nil || len(all) != 1 {
				t.Fatal(err)
			}
			s.id, s.now = all[0].ID, applytest.Dump(s.f.Tree, "HKLM")
			return s
		},
	}
}

// refuses tries everything that reads a journal. Each must fail, and change neither the host nor the steps.
func (s *stand) refuses(t *testing.T, what string) {
	t.Helper()
	dir := filepath.Join(s.e.State, "journal")
	state := contents(t, dir)
	for name, do := range map[string]func() error{
		"recover": func() error {
			found, err := s.e.Recover(context.Background())
			for _, r := range found {
				if r.ID == s.id {
					return errors.Join(r.Err, err)
				}
			}
			return err
		},
		"rollback": func() error { _, err := s.e.Rollback(context.Background(), s.id, true); return err },
		"confirm":  func() error { _, err := s.e.Confirm(context.Background(), s.id); return err },
		"apply": func() error {
			_, plan := weakFake()
			_, err := s.e.Apply(context.Background(),
				Request{
					Plan: plan, Changes: applytest.Changes("windows", plan.Changes), Bytes: []byte("{}"),
					Target: s.f, Verify: applytest.Good,
				})
			return err
		},
	} {
		if err := do(); err == nil {
			t.Fatalf("%s: %s is done", what, name)
		}
	}
	if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
		t.Fatalf("%s: the host became\n%s\nfrom\n%s", what, got, s.now)
	}
	if contents(t, dir) != state {
		t.Fatalf("%s: something was written to the journal", what)
	}
}

// contents returns everything below a directory.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			text, rerr := os.ReadFile(path)
			fmt.Fprintf(&b, "%s %q\n", path, text)
			return rerr
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// journalFiles returns the files of a journal and the ledger.
func (s *stand) journalFiles(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(s.e.State, "journal", s.id, "*"))
	if err != nil || len(list) < 4 {
		t.Fatalf("%v, %v", list, err)
	}
	return append(list, filepath.Join(s.e.State, ledgerFile))
}

// TestEveryBit flips bits of every file of a journal and of the ledger: every bit with IPCGUARD_LONG=1, else one of
// each byte, and one in a thousand of the reserve. Every flip is refused and nothing is written.
func TestEveryBit(t *testing.T) {
	long := os.Getenv("IPCGUARD_LONG") != "" && runtime.GOOS != "windows"
	for name, make := range stands(t) {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			flips := 0
			for _, path := range s.journalFiles(t) {
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				step := 9 // another bit of every byte
				if long {
					step = 1
				}
				if filepath.Base(path) == reserveFile {
					step *= 1009
				}
				for bit := 0; bit < 8*len(whole); bit += step {
					damaged := append([]byte{}, whole...)
					damaged[bit/8] ^= 1 << (bit % 8)
					if err := os.WriteFile(path, damaged, 0o600); err != nil {
						t.Fatal(err)
					}
					flips++
					what := fmt.Sprintf("bit %d of %s", bit, filepath.Base(path))
					if !long && bit/step%40 > 0 {
						s.refusesRecovery(t, what)
						continue
					}
					s.refuses(t, what)
				}
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d bits flipped", flips)
			if _, err := s.e.History(); err != nil {
				t.Errorf("mended, it is not believed: %v", err)
			}
		})
	}
}

// refusesRecovery is refuses for recovery, which runs without being asked.
func (s *stand) refusesRecovery(t *testing.T, what string) {
	t.Helper()
	if _, err := s.e.Recover(context.Background()); err == nil {
		t.Fatalf("%s: recovered", what)
	}
	if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
		t.Fatalf("%s: the host became\n%s\nfrom\n%s", what, got, s.now)
	}
}

// copyDir copies a directory of files.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		b, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, entry.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournalsThatAreNot removes journals, plants them, restores them from an earlier time, and exchanges them and
// their files.
func TestJournalsThatAreNot(t *testing.T) {
	dir := func(s *stand) string { return filepath.Join(s.e.State, "journal", s.id) }
	for name, make := range stands(t) {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			for _, path := range s.journalFiles(t) {
				if filepath.Base(path) == reserveFile {
					continue // it is removed to free space
				}
				if err := os.Rename(path, path+"x"); err != nil {
					t.Fatal(err)
				}
				s.refuses(t, filepath.Base(path)+" is missing")
				if err := os.Rename(path+"x", path); err != nil {
					t.Fatal(err)
				}
			}
			away := filepath.Join(s.e.State, "away")
			if err := os.Rename(dir(s), away); err != nil {
				t.Fatal(err)
			}
			s.refuses(t, "the journal is missing")
			if err := os.Rename(away, dir(s)); err != nil {
				t.Fatal(err)
			}
			// A file that the engine did not write.
			extra := filepath.Join(dir(s), "proof-9.json")
			if err := os.WriteFile(extra, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			s.refuses(t, "a file was put there")
			if err := os.Remove(extra); err != nil {
				t.Fatal(err)
			}
			// Another state directory's journal, and one of this directory under another name.
			other := make(t)
			copyDir(t, dir(other), filepath.Join(s.e.State, "journal", other.id))
			if _, err := s.e.Recover(t.Context()); err == nil {
				t.Error("another state directory's journal is believed")
			}
			if _, err := s.e.Rollback(t.Context(), other.id, true); err == nil {
				t.Error("another state directory's journal was rolled back")
			}
			if err := os.RemoveAll(filepath.Join(s.e.State, "journal", other.id)); err != nil {
				t.Fatal(err)
			}
			const another = "20260102-030405-000000"
			copyDir(t, dir(s), filepath.Join(s.e.State, "journal", another))
			if _, err := s.e.Recover(t.Context()); err == nil {
				t.Error("a copy under another name is believed")
			}
			if _, err := s.e.Rollback(t.Context(), another, true); err == nil {
				t.Error("a copy under another name was rolled back")
			}
			if err := os.RemoveAll(filepath.Join(s.e.State, "journal", another)); err != nil {
				t.Fatal(err)
			}
			// Good journals were recovered next to the bad one, and are as before to the byte.
			if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now && got != s.before {
				t.Errorf("the host became\n%s", got)
			}
			if _, err := s.e.History(); err != nil {
				t.Errorf("mended, it is not believed: %v", err)
			}
		})
	}
}

// TestReplayed restores a journal from every moment of an apply, its confirmation and its rollback, after all of them.
func TestReplayed(t *testing.T) {
	s, moments := stands(t)["kept"](t), applytest.MemoryDir(t)
	// Another apply, whose states are saved.
	if _, err := s.e.Rollback(t.Context(), s.id, false); err != nil {
		t.Fatal(err)
	}
	_, plan := weakFake()
	n := 0
	s.e.Fault = func(point string) {
		if point != "ledger:written" {
			return
		}
		list, err := filepath.Glob(filepath.Join(s.e.State, "journal", "2*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if filepath.Base(d) != s.id {
				copyDir(t, d, filepath.Join(moments, fmt.Sprint(n)))
				n++
			}
		}
	}
	j, err := s.e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte("{}"), Target: s.f, Verify: applytest.Good, Within: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.e.Confirm(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	s.e.Fault = nil
	first := s.id
	s.id, s.now = j.ID, applytest.Dump(s.f.Tree, "HKLM")
	for i := range n - 1 { // the last is what is there
		if err := os.RemoveAll(j.Dir); err != nil {
			t.Fatal(err)
		}
		copyDir(t, filepath.Join(moments, fmt.Sprint(i)), j.Dir)
		s.refuses(t, fmt.Sprintf("put back from moment %d of %d", i, n))
	}
	t.Logf("put back from %d moments", n-1)
	if n < 20 {
		t.Errorf("only %d moments", n)
	}
	// The two journals exchanged, and one file of each.
	if err := os.RemoveAll(j.Dir); err != nil {
		t.Fatal(err)
	}
	copyDir(t, filepath.Join(moments, fmt.Sprint(n-1)), j.Dir)
	if _, err := s.e.History(); err != nil {
		t.Fatal(err)
	}
	one := filepath.Join(s.e.State, "journal", first)
	exchange := func(a, b string) {
		t.Helper()
		for _, r := range [][2]string{{a, a + ".x"}, {b, a}, {a + ".x", b}} {
			if err := os.Rename(r[0], r[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange(one, j.Dir)
	s.refuses(t, "two journals are exchanged")
	exchange(one, j.Dir)
	for _, name := range []string{beforeFile, stepsFile, "record-1.json"} {
		exchange(filepath.Join(one, name), filepath.Join(j.Dir, name))
		s.refuses(t, name+" of two journals is exchanged")
		exchange(filepath.Join(one, name), filepath.Join(j.Dir, name))
	}
	if _, err := s.e.History(); err != nil {
		t.Errorf("mended, it is not believed: %v", err)
	}
}

// TestSetAside repairs a state directory with a refused journal.
func TestSetAside(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, dir string){
		"changed": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, beforeFile), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"missing": func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := stands(t)["kept"](t)
			if _, err := s.e.SetAside(s.id); err == nil {
				t.Error("a journal that is good was set aside")
			}
			spoil(t, filepath.Join(s.e.State, "journal", s.id))
			s.refuses(t, what)
			where, err := s.e.SetAside(s.id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(where); (err == nil) != (what == "changed") {
				t.Errorf("it lies at %q: %v", where, err)
			}
			if all, err := s.e.History(); err != nil || len(all) != 0 {
				t.Errorf("%v, %v", all, err)
			}
			if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
				t.Error("the host was touched")
			}
		})
	}
}

// TestOnlyPlacesOfItsTarget: a journal, sealed or not, with a place that its target does not write.
func TestOnlyPlacesOfItsTarget(t *testing.T) {
	for _, name := range []string{"kept", "too late", "cut short"} {
		s := stands(t)[name](t)
		s.f.Foreign = "RestrictAnonymousSAM"
		found, err := s.e.Recover(t.Context())
		if name != "kept" && (err != nil || len(found) != 1 || found[0].Err == nil || found[0].Host == "before") {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if _, err := s.e.Rollback(t.Context(), s.id, true); err == nil {
			t.Errorf("%s: rolled back", name)
		}
		if got := applytest.Dump(s.f.Tree, "HKLM"); got != s.now {
			t.Errorf("%s: the host was touched", name)
		}
	}
	f, plan := weakFake()
	f.Foreign = "RestrictAnonymousSAM"
	e := engineFor(t, f)
	if _, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte("{}"), Target: f, Verify: applytest.Good,
	}); err == nil {
		t.Error("applied to a place that is not the target's")
	}
}
