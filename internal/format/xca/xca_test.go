package xca_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ipcguard/internal/format/xca"
	"ipcguard/internal/format/xca/xcatest"
)

var codecs = []struct {
	name       string
	decompress func([]byte, int) ([]byte, error)
	compress   func([]byte) []byte
}{
	{"LZ77", xca.LZ77, xcatest.LZ77},
	{"LZ77+Huffman", xca.LZ77Huffman, xcatest.LZ77Huffman},
	{"LZNT1", xca.LZNT1, xcatest.LZNT1},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lengthsTable writes a table of code lengths: runs of bytes, zero where nothing is told.
func lengthsTable(t testing.TB, at map[int]string) []byte {
	table := make([]byte, 256)
	for i, s := range at {
		copy(table[i:], unhex(t, s))
	}
	return table
}

const alphabet = "abcdefghijklmnopqrstuvwxyz"

// TestExamples holds the decoders against the examples of [MS-XCA] 3.
func TestExamples(t *testing.T) {
	abc := strings.Repeat("abc", 100)
	for _, tt := range []struct {
		codec int
		in    []byte
		want  string
	}{
		{0, unhex(t, "3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a"), alphabet},
		{0, unhex(t, "ffffff1f 616263 1700 0f ff 2601"), abc},
		{1, append(lengthsTable(t, map[int]string{48: "50 55 55 55 55 55 55 55 55 55 55 45 44 04", 128: "04"}),
			unhex(t, "d8523ed794115be9195ff9d67cdf8d0400000000")...), alphabet},
		{
			1, append(lengthsTable(t, map[int]string{48: "30 23", 128: "02", 143: "20"}),
				unhex(t, "a8dc0000ff2601")...),
			abc,
		},
		{
			2, unhex(t, `38b08846232000204720410010a24701a045204400084501507900c04520052413880
			5b4024a44ef0358028c09160148450 0be009e0004011890 00`),
			"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E " +
				"D E A F# F# G A A G F# E D D E F# E D D\x00",
		},
	} {
		c := codecs[tt.codec]
		got, err := c.decompress(tt.in, len(tt.want))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s of %.20q: %q, %v", c.name, tt.want, got, err)
		}
		for n := range len(tt.want) { // the beginning alone
			if got, err := c.decompress(tt.in, n); err != nil || string(got) != tt.want[:n] {
				t.Errorf("%s, %d bytes: %q, %v", c.name, n, got, err)
			}
		}
		if _, err := c.decompress(tt.in, len(tt.want)+600); !errors.Is(err, xca.ErrDamaged) {
			t.Errorf("%s: more than there is: %v", c.name, err)
		}
		for n := range tt.in { // a part of it never is all of it
			if got, err := c.decompress(tt.in[:n], len(tt.want)); err == nil && (tt.codec == 2 || n < len(tt.in)-4) {
				t.Errorf("%s, cut at %d: %q", c.name, n, got)
			}
		}
	}
}

// samples are bytes of many kinds: random, repeating near and far, long runs, text.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 9000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	var text bytes.Buffer
	for i := 0; text.Len() < 20000; i++ {
		fmt.Fprintf(&text, "line %d: %x is the square of %d\n", i, i*i, i)
	}
	return map[string][]byte{
		"empty": {}, "one": {7}, "run": make([]byte, 200_000), "random": random, "text": text.Bytes(),
		"far":   append(append(bytes.Clone(random), random[:300]...), random[8000:]...),
		"mixed": append(append(bytes.Clone(random[:5000]), make([]byte, 70_000)...), text.Bytes()...),
	}
}

func TestRoundTrip(t *testing.T) {
	for name, plain := range samples() {
		for _, c := range codecs {
			packed := c.compress(plain)
			got, err := c.decompress(packed, len(plain))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s of %q: %d of %d bytes, %v", c.name, name, len(got), len(plain), err)
			}
			if got, err := c.decompress(packed, len(plain)/3); err != nil || !bytes.Equal(got, plain[:len(plain)/3]) {
				t.Errorf("%s of %q, the first third: %v", c.name, name, err)
			}
		}
	}
}

// TestDamage is about input that says more than it may.
func TestDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		codec int
		in    string
	}{
		"LZ77: a match before the first byte":       {0, "ffffffff 0000"},
		"LZ77: a whole length that is too small":    {0, "ffffff7f 61 0700 0f ff 1500"},
		"LZ77: a length that ends":                  {0, "ffffff7f 61 0700 0f ff 0000 ffff"},
		"LZ77: a length without its half byte":      {0, "ffffff7f 61 0700"},
		"LZ77: a length beyond all":                 {0, "ffffff7f 61 0700 0f ff 0000 ffffffff"},
		"LZNT1: the end before the end":             {2, "0000"},
		"LZNT1: a chunk of another signature":       {2, "0290 00 61"},
		"LZNT1: a chunk beyond the input":           {2, "ffb0 00 61"},
		"LZNT1: a match before its chunk":           {2, "0030 61 02b0 01 0000"},
		"LZNT1: a word that ends":                   {2, "02b0 02 61 00"},
		"LZNT1: a match beyond the chunk":           {2, "04b0 02 61 fe0f 01 00"},
		"LZ77+Huffman: no table":                    {1, "00"},
		"LZ77+Huffman: codes that leave some free":  {1, strings.Repeat("22", 1) + strings.Repeat("00", 265)},
		"LZ77+Huffman: codes beyond what there are": {1, strings.Repeat("11", 256) + strings.Repeat("00", 8)},
		"LZ77+Huffman: no bits":                     {1, strings.Repeat("99", 256) + "0000"},
		"LZ77+Huffman: a match before all":          {1, strings.Repeat("99", 256) + "0080 0000 0000 0000"},
	} {
		if got, err := codecs[tt.codec].decompress(unhex(t, tt.in), 1<<20); !errors.Is(err, xca.ErrDamaged) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// FuzzDecompress wants as many bytes as were asked for, or an error.
func FuzzDecompress(f *testing.F) {
	for i, c := range codecs {
		f.Add(byte(i), uint16(300), c.compress([]byte(strings.Repeat("abc", 100))))
		f.Add(byte(i), uint16(4000), c.compress(samples()["text"][:4000]))
	}
	f.Fuzz(func(t *testing.T, codec byte, size uint16, in []byte) {
		c := codecs[int(codec)%len(codecs)]
		got, err := c.decompress(in, int(size))
		if err == nil && len(got) != int(size) || err != nil && got != nil {
			t.Fatalf("%s: %d of %d bytes, %v", c.name, len(got), size, err)
		}
		if half, err2 := c.decompress(in, int(size)/2); err == nil &&
			(err2 != nil || !bytes.Equal(half, got[:size/2])) {
			t.Fatalf("%s: the first half differs: %v", c.name, err2)
		}
	})
}

// FuzzRoundTrip compresses and undoes it.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range samples() {
		f.Add(s[:min(len(s), 1000)])
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > 2000 { // the search for matches is square
			return
		}
		for _, c := range codecs {
			got, err := c.decompress(c.compress(plain), len(plain))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%s: %d of %d bytes, %v", c.name, len(got), len(plain), err)
			}
		}
	})
}
