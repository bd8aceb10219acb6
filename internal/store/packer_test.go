package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestDictionary fails if the dictionary changes: nothing that was stored with it could be read.
func TestDictionary(t *testing.T) {
	const is = "6e24152517c530d6942a6dac7bbf5276ca9a8fbdeefd7041ef64b0b3991dae62"
	if sum := sha256.Sum256(dictionary1); hex.EncodeToString(sum[:]) != is {
		t.Errorf("dictionary1 has the sum %x, and what is stored needs %s: add a second dictionary instead", sum, is)
	}
}

// TestPacker packs documents as hosts have them, and reads what was stored before there was a dictionary.
func TestPacker(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(bytes.Lines(dictionary1))
	if len(lines) != 5 {
		t.Fatalf("%d documents", len(lines))
	}
	for _, line := range lines {
		// Another host: other names, other times, and a third of it in another order.
		third := len(line) / 3
		document := slices.Concat(line[2*third:], line[:2*third])
		for _, word := range [][2]string{{"FILES1", "accounting7"}, {"127.44.1.9", "10.9.8.77"}, {"2026", "2031"}} {
			document = bytes.ReplaceAll(document, []byte(word[0]), []byte(word[1]))
		}
		packed, before := p.pack(document), plain.EncodeAll(document, nil)
		if len(packed) > len(before)/3 {
			t.Errorf("%d bytes are packed to %d; without a dictionary they are %d", len(document), len(packed),
				len(before))
		}
		for _, stored := range [][]byte{packed, before} {
			if got, err := p.unpack(stored); err != nil || !bytes.Equal(got, document) {
				t.Errorf("%d bytes were stored as %d and read as %d: %v", len(document), len(stored), len(got), err)
			}
		}
	}
	if _, err := p.unpack(packedBy(t, 40000)); !errors.Is(err, zstd.ErrUnknownDictionary) {
		t.Errorf("what needs another dictionary: %v", err)
	}
}

// packedBy packs with a dictionary that the store does not have.
func packedBy(t *testing.T, id uint32) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(id, bytes.Repeat([]byte("another "), 100)))
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll([]byte("another another another"), nil)
}

// TestSnapshotEqual changes one field after the other: a field that equal does not know would be lost between two
// hosts.
func TestSnapshotEqual(t *testing.T) {
	fields := reflect.TypeFor[Snapshot]().NumField()
	for i := range fields {
		var a, b Snapshot
		switch f := reflect.ValueOf(&b).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"x": "y"}))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		default:
			t.Fatalf("a field of kind %s", f.Kind())
		}
		if c := b; a.equal(&b) || !b.equal(&c) {
			t.Errorf("equal does not compare %s", reflect.TypeFor[Snapshot]().Field(i).Name)
		}
	}
}
