package source

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// zipped writes an archive of so many members.
func zipped(t testing.TB, members int, data func(i int) io.Reader) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for i := range members {
		w, err := z.Create(fmt.Sprintf("%d.json", i))
		if err == nil {
			_, err = io.Copy(w, data(i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestManyMembers opens every member of a large archive twice, which took minutes when each read the list again: its
// time is bounded by the test's own.
func TestManyMembers(t *testing.T) {
	const n = 60_000
	path := zipped(t, n, func(i int) io.Reader { return strings.NewReader(fmt.Sprint(i)) })
	all, err := Files(t.Context(), path, func(int64) { t.Error("not read") })
	if err != nil || len(all) != n {
		t.Fatalf("%d files, %v", len(all), err)
	}
	for i, f := range all {
		for range 2 {
			err := f.Read(t.Context(), func(_ context.Context, name string, r io.Reader) error {
				b, err := io.ReadAll(r)
				if string(b) != fmt.Sprint(i) || name != fmt.Sprintf("%d.json", i) && name != "a.zip!"+
					fmt.Sprintf("%d.json", i) {
					return fmt.Errorf("%s holds %q: %w", name, b, err)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMembersTogether keeps the archive open while one of its members is.
func TestMembersTogether(t *testing.T) {
	path := zipped(t, 3, func(i int) io.Reader { return strings.NewReader(strings.Repeat(fmt.Sprint(i), 1<<20)) })
	all, err := Files(t.Context(), filepath.Dir(path), func(int64) {})
	if err != nil || len(all) != 3 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	var open []io.ReadCloser
	for _, f := range all {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	for i, r := range open {
		b, err := io.ReadAll(r)
		if err != nil || len(b) != 1<<20 || b[0] != byte('0'+i) {
			t.Errorf("member %d: %d bytes, %v", i, len(b), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an archive that is gone: %v", err)
	}
}

// zeros returns a stream of so many zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestExpansion ends streams that become a thousand times their size, packed in an archive or by themselves.
func TestExpansion(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.Copy(w, zeros(300<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Decompress(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrExpands) || n > freeSize+1<<20 {
		t.Errorf("gzip: %d bytes, %v", n, err)
	}
	path := zipped(t, 1, func(int) io.Reader { return zeros(300 << 20) })
	all, err := Files(t.Context(), path, func(int64) {})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	err = all[0].Read(t.Context(), func(_ context.Context, _ string, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, ErrExpands) {
		t.Errorf("zip: %v", err)
	}
}

// TestPeek tells what a stream holds whose first block is longer than any head, and one that is cut or damaged.
func TestPeek(t *testing.T) {
	peer.Need(t, "bzip2")
	random := rand.New(rand.NewPCG(2, 2))
	plain := make([]byte, 400_000)
	for i := range plain {
		plain[i] = byte(random.IntN(256))
	}
	copy(plain, "what it is")
	cmd := exec.CommandContext(t.Context(), "bzip2", "-c")
	cmd.Stdin = bytes.NewReader(plain)
	packed, err := cmd.Output()
	if err != nil || len(packed) < len(plain) {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	known := func(head []byte) bool { return bytes.HasPrefix(head, []byte("what it is")) }
	r, head := Peek(bytes.NewReader(packed), 4096, known)
	if !known(head) {
		t.Errorf("%q", head[:min(len(head), 16)])
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, head := Peek(bytes.NewReader(packed[:len(packed)/2]), 4096, known); string(head) != "BZh91A" {
		t.Errorf("of a block that is cut: %q", head)
	}
}

// TestTwins finds the same bytes under another name, and packed.
func TestTwins(t *testing.T) {
	file := func(name, data string) *File {
		return &File{Path: name, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(data)),
				nil
		}}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	long := strings.Repeat("x", 2*headLen)
	_, _ = io.WriteString(w, long)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var twins Twins
	for _, c := range []struct{ name, data, same string }{
		{"a", long, ""},
		{"b", long + "y", ""},
		{"c", long, "a"},
		{"d", packed.String(), "a"},
		{"e", "short", ""},
		{"f", "short", "e"},
		{"g", "", ""},
		{"h", "", ""},
	} {
		if same := twins.Of(file(c.name, c.data)); same != c.same {
			t.Errorf("%s is the same as %q, want %q", c.name, same, c.same)
		}
	}
}

// FuzzArchive lists and reads the members of any archive.
func FuzzArchive(f *testing.F) {
	path := zipped(f, 3, func(i int) io.Reader { return strings.NewReader(strings.Repeat("x", i)) })
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := Files(t.Context(), path, func(int64) {})
		if err != nil {
			return
		}
		for _, file := range all {
			_ = file.Read(t.Context(), func(_ context.Context, _ string, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			})
		}
	})
}

// FuzzDecompress unpacks any stream.
func FuzzDecompress(f *testing.F) {
	for _, head := range []string{"\x1f\x8b\x08\x00", "\xfd7zXZ\x00\x00", "\x28\xb5\x2f\xfd\x04", "PK\x03\x04", ""} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decompress(bytes.NewReader(b))
		if err != nil {
			return
		}
		if n, _ := io.Copy(io.Discard, r); n > freeSize+1<<20 && n/maxRatio > int64(len(b))+1<<20 {
			t.Fatalf("%d bytes became %d", len(b), n)
		}
	})
}
