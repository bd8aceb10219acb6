package access

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

func TestTokens(t *testing.T) { onBoth(t, testTokens) }

func testTokens(t *testing.T, c *scene) {
	alice := c.add("alice", store.RoleOperator)
	day := c.Access.now().Add(24 * time.Hour)
	secret, kept, err := c.NewToken(t.Context(), alice, "ci", store.RoleViewer, day)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "ipcg_") || len(secret) != 48 {
		t.Errorf("%d characters", len(secret))
	}
	raw, err := base64.RawURLEncoding.DecodeString(secret[5:])
	if err != nil || len(raw) != 32 || bytes.Contains(kept.Hash, raw) || strings.Contains(fmt.Sprint(kept), secret) {
		t.Errorf("the store keeps the secret: %v", err)
	}
	who, err := c.TokenAuth(t.Context(), secret, "192.0.2.7")
	if err != nil || who.User.Name != "alice" || who.Role != store.RoleViewer || who.Name() != "alice token:ci" || who.From != "192.0.2.7" {
		t.Errorf("%+v, %v", who, err)
	}
	mine, err := c.st.Tokens(t.Context(), alice.User.ID)
	if err != nil || len(mine) != 1 || mine[0].Used.IsZero() {
		t.Errorf("%+v, %v", mine, err)
	}
	for _, wrong := range []string{"", "ipcg_", secret[:47], secret + "A", "ipcg_" + strings.Repeat("A", 43), strings.ToUpper(secret), "\n" + secret, secret[5:]} {
		if _, err := c.TokenAuth(t.Context(), wrong, home); !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", wrong, err)
		}
	}

	// It shrinks with the account's role, ends with the account, and on its day.
	wide, _, err := c.NewToken(t.Context(), alice, "wide", store.RoleOperator, day)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetRole(t.Context(), c.admin, alice.User.ID, store.RoleViewer); err != nil {
		t.Fatal(err)
	}
	if who, err := c.TokenAuth(t.Context(), wide, home); err != nil || who.Role != store.RoleViewer {
		t.Errorf("%+v, %v", who, err)
	}
	if err := c.Disable(t.Context(), c.admin, alice.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TokenAuth(t.Context(), wide, home); !errors.Is(err, ErrToken) {
		t.Error(err)
	}
	if err := c.Enable(t.Context(), c.admin, alice.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TokenAuth(t.Context(), wide, home); err != nil {
		t.Error(err)
	}
	c.pass(24 * time.Hour)
	if _, err := c.TokenAuth(t.Context(), wide, home); !errors.Is(err, ErrToken) {
		t.Errorf("after its end: %v", err)
	}
	if strings.Contains(c.acts(), secret) || !strings.Contains(c.acts(), "token.add ci viewer until") {
		t.Error(c.acts())
	}
}

func TestTokenRules(t *testing.T) {
	c := newScene(t)
	alice := c.add("alice", store.RoleOperator)
	now := c.Access.now()
	var rule *RuleError
	for name, try := range map[string]struct {
		name  string
		scope store.Role
		until time.Time
	}{
		"no name":    {" ", store.RoleViewer, now.Add(time.Hour)},
		"long name":  {strings.Repeat("x", 65), store.RoleViewer, now.Add(time.Hour)},
		"hidden":     {"a\u202eb", store.RoleViewer, now.Add(time.Hour)},
		"scope":      {"x", "king", now.Add(time.Hour)},
		"too much":   {"x", store.RoleAdmin, now.Add(time.Hour)},
		"no end":     {"x", store.RoleViewer, time.Time{}},
		"past":       {"x", store.RoleViewer, now},
		"far future": {"x", store.RoleViewer, now.Add(maxTokenLife + time.Hour)},
	} {
		if _, _, err := c.NewToken(t.Context(), alice, try.name, try.scope, try.until); !errors.As(err, &rule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	secret, own, err := c.NewToken(t.Context(), alice, "first", store.RoleOperator, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.NewToken(t.Context(), alice, "first", store.RoleOperator, now.Add(time.Hour)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a name twice: %v", err)
	}
	who, err := c.TokenAuth(t.Context(), secret, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.NewToken(t.Context(), who, "later", store.RoleViewer, now.Add(2*time.Hour)); !errors.As(err, &rule) {
		t.Errorf("a token makes one that outlives it: %v", err)
	}
	if _, _, err := c.NewToken(t.Context(), who, "sooner", store.RoleViewer, now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	bob := c.add("bob", store.RoleViewer)
	if err := c.DeleteToken(t.Context(), bob, alice.User.ID, own.ID); !errors.Is(err, ErrForbidden) {
		t.Errorf("somebody else's: %v", err)
	}
	if err := c.DeleteToken(t.Context(), bob, bob.User.ID, own.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("somebody else's as one's own: %v", err)
	}
	if err := c.DeleteToken(t.Context(), c.admin, alice.User.ID, own.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.TokenAuth(t.Context(), secret, home); !errors.Is(err, ErrToken) {
		t.Errorf("after its deletion: %v", err)
	}
	for i := range maxTokens {
		if _, _, err = c.NewToken(t.Context(), bob, fmt.Sprint(i), store.RoleViewer, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = c.NewToken(t.Context(), bob, "one more", store.RoleViewer, now.Add(time.Hour)); !errors.As(err, &rule) {
		t.Errorf("without bound: %v", err)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("ipcg_" + strings.Repeat("A", 43))
	f.Add("ipcg_" + strings.Repeat("A", 42) + "B")
	f.Add("ipcg_" + strings.Repeat("A", 42) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		hash, ok := hashToken(s)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, tokenPrefix))
		if err != nil || len(hash) != 32 || tokenPrefix+base64.RawURLEncoding.EncodeToString(raw) != s {
			t.Errorf("%q is taken for a token", s) // two spellings of one secret would be two tokens
		}
	})
}
