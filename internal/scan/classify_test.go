package scan

import (
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// TestCallOutcome tells who was refused from what a call told about somebody else, as observe does with the calls of
// others.
func TestCallOutcome(t *testing.T) {
	for _, c := range []struct {
		err     error
		want    model.Outcome
		nothing bool
	}{
		{status.AccessDenied, model.Denied, false},
		{status.NTStatus(0xC0000061), model.Denied, false}, // STATUS_PRIVILEGE_NOT_HELD
		{status.NoSuchUser, model.Allowed, true},
		{status.AccountDisabled, model.Allowed, true},
		{status.WrongPassword, model.Allowed, true},
		{status.NoneMapped, model.Allowed, true},
		{status.NotSupported, model.Absent, false},
		{status.NotImplemented, model.Absent, false},
		{status.InvalidParameter, model.Inconclusive, false}, // our fault, perhaps
		{status.WerrAccessDenied, model.Denied, false},
		{status.WError(0x80070005), model.Denied, false},
		{status.WError(120), model.Absent, false},
		{status.WError(1355), model.Allowed, true}, // ERROR_NO_SUCH_DOMAIN
		{status.FaultAccessDenied, model.Denied, false},
		{nil, model.Allowed, false},
	} {
		if got, word, _, nothing := callOutcome(c.err); got != c.want || nothing != c.nothing {
			t.Errorf("%v: %s %q, nothing %v; want %s, %v", c.err, got, word, nothing, c.want, c.nothing)
		}
	}
	// A logon is another question.
	if s := layerStep(model.LayerSession, status.NoSuchUser); s.Outcome != model.Denied {
		t.Errorf("a logon of nobody: %+v", s)
	}
}
