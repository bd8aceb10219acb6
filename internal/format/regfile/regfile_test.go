package regfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
	"pgregory.net/rapid"

	"ipcguard/internal/format/hive"
	"ipcguard/internal/format/registry"
)

const sample = `Windows Registry Editor Version 5.00

; a comment
[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa]
"RestrictAnonymous"=dword:00000001
@="say \"hi\" to C:\\"
"Gone"=-
"Sddl" = "O:BAG:BAD:(A;;RC;;;BA)" ; trailing
"two
lines"="a
b"

[HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters]
"NullSessionPipes"=hex(7):73,00,61,00,6d,00,72,00,00,00,6c,00,\
  73,00,\
  ; inside
  61,00,00,00,00,00
"Empty"=hex(7):
"Q"=hex(b):01,00,00,00,00,00,00,00
"B"=hex:

[-HKEY_CURRENT_USER\Software\Old]
`

func TestParse(t *testing.T) {
	for _, crlf := range []bool{false, true} {
		text := sample
		if crlf {
			text = strings.ReplaceAll(sample, "\n", "\r\n")
		}
		le := append([]byte{0xff, 0xfe}, registry.EncodeUTF16(text)...)
		be := bytes.Clone(le)
		for i := 0; i+1 < len(be); i += 2 {
			be[i], be[i+1] = be[i+1], be[i]
		}
		for name, b := range map[string][]byte{
			"UTF-8": []byte(text), "BOM": append([]byte{0xef, 0xbb, 0xbf}, text...),
			"LE": le, "BE": be,
		} {
			t.Run(name, func(t *testing.T) {
				f, err := Parse(b)
				if err != nil {
					t.Fatal(err)
				}
				var tr registry.Tree
				f.Apply(&tr)
				lsa, lms := `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`,
					`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
				if v, _ := tr.Value(lsa, "RestrictAnonymous"); !reflect.DeepEqual(v,
					registry.NewDWord(lsa, "RestrictAnonymous", 1)) {
					t.Errorf("got %v", v)
				}
				if s, err := must(t, &tr, lsa, "").Text(); s != `say "hi" to C:\` || err != nil {
					t.Errorf("default %q, %v", s, err)
				}
				if l, err := must(t, &tr, lms, "NullSessionPipes").Strings(); len(l) != 2 || l[0] != "samr" ||
					l[1] != "lsa" || err != nil {
					t.Errorf("list %q, %v", l, err)
				}
				if v := must(t, &tr, lms, "Empty"); len(v.Data) != 0 || v.Type != registry.MultiSZ {
					t.Errorf("empty list %v", v)
				}
				if n, err := must(t, &tr, lms, "Q").QWord(); n != 1 || err != nil {
					t.Errorf("qword %d, %v", n, err)
				}
				last := f.Ops[len(f.Ops)-1]
				if last.Kind != DeleteKey || last.Value.Key != `HKCU\Software\Old` || last.Line != 22 {
					t.Errorf("last %+v", last)
				}
			})
		}
	}
}

func must(t *testing.T, r registry.Reader, key, name string) registry.Value {
	t.Helper()
	v, err := r.Value(key, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRegedit4(t *testing.T) {
	f, err := Parse([]byte("REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\X]\n\"l\"=hex(7):61,00,62,00,00\n\"caf\xe9\"=\"x\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := f.Ops[1].Value.Strings(); len(l) != 2 || l[1] != "b" || err != nil {
		t.Errorf("%q, %v", l, err)
	}
	if f.Ops[2].Value.Name != "café" {
		t.Errorf("name %q", f.Ops[2].Value.Name)
	}
}

// TestErrors: an error has its position, and the lines around it are kept.
func TestErrors(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n[HKLM\\A]\n"
	for _, c := range []struct {
		text, want string
		ops        int
	}{
		{head + "\"x\"=hex(7):73,00,zz,00\n\"y\"=dword:1\n", "line 3, column 18: bytes must be", 2},
		{head + "\"x\"=dword:123456789\n\"y\"=dword:1\n", "line 3, column 11: dword: wants", 2},
		{head + "\"x\"=dword:\n", "line 3, column 11", 1},
		{head + "\"x=1\n", "a string without its closing quote", 1},
		{head + "\"x\"=1\n", "line 3, column 5: unknown kind of data", 1},
		{head + "\"x\"=hex(7:00\n", "line 3, column 5: hex(", 1},
		{head + "\"x\"=hex:00,,00\n", "line 3, column 12: a comma", 1},
		{head + "\"x\"=hex:00,\\ 00\n", "line 3, column 14", 1},
		{head + "nonsense\n\"y\"=dword:1\n", "line 3, column 1: neither", 2},
		{head + "[HKLM\\B\n", "line 3, column 8: a key without", 1},
		{head + "[HKXX\\B]\n\"y\"=dword:1\n", "line 3, column 2: unknown root", 1},
		{"\"y\"=dword:1\n[HKLM\\A]\n\"z\"=dword:1\n", "line 1, column 1: no header", 2},
		{"Windows Registry Editor Version 5.00\n\"y\"=dword:1\n", "line 2, column 1: a value outside", 0},
		{head + "[-HKLM\\B]\n\"y\"=dword:1\n", "line 4, column 1: a value in a key that is deleted", 2},
		{"", "line 1, column 1: no header", 0},
		{"\xff\xfeR", "odd number of bytes", 0},
	} {
		f, err := Parse([]byte(c.text))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || len(f.Ops) != c.ops {
			t.Errorf("%q: %v (%d operations), want %q (%d)", c.text, err, len(f.Ops), c.want, c.ops)
		}
	}
	if _, err := Parse([]byte(head + strings.Repeat("x\n", 1000))); strings.Count(err.Error(), "\n") != maxErrors-1 {
		t.Errorf("%d errors", strings.Count(err.Error(), "\n")+1)
	}
}

var genName = rapid.StringMatching(`[A-Za-z0-9 "\\;=\[\]é漢-]{0,12}`)

func genFile(t *rapid.T) *File {
	f := &File{Version: 5}
	for range rapid.IntRange(0, 6).Draw(t, "keys") {
		key := `HKLM\` + rapid.StringMatching(`[A-Za-z0-9 {}.]{1,8}(\\[A-Za-z0-9]{1,5}){0,3}`).Draw(t, "key")
		f.Ops = append(f.Ops, Op{Kind: AddKey, Value: registry.Value{Key: key}})
		for range rapid.IntRange(0, 4).Draw(t, "values") {
			v := registry.Value{Key: key, Name: genName.Draw(t, "name")}
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				f.Ops = append(f.Ops, Op{Kind: DeleteValue, Value: v})
				continue
			case 1:
				v = registry.NewDWord(key, v.Name, rapid.Uint32().Draw(t, "n"))
			case 2:
				v = registry.NewText(key, v.Name, rapid.String().Draw(t, "s"))
			case 3:
				v = registry.NewStrings(key, v.Name, rapid.SliceOf(genName).Draw(t, "l"))
			default:
				v.Type = registry.Type(rapid.IntRange(0, 12).Draw(t, "type"))
				v.Data = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "data")...)
			}
			f.Ops = append(f.Ops, Op{Kind: SetValue, Value: v})
		}
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFile(t)
		got, err := Parse(f.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, f.Text())
		}
		for i := range got.Ops {
			got.Ops[i].Line = 0
		}
		if len(got.Ops)+len(f.Ops) > 0 && !reflect.DeepEqual(got.Ops, f.Ops) {
			t.Fatalf("got %+v\nwant %+v\n%s", got.Ops, f.Ops, f.Text())
		}
		for _, line := range strings.Split(f.Text(), "\r\n") {
			if strings.Contains(line, ",") && !strings.HasPrefix(line, "\"") && !strings.HasPrefix(line, "@") &&
				len(line) > 80 {
				t.Fatalf("line too long: %q", line)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add(append([]byte{0xff, 0xfe}, registry.EncodeUTF16(sample)...))
	f.Add([]byte("REGEDIT4\n[HKLM\\A]\n\"a\"=hex(2):41,\\\n00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(file.Bytes())
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if len(again.Ops) < len(file.Ops) {
			t.Fatalf("%d operations of %d came back", len(again.Ops), len(file.Ops))
		}
	})
}

// TestExportedByReged reads what another program exported from a real hive and compares it with the hive itself.
func TestExportedByReged(t *testing.T) {
	reged, err := exec.LookPath("reged")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("reged is missing")
		}
		t.Skip("reged is not installed: nothing to compare with")
	}
	packed := filepath.Join("..", "..", "..", "..", "shared", "hives", "SYSTEM.xz")
	h, err := hive.OpenFile(packed)
	if err != nil {
		t.Skipf("the real hives are not present: %v", err)
	}
	defer h.Close()
	x, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	z, err := xz.NewReader(bufio.NewReader(x))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	plain, err := os.Create(filepath.Join(dir, "SYSTEM"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(plain, z); err != nil {
		t.Fatal(err)
	}
	plain.Close()
	reg := filepath.Join(dir, "out.reg")
	// reged exits with 2 if it changed nothing.
	_ = exec.Command(reged, "-x", plain.Name(), `HKEY_LOCAL_MACHINE\SYSTEM`, `ControlSet001\services\LanmanServer`,
		reg).Run()
	b, err := os.ReadFile(reg)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	m, n := h.Mount(`HKLM\SYSTEM`), 0
	for _, op := range f.Ops {
		if op.Kind != SetValue {
			continue
		}
		v, err := m.Value(op.Value.Key, op.Value.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		v.Key, v.Name = op.Value.Key, op.Value.Name
		if !reflect.DeepEqual(v, op.Value) {
			t.Errorf("got %+v\nthe hive has %+v", op.Value, v)
		}
		n++
	}
	if n < 40 {
		t.Errorf("only %d values", n)
	}
}
