package engine

import (
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// childTarget is the real registry below a key of the test.
func childTarget(key string, fault func(string)) (apply.Target, []model.Change) {
	return &target.Windows{Fault: fault, Places: applytest.AnyPlace}, []model.Change{
		{ID: "1", Where: key + `\A`, From: applytest.DWord(0), To: applytest.DWord(1)},
		{ID: "2", Where: key + `\New\B`, To: applytest.Multi()},
	}
}

func newHost(t *testing.T) host {
	t.Helper()
	key := applytest.RegistryKey(t)
	w := &target.Windows{Places: applytest.AnyPlace}
	clean := func() {
		if err := w.Write(t.Context(), apply.Place{Kind: apply.RegistryValue, Path: key + `\New`, Name: "B"},
			apply.State{Missing: key + `\New`}, apply.State{}); err != nil {
			t.Fatal(err)
		}
		v := registry.NewDWord("", "", 0)
		if err := w.Write(t.Context(), apply.Place{Kind: apply.RegistryValue, Path: key, Name: "A"},
			apply.State{Present: true, Type: v.Type, Data: v.Data}, apply.State{}); err != nil {
			t.Fatal(err)
		}
	}
	clean()
	_, changes := childTarget(key, func(string) {})
	before := applytest.DumpKey(t, w, key)
	writes, err := w.Resolve(t.Context(), applytest.Changes("windows", changes))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range writes {
		if err := w.Write(t.Context(), x.Place, x.After, x.Before); err != nil {
			t.Fatal(err)
		}
	}
	after := applytest.DumpKey(t, w, key)
	clean()
	t.Cleanup(clean) // the next cleanup expects an empty key
	return host{key, w, func() string { return applytest.DumpKey(t, w, key) }, before, after}
}
