package observe

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/clip"
)

func TestAggregatorMergesAndBounds(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	use := func(client string, minute int, source string) model.Use {
		when := at.Add(time.Duration(minute) * time.Minute)
		return model.Use{Client: client, Identity: model.Anonymous, Layer: model.LayerOpen, Outcome: model.Allowed, Pipe: "samr", Basis: "b", Count: 1, First: when, Last: when, Source: source}
	}
	uses := []model.Use{use("a", 5, "x"), use("a", 1, "y"), use("a", 9, "x"), use("b", 2, "x"), use("c", 3, "x"), {Client: "a", Identity: model.User, Layer: model.LayerOpen, Outcome: model.Allowed, Basis: "b"}}
	a := NewAggregator(3)
	for _, u := range uses {
		a.Add(u)
	}
	rows := a.Rows()
	if len(rows) != 3 || rows[0].Count != 3 || !rows[0].First.Equal(at.Add(time.Minute)) || !rows[0].Last.Equal(at.Add(9*time.Minute)) || rows[0].Source != "x, y" {
		t.Errorf("rows %+v", rows)
	}
	if diff := cmp.Diff(map[model.Identity]int64{model.User: 1}, a.GivenUp()); diff != "" {
		t.Errorf("given up (-want +got):\n%s", diff)
	}
	// Rows of two results join as their uses would have.
	merged := NewAggregator(0)
	for range 2 {
		for _, r := range rows {
			merged.Add(r)
		}
	}
	if m := merged.Rows(); m[0].Count != 6 || !m[0].First.Equal(rows[0].First) || m[0].Source != "x, y" {
		t.Errorf("merged %+v", m)
	}
}

func TestAggregatorOrder(t *testing.T) {
	var uses []model.Use
	for i := range 60 {
		uses = append(uses, model.Use{Client: fmt.Sprint(i % 7), Pipe: fmt.Sprint(i % 3), Opnum: i % 2, Layer: []model.Layer{model.LayerCall, model.LayerSession}[i%2], Identity: model.User, Log: i >= 42})
	}
	var want []model.Use
	for range 10 {
		a := NewAggregator(0)
		for _, u := range uses {
			a.Add(u)
		}
		if want == nil {
			want = a.Rows()
		}
		if diff := cmp.Diff(want, a.Rows()); diff != "" {
			t.Fatal(diff)
		}
		rand.Shuffle(len(uses), func(i, j int) { uses[i], uses[j] = uses[j], uses[i] })
	}
}

// What a hostile source names takes no more room than any row.
func TestLongTexts(t *testing.T) {
	a, c := NewAggregator(0), new(Coverage)
	a.Add(model.Use{Account: strings.Repeat("ü", 1<<20)})
	if n := len(a.Rows()[0].Account); n > clip.Max {
		t.Errorf("%d bytes kept", n)
	}
	same := strings.Repeat("x", clip.Max)
	for _, end := range []string{"a", "b", "b"} {
		a.Add(model.Use{Account: same + end})
	}
	if rows := a.Rows(); len(rows) != 3 || rows[0].Account == rows[1].Account ||
		!strings.Contains(rows[0].Account, "cut, 257 bytes") {
		t.Errorf("names with the same beginning: %+v", rows)
	}
	full := NewAggregator(1 << 30)
	long := strings.Repeat("x", clip.Max-10)
	for i := range maxRowBytes / rowBytes {
		full.Add(model.Use{Account: long + fmt.Sprint(i), Pipe: long, Call: long, Identity: model.User})
	}
	if n := len(full.Rows()); n > maxRowBytes/(rowBytes+3*(clip.Max-10)) || int64(n)+full.GivenUp()[model.User] != maxRowBytes/rowBytes {
		t.Errorf("%d rows, given up %v", n, full.GivenUp())
	}
	for i := range 3 * maxCounted {
		c.CountRead(fmt.Sprint(i), 1)
		c.Notice(Notice{ID: "x", What: fmt.Sprint(i)})
		c.Notice(Notice{ID: "x", What: fmt.Sprint(i)})
	}
	if len(c.Read) > maxCounted+1 || c.Read["others"] == 0 || len(c.Notices) != maxNotices || c.Notices[0].Count != 2 || len(c.Unreadable) != 1 {
		t.Errorf("%d kinds, %d notices, %v", len(c.Read), len(c.Notices), c.Unreadable)
	}
	for i := range 10 {
		a.Add(model.Use{Account: "a", Source: fmt.Sprint(i)})
	}
	if s := a.Rows()[0].Source; s != "0, 1, 2, 3, and others" {
		t.Errorf("source %q", s)
	}
}

// TestRowsByField: two uses that differ in any field but those that a row joins are two rows, also one right after the
// other.
func TestRowsByField(t *testing.T) {
	t.Parallel()
	joined := []string{"Schema", "Basis", "Count", "First", "Last", "Source"}
	for f := range reflect.TypeFor[model.Use]().Fields() {
		if slices.Contains(joined, f.Name) {
			continue
		}
		var one model.Use
		other := one
		v := reflect.ValueOf(&other).Elem().FieldByIndex(f.Index)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int8:
			v.SetInt(1)
		case reflect.Bool:
			v.SetBool(true)
		default:
			t.Fatalf("%s is a %s", f.Name, v.Kind())
		}
		a := NewAggregator(0)
		for _, u := range []model.Use{one, one, other, one} {
			a.Add(u)
		}
		counts := map[any]int64{}
		for _, r := range a.Rows() {
			counts[reflect.ValueOf(r).FieldByIndex(f.Index).Interface()] = r.Count
		}
		want := map[any]int64{
			reflect.ValueOf(one).FieldByIndex(f.Index).Interface():   3,
			reflect.ValueOf(other).FieldByIndex(f.Index).Interface(): 1,
		}
		if !maps.Equal(counts, want) {
			t.Errorf("%s: %v, want %v", f.Name, counts, want)
		}
	}
}
