package gateway

import (
	"log/slog"
	"testing"
)

// testLog writes a gateway's log to the test's.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
