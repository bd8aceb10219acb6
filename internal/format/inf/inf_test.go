package inf

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/format/registry"
)

const sample = `[Unicode]
Unicode=yes
[System Access]
LSAAnonymousNameLookup = 0
NewGuestName = "Visitor"
; comment
[Registry Values]
MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous=4,1
"MACHINE\System\A=B"=4,0x10
MACHINE\System\Lists\Pipes=7,samr,"a,b",lsarpc
MACHINE\System\Lists\Text=7,Hello","world,second line
MACHINE\System\Lists\None=7,
MACHINE\System\Audit\Full=3,1
MACHINE\System\Text\Sddl=1,"O:BAG:BAD:(A;;RC;;;BA)"
MACHINE\System\Text\Path=2,"%SystemRoot%\x"
[Registry Keys]
"MACHINE\x",2,"D:PAR(A;CI;KA;;;BA)"
[registry values]
MACHINE\System\Late\One=4,4294967295
`

func TestParse(t *testing.T) {
	for name, b := range map[string][]byte{
		"UTF-8":  []byte(sample),
		"UTF-16": append([]byte{0xff, 0xfe}, registry.EncodeUTF16(strings.ReplaceAll(sample, "\n", "\r\n"))...),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if v, ok := f.Get("SYSTEM access", "lsaanonymousnamelookup"); v != "0" || !ok {
				t.Errorf("got %q, %v", v, ok)
			}
			if v, _ := f.Get("System Access", "NewGuestName"); v != "Visitor" {
				t.Errorf("got %q", v)
			}
			vs, bad := f.RegistryValues()
			if len(bad) != 0 || len(vs) != 9 {
				t.Fatalf("%d values, %v", len(vs), bad)
			}
			if !reflect.DeepEqual(vs[0], registry.NewDWord(`HKLM\System\CurrentControlSet\Control\Lsa`,
				"RestrictAnonymous", 1)) {
				t.Errorf("got %v", vs[0])
			}
			if n, _ := vs[1].DWord(); vs[1].Name != "A=B" || n != 16 {
				t.Errorf("got %v", vs[1])
			}
			for i, want := range map[int][]string{
				2: {"samr", "a,b", "lsarpc"}, 3: {"Hello,world", "second line"},
				4: {},
			} {
				if l, err := vs[i].Strings(); !slices.Equal(l, want) || err != nil {
					t.Errorf("%s: %q, %v", vs[i].Name, l, err)
				}
			}
			if vs[5].Type != registry.Binary || !bytes.Equal(vs[5].Data, []byte{1}) {
				t.Errorf("got %v", vs[5])
			}
			if s, _ := vs[6].Text(); s != "O:BAG:BAD:(A;;RC;;;BA)" {
				t.Errorf("got %q", s)
			}
			if s, _ := vs[7].Text(); s != `%SystemRoot%\x` || vs[7].Type != registry.ExpandSZ {
				t.Errorf("got %q", s)
			}
			if n, _ := vs[8].DWord(); n != 0xffffffff {
				t.Errorf("got %v", vs[8])
			}
			if l := f.Lines("Registry Keys"); len(l) != 1 || l[0].Key != "" {
				t.Errorf("got %v", l)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"x = 1\n":                                "line 1: a setting before",
		"[a]\n[b\n":                              "line 2: a section without",
		"[Registry Values]\nx=4,1\n":             "line 2: a registry value without a key",
		"[Registry Values]\nMACHINE\\x\n":        "line 2: a registry value without a key",
		"[Registry Values]\nMACHINE\\x\\y=1z,1":  "line 2: a registry value without the number",
		"[Registry Values]\nMACHINE\\x\\y=4,z":   "line 2: \"z\" is no 32-bit",
		"[Registry Values]\nMACHINE\\x\\y=3,256": "line 2: \"256\" is no byte",
		"[Registry Values]\nMACHINE\\x\\y=7,\"a": "line 2: a list with an open quote",
		"[Registry Values]\nMACHINE\\x\\y=11,1":  "line 2: a template cannot hold values of type REG_QWORD",
		"[a]\n\"x=4":                             "line 2: a quote without",
		"M\x00Z":                                 "NUL characters",
	} {
		f, err := Parse([]byte(text))
		_, bad := f.RegistryValues()
		err = errors.Join(append(bad, err)...)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestWrittenValuesReadBack(t *testing.T) {
	text := rapid.StringMatching(`[A-Za-z0-9,;:=()é%\\-]([A-Za-z0-9 ,;:=()é%\\-]{0,20}[A-Za-z0-9,])?`)
	rapid.Check(t, func(t *rapid.T) {
		key, name := `HKLM\System\`+rapid.StringMatching(`[A-Za-z0-9]{1,9}`).Draw(t, "key"),
			rapid.StringMatching(`[A-Za-z0-9_]{1,9}`).Draw(t, "name")
		var v registry.Value
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			v = registry.NewDWord(key, name, rapid.Uint32().Draw(t, "n"))
		case 1:
			v = registry.NewText(key, name, text.Draw(t, "s"))
		case 2:
			v = registry.NewStrings(key, name, rapid.SliceOf(text).Draw(t, "l"))
		default:
			v = registry.Value{
				Key: key, Name: name, Type: registry.Binary,
				Data: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "b")...),
			}
		}
		f := New()
		for range 2 { // the second time it is changed in place
			if err := f.SetRegistryValue(v); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Parse(f.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		vs, bad := got.RegistryValues()
		if len(bad) != 0 || len(vs) != 1 || !reflect.DeepEqual(vs[0], v) {
			t.Fatalf("got %+v, %v\nwant %+v", vs, bad, v)
		}
	})
	f := New()
	for _, v := range []registry.Value{
		registry.NewText(`HKLM\x`, "q", `a"b`), registry.NewDWord(`HKCU\x`, "q", 1),
		{Key: `HKLM\x`, Type: registry.QWord},
	} {
		if err := f.SetRegistryValue(v); err == nil {
			t.Errorf("%v was written", v)
		}
	}
}

func realTemplate() ([]byte, error) {
	return os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "gpo", "nsacyber-windows", "DomainSysvol", "GPO",
		"Machine", "microsoft", "windows nt", "SecEdit", "GptTmpl.inf"))
}

func TestRealTemplateReadsAndWritesTheSame(t *testing.T) {
	b, err := realTemplate()
	if err != nil {
		t.Skipf("the real template is not present: %v", err)
	}
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Bytes(); !bytes.Equal(got, b) {
		t.Errorf("written again it differs: %d bytes, %d before", len(got), len(b))
	}
	if vs, bad := f.RegistryValues(); len(bad) != 0 || len(vs) < 35 {
		t.Errorf("%d values, %v", len(vs), bad)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add(append([]byte{0xff, 0xfe}, registry.EncodeUTF16(sample)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		vs, _ := file.RegistryValues()
		if err != nil {
			return
		}
		again, err := Parse(file.Bytes())
		if err != nil {
			return // a name may hold what splits it when written alone
		}
		if got, _ := again.RegistryValues(); len(got) > len(vs) {
			t.Fatalf("%d values became %d", len(vs), len(got))
		}
	})
}

func TestManyLines(t *testing.T) {
	f, err := Parse([]byte("[Registry Values]\n" + strings.Repeat("x\n", maxLines+10)))
	if err == nil || !strings.Contains(err.Error(), "more than 200000 lines") ||
		len(f.Sections[0].Lines) != maxLines-1 {
		t.Errorf("%v", err)
	}
	if _, bad := f.RegistryValues(); len(bad) != maxErrors {
		t.Errorf("%d errors are told", len(bad))
	}
	if _, err := Parse(make([]byte, maxFile+1)); err == nil {
		t.Error("NUL bytes were read")
	}
	if _, err := Parse([]byte(strings.Repeat(";", maxFile+1))); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("%v", err)
	}
}
