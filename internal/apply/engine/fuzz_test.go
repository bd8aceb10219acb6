package engine

import "testing"

// FuzzParse reads what a disk or a person may have changed: lines of a journal, and records.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"record":{},"public_key":"","signature":""}`))
	f.Add([]byte("00000000 {}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseStep(b)
		if r, _, err := ReadRecord(b); err == nil && r == nil {
			t.Fatal("no record and no error")
		}
	})
}

// FuzzUnsealed reads journals of earlier versions, which are not authenticated: any content is read or refused.
func FuzzUnsealed(f *testing.F) {
	f.Add([]byte(`{"schema":"ipcguard.journal/1","id":"x","writes":[]}`), []byte(`{}`), []byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, before, plan, steps []byte) {
		j := &Journal{Dir: "x"}
		files := &files{before: before, plan: plan, steps: steps}
		if j.readUnsealed(files) != nil || j.decode(files) != nil || j.impossible() != "" {
			return
		}
		if j.attempted() > len(j.Writes) || len(j.Steps) == 0 {
			t.Fatalf("%d of %d writes were begun, in %d steps", j.attempted(), len(j.Writes), len(j.Steps))
		}
		_, _ = j.Phase(), j.Why()
	})
}
