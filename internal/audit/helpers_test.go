package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

const (
	lsaKey     = keyLsa
	serverKey  = keyServer
	defaultKey = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\DefaultSecurity`
)

// machine audits a whole registry with the given values: all others are absent.
func machine(t testing.TB, product string, role model.Role, values ...registry.Value) *model.Audit {
	t.Helper()
	tree := &registry.Tree{}
	tree.AddKey(lsaKey)
	tree.AddKey(serverKey)
	tree.AddKey(keyServices)
	for _, v := range values {
		tree.Set(v)
	}
	o := &Options{Product: product, Role: role}
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	f := newFacts("hive", "made", "windows")
	w := &windowsReader{facts: f, catalog: o.Catalog, in: tree, covers: func(string) bool { return true }}
	w.all()
	w.accounts()
	return judge(o, f)
}

func dword(key, name string, n uint32) registry.Value { return registry.NewDWord(key, name, n) }

func ids(a *model.Audit) []string {
	var out []string
	for _, f := range a.Findings {
		out = append(out, f.ID)
	}
	return out
}

func finding(a *model.Audit, id string) *model.Finding {
	for i := range a.Findings {
		if a.Findings[i].ID == id {
			return &a.Findings[i]
		}
	}
	return nil
}

func settingOf(t testing.TB, a *model.Audit, id string) model.Setting {
	t.Helper()
	i := slices.IndexFunc(a.Settings, func(s model.Setting) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("no setting %s", id)
	}
	return a.Settings[i]
}

// write writes files below a new folder and returns its path.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeTo(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// source audits one source, which must succeed.
func source(t testing.TB, o Options, name string) *model.Audit {
	t.Helper()
	list, err := o.Source(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d results, want one", len(list))
	}
	return list[0]
}

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mentions(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}

func mustSDDL(t testing.TB, text string) []byte {
	t.Helper()
	d, err := sddl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
