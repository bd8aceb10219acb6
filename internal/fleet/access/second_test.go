package access

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

// One-time codes are required once they are set up; each code and each recovery code works once; guessing is throttled;
// and setting another user's password removes them.
func TestSecond(t *testing.T) { onBoth(t, testSecond) }

func testSecond(t *testing.T, c *scene) {
	key, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	c.Key = key
	alice := c.add("alice", store.RoleOperator)
	made, err := c.MakeCodes(alice)
	if err != nil || len(made.Image) == 0 || len(made.Secret) < 32 {
		t.Fatalf("%+v, %v", made, err)
	}
	code := func() string {
		t.Helper()
		s, err := totp.GenerateCode(made.Secret, c.Access.now())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var rule *RuleError
	if _, err := c.SetCodes(t.Context(), alice, good, made.Secret, "000000x"); !errors.As(err, &rule) {
		t.Errorf("without a code: %v", err)
	}
	if _, err := c.SetCodes(t.Context(), alice, other, made.Secret, code()); !errors.Is(err, ErrCredentials) {
		t.Errorf("without the password: %v", err)
	}
	recovery, err := c.SetCodes(t.Context(), alice, good, made.Secret, code())
	if err != nil || len(recovery) != recoveryCodes {
		t.Fatal(recovery, err)
	}
	kept, err := c.st.User(t.Context(), alice.User.ID)
	if err != nil || len(kept.TOTP) == 0 || strings.Contains(string(kept.TOTP), made.Secret) {
		t.Errorf("the secret is kept open: %v", err)
	}
	in, err := c.login("alice", good, home)
	if err != nil || !in.Second || in.Device != "" {
		t.Fatalf("the password alone: %+v, %v", in, err)
	}
	second := func(code string) error {
		t.Helper()
		e, err := c.Second(t.Context(), alice.User.ID, code, home)
		if err == nil && (e.User.ID != alice.User.ID || e.Second) {
			t.Errorf("%+v", e)
		}
		return err
	}
	if err := second(code()); !errors.Is(err, ErrCredentials) {
		t.Errorf("the code of the set-up again: %v", err)
	}
	c.pass(totpPeriod * time.Second)
	now := code()
	if err := second(now[:3] + " " + now[3:]); err != nil {
		t.Error(err)
	}
	if err := second(now); !errors.Is(err, ErrCredentials) {
		t.Errorf("a code twice: %v", err)
	}
	if err := second(recovery[0]); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if err := second(recovery[0]); !errors.Is(err, ErrCredentials) {
		t.Errorf("a recovery code twice: %v", err)
	}
	bob := c.add("bob", store.RoleViewer)
	if _, err := c.Second(t.Context(), bob.User.ID, recovery[1], home); !errors.Is(err, ErrCredentials) {
		t.Errorf("somebody else's recovery code: %v", err)
	}
	if err := second(strings.ToLower(recovery[1])); err != nil {
		t.Errorf("in small letters: %v", err)
	}
	var wait *ThrottledError
	for range ofSecond.free {
		if err := second("123456"); !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
	}
	c.pass(500 * time.Millisecond)
	if err := second(recovery[2]); !errors.As(err, &wait) {
		t.Errorf("after guesses: %v", err)
	}
	c.pass(ofSecond.most)
	if err := second(code()); err != nil {
		t.Errorf("later: %v", err)
	}
	again, err := c.NewRecoveryCodes(t.Context(), alice, good)
	if err != nil {
		t.Fatal(err)
	}
	if err := second(recovery[3]); !errors.Is(err, ErrCredentials) {
		t.Errorf("an older recovery code: %v", err)
	}
	// A lost telephone: an administrator sets the password.
	if err := c.SetPassword(t.Context(), c.admin, alice.User.ID, "", other); err != nil {
		t.Fatal(err)
	}
	if in, err := c.login("alice", other, home); err != nil || in.Second {
		t.Errorf("after a reset: %+v, %v", in, err)
	}
	if err := second(again[0]); !errors.Is(err, ErrCredentials) {
		t.Errorf("a recovery code after a reset: %v", err)
	}
	log := c.acts()
	for _, want := range []string{
		"second.add alice one-time codes", "login alice with a one-time code", "login alice with a recovery code",
		"login.failed alice the second factor",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, s := range []string{made.Secret, recovery[0], again[0]} {
		if strings.Contains(log, s) {
			t.Error("a secret is in the log")
		}
	}
}

// Passkeys are bound to a name over HTTPS.
func TestPasskeyBase(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://fleet.example":      true,
		"https://fleet.example:8443": true,
		"http://localhost:1":         true,
		"https://127.0.0.1:8443":     false,
		"http://fleet.example":       false,
		"":                           false,
	} {
		if got := New(nil, Options{Base: base}).Passkeys(); got != ok {
			t.Errorf("%q: %v", base, got)
		}
	}
}
