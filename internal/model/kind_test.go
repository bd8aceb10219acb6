package model

import "testing"

func TestKindOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "an empty file",
		" \n":                              "an empty file",
		"[global]":                         "no JSON",
		"plan for x":                       "no JSON",
		`{"schema":"ipcguard.au`:           "JSON without a schema of ipcguard",
		"[]":                               "an array with nothing in it",
		"[1,2]":                            "JSON without a schema of ipcguard",
		`{"a":1}`:                          "JSON without a schema of ipcguard",
		`{"schema":"ipcguard.audit/1"}`:    "the result of an audit (ipcguard.audit/1)",
		` [{"schema":"ipcguard.audit/1"}]`: "the result of an audit (ipcguard.audit/1)",
		`{"schema":"ipcguard.scan/1"}` + "\n" +
			`{"schema":"ipcguard.scan/1"}`: "the result of a scan (ipcguard.scan/1)",
		`{"schema":"ipcguard.plan/2"}`: "a plan (ipcguard.plan/2)",
		`{"schema":"x/1"}`:             "a document of another program (x/1)",
	} {
		if got := KindOf([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func FuzzKindOf(f *testing.F) {
	f.Add([]byte(`[{"schema":"ipcguard.audit/1"}]`))
	f.Add([]byte(`{"schema":"ipcguard.scan/1"}` + "\n{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if CheckDocument(b) == nil && (KindOf(b) == "" || len(KindOf(b)) > 200) {
			t.Fatalf("%q", KindOf(b))
		}
	})
}
