package smbconf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestChange compares many changes at once with the same ones made one after another: the same bytes, or no change at
// all.
func TestChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smb.conf")
	atOnce := 0
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(genText(t, nil))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var list []Assign
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			a := rapid.SampledFrom([]Assign{
				{Name: "guest ok", Value: "no"},
				{Name: "guest only", Value: "no"},
				{Name: "comment", Value: "x y"},
				{Name: "guest ok", Remove: true},
				{Section: "global", Name: "restrict anonymous", Value: "2"},
				{Section: "global", Name: "map to guest", Value: "Never"},
				{Name: "public", Value: "no"},
			}).Draw(t, "change")
			if a.Section == "" {
				a.Section = rapid.SampledFrom([]string{"global", "one", "Two", "IPC$", "new one"}).Draw(t, "section")
			}
			list = append(list, a)
		}
		want, at := text, -1
		var cause error
		for i, a := range list {
			e, err := edit(path, Options{ReadFile: func(string) ([]byte, error) { return want, nil }}, a.Section,
				a.Name, map[bool]*string{false: &a.Value}[a.Remove])
			if err != nil {
				at, cause = i, err
				break
			}
			want = e.After
		}
		e, _, err := Change(path, Options{}, list)
		if i, one := IndexOf(err); cause != nil && (!one || i != at || err.Error() != cause.Error()) {
			if err != nil || e == nil { // all at once may succeed when one after another fails
				t.Fatalf("%v, want change %d: %v\n%s", err, at, cause, text)
			}
			return
		}
		if cause == nil && (err != nil || !bytes.Equal(e.After, want)) {
			t.Fatalf("%v %+v\n%s\n--- at once\n%s\n--- one by one\n%s", err, list, text, e.After, want)
		}
		if _, _, ok := together(path, Options{ReadFile: ReadFile}, text, list); ok {
			atOnce++
		}
	})
	if atOnce == 0 {
		t.Error("no changes were made at once")
	}
}

// manyGuests returns a configuration of n shares that are open to guests, and the changes that close them.
func manyGuests(n int) (text string, list []Assign) {
	var b strings.Builder
	b.WriteString("[global]\n\tmap to guest = bad user\n")
	for i := range n {
		fmt.Fprintf(&b, "[share%d]\n\tpath = /srv/%d\n\tguest ok = yes\n", i, i)
		list = append(list, Assign{Section: fmt.Sprint("share", i), Name: "guest ok", Value: "no"})
	}
	return b.String(), append(list, Assign{Section: "global", Name: "restrict anonymous", Value: "2"})
}

// TestChangeAtOnce: changes of a plan are made at once: one after another, 2,000 changes would read the file 6,000
// times.
func TestChangeAtOnce(t *testing.T) {
	text, list := manyGuests(2000)
	reads := 0
	e, needed, err := Change("smb.conf",
		Options{ReadFile: func(string) ([]byte, error) { reads++; return []byte(text), nil }}, list)
	if err != nil || len(needed) != len(list) || reads > 3 {
		t.Fatalf("%v, %d of %d needed, %d reads", err, len(needed), len(list), reads)
	}
	if n := strings.Count(string(e.After), "guest ok = no"); n != 2000 {
		t.Errorf("%d", n)
	}
}

// BenchmarkChange makes the changes of a plan for as many shares: the time per share stays the same.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{1000, 4000, 16000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text, list := manyGuests(n)
			o := Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
			for b.Loop() {
				if _, needed, err := Change("smb.conf", o, list); err != nil || len(needed) != n+1 {
					b.Fatal(err, len(needed))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/share")
		})
	}
}

// TestSectionsWithSigns changes sections whose names have signs that stand elsewhere in a line.
func TestSectionsWithSigns(t *testing.T) {
	const text = "[a=b]\npath = /a\n[x:y #1]\n\tpath = /b\n[a=b]\ncomment = again\n"
	o := Options{ReadFile: files{"smb.conf": text}.read}
	e, needed, err := Change("smb.conf", o, []Assign{
		{Section: "A=B", Name: "server smb encrypt", Value: "required"},
		{Section: "x:y #1", Name: "guest ok", Value: "no"},
	})
	const want = "[a=b]\npath = /a\n[x:y #1]\n\tpath = /b\n\tguest ok = no\n[a=b]\ncomment = again\n" +
		"server smb encrypt = required\n"
	if err != nil || len(needed) != 2 || string(e.After) != want {
		t.Errorf("%v, %v: %q", err, needed, e)
	}
	for _, section := range []string{"a]b", "a[b", ""} {
		if _, err := Set("smb.conf", o, section, "guest ok", "no"); err == nil {
			t.Errorf("[%s] was written", section)
		}
	}
}
