package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// A file that was gone on with has each host once, with the better of its two results; nothing that was seen is lost.
func TestOnce(t *testing.T) {
	of := func(host string, v model.Verdict, partial bool) *model.Scan {
		return &model.Scan{
			Schema: model.SchemaScan, Target: host, Address: host + ":445", Verdict: v, Partial: partial,
			Server: model.Server{Signing: "enabled"},
		}
	}
	name := filepath.Join(t.TempDir(), "out.jsonl")
	write := func(flag int, list ...*model.Scan) {
		t.Helper()
		f, err := os.OpenFile(name, flag|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, s := range list {
			if err := json.NewEncoder(f).Encode(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(os.O_TRUNC,
		of("10.0.0.1", model.Exposed, true),             // is done again, and to the end
		of("10.0.0.2", model.Closed, false),             // is done
		of("10.0.0.3", model.Exposed, true),             // is gone when it is done again
		of("10.0.0.4", model.VerdictInconclusive, true), // is not done again
		of("10.0.0.5", model.VerdictInconclusive, true), // is done again, and interrupted again
		// has no address yet, and gets one
		&model.Scan{Schema: model.SchemaScan, Target: "10.0.0.7", Verdict: model.VerdictInconclusive, Partial: true})
	e, err := readEarlier(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.addresses) != 1 || len(e.again) != 5 || e.sum != (sum{reached: 1}) {
		t.Fatalf("%+v", e)
	}
	later := []*model.Scan{
		of("10.0.0.1", model.Exposed, false), of("10.0.0.3", model.Unreachable, false),
		of("10.0.0.5", model.VerdictInconclusive, true), of("10.0.0.6", model.Closed, false),
		of("10.0.0.7", model.Closed, false),
	}
	write(os.O_APPEND, later...)
	for _, s := range later {
		e.sum.add(s)
	}
	if err := e.once(name); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = eachLine(name, func(_ int, _ []byte, s *model.Scan) error {
		word := s.Target + " " + string(s.Verdict)
		if s.Partial {
			word += " partial"
		}
		got = append(got, word)
		return nil
	})
	want := []string{
		"10.0.0.2 closed", "10.0.0.3 exposed partial", "10.0.0.4 inconclusive partial", "10.0.0.1 exposed",
		"10.0.0.5 inconclusive partial", "10.0.0.6 closed", "10.0.0.7 closed",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %s\nwant %s", err, strings.Join(got, ", "), strings.Join(want, ", "))
	}
	if e.sum.exposed != 1 || e.sum.unclear < 2 {
		t.Errorf("the earlier run's exposure does not count: %+v", e.sum)
	}
	left, _ := filepath.Glob(name + "*")
	if len(left) != 1 {
		t.Errorf("files %v", left)
	}
}
