package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/apply/engine"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
)

// TestFrozen reads documents that an earlier version wrote, and keeps reading them for ever: testdata/frozen holds
// scans, audits, observations, plans and journals of November 2026, all of made-up hosts. They are never written again.
func TestFrozen(t *testing.T) {
	dir := filepath.Join("testdata", "frozen")
	read := func(t *testing.T, name string) []byte {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := func(t *testing.T, pattern string, least int) []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) < least {
			t.Fatalf("%d files %s, want %d: %v", len(names), pattern, least, err)
		}
		return names
	}
	t.Run("scan", func(t *testing.T) {
		var scans []*model.Scan
		if err := json.Unmarshal(read(t, filepath.Join(dir, "scan.json")), &scans); err != nil {
			t.Fatal(err)
		}
		if len(scans) != 1 || scans[0].Verdict != model.Exposed || len(scans[0].Findings) == 0 {
			t.Errorf("%+v", scans)
		}
	})
	t.Run("audits", func(t *testing.T) {
		values := map[string]model.Value{}
		for _, name := range files(t, "audit-*.json", 5) {
			var audits []*model.Audit
			if err := json.Unmarshal(read(t, name), &audits); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(audits) != 1 || len(audits[0].Settings) == 0 {
				t.Fatalf("%s: %d audits", name, len(audits))
			}
			for _, s := range audits[0].Settings {
				if strings.HasSuffix(name, "audit-odd.json") {
					values[s.ID] = s.Value()
				}
			}
			// what is read of a value now is what a plan made then took from it
			if _, err := plan.Make(plan.Evidence{Audit: audits[0]}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for id, want := range map[string]model.Value{
			"RestrictAnonymous":        {Present: true, Type: "REG_DWORD", Data: 0},
			"NullSessionShares":        {Present: true, Type: "REG_MULTI_SZ", Data: []string{"pub", "   ", "x"}},
			"RestrictRemoteSAM":        {Present: true, Type: "REG_SZ", Data: "O:BAG:BAD:(A;;RC;;;BA) "},
			"TurnOffAnonymousBlock":    {Present: true, Type: "REG_QWORD", Data: make(model.Hex, 8)},
			"RequireSecuritySignature": {Present: true, Type: "REG_DWORD_BIG_ENDIAN", Data: model.Hex{0, 0, 0, 1}},
			"SrvsvcShareFileInfo":      {Present: true, Type: "REG_BINARY", Data: model.Hex{1, 2, 3}},
			"SrvsvcSessionInfo": {
				Present: true, Type: "REG_BINARY", Data: "O:SYG:SYD:(A;;RCSDWDWOCCDCRP;;;BA)(A;;CC;;;AN)(A;;CC;;;AU)",
			},
			"AutoShareWks":       {Present: true, Type: "REG_DWORD"},
			"PipeFirewallActive": {},
		} {
			if got := values[id]; !got.Equal(want) {
				t.Errorf("%s is %#v, want %#v", id, got, want)
			}
		}
	})
	t.Run("plans", func(t *testing.T) {
		for _, name := range files(t, "plan-*.json", 11) {
			p, err := plan.Read(read(t, name)) // the hash and the fingerprint fit still
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if _, err := change.All(load(t), p); err != nil { // what could be asked for then can be asked for now
				t.Errorf("%s: %v", name, err)
			}
			if len(p.Changes) == 0 && !strings.HasSuffix(name, "pipes.json") {
				t.Errorf("%s has no changes", name)
			}
		}
	})
	t.Run("observation", func(t *testing.T) {
		o := &model.Observation{}
		if err := json.Unmarshal(read(t, filepath.Join(dir, "observe.json")), o); err != nil {
			t.Fatal(err)
		}
		if len(o.Uses) != 1 || o.Uses[0].Identity != model.Anonymous || o.Uses[0].Count != 3 {
			t.Errorf("%+v", o.Uses)
		}
		answer := &plan.Answer{}
		if err := json.Unmarshal(read(t, filepath.Join(dir, "what-if.json")), answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Changes) != 1 || !answer.Changes[0].To.Equal(model.Value{Present: true, Type: "int", Data: 2}) {
			t.Errorf("%+v", answer.Changes)
		}
	})
	t.Run("journals", func(t *testing.T) {
		for _, name := range files(t, "journals/*", 5) {
			state := t.TempDir() // what reads a journal may leave a lock
			if err := os.CopyFS(state, os.DirFS(name)); err != nil {
				t.Fatal(err)
			}
			all, err := (&engine.Engine{State: state}).History()
			if err != nil || len(all) != 1 {
				t.Errorf("%s: %d applies, %v", name, len(all), err)
				continue
			}
			var out bytes.Buffer
			if code := Main([]string{"history", all[0].ID, "--state", state}, strings.NewReader(""), &out,
				&out); code == exitUsage || !strings.Contains(out.String(), all[0].ID) {
				t.Errorf("%s: exit status %d: %s", name, code, out.String())
			}
		}
	})
}
