package web

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
)

// credentials can be written and never read: the page shows their names alone.
type credentials struct {
	Rows   []store.Credential
	Form   *form
	Fields map[string]field
}

func credentialsPage(v *visit) error { return v.showCredentials(newForm(nil), http.StatusOK) }

func (v *visit) showCredentials(f *form, status int) error {
	list, err := v.store.Credentials(v.ctx())
	if err != nil {
		return err
	}
	return v.renderStatus(status, "credentials", "Credentials", credentials{list, f, map[string]field{
		"name":    f.Field("name", "Name", "What targets call it"),
		"kind":    f.Choose("kind", "Kind", "", []option{{Value: "password", Label: "password"}, {Value: "hash", Label: "NT hash"}, {Value: "keytab", Label: "Kerberos keytab"}}),
		"account": f.Field("account", "Account", `DOMAIN\name, or name@REALM`),
		"value":   f.Field("value", "Password or hash", "It is sealed at once and never shown again."),
		"file":    f.Field("file", "Keytab file", "For a keytab alone"),
	}})
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
	c := store.Credential{Name: f.need("name"), Kind: f.choice("kind", "password", "hash", "keytab"), Account: f.need("account"), Created: v.now()}
	value := strings.TrimRight(f.Get("value"), "\r\n")
	f.Del("value") // it is not shown again, not even here
	field := "file"
	if c.Kind != "keytab" {
		field, secret = "value", []byte(value)
	}
	switch err := fleet.CheckCredential(c.Kind, secret); {
	case len(secret) == 0:
		f.wrong(field, "This is needed.")
	case err != nil:
		f.wrong(field, sentence(err.Error()))
	}
	if !f.ok() {
		return v.showCredentials(f, http.StatusUnprocessableEntity)
	}
	if c.Sealed, err = v.options.Key.Seal(secret); err != nil {
		f.Problem = plainError(err)
		return v.showCredentials(f, http.StatusUnprocessableEntity)
	}
	switch err := v.store.SaveCredential(v.ctx(), &c); {
	case errors.Is(err, store.ErrConflict):
		f.wrong("name", "Another credential has this name.")
		return v.showCredentials(f, http.StatusConflict)
	case err != nil:
		return err
	}
	v.act("credential.add", c.Name, c.Kind)
	return v.done("/credentials", "The credential is sealed.")
}

func deleteCredential(v *visit) error {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	c, err := v.store.Credential(v.ctx(), id)
	if err != nil {
		return err
	}
	switch err := v.store.DeleteCredential(v.ctx(), id); {
	case errors.Is(err, store.ErrConflict):
		return v.done("/credentials", "Targets use this credential: it stays.")
	case err != nil:
		return err
	}
	v.act("credential.delete", c.Name, "")
	return v.done("/credentials", "The credential is gone.")
}
