package verify

import (
	"context"
	"fmt"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
)

func engineFor(t testing.TB, target apply.Target) *engine.Engine {
	t.Helper()
	return &engine.Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: func(_ context.Context, spec string) (apply.Target, error) {
			if spec != target.Spec() {
				return nil, fmt.Errorf("no target %s", spec)
			}
			return applytest.KeptOpen{Target: target}, nil
		},
	}
}
