package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/hive"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// hivesUnderWine loads hives into Wine's registry and takes the plan that their audit gives through apply and back. The
// hives of testdata are made up; the others are of real machines.
func hivesUnderWine(t *testing.T, w *wineHost, server string) {
	const longer = "each takes as long as the others, and tells the same way"
	real := func(t *testing.T, name string) string {
		peer.Long(t, longer)
		return peer.Shared(t, name)
	}
	for _, c := range []struct {
		name, product, role string
		open                func(t *testing.T) string
	}{
		{"made, Windows 2000", "win2000", "member", func(*testing.T) string {
			return filepath.Join("testdata", "hives", "w2k", "SYSTEM.xz")
		}},
		{"made, Server 2003", "win2003", "member", func(t *testing.T) string {
			peer.Long(t, longer)
			return filepath.Join("testdata", "hives", "w2003", "SYSTEM.xz")
		}},
		{"real, Windows 7", "win7", "workstation", func(t *testing.T) string { return real(t, "hives/SYSTEM.xz") }},
		{"real, not cleanly closed", "win10-1607", "workstation", func(t *testing.T) string {
			return real(t, "hives/SYSTEM_B.xz")
		}},
		{"real, Windows 10 1709", "win10-1709", "workstation", func(t *testing.T) string {
			return peer.Shared(t, "hives/SYSTEM_WIN_10_1709.xz")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.open(t)
			w.load(t, path)
			before := w.dump(t)
			platform := []string{"--product", c.product, "--role", c.role}
			fromHive, _ := audited(t, append(platform, path)...)
			w.ipcguard(t, exitExposed,
				append([]string{"audit", "local", "--format", "json", "-o", "hive.json"}, platform...)...)
			sameValues(t, w, fromHive)

			b, err := json.Marshal(fromHive)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(w.Path(`C:\offline.json`), b, 0o600); err != nil {
				t.Fatal(err)
			}
			// the server that stands in for Windows' own does not sign because of the registry
			w.ipcguard(t, 0, "plan", "--audit", "offline.json", "--goal", "findings", "--avoid",
				"RequireSecuritySignature", "--target", server, "--format", "json", "-o", "hive-plan.json")
			w.ipcguard(t, 0, "apply", "hive-plan.json", "--address", server, "--dry-run")
			cmd, said := w.start(t, "apply", "hive-plan.json", "--address", server, "--yes", "--patience", "20s")
			// its code is looked at: which share a stranger could open is not in the hive, and not asked then
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitPartial {
				t.Fatalf("apply: exit %d\n%s", code, said())
			}
			if w.dump(t) == before {
				t.Error("nothing was written")
			}
			w.ipcguard(t, 0, "rollback", idOf(t, said()))
			if now := w.dump(t); now != before {
				t.Errorf("rolled back, the registry is\n%s\nwant\n%s", utf16Text(now), utf16Text(before))
			}
		})
	}
}

// load makes the keys that settings of the catalog are in, and all of the Server service, what they are in a hive.
func (w *wineHost) load(t *testing.T, path string) {
	t.Helper()
	h, err := hive.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	const services = `HKLM\SYSTEM\CurrentControlSet\Services\`
	keys := []string{
		services + `LanmanServer\DefaultSecurity`, services + `LanmanServer\Shares`,
		services + `LanmanServer\Shares\Security`,
	}
	f := &regfile.File{Version: 5}
	for _, key := range []string{lsa, services + "LanmanServer"} {
		f.Ops = append(f.Ops, regfile.Op{Kind: regfile.DeleteKey, Value: registry.Value{Key: key}})
	}
	for i := range c.Settings {
		key, name := registry.SplitValue(c.Settings[i].Where)
		if !strings.HasPrefix(key, `HKLM\SYSTEM\`) {
			continue
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		f.Ops = append(f.Ops, regfile.Op{Kind: regfile.DeleteValue, Value: registry.Value{Key: key, Name: name}})
	}
	mounted := h.Mount(`HKLM\SYSTEM`)
	for _, key := range keys {
		values, err := mounted.Values(key)
		if errors.Is(err, registry.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Ops = append(f.Ops, regfile.Op{Kind: regfile.AddKey, Value: registry.Value{Key: key}})
		for _, v := range values {
			v.Key = key
			f.Ops = append(f.Ops, regfile.Op{Kind: regfile.SetValue, Value: v})
		}
	}
	if err := os.WriteFile(w.Path(`C:\hive.reg`), f.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Run(t, "reg", "import", `C:\hive.reg`)
}

// sameValues: what the program reads of the loaded registry is what it reads of the hive.
func sameValues(t *testing.T, w *wineHost, want *model.Audit) {
	t.Helper()
	b, err := os.ReadFile(w.Path(`C:\hive.json`))
	if err != nil {
		t.Fatal(err)
	}
	var live []*model.Audit
	if err := json.Unmarshal(b, &live); err != nil || len(live) != 1 {
		t.Fatalf("%d audits, %v", len(live), err)
	}
	n := 0
	for _, s := range want.Settings {
		if !s.Present || !strings.HasPrefix(s.Where, lsa+`\`) && !strings.Contains(s.Where, `\LanmanServer\`) {
			continue
		}
		n++
		got := find(t, live[0], s.ID)
		if a, b := got.Value(), s.Value(); !got.Present || a.Type != b.Type || !bytes.Equal(a.Raw, b.Raw) {
			t.Errorf("%s is %s % x in the registry, %s % x in the hive", s.ID, a.Type, a.Raw, b.Type, b.Raw)
		}
	}
	if n == 0 {
		t.Error("the hive has none of the settings")
	}
}
