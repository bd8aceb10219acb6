package regpol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/format/registry"
)

func named(key, name, text string) Instruction {
	return Instruction{Value: registry.NewText(key, "", text), raw: name}
}

func mustBytes(t testing.TB, ins ...Instruction) []byte {
	t.Helper()
	b, err := Bytes(ins)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCommands applies every special name.
func TestCommands(t *testing.T) {
	const key = `Software\Policies\X`
	ins, err := Parse(mustBytes(t,
		Set(registry.NewDWord(`HKLM\`+key, "keep", 1)), Set(registry.NewDWord(key, "soft", 1)),
		Set(registry.NewDWord(key, "a", 1)), Set(registry.NewDWord(key, "b", 1)), Set(registry.NewDWord(key, "c", 1)),
		Set(registry.NewDWord(key+`\k1`, "x", 1)), Set(registry.NewDWord(key+`\k2`, "x", 1)),
		Set(registry.NewDWord(key+`\k3`, "x", 1)),
		Instruction{Value: registry.NewDWord(key, "", 9), raw: "**soft.soft"},
		Instruction{Value: registry.NewDWord(key, "", 9), raw: "**Soft.new"},
		Delete(key, "A"), named(key, "**DeleteValues", "b; C"), named(key, "**DeleteKeys", "K1"),
		named(key+`\k2`, "**delvals.", " "), named(key, "**Comment:hello", " "),
		Instruction{Value: registry.NewDWord(key, "", 1), raw: "**SecureKey"},
		Instruction{Value: registry.Value{Key: key + `\empty`}},
		Set(registry.NewStrings(key, "list", nil)),
	))
	if err != nil {
		t.Fatal(err)
	}
	var tr registry.Tree
	Apply(&tr, "HKLM", ins)
	vs, err := tr.Values(`HKLM\` + key)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range vs {
		if n, err := v.DWord(); err == nil {
			got = append(got, v.Name+"="+string(rune('0'+n)))
		} else {
			got = append(got, v.Name)
		}
	}
	if want := []string{"keep=1", "list", "new=9", "soft=1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if kids, _ := tr.Subkeys(`HKLM\` + key); !slices.Equal(kids, []string{"empty", "k2", "k3"}) {
		t.Errorf("subkeys %q", kids)
	}
	if vs, _ := tr.Values(`HKLM\` + key + `\k2`); len(vs) != 0 {
		t.Errorf("k2 keeps %v", vs)
	}
}

func TestErrors(t *testing.T) {
	good := mustBytes(t, Set(registry.NewDWord("k", "v", 1)), Set(registry.NewDWord("k", "w", 1)))
	size := bytes.LastIndexByte(good, 4)
	for size > 0 && binary.LittleEndian.Uint32(good[size:]) != 4 {
		size--
	}
	edit := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
		read int
	}{
		{"empty", nil, "PReg", 0},
		{"other", []byte("regf0000"), "PReg", 0},
		{"version", edit(4, 2), "version 2", 0},
		{"cut", good[:len(good)-1], "ends inside", 1},
		{"size too large", edit(size, 0xff, 0xff, 0xff, 0xff), "announced", 1},
		{"size too small", edit(size, 2), `"]" expected`, 1},
		{"no bracket", edit(8, 'x'), `"[" expected`, 0},
		{"no terminator", good[:12], "terminator", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ins, err := Parse(c.b)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || len(ins) != c.read {
				t.Errorf("%d instructions, %v; want %q", len(ins), err, c.want)
			}
		})
	}
	if _, err := Bytes([]Instruction{Set(registry.NewDWord("a\x00b", "", 1))}); err == nil {
		t.Error("a key with a NUL was written")
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ins []Instruction
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			v := registry.Value{
				Key:  rapid.StringMatching(`[A-Za-z ]{1,9}(\\[a-z]{1,5}){0,2}`).Draw(t, "key"),
				Name: rapid.StringMatching(`[A-Za-z;\[\]é ]{1,9}`).Draw(t, "name"),
				Type: registry.Type(rapid.IntRange(0, 11).Draw(t, "type")),
				Data: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "data")...),
			}
			ins = append(ins, Set(v), Delete(v.Key, v.Name))
		}
		b, err := Bytes(ins)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Bytes(got)
		if err != nil || !bytes.Equal(b, again) || len(got) != len(ins) {
			t.Fatalf("%x\n%x, %v", b, again, err)
		}
		for i := range got {
			if got[i].Kind != ins[i].Kind || got[i].Value.Name != ins[i].Value.Name ||
				!bytes.Equal(got[i].Value.Data, ins[i].Value.Data) {
				t.Fatalf("got %+v, want %+v", got[i], ins[i])
			}
		}
	})
}

// realPolicy returns a policy that a group policy editor wrote.
func realPolicy() ([]byte, error) {
	return os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "gpo", "nsacyber-windows", "DomainSysvol", "GPO",
		"Machine", "registry.pol"))
}

func TestRealPolicyReadsAndWritesTheSame(t *testing.T) {
	b, err := realPolicy()
	if err != nil {
		t.Skipf("the real policy is not present: %v", err)
	}
	ins, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustBytes(t, ins...); !bytes.Equal(got, b) {
		t.Error("written again it is not the same")
	}
	if len(ins) < 80 {
		t.Errorf("%d instructions", len(ins))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustBytes(f, Set(registry.NewDWord("k", "v", 1)), Delete("k", "x"), named("k", "**DeleteKeys", "a;b")))
	if b, err := realPolicy(); err == nil {
		f.Add(b[:min(len(b), 2000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ins, err := Parse(b)
		var tr registry.Tree
		Apply(&tr, "HKLM", ins)
		if err != nil {
			return
		}
		again, err := Bytes(ins)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

func TestManyInstructions(t *testing.T) {
	one, err := Bytes([]Instruction{Set(registry.NewDWord(`HKLM\K`, "V", 1))})
	if err != nil {
		t.Fatal(err)
	}
	b := append(bytes.Clone(one), bytes.Repeat(one[8:], maxInstructions)...)
	got, err := Parse(b)
	if err == nil || !strings.Contains(err.Error(), "more than 100000 instructions") || len(got) != maxInstructions {
		t.Errorf("%d instructions, %v", len(got), err)
	}
}
