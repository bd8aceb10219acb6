package store

import (
	"bytes"
	"testing"
)

// FuzzSnapshot reads any bytes as a stored snapshot, compressed or not; what was read is stored and read back.
func FuzzSnapshot(f *testing.F) {
	p, err := newPacker()
	if err != nil {
		f.Fatal(err)
	}
	q := &Queries{st: &Store{packer: p}}
	for _, seed := range []string{
		`{"verdict":"exposed","cells":{},"pipes":{"anonymous/samr":"allowed"},"findings":["a"]}`, "{}",
		"\x28\xb5\x2f\xfd",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, packed bool) {
		if packed {
			b = p.pack(b)
		}
		s, err := q.snapshotOf(b)
		if err != nil {
			return
		}
		first, err := canonicalOf(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := q.snapshotOf(p.pack(first.plain))
		if err != nil {
			t.Fatalf("what was stored cannot be read: %v", err)
		}
		second, err := canonicalOf(again)
		if !s.equal(&again) {
			t.Fatalf("not equal: %+v and %+v", s, again)
		}
		if err != nil || !bytes.Equal(first.plain, second.plain) || first.hash != second.hash {
			t.Fatalf("%v\n%s\n%s", err, first.plain, second.plain)
		}
	})
}
