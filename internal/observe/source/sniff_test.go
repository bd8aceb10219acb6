package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestSniff waits for no more than is needed.
func TestSniff(t *testing.T) {
	r, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("abc")) }() // and nothing more ever
	b := bufio.NewReaderSize(r, 64)
	if head := Sniff(b, func(head []byte) bool { return bytes.HasPrefix(head, []byte("ab")) }); string(head) != "abc" {
		t.Errorf("%q", head)
	}
	for _, n := range []int{0, 10, 64, 1000} {
		b := bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", n)), 64)
		if head := Sniff(b, func([]byte) bool { return false }); len(head) != min(n, 64) {
			t.Errorf("%d bytes of %d", len(head), n)
		}
	}
}

// TestInterruptible ends the reading of a quiet pipe.
func TestInterruptible(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	in := Interruptible(ctx, r)
	go func() { _, _ = w.Write([]byte("abc")) }()
	b := make([]byte, 2)
	if n, err := io.ReadFull(in, b); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	stop := errors.New("stop")
	cancel(stop)
	if n, err := io.ReadFull(in, b[:1]); n != 1 || err != nil || b[0] != 'c' { // what came is kept
		t.Error(n, err)
	}
	if _, err := in.Read(b); !errors.Is(err, stop) {
		t.Error(err)
	}
	if all, err := io.ReadAll(Interruptible(t.Context(), strings.NewReader("to the end"))); string(all) != "to the end" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}

// TestDescribe names what is not read.
func TestDescribe(t *testing.T) {
	etl := make([]byte, 128)
	copy(etl[1:], []byte{0x10}) // 4 KiB
	etl[0x4A], etl[0x4B] = 2, 0xC0
	for head, want := range map[string]string{
		"": "empty", "snoop\x00\x00\x00\x00": "a snoop capture", "GMBU\x00": "a Network Monitor capture",
		"\x04\x22\x4d\x18": "compressed with lz4",
		"BZh91AY":          "compressed with bzip2, and cut or damaged before anything known could be unpacked from it",
		string(etl):        "an event trace (ETL)",
		"\x28\xb5\x2f\xfd": "compressed with zstd, and cut, damaged or made for a window of more than 64 MiB, so " +
			"that nothing known could be unpacked from it",
		"PK\x03\x04": "a zip archive", "hello": "",
	} {
		if what, _ := Describe([]byte(head)); what != want {
			t.Errorf("%q is %q, want %q", head, what, want)
		}
	}
}

// TestDescribeStream says of a compressed stream that it was cut where that is known, and not where it is damaged.
func TestDescribeStream(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	if _, err := w.Write(noise); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	whole := packed.Bytes()
	damaged := bytes.Clone(whole)
	damaged[len("\x28\xb5\x2f\xfd")] ^= 0x08 // a reserved bit of the frame's header
	never := func([]byte) bool { return false }
	for what, b := range map[string][]byte{
		"compressed with zstd, and cut inside its first block, so that nothing known could be unpacked from it": whole[:1000],
		"compressed with zstd, and cut, damaged or made for a window of more than 64 MiB, so that nothing known could be " +
			"unpacked from it": damaged,
	} {
		stream, head := Peek(bytes.NewReader(b), 4096, never)
		if got, _ := DescribeStream(head, stream); got != what {
			t.Errorf("%q, want %q", got, what)
		}
	}
}
