package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestAdvice: each system gets only the advice that works on it.
func TestAdvice(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range []struct{ finding, system, want string }{
		{"anonymous-lists-shares", "windows", "RestrictAnonymous = 1 and no srvsvc in NullSessionPipes."},
		{"anonymous-lists-shares", "samba", "restrict anonymous = 2."},
		{
			"anonymous-lists-shares", "",
			"Windows: RestrictAnonymous = 1 and no srvsvc in NullSessionPipes. Samba: restrict anonymous = 2. " +
				"ksmbd: restrict anonymous = 1.",
		},
		{"anonymous-lists-shares", "ksmbd", "restrict anonymous = 1."},
		{"guest-lists-shares", "samba", "Set map to guest = never first. Then: restrict anonymous = 2."},
		{"weak-setting", "ksmbd", "Set the wanted value; see the setting."},
	} {
		if got := c.Fix(c.Finding(tt.finding), model.Platform{System: tt.system}); got != tt.want {
			t.Errorf("%s on %q: %q", tt.finding, tt.system, got)
		}
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		for system, hints := range f.Fix {
			if system != anySystem && SystemTitle(system) == "" {
				t.Errorf("%s: %q is no system", f.ID, system)
			}
			for _, h := range hints {
				if h.Say == "" || strings.Contains(h.Say, "Windows: ") || strings.Contains(h.Say, "Samba: ") {
					t.Errorf("%s for %s: %q", f.ID, system, h.Say)
				}
			}
		}
	}
}

func TestAdviceByScope(t *testing.T) {
	c := mustLoad(t)
	var f Finding
	if err := json.Unmarshal([]byte(
		`{"fix":{"windows":[{"until":"win2000","say":"Old."},{"say":"New."}],"any":"Other."}}`), &f); err != nil {
		t.Fatal(err)
	}
	for product, want := range map[string]string{
		"nt4": "Old.", "win2000": "Old.", "win2019": "New.",
		"samba": "Other.",
	} {
		p := model.Platform{System: c.Product(product).System, Product: product}
		if got := c.Fix(&f, p); got != want {
			t.Errorf("%s: %q", product, got)
		}
	}
	out, err := json.Marshal(f.Fix)
	if err != nil || string(out) != `"Other. Windows: New."` {
		t.Errorf("as JSON: %s, %v", out, err)
	}
	for _, bad := range []string{`{"fix":3}`, `{"fix":{"windows":3}}`} {
		if json.Unmarshal([]byte(bad), &Finding{}) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
