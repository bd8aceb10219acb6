package apply

import (
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// childTarget is the real registry below a key of the test's own.
func childTarget(key string, fault func(string)) (Target, []model.Change) {
	return &Windows{fault}, []model.Change{
		{ID: "1", Where: key + `\A`, From: dword(0), To: dword(1)},
		{ID: "2", Where: key + `\New\B`, To: multi()},
	}
}

func newHost(t *testing.T) host {
	t.Helper()
	key := testKey(t)
	w := &Windows{func(string) {}}
	clean := func() {
		if err := w.Write(t.Context(), Place{RegistryValue, key + `\New`, "B"}, State{Missing: key + `\New`}); err != nil {
			t.Fatal(err)
		}
		v := registry.NewDWord("", "", 0)
		if err := w.Write(t.Context(), Place{RegistryValue, key, "A"}, State{Present: true, Type: v.Type, Data: v.Data}); err != nil {
			t.Fatal(err)
		}
	}
	clean()
	_, changes := childTarget(key, func(string) {})
	before := dumpKey(t, key)
	writes, err := w.Resolve(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range writes {
		if err := w.Write(t.Context(), x.Place, x.After); err != nil {
			t.Fatal(err)
		}
	}
	after := dumpKey(t, key)
	clean()
	t.Cleanup(clean) // an empty key is what the next cleaning up expects
	return host{key, w, func() string { return dumpKey(t, key) }, before, after}
}
