package observe

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"

	"ipcguard/internal/observe/observetest"
)

// frame is a packet of a capture that the test modifies.
type frame struct {
	link   layers.LinkType
	data   []byte
	length int
	at     time.Time
}

func frames(t testing.TB, name string) []frame {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := openCapture(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out []frame
	for {
		p, err := r.Next()
		if err != nil {
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Logf("%s: %v", name, err)
			}
			return out
		}
		out = append(out, frame{p.Link, bytes.Clone(p.Data), p.Length, p.Time})
	}
}

// tamper drops, swaps, repeats, cuts and forges one in every packets.
func tamper(r *rand.Rand, all []frame, every int) []frame {
	out := make([]frame, 0, len(all)+16)
	for i, f := range all {
		if r.IntN(every) != 0 {
			out = append(out, f)
			continue
		}
		switch r.IntN(6) {
		case 0: // dropped
		case 1: // swapped with one before
			out = append(out, f)
			j := len(out) - 1 - r.IntN(min(len(out), 8))
			out[j], out[len(out)-1] = out[len(out)-1], out[j]
		case 2: // repeated
			out = append(out, f, f)
		case 3: // cut by a snap length
			f.data = f.data[:r.IntN(len(f.data)+1)]
			out = append(out, f)
		case 4: // forged: any byte of the headers and of the beginning of the payload
			f.data = bytes.Clone(f.data)
			for range 1 + r.IntN(4) {
				if len(f.data) > 0 {
					f.data[r.IntN(min(len(f.data), 120))] = byte(r.IntN(256))
				}
			}
			out = append(out, f)
		case 5: // forged: a segment of the same connection with another number and other flags, which goes on
			g := all[r.IntN(i+1)]
			g.data = bytes.Clone(g.data)
			if len(g.data) >= 54 && g.data[12] == 8 && g.data[23] == 6 {
				seq := binary.BigEndian.Uint32(g.data[38:])
				binary.BigEndian.PutUint32(g.data[38:], seq+[]uint32{
					1, 1000, 1 << 20, 900_000_000, 1 << 31,
					^uint32(0),
				}[r.IntN(6)])
				g.data[47] ^= []byte{0, 1, 2, 4, 16}[r.IntN(5)]
			}
			out = append(out, f, g)
		}
	}
	return out
}

func observeFrames(all []frame) *Traffic {
	tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
	for _, f := range all {
		tr.Packet(f.link, f.data, f.length, f.at)
	}
	tr.Close()
	return tr
}

// TestAccount tampers with captures: whatever happens, every packet and every byte is counted exactly once.
func TestAccount(t *testing.T) {
	made, _ := observetest.Traffic(t, 1<<20)
	names := append([]string{made}, captureFiles(t)...)
	rounds := 6
	if os.Getenv("IPCGUARD_LONG") != "" {
		rounds = 60
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all := frames(t, name)
			if len(all) > 4000 {
				all = all[:4000]
			}
			for seed := range rounds {
				mutated := all
				if seed > 0 {
					mutated = tamper(rand.New(rand.NewPCG(uint64(seed), 15)), all, 2+seed%5*8)
				}
				tr := observeFrames(mutated)
				if err := tr.balance(); err != nil {
					t.Fatalf("seed %d: %v\n%+v\n%+v\n%+v", seed, err, *tr.cov.Bytes, tr.table.Counts(),
						tr.follower.Counts())
				}
				b := tr.cov.Bytes
				for _, n := range []int64{
					b.Readable, b.Opaque, b.Lost, b.Foreign, b.Before, b.Undecodable, b.Repeated,
					b.Stray, b.Unneeded,
				} {
					if n < 0 {
						t.Fatalf("seed %d: %+v", seed, *b)
					}
				}
				if tr.table.Held() != 0 {
					t.Fatalf("seed %d: %d bytes are held at the end", seed, tr.table.Held())
				}
			}
		})
	}
}

// resetAfter forges a RST with exactly the expected number after a segment with data, from its sender; nil if the
// segment has none.
func resetAfter(f frame) *frame {
	b := f.data
	const ethernet, ip = 14, 20
	if f.link != layers.LinkTypeEthernet || len(b) < ethernet+ip+20 || len(b) != f.length || b[12] != 8 || b[13] != 0 ||
		b[14] != 0x45 || b[23] != 6 {
		return nil
	}
	tcp := b[ethernet+ip:]
	total, header := int(binary.BigEndian.Uint16(b[16:])), int(tcp[12]>>4)*4
	n := total - ip - header
	if n <= 0 || header < 20 || ethernet+total > len(b) || tcp[13]&7 != 0 { // with FIN, SYN or RST
		return nil
	}
	r := bytes.Clone(b[:ethernet+ip+20])
	binary.BigEndian.PutUint16(r[16:], ip+20)
	tcp = r[ethernet+ip:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(n))
	tcp[12], tcp[13] = 0x50, 0x14 // RST, ACK
	return &frame{f.link, r, len(r), f.at}
}

// TestForgedResets reads captures with forged resets of exactly the expected number, after which both sides continue:
// the rows and counts are those of the original capture.
func TestForgedResets(t *testing.T) {
	made, _ := observetest.Traffic(t, 1<<20)
	for _, name := range append([]string{made}, captureFiles(t)...) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all := frames(t, name)
			if len(all) > 4000 {
				all = all[:4000]
			}
			control := observeFrames(all)
			if control.backwards > 0 || control.cov.Bytes.Lost > 0 {
				return // its numbers are not the expected ones
			}
			random := rand.New(rand.NewPCG(uint64(len(all)), 15))
			forged := 0
			var changed []frame
			for _, f := range all {
				changed = append(changed, f)
				if r := resetAfter(f); r != nil && random.IntN(5) == 0 {
					changed = append(changed, *r)
					forged++
				}
			}
			tr := observeFrames(changed)
			if diff := cmp.Diff(observetest.Short(control.agg.Rows()), observetest.Short(tr.agg.Rows())); diff != "" {
				t.Errorf("%d forged (-control +got):\n%s", forged, diff)
			}
			t.Logf("%d forged, %d ignored, %d rows", forged, tr.table.Counts().Ignored, len(tr.agg.Rows()))
			if diff := cmp.Diff(control.cov.Bytes, tr.cov.Bytes); diff != "" {
				t.Errorf("bytes (-control +got):\n%s", diff)
			}
			if name == made && (forged == 0 || tr.table.Counts().Ignored == 0) {
				t.Errorf("%d forged, %+v", forged, tr.table.Counts())
			}
		})
	}
}
