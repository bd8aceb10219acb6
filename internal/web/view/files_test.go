package view

import (
	"reflect"
	"slices"
	"testing"
)

// Every column of a file has a name of its own: a program reads it by its name.
func TestHeads(t *testing.T) {
	for _, v := range Views() {
		names := heads(reflect.TypeOf(v.Row))
		sorted := slices.Sorted(slices.Values(names))
		if len(sorted) == 0 || len(slices.Compact(sorted)) != len(names) {
			t.Errorf("%s: %q", v.Name, names)
		}
	}
	hosts, _ := Find("hosts")
	names := heads(reflect.TypeOf(hosts.Row))
	for _, want := range []string{"identity", "gives-identity", "accounts"} {
		if !slices.Contains(names, want) {
			t.Errorf("hosts: no %s among %q", want, names)
		}
	}
}
