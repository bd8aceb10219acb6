package registry

import "testing"

// FuzzValue: bytes as a value of every type: what one reading accepts, written again, reads the same.
func FuzzValue(f *testing.F) {
	f.Add(uint32(1), []byte{'a', 0, 0, 0})
	f.Add(uint32(4), []byte{1, 0, 0, 0})
	f.Add(uint32(7), []byte{'a', 0, 0, 0, 'b', 0, 0, 0, 0, 0})
	f.Add(uint32(7), []byte{0, 0})
	f.Add(uint32(11), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, kind uint32, data []byte) {
		v := Value{Key: "K", Name: "N", Type: Type(kind), Data: data}
		for _, want := range []Type{1, 2, 3, 4, 7, 11, Type(kind)} {
			v.Oddities(want)
		}
		if n, err := v.DWord(); err == nil {
			if again, err := NewDWord("K", "N", n).DWord(); err != nil || again != n {
				t.Fatalf("%d became %d, %v", n, again, err)
			}
		}
		if s, err := v.Text(); err == nil {
			if again, err := NewText("K", "N", s).Text(); err != nil || again != s {
				t.Fatalf("%q became %q, %v", s, again, err)
			}
		}
		if list, err := v.Strings(); err == nil {
			again, err := NewStrings("K", "N", list).Strings()
			if err != nil || len(again) != len(list) {
				t.Fatalf("%q became %q, %v", list, again, err)
			}
		}
		_, _ = v.QWord()
	})
}
