package verify

import (
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
)

func engineFor(t testing.TB, target apply.Target) *engine.Engine {
	t.Helper()
	return &engine.Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: applytest.Opens(target),
	}
}
