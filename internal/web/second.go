package web

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// codes is the setup of one-time codes: a secret is shown, and saved once a code of it was entered.
type codes struct {
	Form   *form
	Image  template.URL
	Secret string
	Kept   string // the secret, signed, until then
}

// codesWait is the time to enter a code.
const codesWait = 15 * time.Minute

func codesPage(v *visit) error {
	made, err := v.access.MakeCodes(v.who())
	if err != nil {
		return err
	}
	return v.showCodes(newForm(nil), made, http.StatusOK)
}

func (v *visit) showCodes(f *form, made access.NewCodes, status int) error {
	kept, err := v.access.Sign(v.ctx(), "codes of "+v.user.Name, made.URL, v.now().Add(codesWait))
	if err != nil {
		return err
	}
	d := codes{Form: f, Secret: made.Secret, Kept: kept, Image: template.URL("data:image/png;base64," +
		base64.StdEncoding.EncodeToString(made.Image))}
	return v.renderStatus(status, "codes", "One-time codes", d)
}

func setCodes(v *visit) error {
	f := newForm(v.r.PostForm)
	address, ok, err := v.access.Signed(v.ctx(), "codes of "+v.user.Name, f.Get("kept"))
	if err != nil {
		return err
	}
	if !ok {
		return v.done("/account/codes", "This took too long. Here is another secret.")
	}
	made, err := v.access.CodesAgain(address)
	if err != nil {
		return err
	}
	recovery, err := v.access.SetCodes(v.ctx(), v.who(), f.Get("password"), made.Secret, f.Get("code"))
	f.Values = newForm(nil).Values
	switch {
	case err == nil:
		return v.afterSecond(recovery)
	case errors.Is(err, access.ErrCredentials):
		f.wrong("password", notPresent)
	case !f.refuse(err, "password"):
		return err
	}
	return v.showCodes(f, made, http.StatusUnprocessableEntity)
}

// afterSecond shows recovery codes, only now.
func (v *visit) afterSecond(recovery []string) error {
	return v.showAccount(shownAccount{recovery: recovery}, http.StatusCreated)
}

// changeSecond removes a second factor, or makes new recovery codes.
func changeSecond(v *visit) error {
	f := newForm(v.r.PostForm)
	password, do := f.Get("password"), f.Get("do")
	f.Values = newForm(nil).Values
	var err error
	said := "It is asked for no more."
	switch key, isKey := strings.CutPrefix(do, "passkey-"); {
	case do == "codes":
		err = v.access.EndCodes(v.ctx(), v.who(), password)
	case do == "recovery":
		var recovery []string
		if recovery, err = v.access.NewRecoveryCodes(v.ctx(), v.who(), password); err == nil {
			return v.afterSecond(recovery)
		}
	case isKey:
		id, bad := strconv.ParseInt(key, 10, 64)
		if bad != nil {
			return errNotFound
		}
		said = "The passkey is worth nothing any more."
		err = v.access.DeletePasskey(v.ctx(), v.who(), password, id)
	default:
		return problem{http.StatusUnprocessableEntity, "There is no such act."}
	}
	if err != nil {
		return v.refusedSecond(f, err)
	}
	return v.done("/account#second", said)
}

// refusedSecond shows the account again, with the error about a second factor.
func (v *visit) refusedSecond(f *form, err error) error {
	switch {
	case errors.Is(err, access.ErrCredentials):
		f.Problem = notPresent
	case !f.refuse(err, "password"):
		return err
	}
	if f.Problem == "" {
		f.Problem = f.first()
	}
	return v.showAccount(shownAccount{second: f}, http.StatusUnprocessableEntity)
}

func newPasskeyOptions(v *visit) error { return v.ceremony(v.access.BeginPasskey(v.ctx(), v.who())) }

func addPasskey(v *visit) error {
	f := newForm(v.r.PostForm)
	recovery, err := v.access.AddPasskey(v.ctx(), v.who(), f.Get("password"), f.Get("key"), f.Get("state"),
		f.Get("answer"))
	f.Del("password")
	switch {
	case err == nil && len(recovery) > 0:
		return v.afterSecond(recovery)
	case err == nil:
		return v.done("/account#second", "The passkey is yours from now on.")
	case errors.Is(err, store.ErrConflict):
		f.Problem = "This passkey is there already."
		return v.showAccount(shownAccount{second: f}, http.StatusUnprocessableEntity)
	}
	return v.refusedSecond(f, err)
}
