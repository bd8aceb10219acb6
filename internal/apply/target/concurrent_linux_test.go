package target

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
)

const edit = "# by an editor\n"

// saveAs is an editor that writes a new file and renames it.
func saveAs(t *testing.T, path, line string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path+"~", append(b, line...), 0o644)
	}
	if err == nil {
		err = os.Rename(path+"~", path)
	}
	if err != nil {
		t.Error(err)
	}
}

// saveIn is an editor that writes into the existing file.
func saveIn(t *testing.T, path, line string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(line)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// TestEditorMeanwhile lets an editor save at every point of a write, in either way: the file always contains the edit
// afterwards, and nothing is left next to it.
func TestEditorMeanwhile(t *testing.T) {
	for _, point := range []string{
		"write:before", "file:draft", "file:synced", "file:compared", "file:renamed",
		"file:back", "write:after",
	} {
		for name, save := range map[string]func(*testing.T, string, string){"a new file": saveAs, "in place": saveIn} {
			t.Run(point+", "+name, func(t *testing.T) {
				path := applytest.WriteConf(t, applytest.Commented)
				s := OpenSambaOn(path, applytest.Quiet{})
				var editing sync.WaitGroup
				met := false
				fault := func(p string) {
					if p != point || met {
						return
					}
					met = true
					if point == "file:compared" && name == "in place" {
						// The lease delays it until the names are exchanged: then it writes to the file that it opened.
						editing.Go(func() { save(t, path, edit) })
						time.Sleep(20 * time.Millisecond) // a head start; the outcome is the same without it
						return
					}
					save(t, path, edit)
				}
				s.Fault = fault
				e := engineFor(t, s)
				e.Fault = fault
				plan := restrict()
				_, err := e.Apply(t.Context(),
					engine.Request{
						Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"),
						Target: s, Verify: applytest.Good,
					})
				editing.Wait()
				if met && err == nil {
					t.Error("applied over an edit")
				}
				if got := applytest.Read(t, path); met != strings.Contains(got, edit) {
					t.Errorf("the edit is lost: %v\n%s", err, got)
				}
				var stale *apply.StaleError
				if before := point != "file:renamed" && point != "file:back" && point != "write:after"; before &&
					(!errors.As(err, &stale) || strings.Contains(applytest.Read(t, path), "restrict anonymous = 2")) {
					t.Errorf("%v", err)
				}
				alone(t, path)
			})
		}
	}
}

func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

// TestEditorHoldsTheFile: an editor has the file open for writing, and writes before closing it.
func TestEditorHoldsTheFile(t *testing.T) {
	path := applytest.WriteConf(t, applytest.Commented)
	s := OpenSambaOn(path, applytest.Quiet{})
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	var editing sync.WaitGroup
	s.Fault = func(p string) {
		if p == "file:synced" {
			editing.Go(func() {
				time.Sleep(50 * time.Millisecond) // swap waits for it, however long this takes
				if _, err := f.WriteString(edit); err != nil {
					t.Error(err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	plan := restrict()
	_, err = engineFor(t, s).Apply(t.Context(),
		engine.Request{
			Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"), Target: s,
			Verify: applytest.Good,
		})
	editing.Wait()
	var stale *apply.StaleError
	if got := applytest.Read(t, path); !errors.As(err, &stale) || got != applytest.Commented+edit {
		t.Errorf("%v\n%s", err, got)
	}
	alone(t, path)
}

// TestEditorsAllTheTime applies and rolls back while an editor saves lines: in the end every line is there.
func TestEditorsAllTheTime(t *testing.T) {
	lines, applied := 0, 0
	for range 40 {
		l, a := editAndApply(t)
		lines, applied = lines+l, applied+a
	}
	t.Logf("%d lines, %d applies went through", lines, applied)
	if lines == 0 || applied == 0 {
		t.Error("one of the two did nothing")
	}
}

// editAndApply ends with the first conflict, which stays for a person to resolve.
func editAndApply(t *testing.T) (lines, applied int) {
	t.Helper()
	path := applytest.WriteConf(t, applytest.Commented)
	s := OpenSambaOn(path, applytest.Quiet{})
	e := engineFor(t, s)
	stop := make(chan struct{})
	var editing sync.WaitGroup
	editing.Go(func() {
		for ; ; lines++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			}
			saveIn(t, path, fmt.Sprintf("# line %d of an editor\n", lines))
		}
	})
	plan := restrict()
	var said []string
	for range 20 {
		j, err := e.Apply(t.Context(), engine.Request{
			Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
			Bytes: []byte("{}"), Target: s, Verify: applytest.Good,
		})
		if err == nil {
			applied++
			_, err = e.Rollback(t.Context(), j.ID, false)
		}
		if err != nil {
			said = append(said, err.Error())
		}
		var unfinished *engine.UnfinishedError
		if errors.As(err, &unfinished) {
			break
		}
	}
	close(stop)
	editing.Wait()
	got := applytest.Read(t, path)
	// If both files were written during the exchange, the older edit remains next to the file, and the error has named
	// it.
	beside, _ := filepath.Glob(filepath.Join(filepath.Dir(path), draftPrefix(path)+"*"))
	for _, name := range beside {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, name) }) {
			t.Errorf("%s is left, and nobody was told", name)
		}
		got += applytest.Read(t, name)
	}
	for i := range lines {
		if line := fmt.Sprintf("# line %d of an editor\n", i); !strings.Contains(got, line) {
			t.Errorf("lost: %s", line)
		}
	}
	return lines, applied
}

// TestOneAtATime: two applies to one file, with different state directories and by two names.
func TestOneAtATime(t *testing.T) {
	path := applytest.WriteConf(t, applytest.Commented)
	link := filepath.Join(applytest.MemoryDir(t), "link.conf")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	one, other := OpenSambaOn(path, applytest.Quiet{}), OpenSambaOn(link, applytest.Quiet{})
	plan := restrict()
	request := func(s *Samba, verify func() error) engine.Request {
		return engine.Request{
			Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"), Target: s,
			Verify: func(ctx context.Context) (apply.Evidence, error) {
				if err := verify(); err != nil {
					return nil, err
				}
				return applytest.Good(ctx)
			},
		}
	}
	second := engineFor(t, other)
	j, err := engineFor(t, one).Apply(t.Context(), request(one, func() error {
		_, err := second.Apply(t.Context(), request(other, func() error { return nil }))
		if !errors.Is(err, engine.ErrTargetBusy) {
			t.Errorf("a second apply on the same file: %v", err)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(applytest.Read(t, path), "restrict anonymous = 2") != 1 {
		t.Errorf("%s: %s", j.ID, applytest.Read(t, path))
	}
}

// TestReplace tests file systems on which two files cannot exchange their names.
func TestReplace(t *testing.T) {
	for name, c := range map[string]struct {
		// An edit before the comparison, and one of the old file after.
		before, after func(t *testing.T, path string, old *os.File)
		edited        bool
	}{
		"nobody edits": {},
		"a new file before": {
			before: func(t *testing.T, path string, _ *os.File) { saveAs(t, path, edit) },
			edited: true,
		},
		"in place before": {
			before: func(t *testing.T, path string, _ *os.File) { saveIn(t, path, edit) },
			edited: true,
		},
		"in place after, by one who had it open": {after: func(t *testing.T, _ string, old *os.File) {
			if _, err := old.WriteString(edit); err != nil {
				t.Error(err)
			}
		}, edited: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := applytest.WriteConf(t, applytest.Commented)
			from, err := readFile(path)
			if err != nil {
				t.Fatal(err)
			}
			to := from
			to.Data = []byte("# replaced\n")
			draft, err := makeDraft(path, to, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			old, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			if c.before != nil {
				c.before(t, path, old)
			}
			err = replace(draft, path, old, from, func(string) {
				if c.after != nil {
					c.after(t, path, old)
				}
			})
			var stale *apply.StaleError
			if errors.As(err, &stale) != c.edited || !c.edited && err != nil {
				t.Errorf("%v", err)
			}
			want := string(to.Data)
			if c.edited {
				want = applytest.Commented + edit
			}
			if got := applytest.Read(t, path); got != want {
				t.Errorf("there is %q, want %q", got, want)
			}
			if left, _ := filepath.Glob(draft + ".old"); left != nil {
				t.Errorf("%v is left", left)
			}
		})
	}
}
