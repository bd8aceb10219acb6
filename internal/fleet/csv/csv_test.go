package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// read returns the rows and the numbers of the bad lines.
func read(t testing.TB, text string) (rows []Row, bad []int, err error) {
	t.Helper()
	err = Read(strings.NewReader(text), func(r Row) error {
		if r.Spec == "refused" {
			return errors.New("refused")
		}
		rows = append(rows, r)
		return nil
	}, func(e *RowError) { bad = append(bad, e.Line) })
	return rows, bad, err
}

func TestRead(t *testing.T) {
	srv1 := Row{
		Line:        2,
		Spec:        "srv1",
		Site:        "office",
		Tags:        []string{"dc", "old"},
		Owner:       "Anna",
		Criticality: "high",
		Note:        "a, b",
		AuditSource: "winreg://srv1",
	}
	for _, test := range []struct {
		name, text string
		rows       []Row
		bad        []int
	}{
		{
			"as written",
			"spec,site,tags,owner,criticality,note,audit_source\nsrv1,office,dc old,Anna,high,\"a, b\",winreg://srv1\n",
			[]Row{srv1},
			nil,
		},
		{
			"another order, case and separator, a mark",
			"\ufeffNote;SPEC;Audit Source;tags;site;Criticality;owner\r\n\"a, b\";srv1;winreg://srv1;dc|old;office;HIGH;Anna\r\n",
			[]Row{srv1},
			nil,
		},
		{"tabs, columns of others", "spec\twhat\nsrv1\tx\n", []Row{{Line: 2, Spec: "srv1"}}, nil},
		{"spec alone, without a line end", "spec\nsrv1", []Row{{Line: 2, Spec: "srv1"}}, nil},
		{
			"bad rows", "spec,site\na,1\nb\n\nc,1,2\nrefused,1\n,office\nd,1\n",
			[]Row{{Line: 2, Spec: "a", Site: "1"}, {Line: 8, Spec: "d", Site: "1"}},
			[]int{3, 5, 6, 7},
		},
		{
			"a note of two lines",
			"spec,note\na,\"1\n2\"\nb,\n",
			[]Row{{Line: 2, Spec: "a", Note: "1\n2"}, {Line: 4, Spec: "b"}},
			nil,
		},
		{
			"a quote left open",
			"spec,note\na,1\nb,\"2\nc,3\nd,4\n",
			[]Row{{Line: 2, Spec: "a", Note: "1"}, {Line: 4, Spec: "c", Note: "3"}, {Line: 5, Spec: "d", Note: "4"}},
			[]int{3},
		},
		{"a quote in the middle", "spec,note\na,1\"2\"\nb,2\n", []Row{{Line: 3, Spec: "b", Note: "2"}}, []int{2}},
		{
			"formulas",
			"spec,note\na,'=1+1\nb,'quoted'\nc,''-1\n",
			[]Row{
				{Line: 2, Spec: "a", Note: "=1+1"},
				{Line: 3, Spec: "b", Note: "'quoted'"},
				{Line: 4, Spec: "c", Note: "'-1"},
			},
			nil,
		},
		{"not UTF-8", "spec\n\xff\nb\n", []Row{{Line: 3, Spec: "b"}}, []int{2}},
		{
			"a cell too long",
			"spec,note\na," + strings.Repeat("x", maxCell+1) + "\nb,\n",
			[]Row{{Line: 3, Spec: "b"}},
			[]int{2},
		},
		{
			"a line too long",
			"spec,note\na," + strings.Repeat("x", 3*maxRow) + "\nb,\n",
			[]Row{{Line: 3, Spec: "b"}},
			[]int{2},
		},
		{
			"a spreadsheet's empty rows",
			"spec,site\n,\n;;;\na,1\n , \n",
			[]Row{{Line: 4, Spec: "a", Site: "1"}},
			[]int{3},
		},
	} {
		rows, bad, err := read(t, test.text)
		for i := range rows {
			if len(rows[i].Tags) == 0 {
				rows[i].Tags = nil
			}
		}
		if err != nil || !reflect.DeepEqual(rows, test.rows) || !reflect.DeepEqual(bad, test.bad) {
			t.Errorf("%s: %v\n got %+v, bad %v\nwant %+v, bad %v", test.name, err, rows, bad, test.rows, test.bad)
		}
	}
	for _, text := range []string{
		"", "\n\n", "name,site\na,b\n", "spec,spec\na,b\n", "\xff\xfes\x00p\x00", "\"spec\n",
		strings.Repeat("x", 3*maxRow), strings.Repeat("spec,", 300),
	} {
		if rows, _, err := read(t, text); err == nil {
			t.Errorf("%.20q is a table of %d", text, len(rows))
		}
	}
}

// TestRoundTrip checks that what is written is read back: formulas, quotes, line ends and all.
func TestRoundTrip(t *testing.T) {
	cell := rapid.OneOf(rapid.StringMatching(`['=+@,;"\-a-z0-9\n|]{0,8}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		var want []Row
		var b bytes.Buffer
		w, err := NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			r := Row{
				Spec:  rapid.StringMatching(`[=+@'\-]?[a-z0-9.:]{1,20}`).Draw(t, "spec"),
				Note:  strings.TrimSpace(strings.ReplaceAll(cell.Draw(t, "note"), "\r", "")),
				Owner: strings.TrimSpace(strings.ReplaceAll(cell.Draw(t, "owner"), "\r", "")),
				Tags:  rapid.SliceOfN(rapid.StringMatching(`[=a-z]{1,5}`), 1, 3).Draw(t, "tags"),
			}
			want = append(want, r)
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var got []Row
		err = Read(&b, func(r Row) error {
			r.Line = 0
			got = append(got, r)
			return nil
		}, func(e *RowError) { t.Fatal(e) })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
		}
	})
}

// many generates a table of n rows without storing it.
type many struct{ n, i int }

func (m *many) Read(b []byte) (int, error) {
	if m.i == 0 {
		m.i++
		return copy(b, "spec,site,tags\n"), nil
	}
	n := 0
	for m.i <= m.n && len(b)-n > 64 {
		n += copy(b[n:], fmt.Sprintf("10.%d.%d.%d,office,a b\n", m.i>>16&255, m.i>>8&255, m.i&255))
		m.i++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestMillion checks that a million rows need the memory of one.
func TestMillion(t *testing.T) {
	const rows = 1_000_000
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most, seen := m.HeapAlloc, uint64(0), 0
	err := Read(&many{n: rows}, func(Row) error {
		if seen++; seen%200_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	}, func(e *RowError) { t.Fatal(e) })
	if err != nil || seen != rows {
		t.Fatalf("%d rows: %v", seen, err)
	}
	if most > before+4<<20 {
		t.Errorf("%d KiB more in use in the middle than before", (most-before)>>10)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("spec,note\na,\"1\n2\"\nb,\"\n")
	f.Add("\ufeffspec;tags\r\n=a;b\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		line := func(n int) {
			if n <= last {
				t.Fatalf("line %d after %d", n, last)
			}
			last = n
		}
		_ = Read(strings.NewReader(text), func(r Row) error { line(r.Line); return nil }, func(e *RowError) {
			if e.Line > last {
				line(e.Line)
			}
		})
	})
}
