package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// credentials can be written and never read: the page shows only their names.
type credentials struct {
	Rows   []store.Credential
	Heads  []head
	Form   *form
	Fields map[string]field
}

func credentialsPage(v *visit) error { return v.showCredentials(newForm(nil), http.StatusOK) }

func (v *visit) showCredentials(f *form, status int) error {
	list, err := v.store.Credentials(v.ctx())
	if err != nil {
		return err
	}
	columns := []column{
		{"name", "name", "", false},
		{"kind", "kind", "", false},
		{"account", "account", "", false},
		{"created", "since", "", true},
		{"used", "last used", "", true},
		{"", "act", "", false},
	}
	order := v.sorted(byParam, "", columns)
	arrange(list, order, map[string]func(a, b store.Credential) int{
		"name":    by(func(c store.Credential) string { return c.Name }),
		"kind":    by(func(c store.Credential) string { return c.Kind }),
		"account": by(func(c store.Credential) string { return c.Account }),
		"created": byTime(func(c store.Credential) time.Time { return c.Created }),
		"used":    byTime(func(c store.Credential) time.Time { return c.Used }),
	})
	return v.renderStatus(status, "credentials", "Credentials", credentials{
		list, v.heads(byParam, order, columns), f,
		map[string]field{
			"name": f.Field("name", "Name", "What targets call it"),
			"kind": f.Choose("kind", "Kind", "",
				[]option{
					{Value: "password", Label: "password"},
					{Value: "hash", Label: "NT hash"},
					{Value: "keytab", Label: "Kerberos keytab"},
				}),
			"account": f.Field("account", "Account", `DOMAIN\name, or name@REALM`),
			"value":   f.Field("value", "Password or hash", "It is encrypted at once and never shown again."),
			"file":    f.Field("file", "Keytab file", "For a keytab alone"),
		},
	})
}

func saveCredential(v *visit) error {
	f, secret := newForm(nil), []byte(nil)
	reader, err := v.r.MultipartReader()
	if err != nil {
		return problem{http.StatusBadRequest, "This form is not whole."}
	}
	for range 20 { // a form has few fields
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(io.LimitReader(part, fleet.MaxKeytab+1))
		switch {
		case err != nil:
			return err
		case len(b) > fleet.MaxKeytab:
			f.wrong(part.FormName(), "This is too long.")
		case part.FormName() == "file":
			if len(b) > 0 {
				secret = b
			}
		default:
			f.Set(part.FormName(), string(b))
		}
	}
	change := acts.CredentialChange{Name: f.Get("name"), Kind: f.Get("kind"), Account: f.Get("account")}
	field := "file"
	if change.Kind == "keytab" {
		change.Keytab = secret
	} else {
		field, change.Secret = "value", strings.TrimRight(f.Get("value"), "\r\n")
	}
	f.Del("value") // it is not shown again, not even here
	if f.ok() {
		_, err := v.acts.SaveCredential(v.ctx(), v.who(), 0, change)
		if err == nil {
			return v.done("/credentials", "The credential is sealed.")
		}
		if !f.refused(err, "secret", field, "keytab", field) {
			return err
		}
		return v.showCredentials(f, statusOf(err))
	}
	return v.showCredentials(f, http.StatusUnprocessableEntity)
}

func deleteCredential(v *visit) error {
	return v.remove(v.acts.DeleteCredential, "/credentials", "The credential is gone.")
}
