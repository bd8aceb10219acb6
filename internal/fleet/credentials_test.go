package fleet

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

func TestCheckCredential(t *testing.T) {
	for _, c := range []struct{ kind, secret, problem string }{
		{"password", "x", ""},
		{"password", "", "one to 1024 bytes"},
		{"password", strings.Repeat("x", MaxPassword+1), "one to 1024 bytes"},
		{"hash", "8846F7EAEE8FB117AD06BDD830B7586c", ""},
		{"hash", "8846f7eaee8fb117ad06bdd830b7586", "32 hexadecimal"},
		{"hash", "8846f7eaee8fb117ad06bdd830b7586g", "32 hexadecimal"},
		{"hash", "8846f7eaee8fb117ad06bdd830b7586c8846f7eaee8fb117ad06bdd830b7586c", "32 hexadecimal"},
		{"hash", "", "32 hexadecimal"},
		{"keytab", "\x05\x02", ""},
		{"keytab", "\x05\x01", ""},
		{"keytab", "\x05", "not a keytab"},
		{"keytab", "-----BEGIN CERTIFICATE-----", "not a keytab"},
		{"keytab", "\x05\x02" + strings.Repeat("x", MaxKeytab), "at most"},
		{"ticket", "x", "no credential is of kind"},
	} {
		err := CheckCredential(c.kind, []byte(c.secret))
		if c.problem == "" && err != nil ||
			c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s %.40q: %v", c.kind, c.secret, err)
		}
		if err != nil && len(c.secret) > 1 && strings.Contains(err.Error(), c.secret) {
			t.Errorf("%s: the error tells the secret: %v", c.kind, err)
		}
	}
}

// TestRekey checks that after a new key nothing is sealed with the old one, that sealed data still opens, and that one
// secret that cannot be opened leaves all unchanged.
func TestRekey(t *testing.T) {
	st, _ := sqlite(t)
	path := filepath.Join(t.TempDir(), "key")
	first, _, err := secret.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(key secret.Key, plain string) []byte {
		t.Helper()
		b, err := key.Seal([]byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	hook, err := notify.SealSecrets(first, notify.Secrets{URL: "https://hooks.example/x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, save := range []error{
		st.SaveCredential(t.Context(), &store.Credential{
			Name:    "reader",
			Kind:    "password",
			Account: "reader",
			Sealed:  seal(first, "s3cret"),
		}),
		st.SaveCredential(t.Context(), &store.Credential{
			Name:    "other",
			Kind:    "password",
			Account: "other",
			Sealed:  seal(first, "t4cret"),
		}),
		st.SaveChannel(t.Context(), &store.Channel{Name: "chat", Kind: notify.KindWebhook, Config: "{}", Sealed: hook}),
		st.SaveChannel(t.Context(), &store.Channel{Name: "siem", Kind: notify.KindSyslog, Config: "{}"}),
	} {
		if save != nil {
			t.Fatal(save)
		}
	}
	trust := func(key secret.Key) string {
		t.Helper()
		f := newFleet(t, st, Options{Key: key})
		a, err := f.Authority(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return a.PEM()
	}
	before := trust(first)
	if n, err := Rekey(t.Context(), st, path, false); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	both, err := secret.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if trust(both) != before {
		t.Error("workers do not know the authority any more")
	}
	if n, err := Rekey(t.Context(), st, path, true); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	alone, err := secret.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := reseal(t.Context(), st, alone); n != 0 || err != nil {
		t.Fatal("sealed anew for nothing:", n, err)
	}
	if _, err := alone.Open(hook); !errors.Is(err, secret.ErrWrongKey) {
		t.Error("the forgotten key still opens:", err)
	}
	credentials, err := st.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range credentials {
		plain, err := alone.Open(c.Sealed)
		if want := map[string]string{"reader": "s3cret", "other": "t4cret"}[c.Name]; err != nil ||
			string(plain) != want {
			t.Errorf("%s: %q, %v", c.Name, plain, err)
		}
	}
	channels, err := st.Channels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := notify.OpenSecrets(alone, channels[0].Sealed); err != nil || s.URL != "https://hooks.example/x" {
		t.Errorf("%+v, %v", s, err)
	}

	// A credential sealed with a lost key.
	stranger, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SaveCredential(t.Context(), &store.Credential{
		Name:    "x",
		Kind:    "password",
		Account: "x",
		Sealed:  seal(stranger, "lost"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Rekey(t.Context(), st, path, true); !errors.Is(err, secret.ErrWrongKey) ||
		!strings.Contains(err.Error(), "credential x") {
		t.Error(err)
	}
	both, err = secret.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	after, err := st.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range after {
		for _, b := range credentials {
			if c.ID == b.ID && !bytes.Equal(c.Sealed, b.Sealed) {
				t.Errorf("%s was sealed anew although another failed", c.Name)
			}
			if _, err := both.Open(b.Sealed); err != nil {
				t.Errorf("%s: %v", b.Name, err)
			}
		}
	}
}
