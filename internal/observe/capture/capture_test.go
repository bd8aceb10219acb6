package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

func files(t testing.TB) [][]byte {
	var out [][]byte
	for _, pattern := range []string{"*/*.pcap", "*/*.pcapng", "*/*.pcap.gz"} {
		names, _ := filepath.Glob(filepath.Join("../../../../shared/captures", pattern))
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(name) == ".gz" {
				z, err := gzip.NewReader(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				b, _ = io.ReadAll(z)
			}
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		t.Skip("../shared/captures not present: captures of third parties are not part of the project")
	}
	return out
}

type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	LinkType() layers.LinkType
}

// TestAgainstGopacket compares packets, lengths, times and link types with gopacket's.
func TestAgainstGopacket(t *testing.T) {
	packets := 0
	for i, b := range files(t) {
		var want source
		want, err := pcapgo.NewReader(bytes.NewReader(b))
		if err != nil {
			want, err = pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for {
			data, ci, werr := want.ReadPacketData()
			p, err := got.Next()
			if (werr == nil) != (err == nil) {
				t.Fatalf("file %d packet %d: %v, gopacket %v", i, packets, err, werr)
			}
			if err != nil {
				break
			}
			packets++
			if !bytes.Equal(p.Data, data) || p.Length != ci.Length || !p.Time.Equal(ci.Timestamp) ||
				p.Link != want.LinkType() {
				t.Fatalf("file %d packet %d: %d of %d bytes at %v link %v, gopacket %d of %d at %v link %v", i, packets,
					len(p.Data), p.Length,
					p.Time, p.Link, len(data), ci.Length, ci.Timestamp, want.LinkType())
			}
		}
	}
	if packets < 4000 {
		t.Errorf("only %d packets", packets)
	}
}

// block appends a pcapng block.
func block(dst []byte, kind uint32, body []byte) []byte {
	le := binary.LittleEndian
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	dst = le.AppendUint32(dst, kind)
	dst = le.AppendUint32(dst, uint32(len(body)+12))
	dst = append(dst, body...)
	return le.AppendUint32(dst, uint32(len(body)+12))
}

func section() []byte {
	return block(nil, blockSection, []byte("\x4D\x3C\x2B\x1A\x01\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"))
}

func enhanced(dst []byte, id uint32, data string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, id)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return block(dst, blockEnhanced, append(b, data...))
}

// interfaces is a file with more interfaces than possible, generated as it is read.
type interfaces struct {
	left int
	one  []byte
	buf  []byte
}

func (r *interfaces) Read(p []byte) (int, error) {
	if len(r.buf) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.buf = r.one
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// TestInterfaces announces interfaces endlessly: memory stays bounded, packets of the known ones are read.
func TestInterfaces(t *testing.T) {
	one := block(nil, blockInterface, append([]byte{1, 0, 0, 0, 0, 0, 4, 0}, bytes.Repeat([]byte("\x02\x00\xC8\x00"),
		50)...))
	tail := enhanced(enhanced(nil, 3, "known"), 1<<31, "beyond")
	r, err := NewReader(io.MultiReader(bytes.NewReader(section()), &interfaces{left: 2_000_000, one: one},
		bytes.NewReader(tail)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Next()
	if err != nil || string(p.Data) != "known" {
		t.Fatalf("%q %v", p.Data, err)
	}
	if _, err := r.Next(); err != io.EOF || r.Unknown() != 1 {
		t.Errorf("%v, %d unknown", err, r.Unknown())
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 32<<20 {
		t.Errorf("%d bytes of heap", m.HeapAlloc)
	}
	runtime.KeepAlive(r)
}

func TestTimes(t *testing.T) {
	for resol, want := range map[byte]time.Duration{
		6: time.Second, 9: time.Millisecond, 0: 1e6 * time.Second,
		0x80 | 20: 1e6 * time.Second / (1 << 20),
	} {
		b := section()
		b = block(b, blockInterface, []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, resol, 0, 0, 0})
		body := make([]byte, 20)
		binary.LittleEndian.PutUint32(body[8:], 1e6)
		r, err := NewReader(bytes.NewReader(block(b, blockEnhanced, body)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Next()
		if got := p.Time.Sub(time.Unix(0, 0)); err != nil || got != want.Truncate(time.Nanosecond) {
			t.Errorf("resolution %#x: %v, want %v: %v", resol, got, want, err)
		}
	}
}

// TestCut reads every packet of a truncated file, and reports the truncation.
func TestCut(t *testing.T) {
	for _, b := range files(t)[:10] {
		b = b[:min(len(b), 3000)]
		last := 0
		for n := 0; n < len(b); n += 13 {
			r, err := NewReader(bytes.NewReader(b[:n]))
			if err != nil {
				if !errors.Is(err, ErrFormat) && err != io.EOF {
					t.Fatalf("%d bytes: %v", n, err)
				}
				continue
			}
			count := 0
			for {
				if _, err = r.Next(); err != nil {
					break
				}
				count++
			}
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if count < last {
				t.Fatalf("%d bytes: %d packets, fewer than in a shorter piece", n, count)
			}
			last = count
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(enhanced(block(section(), blockInterface, []byte{1, 0, 0, 0, 0, 0, 4, 0}), 0, "packet"))
	f.Add([]byte("\xD4\xC3\xB2\xA1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xFF\xFF\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x00abc"))
	f.Add(block(block(section(), blockSimple, []byte("\x04\x00\x00\x00abcd")), blockStatistics, make([]byte, 12)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		total := 0
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			if total += len(p.Data); total > len(b) || p.Length < len(p.Data) {
				t.Fatalf("%d bytes of packets in a file of %d", total, len(b))
			}
		}
	})
}
