package model

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestReadDocuments(t *testing.T) {
	small := DocumentLimits{Document: 1 << 20, Whole: 3 << 20, Objects: 30_000}
	for _, c := range []struct {
		name, in string
		want     []string
		err      string
	}{
		{"one", ` {"a":1}`, []string{`{"a":1}`}, ""},
		{"an array", "\xef\xbb\xbf[{}, {\"a\":[1]}]\n", []string{"{}", `{"a":[1]}`}, ""},
		{"lines", "{}\n{}\n", []string{"{}", "{}"}, ""},
		{"an empty array", "[]", nil, ""},
		{"nothing", " \n", nil, "nothing in it"},
		{"cut off", `{"a":`, nil, "unexpected EOF"},
		{"an array cut off", `[{}`, []string{"{}"}, "EOF"},
		{"strings", `{"a":"}{[\"\\"}`, []string{`{"a":"}{[\"\\"}`}, ""},
		{"depth", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), nil, "more than 64 levels"},
		{"empty objects", `{"findings":[` + strings.Repeat("{},", 30_000) + `{}]}`, nil, "objects in a document of"},
		{"nulls", `{"findings":[` + strings.Repeat("null,", 30_000) + `{}]}`, nil, "objects in a document of"},
		{
			"empty texts", `{"settings":[` + strings.Repeat(`"",`, 300_000) + `""]}`, nil,
			"texts and numbers in a document of",
		},
		{"numbers", `{"a":[` + strings.Repeat("1,", 300_000) + `1]}`, nil, "texts and numbers in a document of"},
		{"names", `{"a":{` + strings.Repeat(`"":{},`, 150_000) + `"":1}}`, nil, "objects in a document of"},
		{"empty lists", `{"a":[` + strings.Repeat(`[],`, 300_000) + `[]]}`, nil, "objects in a document of"},
		{
			"one that is too large", `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, nil,
			"one document has more than 1 MiB",
		},
		{"no end", `{"a":"` + strings.Repeat("x", 9<<20), nil, "one document has more than 1 MiB"},
		{
			"many", strings.Repeat(`{"a":"`+strings.Repeat("x", 600<<10)+"\"}\n", 20), nil,
			"the file has more than 3 MiB",
		},
		{
			"many objects", strings.Repeat(`{"a":[`+strings.Repeat("{},", 9000)+"{}]}\n", 20), nil,
			"more than 30000 objects in one file",
		},
	} {
		var got []string
		err := ReadDocuments(strings.NewReader(c.in), small, func(b []byte) error {
			got = append(got, string(b))
			return nil
		})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
		if c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	enough := errors.New("enough")
	if err := ReadDocuments(strings.NewReader("{}{}"), small, func([]byte) error { return enough }); !errors.Is(err,
		enough) {
		t.Errorf("%v", err)
	}
	broken := io.MultiReader(strings.NewReader("{}\n"), errReader{enough})
	if err := ReadDocuments(broken, small, func([]byte) error { return nil }); !errors.Is(err, enough) {
		t.Errorf("a stream that breaks off: %v", err)
	}
}

// TestDecodedSize: a document within the bounds takes a small multiple of its size when it is decoded, whatever its
// shape, and counting what it holds takes nothing.
func TestDecodedSize(t *testing.T) {
	const size = 4 << 20
	for _, c := range []struct {
		begin, each, end string
		into             func() any
	}{
		{`{"findings":[{"settings":[`, `"x"`, `]}]}`, func() any { return new(Scan) }},
		{`{"findings":[`, `{}`, `]}`, func() any { return new(Scan) }},
		{`{"identities":[`, `null`, `]}`, func() any { return new(Scan) }},
		{`{"identities":[{"pipes":[`, `{"interfaces":[]}`, `]}]}`, func() any { return new(Scan) }},
		{`{"shares":[`, `{"name":"x"}`, `]}`, func() any { return new(Audit) }},
		{`{"settings":[`, `{"id":"x"}`, `]}`, func() any { return new(Audit) }},
		{`{"settings":[{"effective":[`, `"x"`, `]}]}`, func() any { return new(Audit) }},
		{`{"settings":[{"type":"REG_DWORD","effective":[`, `[1]`, `]}]}`, func() any { return new(Audit) }},
		{`{"account_lines":[{"value":{"data":[`, `1`, `]}}]}`, func() any { return new(Audit) }},
		{`{"uses":[`, `{"client":"x"}`, `]}`, func() any { return new(Observation) }},
	} {
		list := func(pad int) []byte { // its elements with some blanks after each
			each := c.each + strings.Repeat(" ", pad) + ","
			n := (size - len(c.begin) - len(c.end)) / len(each)
			return []byte(c.begin + strings.Repeat(each, n) + c.each + c.end)
		}
		if CheckDocument(list(0)) == nil {
			t.Errorf("%s%s…: %d bytes of them are within the bounds", c.begin, c.each, size)
		}
		b := list(0)
		for pad := 1; CheckDocument(b) != nil; pad++ {
			b = list(pad)
		}
		if n := testing.AllocsPerRun(1, func() { _ = CheckDocument(b) }); n > 0 {
			t.Errorf("counting allocates %v times", n)
		}
		into := c.into()
		var before, after, kept runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_ = json.Unmarshal(b, into) // it may say that a list of numbers is no value
		runtime.ReadMemStats(&after)
		runtime.GC()
		runtime.ReadMemStats(&kept)
		if n := after.TotalAlloc - before.TotalAlloc; n > 80*size {
			t.Errorf("%s%s…: decoding %d bytes allocates %d in all", c.begin, c.each, len(b), n)
		}
		if n := int64(kept.HeapAlloc - before.HeapAlloc); n > 16*size {
			t.Errorf("%s%s…: %d bytes are %d when decoded", c.begin, c.each, len(b), n)
		}
		runtime.KeepAlive(into)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzReadDocuments reads any bytes as results of every kind; what was read can be written and read again.
func FuzzReadDocuments(f *testing.F) {
	f.Add([]byte(
		`[{"schema":"ipcguard.scan/1","identities":[{"pipes":[{"interfaces":[{"calls":[{}]}]}]}],"findings":[{}]}]`))
	f.Add(
		[]byte(`{"schema":"ipcguard.audit/1","settings":[{"id":"a","configured":[1,"x"],"raw":"00"}],"access":{"anonymous":{"pipes":{"samr":"denied"}}}}`))
	f.Add([]byte(`{"schema":"ipcguard.use/1","count":1}` + "\n" + `{"schema":"ipcguard.observe/1","uses":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = ReadDocuments(strings.NewReader(string(b)), DocumentLimits{Document: 1 << 16}, func(raw []byte) error {
			for _, v := range []any{new(Scan), new(Audit), new(Observation), new(Use), new(Plan)} {
				if json.Unmarshal(raw, v) != nil {
					continue
				}
				out, err := json.Marshal(v)
				if err != nil {
					t.Fatalf("%T was read and cannot be written: %v", v, err)
				}
				if err := json.Unmarshal(out, v); err != nil {
					t.Fatalf("%T was written and cannot be read: %v", v, err)
				}
			}
			return nil
		})
	})
}
