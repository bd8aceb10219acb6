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
	secret, kept, err := c.NewToken(t.Context(), alice, good, "ci", store.ScopeRead, day)
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
	if err != nil || who.User.Name != "alice" || who.Role != store.RoleViewer || who.Name() != "alice token:ci" ||
		who.From != "192.0.2.7" {
		t.Errorf("%+v, %v", who, err)
	}
	mine, err := c.st.Tokens(t.Context(), alice.User.ID)
	if err != nil || len(mine) != 1 || mine[0].Used.IsZero() {
		t.Errorf("%+v, %v", mine, err)
	}
	for _, wrong := range []string{
		"", "ipcg_", secret[:47], secret + "A", "ipcg_" + strings.Repeat("A", 43), strings.ToUpper(secret),
		"\n" + secret, secret[5:],
	} {
		if _, err := c.TokenAuth(t.Context(), wrong, home); !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", wrong, err)
		}
	}

	// It shrinks with the account's role, and ends with the account and at its expiry.
	wide, _, err := c.NewToken(t.Context(), alice, good, "wide", store.ScopeOperate, day)
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
	for _, secret := range []string{wide, secret} {
		if _, err := c.TokenAuth(t.Context(), secret, home); !errors.Is(err, ErrToken) {
			t.Errorf("a token came back with its owner: %v", err)
		}
	}
	// A new password of one's own keeps the tokens; one set by an administrator ends them.
	last, _, err := c.NewToken(t.Context(), alice, good, "last", store.ScopeRead, day)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetPassword(t.Context(), alice, alice.User.ID, good, other); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TokenAuth(t.Context(), last, home); err != nil {
		t.Errorf("after one's own change: %v", err)
	}
	if err := c.SetPassword(t.Context(), c.admin, alice.User.ID, "", good); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TokenAuth(t.Context(), last, home); !errors.Is(err, ErrToken) {
		t.Errorf("after a reset: %v", err)
	}
	ends, _, err := c.NewToken(t.Context(), alice, good, "ends", store.ScopeRead, day)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(24 * time.Hour)
	if _, err := c.TokenAuth(t.Context(), ends, home); !errors.Is(err, ErrToken) {
		t.Errorf("after its end: %v", err)
	}
	// Wrong passwords create no token, are recorded and throttled.
	var wait *ThrottledError
	for range ofPair.free {
		if _, _, err := c.NewToken(t.Context(), alice, other, "x", store.ScopeRead,
			day.Add(time.Hour)); !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
	}
	if _, _, err := c.NewToken(t.Context(), alice, good, "x", store.ScopeRead,
		day.Add(time.Hour)); !errors.As(err, &wait) {
		t.Errorf("guessing at a token: %v", err)
	}
	if _, err := c.login("alice", good, home); err != nil {
		t.Errorf("the login is another matter: %v", err)
	}
	if strings.Contains(c.acts(), secret) || !strings.Contains(c.acts(), "token.add ci read until") {
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
		scope store.Scope
		until time.Time
	}{
		"no name":    {" ", store.ScopeRead, now.Add(time.Hour)},
		"long name":  {strings.Repeat("x", 65), store.ScopeRead, now.Add(time.Hour)},
		"hidden":     {"a\u202eb", store.ScopeRead, now.Add(time.Hour)},
		"scope":      {"x", "king", now.Add(time.Hour)},
		"too much":   {"x", store.ScopeAdminister, now.Add(time.Hour)},
		"no end":     {"x", store.ScopeRead, time.Time{}},
		"past":       {"x", store.ScopeRead, now},
		"far future": {"x", store.ScopeRead, now.Add(maxTokenLife + time.Hour)},
	} {
		if _, _, err := c.NewToken(t.Context(), alice, good, try.name, try.scope, try.until); !errors.As(err, &rule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	secret, own, err := c.NewToken(t.Context(), alice, good, "first", store.ScopeOperate, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.NewToken(t.Context(), alice, good, "first", store.ScopeOperate,
		now.Add(time.Hour)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a name twice: %v", err)
	}
	who, err := c.TokenAuth(t.Context(), secret, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.NewToken(t.Context(), who, good, "later", store.ScopeRead,
		now.Add(2*time.Hour)); !errors.As(err, &rule) {
		t.Errorf("a token makes one that outlives it: %v", err)
	}
	if _, _, err := c.NewToken(t.Context(), who, good, "sooner", store.ScopeRead, now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	bob := c.add("bob", store.RoleViewer)
	if err := c.DeleteToken(t.Context(), bob, alice.User.ID, own.ID); !errors.Is(err, ErrForbidden) {
		t.Errorf("somebody else's: %v", err)
	}
	if err := c.DeleteToken(t.Context(), bob, bob.User.ID, own.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("somebody else's as one's own: %v", err)
	}
	// A read token deletes itself and no other.
	ending, kept, err := c.NewToken(t.Context(), alice, good, "reader", store.ScopeRead, own.Until)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := c.TokenAuth(t.Context(), ending, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteToken(t.Context(), reader, alice.User.ID, own.ID); !errors.Is(err, ErrForbidden) {
		t.Errorf("a token that may only read ends another: %v", err)
	}
	if err := c.DeleteToken(t.Context(), reader, alice.User.ID, kept.ID); err != nil {
		t.Errorf("a token does not end itself: %v", err)
	}
	if err := c.DeleteToken(t.Context(), c.admin, alice.User.ID, own.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.TokenAuth(t.Context(), secret, home); !errors.Is(err, ErrToken) {
		t.Errorf("after its deletion: %v", err)
	}
	for i := range maxTokens {
		if _, _, err = c.NewToken(t.Context(), bob, good, fmt.Sprint(i), store.ScopeRead,
			now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = c.NewToken(t.Context(), bob, good, "one more", store.ScopeRead,
		now.Add(time.Hour)); !errors.As(err, &rule) {
		t.Errorf("without bound: %v", err)
	}
}

// An upload token uploads results where its owner may, and does nothing else.
func TestUploadScope(t *testing.T) {
	c := newScene(t)
	operator, viewer := c.add("op", store.RoleOperator), c.add("view", store.RoleViewer)
	until := c.Access.now().Add(time.Hour)
	secret, _, err := c.NewToken(t.Context(), operator, good, "ci", store.ScopeUpload, until)
	if err != nil {
		t.Fatal(err)
	}
	who, err := c.TokenAuth(t.Context(), secret, home)
	if err != nil || who.Somewhere(store.RoleViewer) || !who.UploadsSomewhere() || !who.Uploads(1) {
		t.Errorf("%+v %v", who, err)
	}
	var rule *RuleError
	if _, _, err := c.NewToken(t.Context(), viewer, good, "ci", store.ScopeUpload, until); !errors.As(err, &rule) ||
		rule.Field != "scope" {
		t.Errorf("a viewer's: %v", err)
	}
	if _, _, err := c.NewToken(t.Context(), who, good, "more", store.ScopeRead, until); !errors.Is(err, ErrForbidden) {
		t.Errorf("it makes another one: %v", err)
	}
	if err := c.SetRole(t.Context(), c.admin, operator.User.ID, store.RoleViewer); err != nil {
		t.Fatal(err)
	}
	if who, err := c.TokenAuth(t.Context(), secret, home); err != nil || who.UploadsSomewhere() {
		t.Errorf("its owner is a viewer by now: %+v %v", who, err)
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
