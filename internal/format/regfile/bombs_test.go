package regfile

import (
	"errors"
	"strings"
	"testing"
)

// TestBombs: endless lines meet their bounds. The second of two equal lines shows that reading continues.
func TestBombs(t *testing.T) {
	const head = "REGEDIT4\n[HKEY_LOCAL_MACHINE\\K]\n"
	for _, c := range []struct{ name, line, want string }{
		{"dword", `"a"=dword:` + strings.Repeat("1", 4<<20), "1 to 8 hexadecimal digits"},
		{"key", `[HKEY_LOCAL_MACHINE` + strings.Repeat(`\a`, 1<<20) + "]", "a key longer than 512 KiB"},
		{"name", `"` + strings.Repeat("a", 1<<20) + `"=dword:1`, "a string longer than 512 KiB"},
		{"string", `"a"="` + strings.Repeat("a", 20<<20) + `"`, "a string longer than 16384 KiB"},
		{"hex", `"a"=hex:` + strings.Repeat("1,", 33<<20), "a value larger than 32 MiB"},
	} {
		f, err := Parse([]byte(head + c.line + "\n\"b\"=dword:1\n"))
		if err == nil || !strings.Contains(err.Error(), "line 3, ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if last := f.Ops[len(f.Ops)-1]; c.name != "key" && last.Value.Name != "b" {
			t.Errorf("%s: %+v is the last that was read", c.name, last)
		}
	}
}

// TestReadEnds: an error of the callback ends the reading.
func TestReadEnds(t *testing.T) {
	enough := errors.New("enough")
	seen := 0
	version, err := Read(strings.NewReader("REGEDIT4\n"+strings.Repeat("[HKEY_LOCAL_MACHINE\\K]\n", 100)),
		func(Op) error {
			if seen++; seen == 3 {
				return enough
			}
			return nil
		})
	if version != 4 || !errors.Is(err, enough) || seen != 3 {
		t.Errorf("version %d, %d operations, %v", version, seen, err)
	}
}
