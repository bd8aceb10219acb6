package applytest

import (
	"context"

	"ipcguard/internal/apply"
)

// Evidence is the result of a verification that checked nothing.
type Evidence struct {
	Passed bool   `json:"passed"`
	Why    string `json:"why,omitempty"`
}

// Proves implements apply.Evidence.
func (e Evidence) Proves() bool { return e.Passed }

// Failures implements apply.Evidence.
func (e Evidence) Failures() string { return e.Why }

// Good is a verification that passes.
func Good(context.Context) (apply.Evidence, error) { return Evidence{Passed: true}, nil }

// Bad is a verification that fails.
func Bad(context.Context) (apply.Evidence, error) {
	return Evidence{Why: "tcp:h:1 failed: refused"}, nil
}
