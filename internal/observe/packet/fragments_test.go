package packet

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestDatagrams joins pieces in any order, whole or with one missing, and bounds what is held.
func TestDatagrams(t *testing.T) {
	want := make([]byte, 8000)
	r := rand.New(rand.NewPCG(6, 6))
	for i := range want {
		want[i] = byte(r.IntN(256))
	}
	type part struct {
		at   int
		more bool
	}
	for range 200 {
		var parts []part
		for at := 0; at < len(want); at += 800 {
			parts = append(parts, part{at, at+800 < len(want)})
		}
		parts = append(parts, parts[r.IntN(len(parts))]) // one twice
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		missing := -1
		if r.IntN(2) == 0 {
			missing = parts[0].at
		}
		var f fragments
		done := false
		for _, p := range parts {
			if p.at == missing {
				continue
			}
			b, next, ok := f.add(datagramKey{id: 7}, 6, p.at, p.more, want[p.at:p.at+800])
			if ok {
				done = true
				if !bytes.Equal(b, want) || next != 6 {
					t.Fatalf("%d bytes, next %d", len(b), next)
				}
			}
		}
		if done == (missing >= 0) || (f.waiting() == 0) != done || f.bytes > len(parts)*printSize && done {
			t.Fatalf("missing %d: done %v, %d waiting, %d bytes", missing, done, f.waiting(), f.bytes)
		}
		for _, p := range parts { // all of it once more, as a mirror of the other port has it
			if _, _, ok := f.add(datagramKey{id: 7}, 6, p.at, p.more, want[p.at:p.at+800]); ok && done {
				t.Fatal("a datagram was told twice")
			}
		}
		if done && f.waiting() != 0 {
			t.Fatalf("%d parts wait that came twice", f.waiting())
		}
	}
	var f fragments
	for i := range 10 * maxDatagrams {
		f.add(datagramKey{id: uint32(i)}, 6, 0, true, want)
		if f.bytes > maxFragmentBytes || f.order.Len() > maxDatagrams {
			t.Fatalf("%d bytes of %d datagrams", f.bytes, f.order.Len())
		}
	}
	if n := f.waiting(); n != 10*maxDatagrams {
		t.Errorf("%d fragments wait", n)
	}
	// The number is used again.
	f = fragments{}
	for _, data := range [][]byte{want[:1600], want[1600:3200]} {
		f.add(datagramKey{}, 6, 0, true, data[:800])
		if b, _, ok := f.add(datagramKey{}, 6, 800, false, data[800:]); !ok || !bytes.Equal(b, data) {
			t.Errorf("%v, %d bytes", ok, len(b))
		}
	}
	// Ends that disagree, and what is longer than a datagram can be.
	f = fragments{}
	f.add(datagramKey{}, 6, 800, false, want[:100])
	if _, _, ok := f.add(datagramKey{}, 6, 1600, false, want[:100]); ok || f.order.Len() != 0 || f.waiting() != 2 {
		t.Errorf("%v, %d datagrams, %d waiting", ok, f.order.Len(), f.waiting())
	}
	if _, _, ok := f.add(datagramKey{}, 6, 65528, false, want[:100]); ok {
		t.Error("a datagram of more than 64 KiB")
	}
}
