package applytest

import (
	"context"
	"fmt"

	"ipcguard/internal/apply"
)

// Opens returns a function that opens one target by its own name, and keeps it open for the test.
func Opens(target apply.Target) func(context.Context, string) (apply.Target, error) {
	return func(_ context.Context, spec string) (apply.Target, error) {
		if spec != target.Spec() {
			return nil, fmt.Errorf("no target %s", spec)
		}
		return KeptOpen{Target: target}, nil
	}
}
