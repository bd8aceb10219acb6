package engine

import (
	"context"
	"fmt"
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
		Open: func(_ context.Context, spec string) (apply.Target, error) {
			if spec != target.Spec() {
				return nil, fmt.Errorf("no target %s", spec)
			}
			return applytest.KeptOpen{Target: target}, nil
		},
	}
}

func weakFake() (*applytest.Fake, model.Plan) { return applytest.Weak(target.ResolveValues) }
