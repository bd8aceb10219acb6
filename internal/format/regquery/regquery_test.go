package regquery

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
)

const sample = "\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\r\n" +
	"    restrictanonymous    REG_DWORD    0x1\r\n" +
	"    Notification Packages    REG_MULTI_SZ    scecli\\0rassfm\r\n" +
	"    NullSessionPipes    REG_MULTI_SZ    \\0netlogon\\0samr\r\n" +
	"    Empty    REG_MULTI_SZ    \r\n" +
	"    Bounds    REG_BINARY    0030000000200000\r\n" +
	"    Path    REG_EXPAND_SZ    %SystemRoot%    x\r\n" +
	"    Big    REG_QWORD    0x100000000\r\n" +
	"    Nothing    REG_NONE\r\n" +
	"\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\r\n" +
	"    (Standard)    REG_SZ    text\r\n"

func TestParse(t *testing.T) {
	vs, err := Parse(sample)
	if err != nil || len(vs) != 9 || !Is(sample) {
		t.Fatalf("%d values, %v", len(vs), err)
	}
	if n, err := vs[0].DWord(); n != 1 || err != nil || vs[0].Key != `HKLM\SYSTEM\CurrentControlSet\Control\Lsa` {
		t.Errorf("%+v", vs[0])
	}
	for i, want := range map[int][]string{1: {"scecli", "rassfm"}, 2: {"netlogon", "samr"}, 3: {}} {
		if list, err := vs[i].Strings(); err != nil || !slices.Equal(list, want) {
			t.Errorf("%s: %q, %v", vs[i].Name, list, err)
		}
	}
	if odd := vs[2].Oddities(registry.MultiSZ); len(odd) != 1 {
		t.Errorf("the blank entry is kept: %q", odd)
	}
	if len(vs[4].Data) != 8 || vs[4].Data[1] != 0x30 {
		t.Errorf("%x", vs[4].Data)
	}
	if s, _ := vs[5].Text(); s != "%SystemRoot%    x" {
		t.Errorf("%q", s)
	}
	if n, err := vs[6].QWord(); n != 1<<32 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if vs[8].Name != "" || !strings.HasSuffix(vs[8].Key, "MSV1_0") {
		t.Errorf("the default value: %+v", vs[8])
	}
}

func TestOthers(t *testing.T) {
	key := "HKEY_LOCAL_MACHINE\\SYSTEM\\X\n"
	for _, tt := range []struct {
		name, text string
		values     int
		errors     []string
	}{
		{"tabs, as XP prints", "! REG.EXE VERSION 3.0\n\n" + key + "\tName\tREG_DWORD\t0x2\n", 1, []string{"line 1"}},
		{
			"a count at the end",
			key + "    Name    REG_DWORD    0x2\n\nEnde der Suche: 1 Übereinstimmung(en) gefunden.\n", 1, nil,
		},
		{
			"an error", "ERROR: Access is denied.\n" + key + "    Name    REG_DWORD    0x2\n", 1,
			[]string{"line 1", "Access is denied"},
		},
		{"an error at the end", key + "ERROR: Access is denied.\n", 0, []string{"line 2"}},
		{
			"a value without a key", "    Name    REG_DWORD    0x2\n" + key, 0,
			[]string{"line 1", "before the first key"},
		},
		{
			"a number that is none", key + "    Name    REG_DWORD    one\n    A    REG_DWORD    0x1\n", 1,
			[]string{"line 2", "no hexadecimal number"},
		},
		{
			"too large a number", key + "    Name    REG_DWORD    0x100000000\n    A    REG_DWORD    0x1\n", 1,
			[]string{"line 2"},
		},
		{"bytes that are none", key + "    Name    REG_BINARY    0g\n\n" + key, 0, []string{"line 2", "no bytes"}},
		{"a type that is none", key + "    Name    REG_XY    0\n\n" + key, 0, []string{"no type"}},
	} {
		vs, err := Parse(tt.text)
		if len(vs) != tt.values || (err == nil) != (tt.errors == nil) {
			t.Errorf("%s: %d values, %v", tt.name, len(vs), err)
			continue
		}
		for _, part := range tt.errors {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tt.name, err, part)
			}
		}
	}
	for _, text := range []string{
		"", "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\X]\n", "HKLM\\X\n",
		"[global]\n", "HKEY_X\\Y\n",
	} {
		if Is(text) {
			t.Errorf("%q is none", text)
		}
	}
	if _, err := Parse(strings.Repeat("x\n", 1000)); err == nil || strings.Count(err.Error(), "\n") != maxErrors-1 {
		t.Errorf("%v", err)
	}
	if vs, err := Parse(key + strings.Repeat("    N    REG_DWORD    0x1\n", maxValues+1)); len(vs) != maxValues ||
		err == nil {
		t.Errorf("%d values, %v", len(vs), err)
	}
}

// FuzzParse: a parsed text gives values that Windows could hold, and none without a key.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("HKEY_USERS\\x\n\tA\tREG_MULTI_SZ\t\\0\\0b\n")
	f.Fuzz(func(t *testing.T, text string) {
		vs, _ := Parse(text)
		for _, v := range vs {
			if v.Key == "" || len(v.Data) > 4*len(text)+8 {
				t.Fatalf("%+v of %d bytes", v, len(text))
			}
			if v.Type == registry.DWord {
				if _, err := v.DWord(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
