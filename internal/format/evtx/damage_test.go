package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEveryType(t *testing.T) {
	rd := NewReader(iotest.OneByteReader(bytes.NewReader(everyType())))
	e, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	if e.ID() != 0x1210 || e.Provider() != "Made" || e.Computer() != "host.&" || e.RecordID != 7 {
		t.Errorf("system fields: %d %q %q %d", e.ID(), e.Provider(), e.Computer(), e.RecordID)
	}
	if got := e.Time().Format("2006-01-02T15:04:05.0000000"); got != "2020-09-12T00:50:00.0000001" {
		t.Errorf("time %s", got)
	}
	want := map[string]string{
		"B": "a<b>&\"ü\U0001F600", "C": "café", "D": "-2", "E": "254", "F": "-2", "G": "65534", "H": "-2",
		"I": "4294967294", "J": "-2", "K": "18446744073709551614", "L": "1.5", "M": "-2.5", "N": "true", "O": "DEAD",
		"P": "{2d4d81d2-94bd-4667-a2af-2343f9d83462}", "Q": "0x7", "R": "2020-09-12T00:50:00.000000100Z",
		"S": "2020-09-22T07:45:38.207Z", "T": "S-1-5-7", "U": "0x7", "V": "0x7143f7f", "W": "one two", "X": "x y",
		"Y": "1 2", "Z": "S-1-5-7 S-1-5-7", "[": "0x7 0x7", "\\": "false", "odd": "010203",
	}
	got := make(map[string]string)
	for _, f := range e.Fields() {
		got[f.Name] = f.Value.String()
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s = %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d fields, want %d: %q", len(got), len(want), got)
	}
	text, err := e.AppendXML(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`<Data Name="A"/>`, `<Data Name="B">a&lt;b&gt;&amp;&quot;ü` + "\U0001F600</Data>",
		`<Data Name="W">one</Data><Data Name="W">two</Data>`,
		`<Data Name="Y">1</Data><Data Name="Y">2</Data>`, `<Computer>host.&amp;</Computer>`, `<Data Name="missing"/>`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
	if strings.Contains(string(text), "gone") {
		t.Error("an element whose dependency is null was written")
	}
	if n, ok := e.Fields()[20].Value.Uint(); !ok || n != 0x7143f7f {
		t.Errorf("Uint = %#x, %v", n, ok)
	}
	if _, err := rd.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last event: %v", err)
	}
}

// TestFieldsAreXML: the fields read without XML are those in the XML.
func TestFieldsAreXML(t *testing.T) {
	for name, data := range sharedLogs(t) {
		rd := NewReader(bytes.NewReader(data))
		for {
			e, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := e.AppendXML(nil)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			var leaves func(n node, system bool)
			leaves = func(n node, system bool) {
				if len(n.Nodes) == 0 && !system && n.Text != "" {
					name := n.Attrs["Name"]
					if name == "" && n.Name != "Data" {
						name = n.Name
					}
					want = append(want, name+"="+n.Text)
				}
				for _, c := range n.Nodes {
					leaves(c, system || c.Name == "System")
				}
			}
			root := parseXML(t, string(text))[0]
			leaves(root, false)
			var got []string
			for _, f := range e.Fields() {
				for item := range f.Value.Items {
					if s := canonical(item.String()); s != "" {
						// Control characters are U+FFFD only in XML.
						got = append(got, f.Name+"="+strings.Map(func(r rune) rune {
							if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
								return 0xfffd
							}
							return r
						}, s))
					}
				}
			}
			if !slices.Equal(got, want) || e.Err() != nil {
				t.Fatalf("%s record %d:\n got %q\nwant %q\nerr %v", name, e.RecordID, got, want, e.Err())
			}
		}
	}
}

// damaged reads a damaged copy of a log and returns the record IDs found.
func damaged(t *testing.T, data []byte) ([]uint64, Stats) {
	t.Helper()
	rd := NewReader(bytes.NewReader(data))
	var ids []uint64
	for {
		e, err := rd.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, ErrNotEVTX) {
				t.Fatal(err)
			}
			return ids, rd.Stats()
		}
		e.Fields()
		ids = append(ids, e.RecordID)
	}
}

func TestDamagedFiles(t *testing.T) {
	data, ok := sharedLogs(t)["security.evtx.xz"]
	if !ok {
		t.Skip("security.evtx.xz is not there")
	}
	whole, _ := damaged(t, data)
	firstChunk := 0 // records in the first chunk
	for _, id := range whole {
		if id <= binary.LittleEndian.Uint64(data[4096+32:]) {
			firstChunk++
		}
	}
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(data)) }
	for _, tt := range []struct {
		name string
		data []byte
		lost int // records that cannot be recovered
		ok   func(Stats) bool
	}{
		{"no file header", data[4096:], 0, func(s Stats) bool { return s.BadFileHeader && s.CarvedChunks == s.Chunks }},
		{
			"wrong file checksum", edit(func(b []byte) []byte { b[8]++; return b }), 0,
			func(s Stats) bool { return s.BadFileHeader },
		},
		{"sectors lost before the first chunk", edit(func(b []byte) []byte {
			return append(b[:1024:1024], b[4096:]...)
		}), 0, func(s Stats) bool { return s.CarvedChunks == s.Chunks }},
		{"wrong chunk header checksum", edit(func(b []byte) []byte { b[4096+124]++; return b }), 0, func(s Stats) bool {
			return s.BadHeaders == 1 && s.Truncated == 0
		}},
		{
			"wrong record checksum", edit(func(b []byte) []byte { b[4096+512+16]++; return b }), 0,
			func(s Stats) bool { return s.BadData == 1 },
		},
		{
			"first record's frame gone", edit(func(b []byte) []byte { b[4096+512] = 0; return b }), 1,
			func(s Stats) bool { return s.Damaged > 0 },
		},
		{
			"first chunk overwritten", edit(func(b []byte) []byte { clear(b[4096 : 4096+chunkSize]); return b }),
			firstChunk, func(s Stats) bool { return s.SkippedBytes == 0 },
		},
		{
			"text before the file", append(bytes.Repeat([]byte("x"), 512), data...), 0,
			func(s Stats) bool { return s.SkippedBytes > 512 },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ids, stats := damaged(t, tt.data)
			if len(ids)+stats.Damaged < len(whole)-tt.lost || len(ids) > len(whole) || !tt.ok(stats) {
				t.Errorf("%d of %d records, %+v", len(ids), len(whole), stats)
			}
			// What uses a name or a template that the lost bytes defined is lost too, but no more than that chunk.
			if len(ids) < len(whole)-firstChunk {
				t.Errorf("%d of %d records: more than one chunk lost", len(ids), len(whole))
			}
		})
	}
	t.Run("sectors lost inside the second chunk", func(t *testing.T) {
		second := 4096 + chunkSize
		ids, stats := damaged(t, append(data[:second+10*512:second+10*512], data[second+40*512:]...))
		// The records of the third chunk and later are found, although the chunks are displaced.
		third := binary.LittleEndian.Uint64(data[4096+2*chunkSize+24:])
		i := slices.Index(ids, third)
		if i < 0 || len(ids)-i != len(whole)-slices.Index(whole, third) {
			t.Errorf("third chunk's first record %d at %d of %d, %+v", third, i, len(ids), stats)
		}
	})
	t.Run("cut anywhere", func(t *testing.T) {
		last := -1
		for n := 0; n < 4096+2*chunkSize; n += 997 {
			ids, _ := damaged(t, data[:n])
			if len(ids) < last {
				t.Fatalf("%d records of the first %d bytes, %d of fewer", len(ids), n, last)
			}
			last = len(ids)
		}
		if last <= firstChunk {
			t.Errorf("%d records of two chunks", last)
		}
	})
}

// TestDirtyFile: the chunk header does not count the newest records yet.
func TestDirtyFile(t *testing.T) {
	w := newBuilder()
	for id := range uint64(3) {
		if id == 2 {
			w.record(9, func() { w.simple("stale") })
			break
		}
		w.record(id+1, func() { w.simple("event") })
	}
	data := w.file()
	// As if the header had been written after the first record.
	c := data[4096:]
	size := binary.LittleEndian.Uint32(c[516:])
	binary.LittleEndian.PutUint32(c[48:], 512+size)
	reseal(data)
	if ids, _ := damaged(t, data); len(ids) != 1 {
		t.Errorf("clean file: records %d, want the counted one", ids)
	}
	data[120] |= flagDirty
	if ids, s := damaged(t, data); !slices.Equal(ids, []uint64{1, 2}) || !s.Dirty {
		t.Errorf("dirty file: records %d, want 1 and 2 and not the stale one", ids)
	}
}

// simple is an event outside any template.
func (w *builder) simple(text string) {
	w.u8(tokenFragment, 1, 1, 0)
	start := w.here()
	w.open("Event", -1)
	w.text(text)
	w.end()
	w.set(uint32(start+1), uint32(w.here()-start-5))
	w.u8(tokenEOF)
}

// reseal computes a one-chunk file's checksums again.
func reseal(data []byte) {
	w := builder{b: data[4096 : 4096+binary.LittleEndian.Uint32(data[4096+48:])]}
	copy(data[4096:4096+chunkHeaderSize], w.file()[4096:4096+chunkHeaderSize])
}

// TestNestingIsBounded: values that refer to BinXML again and again end at a bound, before memory is exhausted.
func TestNestingIsBounded(t *testing.T) {
	for _, levels := range []int{1, 6, 40} {
		rd := NewReader(bytes.NewReader(nestedLog(levels)))
		e, err := rd.Next()
		if err != nil {
			t.Fatal(err)
		}
		fields := e.Fields()
		text, err := e.AppendXML(nil)
		switch {
		case levels < maxNested && (err != nil || len(fields) != 2<<levels):
			t.Errorf("%d levels: %d fields, %v", levels, len(fields), err)
		case levels >= maxNested && (err == nil || len(text) > 2*maxText || e.Err() == nil):
			t.Errorf("%d levels: %v, %d bytes", levels, err, len(text))
		}
	}
}

func TestNotEVTX(t *testing.T) {
	for _, s := range []string{"", "PK\x03\x04", strings.Repeat("not a log\n", 1000)} {
		if _, err := NewReader(strings.NewReader(s)).Next(); !errors.Is(err, ErrNotEVTX) {
			t.Errorf("%.10q: %v", s, err)
		}
	}
	broken := errors.New("broken")
	if _, err := NewReader(iotest.ErrReader(broken)).Next(); !errors.Is(err, broken) {
		t.Errorf("a failing stream: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(everyType())
	f.Add(nestedLog(3))
	f.Add(everyType()[4096:])
	for _, log := range findLogs(f) {
		f.Add(log[:min(len(log), 4096+chunkSize)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 4096+chunkHeaderSize {
			// Let the fuzzer past the checksums, which it cannot compute.
			data = bytes.Clone(data)
			copy(data[4096:], chunkSignature)
		}
		rd := NewReader(bytes.NewReader(data))
		for {
			e, err := rd.Next()
			if err != nil {
				return
			}
			for _, field := range e.Fields() {
				_ = field.Value.String()
				field.Value.Uint()
				field.Value.Time()
			}
			text, err := e.AppendXML(nil)
			if len(text) > 8*maxText {
				t.Fatalf("%d bytes of XML", len(text))
			}
			if err == nil {
				parseXML(t, string(text))
			}
		}
	})
}
