package model

import (
	"encoding/json"
	"errors"
	"io"
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
