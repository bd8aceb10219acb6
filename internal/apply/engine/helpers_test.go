package engine

import (
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/model"
)

func engineFor(t testing.TB, target apply.Target) *Engine {
	t.Helper()
	return &Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: applytest.Opens(target),
	}
}

func weakFake() (*applytest.Fake, model.Plan) { return applytest.Weak(target.ResolveValues) }
