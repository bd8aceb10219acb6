package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"ipcguard/internal/store"
)

// asked sends a command to the browser and returns its answer.
func asked[P, R any](p *page, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	answer, err := chromedp.Call(p.ctx, cmd, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

// device is an authenticator that is plugged in, one at a time.
type device struct {
	p  *page
	id webauthn.AuthenticatorID
}

// plugIn plugs in an authenticator that holds keys.
func (p *page) plugIn(keys ...*webauthn.Credential) device {
	p.t.Helper()
	d := device{p, asked(p, webauthn.AddVirtualAuthenticator,
		webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
			IsUserVerified: true, AutomaticPresenceSimulation: true,
		}}).AuthenticatorID}
	for _, k := range keys {
		// The library's own command always has fields that this kind of authenticator refuses.
		call(p, cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}, map[string]any{
			"authenticatorId": d.id, "credential": map[string]any{
				"credentialId": k.CredentialID, "isResidentCredential": true, "rpId": k.RpID, "privateKey": k.PrivateKey,
				"userHandle": k.UserHandle, "signCount": k.SignCount,
			},
		})
	}
	return d
}

// unplug returns the keys of an authenticator, as they are now, and removes it.
func (d device) unplug() []*webauthn.Credential {
	d.p.t.Helper()
	keys := asked(d.p, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: d.id}).Credentials
	call(d.p, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: d.id})
	return keys
}

// addsPasskey makes a passkey on the account's page.
func (p *page) addsPasskey(name string) {
	p.t.Helper()
	p.open("/account")
	p.set("key", name)
	p.do(chromedp.SetValue(chromedp.CSS("#k-password"), password))
	p.press(`form[data-passkey="create"] button`)
	p.says("passkey " + name)
}

// comesByPasskey logs in with whatever passkey is plugged in, and reports whether it was let in.
// passkeySite returns a site and a page of it in a browser that authenticators can be plugged into. Browsers give
// passkeys to the name localhost only, not to an address.
func passkeySite(t *testing.T) (*testSite, *page) {
	t.Helper()
	s := newTestSite(t)
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.access.Base = "http://localhost:" + u.Port()
	p := s.tab(t, browser(t))
	p.base = s.access.Base
	call(p, webauthn.Enable, webauthn.EnableParams{})
	return s, p
}

func (p *page) comesByPasskey() bool {
	p.t.Helper()
	p.open("/login?to=/targets")
	p.press(`form[data-passkey="get"] button`)
	return p.where() == "/targets"
}

func (p *page) leavesAccount() {
	p.t.Helper()
	p.press(`form[action="/logout"] button`)
}

// TestPasskeys has two passkeys on two authenticators: one is lost and removed, and the other is copied. What was
// removed, the copy, and one whose owner was not verified let nobody in; what is left does.
func TestPasskeys(t *testing.T) {
	s, p := passkeySite(t)
	p.open("/login?to=/account")
	p.set("name", "operator")
	p.set("password", password)
	p.press("main form button.main")

	laptop := p.plugIn()
	p.addsPasskey("laptop")
	p.open("/account")
	p.set("key", "laptop again")
	p.do(chromedp.SetValue(chromedp.CSS("#k-password"), password),
		chromedp.Click(chromedp.CSS(`form[data-passkey="create"] button`)))
	for !strings.Contains(p.main(), "This passkey is there already.") { // or the test's time ends
		p.do(chromedp.Sleep(20e6))
	}
	lost := laptop.unplug()
	phone := p.plugIn()
	p.addsPasskey("phone")
	p.leavesAccount()
	if !p.comesByPasskey() {
		t.Fatalf("the second passkey: %s", p.main())
	}

	// The laptop is stolen.
	p.open("/account")
	p.do(chromedp.SetValue(chromedp.CSS("#s-password"), password))
	p.press(`button[aria-label="Remove the passkey laptop"]`)
	if strings.Contains(p.main(), "passkey laptop") {
		t.Errorf("it is still there: %s", p.main())
	}
	p.leavesAccount()
	kept := phone.unplug()
	laptop = p.plugIn(lost...)
	if p.comesByPasskey() {
		t.Error("a passkey that was removed lets its thief in")
	}
	laptop.unplug()

	// The phone's key is copied. Its owner comes once more, then the thief with the counter of before.
	phone = p.plugIn(kept...)
	if !p.comesByPasskey() {
		t.Fatalf("the one that is left: %s", p.main())
	}
	p.leavesAccount()
	newer := phone.unplug()
	if len(newer) != 1 || newer[0].SignCount <= kept[0].SignCount {
		t.Fatalf("the counter does not count: %+v, then %+v", kept, newer)
	}
	thief := p.plugIn(kept...)
	if p.comesByPasskey() {
		t.Error("a copy with an older counter is let in")
	}
	thief.unplug()
	list, _, err := s.st.Acts(t.Context(), "", store.Page{Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, a := range list {
		said += a.Action + " " + a.Subject + " " + a.Detail + "\n"
	}
	if !strings.Contains(said, "login.failed operator a passkey whose counter went back: there may be a copy of it") {
		t.Errorf("the audit log does not tell of the copy: %s", said)
	}
	phone = p.plugIn(newer...)
	if !p.comesByPasskey() {
		t.Errorf("the owner is locked out by the copy: %s", p.main())
	}
	p.leavesAccount()

	// What an authenticator that lies sends: a signature of nothing, nobody verified, nobody there.
	yes := true
	for what, bits := range map[string]webauthn.SetResponseOverrideBitsParams{
		"a bogus signature":  {IsBogusSignature: &yes},
		"nobody verified":    {IsBadUV: &yes},
		"nobody was present": {IsBadUP: &yes},
	} {
		bits.AuthenticatorID = phone.id
		call(p, webauthn.SetResponseOverrideBits, bits)
		if p.comesByPasskey() {
			t.Errorf("%s is let in", what)
			p.leavesAccount()
		}
	}
	call(p, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: phone.id})

	// Whoever finds it unlocked cannot use it without the owner's finger or code.
	call(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: phone.id})
	p.open("/login?to=/targets")
	p.do(chromedp.Click(chromedp.CSS(`form[data-passkey="get"] button`)))
	for !strings.Contains(p.main(), "No passkey was given.") {
		p.do(chromedp.Sleep(20e6))
	}
	call(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: phone.id, IsUserVerified: true})

	// Without the last one the password is enough again, and the recovery codes are gone with it.
	if !p.comesByPasskey() {
		t.Fatalf("verified again: %s", p.main())
	}
	p.open("/account")
	p.do(chromedp.SetValue(chromedp.CSS("#s-password"), password))
	p.press(`button[aria-label="Remove the passkey phone"]`)
	p.says("Anybody with your password can log in.")
	p.leavesAccount()
	if p.comesByPasskey() {
		t.Error("the last passkey lets somebody in after it was removed")
	}
	p.open("/login?to=/account")
	p.set("name", "operator")
	p.set("password", password)
	p.press("main form button.main")
	p.says("Your account")
}
