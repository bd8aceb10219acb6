package smbconf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// files is a file system for Options.ReadFile.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	s, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(s), nil
}

func mustLoad(t *testing.T, f files, o Options) *Config {
	t.Helper()
	o.ReadFile = f.read
	c, err := Load("smb.conf", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlaces(t *testing.T) {
	c := mustLoad(t, files{
		"smb.conf": "workgroup = A\n[global]\n  restrict anonymous = 1\n; x\nrestrictanonymous=2\nserver \\\n  " +
			"string = two \\\n  lines\n" +
			"guest ok = yes\ninclude = /etc/%L.conf\n[share]\nwriteable = yes\n",
		"/r/etc/host.conf": "log level = 3\n\n[IPC$]\nhosts deny = ALL, EXCEPT 10.\n",
	}, Options{Macros: map[byte]string{'L': "host"}, Root: "/r"})
	if len(c.Problems) != 0 || c.Partial || !slices.Equal(c.Files, []string{"smb.conf", "/r/etc/host.conf"}) {
		t.Errorf("%+v", c)
	}
	p, ok := c.Global.Get("Restrict Anonymous")
	if n, _ := p.Int(); !ok || n != 2 || p.Line != 5 || p.File != "smb.conf" {
		t.Errorf("%+v", p)
	}
	if p, _ := c.Global.Get("server string"); p.Value != "two lines" || p.Line != 6 {
		t.Errorf("%+v", p)
	}
	if p, _ := c.Global.Get("log level"); p.File != "/r/etc/host.conf" || p.Line != 1 {
		t.Errorf("%+v", p)
	}
	ipc := c.Share("ipc$")
	if p, _ := ipc.Own("hosts deny"); !slices.Equal(p.List(), []string{"ALL", "EXCEPT", "10."}) {
		t.Errorf("%+v", p)
	}
	if _, ok := ipc.Own("guest ok"); ok {
		t.Error("guest ok is not IPC$'s own")
	}
	if p, ok := ipc.Get("public"); !ok || p.Line != 9 {
		t.Errorf("inherited: %+v", p)
	}
	if p, _ := c.Share("share").Get("read only"); !p.Inverse {
		t.Errorf("%+v", p)
	} else if b, ok := p.Bool(); b || !ok {
		t.Errorf("read only = %v", b)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		partial, broken  bool
	}{
		{"itself", "include = smb.conf\n", "100 files within one another", true, false},
		{"macro", "include = /etc/%m.conf\n", "macro", true, false},
		{"absent", "include = /none\n", "is not there", false, false},
		{"registry", "include = registry\n", "Samba's registry", true, false},
		{"registry in a share", "[s]\ninclude = registry\n", "only has an effect in [global]", false, false},
		{"backend", "config backend = registry\n", "config backend", true, false},
		{"unknown", "restrict anonymus = 2\n", `unknown parameter "restrict anonymus"`, false, false},
		{"global in share", "[IPC$]\nrestrict anonymous = 2\n", "no effect in [IPC$]", false, false},
		{"boolean", "[s]\nguest ok = maybe\ncomment = x\n", "is no boolean", true, true},
		{"section", "[s\n", "without its ]", true, true},
		{"name", "[]\n", "without a name", true, true},
		{"equals", " = 3\n", "starts with =", true, true},
		{"copy", "[s]\ncopy = t\n", "no share", true, true},
		{"config file", "config file = /other\n", "this file is used", false, false},
		{"config file with a macro", "config file = /%m\n", "macro", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustLoad(t, files{"smb.conf": c.text}, Options{})
			if len(got.Problems) == 0 || !strings.Contains(got.Problems[len(got.Problems)-1].String(), c.want) ||
				!strings.HasPrefix(got.Problems[0].String(), "smb.conf:") {
				t.Errorf("problems %v, want %q", got.Problems, c.want)
			}
			if got.Partial != c.partial || (got.Broken != nil) != c.broken {
				t.Errorf("partial %v, broken %v", got.Partial, got.Broken)
			}
		})
	}
	if _, err := Load("/nonexistent/smb.conf", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(t.TempDir(), Options{}); err == nil {
		t.Error("a folder was read")
	}
}

// TestRegistry: Samba's registry is read where Samba reads it: at the include, or instead of the file.
func TestRegistry(t *testing.T) {
	stored := []byte("[global]\n\trestrict anonymous = 1\n\tmap to guest = Bad User\n[share]\n\tpath = /x\n")
	include := mustLoad(t,
		files{"smb.conf": "[global]\nrestrict anonymous = 2\ninclude = registry\nmap to guest = Never\nworkgroup = " +
			"A\n"}, Options{Registry: stored})
	backend := mustLoad(t,
		files{"smb.conf": "[global]\nrestrict anonymous = 2\nserver role = member server\nconfig backend = " +
			"registry\n[old]\npath = /y\n"}, Options{Registry: stored})
	for _, c := range []struct {
		in                *Config
		name, value, file string
	}{
		{include, "restrict anonymous", "1", RegistryFile},
		{include, "map to guest", "Never", "smb.conf"},
		{include, "workgroup", "A", "smb.conf"},
		{backend, "restrict anonymous", "1", RegistryFile},
		{backend, "map to guest", "Bad User", RegistryFile},
		{backend, "server role", "", ""},
		{backend, "config backend", "registry", "smb.conf"},
	} {
		if p, _ := c.in.Global.Get(c.name); p.Value != c.value || p.File != c.file {
			t.Errorf("%s = %q from %q, want %q from %q", c.name, p.Value, p.File, c.value, c.file)
		}
	}
	for _, c := range []*Config{include, backend} {
		if !c.Registry || c.Partial || len(c.Problems) > 0 || c.Share("share") == nil || c.Share("old") != nil {
			t.Errorf("%+v", c)
		}
	}
	if c := mustLoad(t, files{"smb.conf": "restrict anonymous = 2\nconfig backend = registry\n"},
		Options{}); !c.Partial || len(c.Global.All()) != 1 {
		t.Errorf("without the registry: %+v", c)
	}
}

// TestManyIncludes: files that include two others each come to an end.
func TestManyIncludes(t *testing.T) {
	c := mustLoad(t, files{"smb.conf": "include = smb.conf\ninclude = smb.conf\n"}, Options{})
	if len(c.Files) > maxFiles || !c.Partial {
		t.Errorf("%d files", len(c.Files))
	}
}

func TestConfigFile(t *testing.T) {
	c := mustLoad(t, files{"smb.conf": "workgroup = a\nconfig file = /other\n", "/other": "workgroup = b\n"}, Options{})
	if p, _ := c.Global.Get("workgroup"); p.Value != "b" || p.File != "/other" {
		t.Errorf("%+v", p)
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct{ name, before, section, param, value, after string }{
		{
			"in place", "# c\n[global]\n\tRestrict  Anonymous=0   \n# d\n", "global", "restrict anonymous", "2",
			"# c\n[global]\n\trestrict anonymous = 2\n# d\n",
		},
		{
			"the last one", "[global]\nrestrict anonymous=0\nrestrict anonymous=1\n", "global", "restrict anonymous",
			"2",
			"[global]\nrestrict anonymous=0\nrestrict anonymous = 2\n",
		},
		{"a synonym", "[s]\npublic = yes\n", "s", "guest ok", "no", "[s]\nguest ok = no\n"},
		{"an inverse synonym", "[s]\nwriteable = yes\n", "S", "read only", "yes", "[s]\nread only = yes\n"},
		{
			"added", "[global]\n\tworkgroup = x\n\n[s]\n  path = /s\n# end\n", "s", "hosts deny", "ALL",
			"[global]\n\tworkgroup = x\n\n[s]\n  path = /s\n  hosts deny = ALL\n# end\n",
		},
		{"to an empty section", "[s]\n[t]\n", "s", "comment", "x y", "[s]\n\tcomment = x y\n[t]\n"},
		{
			"new section", "[global]\nworkgroup = x", "IPC$", "hosts deny", "ALL",
			"[global]\nworkgroup = x\n\n[IPC$]\n\thosts deny = ALL\n",
		},
		{
			"DOS line ends", "[s]\r\npublic = yes\r\npath = /s\r\n", "s", "guest ok", "no",
			"[s]\r\nguest ok = no\r\npath = /s\r\n",
		},
		{"continued", "[s]\ncomment = a \\\n b\npath = /s\n", "s", "comment", "c", "[s]\ncomment = c\npath = /s\n"},
		{"empty file", "", "global", "restrict anonymous", "2", "restrict anonymous = 2\n"},
		{"no newline at the end", "[s]\n path=/s", "s", "comment", "c", "[s]\n path=/s\n comment = c"},
		{
			"after an include that decides", "[global]\nrestrict anonymous = 1\ninclude = inc\n", "global",
			"restrict anonymous", "2", "[global]\nrestrict anonymous = 1\ninclude = inc\nrestrict anonymous = 2\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := files{"smb.conf": c.before, "inc": "restrict anonymous = 0\n"}
			e, err := Set("smb.conf", Options{ReadFile: f.read}, c.section, c.param, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(e.After) != c.after || string(e.Before) != c.before {
				t.Errorf("got  %q\nwant %q", e.After, c.after)
			}
		})
	}
	f := files{"smb.conf": "[global]\n", "broken": "[x\n"}
	for _, bad := range [][3]string{
		{"s", "comment", "a\nb"},
		{"s", "comment", `a\`},
		{"s", "comment", " a"},
		{"s]", "comment", "a"},
		{"s", "a=b", "c"},
		{"s", "guest ok", "maybe"},
		{"s", "restrict anonymous", "2"},
	} {
		if e, err := Set("smb.conf", Options{ReadFile: f.read}, bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%q was written: %q", bad, e.After)
		}
	}
	if _, err := Set("broken", Options{ReadFile: f.read}, "s", "comment", "x"); err == nil {
		t.Error("a file that Samba refuses was changed")
	}
}

func TestRemove(t *testing.T) {
	f := files{
		"smb.conf": "[s]\n# keep\n public = yes\npath = /s\nguest ok = no # c\n[t]\npublic=yes\n",
		"inc":      "[s]\npublic=yes\n", "two": "[s]\npublic=no\ninclude=inc\n",
	}
	e, err := Remove("smb.conf", Options{ReadFile: f.read}, "s", "guest ok")
	if err == nil {
		t.Fatalf("a value that is no boolean was passed over: %q", e.After)
	}
	f["smb.conf"] = strings.ReplaceAll(f["smb.conf"], " # c", "")
	if e, err = Remove("smb.conf", Options{ReadFile: f.read}, "s", "guest ok"); err != nil {
		t.Fatal(err)
	}
	if want := "[s]\n# keep\npath = /s\n[t]\npublic=yes\n"; string(e.After) != want {
		t.Errorf("got %q, want %q", e.After, want)
	}
	if _, err = Remove("two", Options{ReadFile: f.read}, "s", "guest ok"); err == nil {
		t.Error("an include still sets it")
	}
}

// TestEdits changes any configuration and checks the contract: the value is in force, and only one run of bytes
// differs. testparm reads each result too.
func TestEdits(t *testing.T) {
	bin := findTestparm(t)
	path := filepath.Join(t.TempDir(), "smb.conf")
	rapid.Check(t, func(t *rapid.T) {
		text := genText(t, nil)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		section := rapid.SampledFrom([]string{"global", "one", "IPC$", "new one"}).Draw(t, "section")
		change := rapid.SampledFrom([][2]string{
			{"guest ok", "no"},
			{"comment", "x y"},
			{"hosts deny", "ALL"},
			{"restrict anonymous", "2"},
			{"map to guest", "Never"},
		}).Draw(t, "change")
		if p, _ := Lookup(change[0]); !p.Share {
			section = "global"
		}
		e, err := Set(path, Options{}, section, change[0], change[1])
		if err != nil {
			c, err2 := Load(path, Options{})
			if err2 != nil || c.Broken == nil && !c.Registry { // config backend = registry: no line of the file counts
				t.Fatalf("%v\n%s", err, text)
			}
			return
		}
		head, tail := 0, 0
		for head < min(len(e.Before), len(e.After)) && e.Before[head] == e.After[head] {
			head++
		}
		for tail < min(len(e.Before), len(e.After))-head &&
			e.Before[len(e.Before)-1-tail] == e.After[len(e.After)-1-tail] {
			tail++
		}
		if gone := bytes.Count(e.Before[head:len(e.Before)-tail], []byte("\n")); gone > 2 {
			t.Fatalf("%d lines went\n%s\n---\n%s", gone, e.Before, e.After)
		}
		if err := os.WriteFile(path, e.After, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, ok := c.Section(section).Own(change[0])
		if !ok || p.Value != change[1] {
			t.Fatalf("%+v\n%s", p, e.After)
		}
		if fmt.Sprint(p.Line)[0] == '1' { // a tenth of them: testparm is slow
			compare(t, bin, path)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("[global]\nrestrict anonymous = 2\n[IPC$]\nhosts deny = ALL\\\n x\ninclude = smb.conf\ncopy=a\n"))
	f.Add([]byte("include = inc\n[a]\nx:y=z\n[b]\ncopy = a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := files{"smb.conf": string(b), "inc": "[c]\nguest ok = yes\n"}
		o := Options{ReadFile: fsys.read}
		c, err := Load("smb.conf", o)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Shares {
			for _, p := range s.All() {
				p.List()
				p.Int()
			}
		}
		e, err := Set("smb.conf", o, "global", "restrict anonymous", "2")
		if err != nil {
			return
		}
		fsys["smb.conf"] = string(e.After)
		if c, err = Load("smb.conf", o); err != nil || c.Broken != nil {
			t.Fatalf("%v, %v", err, c.Broken)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	fsys := files{"smb.conf": strings.Repeat(
		"[global]\nrestrict anonymous = 2\n[IPC$]\nhosts deny = ALL\n[s]\n path = /s\n guest ok = yes\n", 20)}
	for b.Loop() {
		if _, err := Load("smb.conf", Options{ReadFile: fsys.read}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWithoutPath: a share without a path is unavailable, and so is one that copies it; a repeated section that copies
// a share is like that share, because nothing was set here.
func TestWithoutPath(t *testing.T) {
	text := "[t]\nguest ok = yes\n[a]\ncopy = t\npath = /a\n[b]\ncopy = t\navailable = yes\npath = /b\n[c]\nguest " +
		"ok = yes\n[d]\npath = /d\n[c]\ncopy = d\n[printers]\nprintable = no\npath = /p\n"
	c, err := Load("smb.conf", Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"t": "no", "a": "no", "b": "yes", "c": "", "d": "", "printers": ""} {
		if p, _ := c.Share(name).Get("available"); p.Value != want {
			t.Errorf("[%s] available = %q, want %q", name, p.Value, want)
		}
	}
	if p, _ := c.Share("printers").Get("printable"); p.Value != "yes" {
		t.Errorf("[printers] printable = %q", p.Value)
	}
}

// TestSecondReading checks each case against smbd 4.17.12, which reads its configuration again on top of the first
// reading. The shares' folders existed.
func TestSecondReading(t *testing.T) {
	for _, test := range []struct {
		name, text, share, param, want string
	}{
		{
			"a later line opens the copy", "[a]\npath=/d\n[b]\ncopy=a\npath=/d\n[a]\nguest ok=yes\n", "b", "guest ok",
			"yes",
		},
		{
			"a later line takes the copy away", "[a]\npath=/d\n[b]\ncopy=a\nguest ok=yes\npath=/d\n[a]\navailable=no\n",
			"b", "available", "no",
		},
		{
			"and refuses users of it", "[a]\npath=/d\nguest ok=yes\n[b]\ncopy=a\npath=/d\n[a]\ninvalid users=nobody\n",
			"b", "invalid users", "nobody",
		},
		{
			"a line of its own stays", "[a]\npath=/d\n[b]\ncopy=a\nguest ok=no\npath=/d\n[a]\nguest ok=yes\n", "b",
			"guest ok", "no",
		},
		{
			"without copy nothing spreads", "[a]\npath=/d\n[b]\nguest ok=yes\npath=/d\n[a]\navailable=no\n", "b",
			"available", "",
		},
		{
			"a default that comes late stays late", "[a]\npath=/d\n[b]\ncopy=a\npath=/d\n[global]\nguest ok=yes\n[a]\n",
			"b", "guest ok", "",
		},
		{"a path that comes late", "[a]\navailable=yes\n[b]\npath=/d\n[a]\npath=/d\n", "a", "available", "yes"},
		{"a path that comes late, and nothing else", "[a]\n[b]\npath=/d\n[a]\npath=/d\n", "a", "available", "no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := mustLoad(t, files{"smb.conf": test.text}, Options{})
			if p, _ := c.Share(test.share).Get(test.param); p.Value != test.want {
				t.Errorf("%q, want %q", p.Value, test.want)
			}
		})
	}
}

// TestAddRegistry adds the registry's shares: its lines count before those of the files, a new share begins with the
// defaults of [global], and a copy finds the shares of both, in any order. [M] samba-4.17.12
func TestAddRegistry(t *testing.T) {
	c := mustLoad(t, files{"smb.conf": "[global]\nguest ok = no\n[both]\npath = /a\nguest ok = yes\ncomment = file\n" +
		"[late]\ncomment = no path yet\n[template]\npath = /t\nguest ok = yes\navailable = no\n"}, Options{})
	stored, err := c.AddRegistry([]byte("[global]\nguest ok = yes\n[third]\ncopy = second\n[BOTH]\ncomment = registry\n"+
		"[new]\npath = /b\n[late]\npath = /c\n[bare]\ncomment = no path\n[second]\ncopy = both\n"+
		"[secret]\ncopy = template\navailable = yes\n[lost]\npath = /l\nguest ok = yes\ncopy = nowhere\nguest ok = no\n"+
		"[after]\ncopy = lost\n[open]\npath = /o\nguest ok = yes\ncopy = new\n[one]\ncopy = two\n[two]\ncopy = one\n"),
		Options{})
	if err != nil || len(c.Shares) != 13 || len(stored) != 12 {
		t.Fatalf("%v, %d shares, of the registry %d", err, len(c.Shares), len(stored))
	}
	for _, x := range []struct{ share, name, want string }{
		{"both", "comment", "registry"},
		{"both", "guest ok", "yes"},
		{"late", "available", "no"}, // smbd took it away when it read the file
		{"new", "guest ok", "no"},
		{"new", "path", "/b"},
		{"bare", "available", "no"},
		{"second", "guest ok", "yes"},
		{"third", "path", "/a"},
		{"third", "comment", "registry"},
		{"secret", "guest ok", "yes"},
		{"secret", "path", "/t"},
		{"secret", "available", "yes"},
		{"lost", "guest ok", "yes"},
	} {
		if p, _ := c.Share(x.share).Get(x.name); p.Value != x.want {
			t.Errorf("[%s] %s is %q, want %q", x.share, x.name, p.Value, x.want)
		}
	}
	for _, s := range stored {
		want := map[string]string{
			"lost": `there is no share "nowhere"`, "after": `"lost" are not all known`, "open": "asked for it before",
			"one": `"two" are not all known`, "two": `there is no share "one"`,
		}[s.Name]
		if (want == "") != (s.Unread == "") || !strings.Contains(s.Unread, want) {
			t.Errorf("[%s] %q, want %q", s.Name, s.Unread, want)
		}
	}
	for _, many := range []string{strings.Repeat("comment = x\n", maxParams+1), strings.Repeat("a\n", 2*maxParams)} {
		if _, err := c.AddRegistry([]byte("[s]\n"+many), Options{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%v", err)
		}
	}
}
