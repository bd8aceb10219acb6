package fleet

import (
	"errors"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

const importedScan = `{"schema":"ipcguard.scan/1","target":"srv1","address":"10.0.0.1:445","started":"2026-01-01T00:00:00Z","verdict":"exposed","identities":[],"findings":[`

// TestImportBombs refuses what took gigabytes: a file of empty objects, one that never ends, one that is deep.
func TestImportBombs(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	for name, in := range map[string]string{
		"empty objects": importedScan + strings.Repeat("{},", 1_000_000) + "{}]}",
		"nulls":         importedScan + strings.Repeat("null,", 1_000_000) + "{}]}",
		"levels":        importedScan + strings.Repeat("[", 100),
		"size":          importedScan + strings.Repeat(" ", model.MaxResult+1<<20),
	} {
		for _, kind := range []string{"scan", "audit", "observe"} {
			got, err := f.Import(t.Context(), kind, strings.NewReader(in), nil, nil)
			if err == nil || got.Taken != 0 {
				t.Errorf("%s as %s: %+v, %v", name, kind, got, err)
			}
			if name != "levels" && !errors.Is(err, model.ErrTooLarge) {
				t.Errorf("%s as %s: %v", name, kind, err)
			}
		}
	}
}

// FuzzImport takes in any file as every kind of result.
func FuzzImport(f *testing.F) {
	f.Add([]byte(importedScan + "]}"))
	f.Add([]byte(`[{"schema":"ipcguard.audit/1","host":"10.0.0.1","source":{"name":"winreg://10.0.0.1"},"settings":[{"id":"RestrictAnonymous","effective":1}]}]`))
	f.Add([]byte(`{"schema":"ipcguard.observe/1","uses":[{"server":"10.0.0.1","client":"a"}]}` + "\n" + `{"schema":"ipcguard.use/1","server":"10.0.0.1"}`))
	st, _ := sqlite(f)
	o, _ := quickOptions(f)
	fleet := newFleet(f, st, o)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []string{"scan", "audit", "observe"} {
			got, _ := fleet.Import(t.Context(), kind, strings.NewReader(string(b)), nil, nil)
			if got.Taken > got.Results {
				t.Fatalf("%+v", got)
			}
		}
	})
}
