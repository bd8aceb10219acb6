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
