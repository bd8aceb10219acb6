package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
)

func aUse(at time.Time, count int64) model.Use {
	return model.Use{
		Client: "c", Server: "s", Identity: model.Anonymous, Basis: "b", Layer: model.LayerOpen, Pipe: "samr",
		Opnum:   -1,
		Outcome: model.Allowed, Status: "STATUS_SUCCESS", Count: count, First: at, Last: at,
	}
}

// TestStateDays saves over two days and a restart: rows are joined, each is counted once, and a second process waits.
func TestStateDays(t *testing.T) {
	dir := t.TempDir()
	first := time.Date(2026, 3, 1, 23, 59, 50, 0, time.UTC)
	s, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("a second process: %v", err)
	}
	tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
	k := &keeper{state: s, day: Today(first), saved: first}
	sealed := aUse(first, 1)
	sealed.Identity, sealed.Pipe = model.Opaque, ""
	tr.agg.Add(aUse(first, 3))
	tr.agg.Add(sealed)
	for _, at := range []time.Time{first.Add(time.Second), first.Add(11 * time.Second), first.Add(22 * time.Second)} {
		if err := k.tick(tr, at); err != nil {
			t.Fatal(err)
		}
	}
	if len(tr.agg.Rows()) != 0 {
		t.Errorf("a new day begins with %d rows", len(tr.agg.Rows()))
	}
	later := first.Add(time.Minute)
	sealed.Last = later
	tr.agg.Touch(sealed)
	tr.agg.Add(aUse(later, 4))
	if err := k.end(tr); err != nil {
		t.Fatal(err)
	}

	agg, cov := NewAggregator(0), new(Coverage)
	if err := LoadState(dir, agg, cov); err != nil {
		t.Fatal(err)
	}
	got := map[model.Identity]model.Use{}
	for _, u := range agg.Rows() {
		got[u.Identity] = u
	}
	if u := got[model.Anonymous]; u.Count != 7 || !u.First.Equal(first) || !u.Last.Equal(later) {
		t.Errorf("%+v", u)
	}
	if u := got[model.Opaque]; u.Count != 1 || !u.Last.Equal(later) {
		t.Errorf("%+v", u)
	}

	s, err = OpenState(dir) // after a restart
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o, err := s.Load(later)
	if err != nil || o == nil || len(o.Uses) != 2 {
		t.Errorf("%+v %v", o, err)
	}
	if o, err := s.Load(later.AddDate(0, 0, 1)); o != nil || err != nil {
		t.Errorf("a day without a result: %+v %v", o, err)
	}
}

// TestExpire removes the oldest days, and incomplete files.
func TestExpire(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range keepDays + 5 {
		if err := os.WriteFile(filepath.Join(dir, dayName(day.AddDate(0, 0, i))), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(dir, dayName(day)+".123.tmp")
	if err := os.WriteFile(half, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(); err != nil {
		t.Fatal(err)
	}
	all, err := days(dir)
	if err != nil || len(all) != keepDays || filepath.Base(all[0]) != "2025-01-06.json" {
		t.Errorf("%d days from %s: %v", len(all), all[0], err)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Error("a half-written file is left")
	}
}

// TestMerge joins results in any order, and rows as JSON lines.
func TestMerge(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	agg, cov := NewAggregator(0), new(Coverage)
	agg.Add(aUse(at, 3))
	cov.Saw(at)
	cov.CountRead("packets", 10)
	cov.CountUnreadable("why", 2)
	cov.Bytes = &model.Bytes{Readable: 5, Lost: 1}
	cov.Note("a note")
	document, err := json.Marshal(Result(agg, cov))
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(aUse(at.Add(time.Hour), 2))
	if err != nil {
		t.Fatal(err)
	}
	line = bytes.Replace(line, []byte(`"schema":""`), []byte(`"schema":"ipcguard.use/1"`), 1)
	var results []model.Observation
	for _, order := range [][][]byte{{document, line, document}, {line, document, document}} {
		agg, cov := NewAggregator(0), new(Coverage)
		for _, b := range order {
			if !IsResult(b) {
				t.Errorf("not known: %s", b[:40])
			}
			err := ReadResult(bytes.NewReader(b), func(o *model.Observation) error { Merge(agg, cov, o); return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		results = append(results, *Result(agg, cov))
	}
	if d := cmp.Diff(results[0], results[1]); d != "" {
		t.Error(d)
	}
	o := results[0]
	if len(o.Uses) != 1 || o.Uses[0].Count != 8 || o.Coverage.Read["packets"] != 20 ||
		o.Coverage.Unreadable["why"] != 4 ||
		o.Coverage.Bytes.Readable != 10 || len(o.Coverage.Notes) != 1 || !o.Coverage.To.Equal(at.Add(time.Hour)) {
		t.Errorf("%+v", o)
	}
	for _, bad := range []string{"", "{}", `{"schema":"ipcguard.scan/1"}`, `{"schema":"ipcguard.observe/1"`, "[]"} {
		if err := ReadResult(bytes.NewReader([]byte(bad)), func(*model.Observation) error { return nil }); !errors.Is(err, ErrNotResult) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzResult(f *testing.F) {
	f.Add([]byte(
		`{"schema":"ipcguard.observe/1","coverage":{"read":{"a":1}},"uses":[{"schema":"ipcguard.use/1","count":-5}]}`))
	f.Add([]byte(`{"schema":"ipcguard.use/1","client":"c","count":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		agg, cov := NewAggregator(100), new(Coverage)
		_ = ReadResult(bytes.NewReader(b), func(o *model.Observation) error { Merge(agg, cov, o); return nil })
		if len(agg.Rows()) > 100 {
			t.Fatalf("%d rows", len(agg.Rows()))
		}
	})
}
