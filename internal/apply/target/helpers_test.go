package target

import (
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

func engineFor(t testing.TB, target apply.Target) *engine.Engine {
	t.Helper()
	return &engine.Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: applytest.Opens(target),
	}
}

func newFake() *applytest.Fake { return applytest.NewFake(ResolveValues) }

// placeAt returns the registry value for a plan's notation.
func placeAt(where string) (apply.Place, error) {
	p, err := valuePlace(&change.Change{Place: located("windows", where)})
	return p, err
}

func located(system, where string) change.Place {
	p, _ := change.Locate(system, where) // an unreadable place has no kind
	return p
}

func restrict() model.Plan {
	return model.Plan{Changes: []model.Change{
		applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
	}}
}
