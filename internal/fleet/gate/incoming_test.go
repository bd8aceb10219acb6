package gate

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"ipcguard/internal/fleet/wire"
)

// readAll reads a body as results does.
func readAll(body io.Reader) (job string, all []json.RawMessage, err error) {
	in := newIncoming(body)
	if job, err = in.begin(); err != nil {
		return job, nil, err
	}
	for {
		group, err := in.group()
		if err != nil || len(group) == 0 {
			if err == nil {
				err = in.end()
			}
			return job, all, err
		}
		all = append(all, group...)
	}
}

func TestIncoming(t *testing.T) {
	one := `{"target":1}`
	for body, want := range map[string]struct{ status, results int }{
		`{"job":"x","results":[]}`:   {0, 0},
		`{"job":"x"}`:                {0, 0},
		`{"job":"x","results":null}`: {0, 0},
		` {"new":[{}],"job":"x","results":[` + one + `,` + one + `],"n":1}`:  {0, 2},
		`{"job":"x","results":[` + strings.Repeat(one+",", 127) + one + `]}`: {0, 128},
		`{"job":"x","results":[` + strings.Repeat(one+",", 128) + one + `]}`: {413, 0},
		`{"job":"x","results":[` + one + `],"results":[]}`:                   {400, 0},
		`{"job":"x","job":"y","results":[` + one + `]}`:                      {400, 0},
		`{"results":[` + one + `],"job":"x"}`:                                {400, 0},
		`{"job":7,"results":[]}`:                                             {400, 0},
		`{"job":"","results":[]}`:                                            {400, 0},
		`{"job":"x","results":{}}`:                                           {400, 0},
		`{"job":"x","results":[` + one:                                       {400, 0},
		`{"job":"x","results":[` + one + `]`:                                 {400, 0},
		`{"job":"x","results":[` + one + ` ` + one + `]}`:                    {400, 0},
		`[]`: {400, 0},
		``:   {400, 0},
		`{"job":"` + strings.Repeat("x", 1<<20) + `"}`:                                                                                 {413, 0},
		`{"job":"x","new":"` + strings.Repeat("x", 1<<20) + `"}`:                                                                       {413, 0},
		`{"job":"x","results":["` + strings.Repeat("x", wire.MaxResult) + `"]}`:                                                        {413, 0},
		`{"job":"x","results":[` + strings.Repeat(`"`+strings.Repeat("x", wire.MaxResult/4)+`",`, 9) + one + `]` + `,"a":` + one + `}`: {0, 10},
	} {
		_, all, err := readAll(strings.NewReader(body))
		var f failure
		if err != nil && !errors.As(err, &f) {
			t.Errorf("%.60s…: %v", body, err)
		}
		if f.status != want.status || err == nil && len(all) != want.results {
			t.Errorf("%.60s…: %d %d, want %d %d", body, f.status, len(all), want.status, want.results)
		}
	}
	large := http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(`{"job":"x","results":[{"target":1},{}]}`)), 30)
	var over *http.MaxBytesError
	if _, _, err := readAll(large); !errors.As(err, &over) {
		t.Errorf("a body that is too large: %v", err)
	}
}

// TestIncomingMemory: the rest of a body is not kept, and of its results a group at a time.
func TestIncomingMemory(t *testing.T) {
	const size = 32 << 20
	body := `{"job":"x","results":[` + strings.Repeat(`"`+strings.Repeat("x", 300<<10)+`",`, size/(300<<10)) + `{}]}`
	allocated := func(do func()) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	if n := allocated(func() {
		in := newIncoming(strings.NewReader(body))
		if job, err := in.begin(); err != nil || job != "x" {
			t.Error(job, err)
		}
		if err := in.drain(); err != nil {
			t.Error(err)
		}
	}); n > 1<<20 {
		t.Errorf("%d bytes for a body that is not kept", n)
	}
	if n := allocated(func() {
		in := newIncoming(strings.NewReader(body))
		if _, err := in.begin(); err != nil {
			t.Error(err)
		}
		group, err := in.group()
		if err != nil || len(group) != groupBytes/(300<<10)+1 {
			t.Errorf("%d results, %v", len(group), err)
		}
	}); n > 6*groupBytes {
		t.Errorf("%d bytes for a group of %d", n, groupBytes)
	}
}

// FuzzIncoming: what is read of a body is what the whole of it holds.
func FuzzIncoming(f *testing.F) {
	f.Add([]byte(`{"job":"x","results":[{"target":1,"found":["10.0.0.1:445"]},{}]}`))
	f.Add([]byte(`{"job":"x","results":[{"scans":[{"findings":[{"settings":["","",""]}]}]}],"results":[null]}`))
	f.Add([]byte(`{"a":[[1,2],{"b":null}],"job":"y","results":null,"c":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		job, all, err := readAll(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		var whole struct {
			Job     string            `json:"job"`
			Results []json.RawMessage `json:"results"`
		}
		if err := json.NewDecoder(strings.NewReader(string(b))).Decode(&whole); err != nil || len(whole.Results) != len(all) {
			t.Fatalf("%q: %d results, and %d as a whole: %v", b, len(all), len(whole.Results), err)
		}
		if job != "" && job != whole.Job {
			t.Fatalf("%q: the job %q, and %q as a whole", b, job, whole.Job)
		}
	})
}
