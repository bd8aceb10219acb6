package plan

import (
	"slices"
	"testing"

	"ipcguard/internal/model"
)

// A share with guest only stays open when guest ok alone is taken back: each line that opens it is an edit.
func TestGuestOnly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		share model.Share
		want  []string
	}{
		{"guest only", model.Share{Name: "pub", GuestOnly: true}, []string{"guest only=no"}},
		{
			"both",
			model.Share{Name: "pub", Guest: true, GuestOnly: true},
			[]string{"[pub] guest ok=no", "guest only=no"},
		},
		{"guest ok", model.Share{Name: "pub", Guest: true}, []string{"[pub] guest ok=no"}},
	} {
		h := host{
			system: "samba", product: "samba", role: model.Standalone,
			settings: map[string]any{"restrict anonymous": 2}, shares: []model.Share{tt.share},
		}
		a := h.audit(t)
		p := make1(t, Evidence{Audit: a})
		if got := changes(p); !slices.Equal(got, tt.want) {
			t.Errorf("%s: changes %q, want %q", tt.name, got, tt.want)
		}
		after := Config(a, p)
		if len(after.Shares) != 1 || after.Shares[0].OpenToGuests() {
			t.Errorf("%s: after the plan %+v", tt.name, after.Shares)
		}
	}
}
