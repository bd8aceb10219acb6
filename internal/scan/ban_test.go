package scan

import (
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// A ban is only reported if something was answered before: a network that cuts off every logon bans nobody.
func TestNoBanWithoutAnswer(t *testing.T) {
	gone := &smb.TransportError{Layer: string(model.LayerConnect), Reason: "connection refused"}
	for _, x := range []struct {
		name      string
		anonymous model.Outcome
		guest     model.Outcome
		cut       bool
		want      model.Identity
	}{
		{"every logon is cut off", model.Inconclusive, model.Inconclusive, true, ""},
		{"guest's is cut off after anonymous came in", model.Allowed, model.Inconclusive, true, model.Guest},
		{"guest's is refused", model.Inconclusive, model.Denied, false, model.Guest},
		{"anonymous was refused, guest comes in", model.Denied, model.Allowed, false, ""},
		{"guest's got no answer in time", model.Allowed, model.Inconclusive, false, ""},
	} {
		h := &host{}
		h.met(model.Anonymous, x.anonymous, x.cut && x.anonymous == model.Inconclusive)
		h.met(model.Guest, x.guest, x.cut)
		if got := h.suspect(gone); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
