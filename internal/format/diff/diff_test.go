package diff

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDiff: patch turns a into b with Unified(a, b), for random lines.
func TestDiff(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("patch is not installed")
	}
	dir, tries := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		if tries++; tries > 40 { // each starts a process
			return
		}
		text := func(label string) []byte {
			s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "long line"}), 0,
				30).Draw(rt, label), "\n")
			if s != "" && rapid.Bool().Draw(rt, label+" end") {
				s += "\n"
			}
			return []byte(s)
		}
		a, b := text("a"), text("b")
		if bytes.Equal(a, b) || len(a) == 0 || len(b) == 0 { // patch removes files that become empty
			return
		}
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, a, 0o600); err != nil {
			rt.Fatal(err)
		}
		cmd := exec.Command(patch, "-s", path)
		d := Unified("f", a, b)
		cmd.Stdin = bytes.NewReader(d)
		if out, err := cmd.CombinedOutput(); err != nil {
			rt.Fatalf("patch: %v %s\n%s", err, out, d)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
			rt.Fatalf("%q, want %q\n%s", got, b, d)
		}
	})
}

// changed counts the lines that a difference removes and adds, and rebuilds both texts from it.
func changed(t testing.TB, a, b string) (out, in int) {
	t.Helper()
	var x, y strings.Builder
	for _, l := range Lines([]byte(a), []byte(b)) {
		switch l.Sign {
		case '-':
			out++
		case '+':
			in++
		}
		if l.Sign != '+' {
			x.WriteString(l.Text)
		}
		if l.Sign != '-' {
			y.WriteString(l.Text)
		}
	}
	if x.String() != a || y.String() != b {
		t.Fatal("the difference does not make the texts")
	}
	return out, in
}

// TestFewEdits: the first line, the last and every hundredth of a large file are reported, and nothing else.
func TestFewEdits(t *testing.T) {
	for _, shares := range []int{3, 400, 20_000} {
		var a, b strings.Builder
		a.WriteString("[global]\n")
		b.WriteString("[global]\n\trestrict anonymous = 2\n")
		edits := 0
		for i := range shares {
			guest := "yes"
			if i%100 == 0 || i == shares-1 {
				guest = "no"
				edits++
			}
			fmt.Fprintf(&a, "[share%d]\n\tpath = /srv\n\tguest ok = yes\n\n", i)
			fmt.Fprintf(&b, "[share%d]\n\tpath = /srv\n\tguest ok = %s\n\n", i, guest)
		}
		if out, in := changed(t, a.String(), b.String()); out != edits || in != edits+1 {
			t.Errorf("%d shares, %d edits: %d lines taken out, %d put in", shares, edits, out, in)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb\n", "b\nc")
	f.Fuzz(func(t *testing.T, a, b string) { changed(t, a, b) })
}
