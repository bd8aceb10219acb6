package registry

import (
	"errors"
	"slices"
	"testing"
)

func TestStrings(t *testing.T) {
	sz := func(s string) []byte { return EncodeUTF16(s) }
	for _, c := range []struct {
		name string
		v    Value
		want []string
		odd  []string
		err  bool
	}{
		{"two", NewStrings("k", "v", []string{"samr", "lsarpc"}), []string{"samr", "lsarpc"}, nil, false},
		{"empty", NewStrings("k", "v", nil), []string{}, nil, false},
		{"empty as two terminators", Value{Type: MultiSZ, Data: make([]byte, 4)}, []string{}, nil, false},
		{"no bytes", Value{Type: MultiSZ}, []string{}, []string{"has no final terminator"}, false},
		{
			"no final terminator",
			Value{Type: MultiSZ, Data: sz("a\x00")},
			[]string{"a"},
			[]string{"has no final terminator"},
			false,
		},
		{
			"no terminator at all",
			Value{Type: MultiSZ, Data: sz("a")},
			[]string{"a"},
			[]string{"its last string has no terminator"},
			false,
		},
		{
			"data behind the end",
			Value{Type: MultiSZ, Data: sz("a\x00\x00b\x00\x00")},
			[]string{"a"},
			[]string{"has data after the end of the list"},
			false,
		},
		{
			"a blank entry first",
			Value{Type: MultiSZ, Data: sz("\x00a\x00b\x00\x00")},
			[]string{"a", "b"},
			[]string{"begins with a blank entry, behind which its names count"},
			false,
		},
		{
			"two of them",
			Value{Type: MultiSZ, Data: sz("\x00\x00a\x00\x00")},
			[]string{"a"},
			[]string{"begins with a blank entry, behind which its names count"},
			false,
		},
		{
			"a blank entry first, and no end",
			Value{Type: MultiSZ, Data: sz("\x00a")},
			[]string{"a"},
			[]string{"begins with a blank entry, behind which its names count", "its last string has no terminator"},
			false,
		},
		{
			"nothing but blanks",
			Value{Type: MultiSZ, Data: sz("\x00\x00\x00")},
			[]string{},
			[]string{"has data after the end of the list"},
			false,
		},
		{
			"odd length",
			Value{Type: MultiSZ, Data: append(sz("a\x00\x00"), 1)},
			[]string{"a"},
			[]string{"has an odd number of bytes"},
			false,
		},
		{
			"REG_SZ", NewText("k", "v", "share"),
			[]string{"share"},
			[]string{"is REG_SZ where REG_MULTI_SZ belongs"},
			true,
		},
		{"REG_DWORD", NewDWord("k", "v", 1), nil, []string{"is REG_DWORD where REG_MULTI_SZ belongs"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.v.Strings()
			if !slices.Equal(got, c.want) || (err != nil) != c.err {
				t.Errorf("Strings() = %q, %v; want %q", got, err, c.want)
			}
			if odd := c.v.Oddities(MultiSZ); !slices.Equal(odd, c.odd) {
				t.Errorf("Oddities() = %q, want %q", odd, c.odd)
			}
		})
	}
}

func TestDWordIsStrict(t *testing.T) {
	if n, err := NewDWord("k", "v", 0x80000001).DWord(); n != 0x80000001 || err != nil {
		t.Errorf("got %#x, %v", n, err)
	}
	var te *TypeError
	if _, err := NewText("k", "v", "1").DWord(); !errors.As(err, &te) {
		t.Errorf("REG_SZ read as REG_DWORD: %v", err)
	}
	var de *DataError
	if _, err := (Value{Type: DWord, Data: []byte{1, 0}}).DWord(); !errors.As(err, &de) {
		t.Errorf("two bytes read as REG_DWORD: %v", err)
	}
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		`HKEY_LOCAL_MACHINE\SYSTEM`: `HKLM\SYSTEM`,
		`hklm:\\System\`:            `HKLM\System`,
		`MACHINE\Software`:          `HKLM\Software`,
		`HKEY_USERS`:                `HKU`,
		`Other\x`:                   `Other\x`,
		``:                          ``,
	} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
	}
	if got, ok := LongRoot(`hklm\System`); got != `HKEY_LOCAL_MACHINE\System` || !ok {
		t.Errorf("LongRoot = %q, %v", got, ok)
	}
	if _, ok := LongRoot(`Nowhere\System`); ok {
		t.Error("LongRoot knows a root that does not exist")
	}
}

func TestTree(t *testing.T) {
	var tr Tree
	var _ Reader = &tr
	tr.Set(NewDWord(`HKEY_LOCAL_MACHINE\System\Lsa`, "RestrictAnonymous", 1))
	tr.Set(NewDWord(`HKLM\SYSTEM\LSA`, "restrictanonymous", 2))
	if v, err := tr.Value(`hklm\system\lsa`, "RESTRICTANONYMOUS"); err != nil || v.Data[0] != 2 {
		t.Errorf("got %v, %v", v, err)
	}
	if kids, _ := tr.Subkeys(`HKLM\SYSTEM`); !slices.Equal(kids, []string{"Lsa"}) {
		t.Errorf("subkeys %q", kids)
	}
	tr.DeleteKey(`HKLM\System`)
	if _, err := tr.Value(`HKLM\System\Lsa`, "RestrictAnonymous"); !errors.Is(err, ErrNotExist) {
		t.Errorf("after DeleteKey: %v", err)
	}
	tr.Set(NewDWord(`HKLM\a`, "x", 1))
	tr.DeleteValues(`HKLM\a`)
	if v, err := tr.Values(`HKLM\A`); err != nil || len(v) != 0 {
		t.Errorf("after DeleteValues: %v, %v", v, err)
	}
}

func TestTypeNames(t *testing.T) {
	for i := range Type(14) {
		if got, err := ParseType(i.String()); got != i || err != nil {
			t.Errorf("%v: %v, %v", i, got, err)
		}
	}
}
