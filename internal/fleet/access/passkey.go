package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"ipcguard/internal/store"
)

// Bounds of passkeys: more than a person has devices, and the time a person needs to find the key.
const (
	maxPasskeys  = 20
	passkeyWait  = 5 * time.Minute
	passkeyBytes = 64 << 10 // an authenticator sends some hundred bytes
)

// ErrNoPasskeys says that passkeys are bound to a host name, but the page is reached by an address.
var ErrNoPasskeys = errors.New("access: passkeys need a page that is reached by a name over HTTPS")

// relying returns the library's description of this page.
func (a *Access) relying() (*webauthn.WebAuthn, error) {
	u, err := url.Parse(a.Base)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil ||
		u.Scheme != "https" && u.Hostname() != "localhost" {
		return nil, ErrNoPasskeys
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID:          strings.ToLower(u.Hostname()),
		RPDisplayName: "ipcguard",
		RPOrigins:     []string{u.Scheme + "://" + u.Host},
	})
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return w, nil
}

// Passkeys reports whether this page supports passkeys.
func (a *Access) Passkeys() bool {
	_, err := a.relying()
	return err == nil
}

// holder adapts an account to the library's interface.
type holder struct {
	store.User
	keys []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(strconv.FormatInt(h.ID, 10)) }
func (h holder) WebAuthnName() string                       { return h.Name }
func (h holder) WebAuthnDisplayName() string                { return h.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

func (a *Access) holder(ctx context.Context, u store.User) (holder, []store.Passkey, error) {
	kept, err := a.st.Passkeys(ctx, u.ID)
	if err != nil {
		return holder{}, nil, err
	}
	h := holder{User: u}
	for _, k := range kept {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(k.Body), &c); err != nil {
			return holder{}, nil, fmt.Errorf("access: a passkey in the store: %w", err)
		}
		h.keys = append(h.keys, c)
	}
	return h, kept, nil
}

// Ceremony is the request to a browser, as JSON, and the state that it returns with the answer.
type Ceremony struct {
	Options json.RawMessage
	State   string
}

func (a *Access) ceremony(
	ctx context.Context, purpose string, options any, session *webauthn.SessionData,
) (Ceremony, error) {
	asked, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, fmt.Errorf("access: %w", err)
	}
	kept, err := json.Marshal(session)
	if err != nil {
		return Ceremony{}, fmt.Errorf("access: %w", err)
	}
	state, err := a.Sign(ctx, purpose, string(kept), a.now().Add(passkeyWait))
	return Ceremony{asked, state}, err
}

func (a *Access) session(ctx context.Context, purpose, state string) (webauthn.SessionData, error) {
	var s webauthn.SessionData
	text, ok, err := a.Signed(ctx, purpose, state)
	if err == nil && (!ok || json.Unmarshal([]byte(text), &s) != nil) {
		err = ErrCredentials
	}
	return s, err
}

// BeginPasskey starts the registration of a passkey that is stored on the authenticator and requires user verification.
func (a *Access) BeginPasskey(ctx context.Context, who Who) (Ceremony, error) {
	if who.User.Subject != "" {
		return Ceremony{}, errLocal
	}
	w, err := a.relying()
	if err != nil {
		return Ceremony{}, err
	}
	h, kept, err := a.holder(ctx, who.User)
	if err != nil {
		return Ceremony{}, err
	}
	if len(kept) >= maxPasskeys {
		return Ceremony{}, &RuleError{"name", fmt.Sprintf("the account has %d passkeys already", maxPasskeys)}
	}
	var there []protocol.CredentialDescriptor
	for i := range h.keys {
		there = append(there, h.keys[i].Descriptor())
	}
	needed := true
	options, session, err := w.BeginRegistration(h, webauthn.WithExclusions(there),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			RequireResidentKey: &needed, ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		}))
	if err != nil {
		return Ceremony{}, fmt.Errorf("access: %w", err)
	}
	return a.ceremony(ctx, "passkey.add", options, session)
}

// AddPasskey adds a passkey, after [Access.Confirm]. It returns recovery codes if the account had none; they are shown
// only once.
func (a *Access) AddPasskey(
	ctx context.Context, who Who, password, name, state, answer string,
) (recovery []string, err error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, unprintable) {
		return nil, &RuleError{"name", fmt.Sprintf("a passkey needs a name of at most %d printable characters",
			maxName)}
	}
	w, err := a.relying()
	if err != nil {
		return nil, err
	}
	session, err := a.session(ctx, "passkey.add", state)
	if errors.Is(err, ErrCredentials) {
		return nil, &RuleError{"name", "it took too long: begin again"}
	} else if err != nil {
		return nil, err
	}
	if len(answer) > passkeyBytes {
		return nil, &RuleError{"name", "the browser's answer is too long"}
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, &RuleError{"name", "the browser's answer cannot be read"}
	}
	h, _, err := a.holder(ctx, who.User)
	if err != nil {
		return nil, err
	}
	made, err := w.CreateCredential(h, session, parsed)
	if err != nil {
		a.Log.Info("a passkey was refused", "account", who.User.Name, "error", err)
		return nil, &RuleError{"name", "the passkey does not fit this page"}
	}
	if err := a.Confirm(ctx, who, password); err != nil {
		return nil, err
	}
	body, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	err = a.change(ctx, who, who.User.ID, "second.add", "passkey "+name, func(tx *store.Tx, u *store.User) error {
		k := store.Passkey{UserID: u.ID, Name: name, Credential: made.ID, Body: string(body), Created: a.now()}
		if err := tx.SavePasskey(ctx, &k); err != nil {
			return err
		}
		left, err := tx.RecoveryCodes(ctx, u.ID)
		if recovery = nil; err == nil && left == 0 {
			recovery, err = a.newRecovery(ctx, tx, u.ID)
		}
		return err
	})
	return recovery, err
}

// DeletePasskey removes a passkey, after [Access.Confirm].
func (a *Access) DeletePasskey(ctx context.Context, who Who, password string, id int64) error {
	if err := a.Confirm(ctx, who, password); err != nil {
		return err
	}
	return a.change(ctx, who, who.User.ID, "second.remove", "passkey", func(tx *store.Tx, u *store.User) error {
		if err := tx.DeletePasskey(ctx, u.ID, id); err != nil {
			return err
		}
		return a.lastSecond(ctx, tx, u)
	})
}

// BeginPasskeyLogin asks for any passkey of this page. It does not reveal who has one.
func (a *Access) BeginPasskeyLogin(ctx context.Context) (Ceremony, error) {
	w, err := a.relying()
	if err != nil {
		return Ceremony{}, err
	}
	options, session, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Ceremony{}, fmt.Errorf("access: %w", err)
	}
	return a.ceremony(ctx, "passkey.login", options, session)
}

// PasskeyLogin logs an account in with a passkey. The authenticator holds the key and has verified its owner, which is
// two factors. Each challenge is valid for one login.
func (a *Access) PasskeyLogin(ctx context.Context, state, answer, from string) (Entry, error) {
	w, err := a.relying()
	if err != nil {
		return Entry{}, err
	}
	refuse := func(u store.User, why string) (Entry, error) {
		return Entry{}, a.refused(ctx, Who{From: from}, u, why, ErrCredentials)
	}
	session, err := a.session(ctx, "passkey.login", state)
	if errors.Is(err, ErrCredentials) {
		return refuse(store.User{}, "a passkey, too late")
	} else if err != nil {
		return Entry{}, err
	}
	if len(answer) > passkeyBytes {
		return refuse(store.User{}, "a passkey that is none")
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return refuse(store.User{}, "a passkey that is none")
	}
	owner := passkeyOwner{Access: a, ctx: ctx}
	_, used, err := w.ValidatePasskeyLogin(owner.find, session, parsed)
	if owner.failed != nil {
		return Entry{}, owner.failed
	}
	if err != nil {
		return refuse(owner.user, "a passkey that does not fit")
	}
	if used.Authenticator.CloneWarning {
		return refuse(owner.user, "a passkey whose counter went back: there may be a copy of it")
	}
	if err := a.passkeyUsed(ctx, session.Challenge, owner.passkeys, used); errors.Is(err, ErrCredentials) {
		return refuse(owner.user, "a passkey's answer that was used before")
	} else if err != nil {
		return Entry{}, err
	}
	return a.enter(ctx, owner.user, from, "", "with a passkey", nil)
}

// passkeyOwner looks up the account that an authenticator names.
type passkeyOwner struct {
	*Access
	ctx      context.Context // of the login: the library's callback has none
	user     store.User
	passkeys []store.Passkey
	failed   error // of the store
}

// find returns the account with a handle, which is its number. It is a [webauthn.DiscoverableUserHandler].
func (o *passkeyOwner) find(_, handle []byte) (webauthn.User, error) {
	id, err := strconv.ParseInt(string(handle), 10, 64)
	if err != nil {
		return nil, ErrCredentials
	}
	var h holder
	if o.user, err = o.st.User(o.ctx, id); err == nil && !o.user.Disabled {
		h, o.passkeys, err = o.holder(o.ctx, o.user)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		o.failed = err
	}
	if err == nil && o.user.Disabled {
		err = ErrCredentials
	}
	return h, err
}

// passkeyUsed stores the new counter of the one of an account's passkeys that was used. A challenge that was answered
// before is [ErrCredentials].
func (a *Access) passkeyUsed(ctx context.Context, challenge string, of []store.Passkey, used *webauthn.Credential) error {
	sum := sha256.Sum256([]byte(challenge))
	body, err := json.Marshal(used)
	if err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		if err := a.lock(ctx, tx); err != nil {
			return err
		}
		key := "challenge:" + hex.EncodeToString(sum[:12])
		if n, err := tx.Failures(ctx, key, a.now().Add(-2*passkeyWait)); err != nil || n > 0 {
			return errors.Join(err, ErrCredentials)
		}
		if err := tx.AddFailure(ctx, key, a.now()); err != nil {
			return err
		}
		for _, k := range of {
			if string(k.Credential) == string(used.ID) {
				k.Body, k.Used = string(body), a.now()
				return tx.SavePasskey(ctx, &k)
			}
		}
		return ErrCredentials
	})
}
