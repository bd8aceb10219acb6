package applytest

import (
	"context"
	"fmt"

	"ipcguard/internal/apply"
)

// Opens opens one target, under its own name alone, and leaves it open for the test.
func Opens(target apply.Target) func(context.Context, string) (apply.Target, error) {
	return func(_ context.Context, spec string) (apply.Target, error) {
		if spec != target.Spec() {
			return nil, fmt.Errorf("no target %s", spec)
		}
		return KeptOpen{Target: target}, nil
	}
}
