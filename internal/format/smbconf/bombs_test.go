package smbconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestBombs: files that once took gigabytes or minutes meet a bound; large files within all bounds are read. The
// harness of the command line measures their cost.
func TestBombs(t *testing.T) {
	var sections, chain, globals strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&sections, "[%d]\n", i)
	}
	for i := range 2000 {
		fmt.Fprintf(&chain, "[c%d]\no:%d = 1\n", i, i)
		if i > 0 {
			fmt.Fprintf(&chain, "copy = c%d\n", i-1)
		}
	}
	for i := range 150_000 {
		fmt.Fprintf(&globals, "[global]\nguest ok = yes\n[s%d]\n", i%10_000)
	}
	for _, c := range []struct{ name, text, want string }{
		{"sections", sections.String(), "20000 sections"},
		{"copy", chain.String(), "1000000 assignments that shares take over"},
		{"assignments", "[s]\n" + strings.Repeat("a:b=\n", 400_000), "300000 assignments"},
		{"line", "[s]\ncomment = " + strings.Repeat("x", 2<<20) + "\n", "1024 KiB in one line"},
		{"continued line", "[s]\ncomment = " + strings.Repeat("xxxxxxx\\\n", 200_000) + "\n", "1024 KiB in one line"},
		{"includes", strings.Repeat("include = big\n", 20), "32 MiB with what is included"},
		{"defaults again and again", globals.String(), ""},
		{"no equals sign", strings.Repeat("a\n", 1<<20), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := files{"smb.conf": c.text, "big": strings.Repeat("; a comment\n", 8<<20/12)}
			got, err := Load("smb.conf", Options{ReadFile: fsys.read})
			if c.want == "" {
				if err != nil || len(got.Problems) > maxProblems+1 {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := Set("smb.conf", Options{ReadFile: fsys.read}, "global", "restrict anonymous",
				"2"); !errors.Is(err, ErrLimit) {
				t.Errorf("editing it: %v", err)
			}
		})
	}
	c := mustLoad(t, files{"smb.conf": strings.Repeat("a\n", 5000)}, Options{})
	if last := c.Problems[len(c.Problems)-1].String(); len(c.Problems) != maxProblems+1 ||
		!strings.Contains(last, "4000 more problems") {
		t.Errorf("%d problems, the last is %s", len(c.Problems), last)
	}
}

// TestCopyChain reads the chain that once took 2 GiB.
func TestCopyChain(t *testing.T) {
	path := filepath.Join(peer.ModuleRoot(t), "../shared/cases/hostile/05-smbconf-bombs/copychain.conf")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	if _, err := Load(path, Options{}); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
}

// TestDefaults: shares that share [global]'s defaults keep them separate from later settings.
func TestDefaults(t *testing.T) {
	c := mustLoad(t,
		files{"smb.conf": "guest ok = yes\n[a]\n[b]\nguest ok = no\n[c]\nx:y = 1\n[global]\ncomment = " +
			"late\n[d]\n[c]\n[e]\ncopy = b\n"}, Options{})
	for _, want := range []struct {
		share, name, value string
	}{
		{"a", "guest ok", "yes"},
		{"b", "guest ok", "no"},
		{"c", "comment", ""},
		{"c", "x:y", ""},
		{"d", "comment", "late"},
		{"e", "guest ok", "no"},
		{"e", "comment", ""},
	} {
		if p, _ := c.Share(want.share).Get(want.name); p.Value != want.value {
			t.Errorf("[%s] %s = %q, want %q", want.share, want.name, p.Value, want.value)
		}
	}
}

// FuzzEdit changes and removes a parameter of any configuration: the change is in force, its bytes undo it, and a file
// that Samba would not read is not changed.
func FuzzEdit(f *testing.F) {
	f.Add([]byte("[global]\nrestrict anonymous = 0\n[s]\npath=/s\n"), "s", "guest ok", "no")
	f.Add([]byte("[S]\r\npublic = yes\r\ninclude = smb.conf\r\n"), "s", "guest ok", "yes")
	f.Add([]byte("include = inc\n[a]\nx:y=z\\\n b\n[b]\ncopy = a\n"), "b", "x:y", "1")
	f.Add([]byte("# c"), "IPC$", "hosts deny", "ALL")
	f.Fuzz(func(t *testing.T, b []byte, section, name, value string) {
		fsys := files{"smb.conf": string(b), "inc": "[c]\nguest ok = yes\n"}
		o := Options{ReadFile: fsys.read}
		if e, err := Remove("smb.conf", o, section, name); err == nil {
			fsys["smb.conf"] = string(e.After)
			c, err := Load("smb.conf", o)
			if err != nil || c.Broken != nil {
				t.Fatalf("removed: %v", err)
			}
			fsys["smb.conf"] = string(b)
		}
		e, err := Set("smb.conf", o, section, name, value)
		if err != nil {
			return
		}
		if string(e.Before) != string(b) {
			t.Fatal("the way back is not what was there")
		}
		fsys["smb.conf"] = string(e.After)
		c, err := Load("smb.conf", o)
		if err != nil || c.Broken != nil || c.Section(section) == nil && !c.Registry {
			t.Fatalf("%v, %v", err, c.Broken)
		}
	})
}
