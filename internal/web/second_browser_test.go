package web

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"ipcguard/internal/store"
)

// TestPasskey adds a passkey in a browser whose authenticator is made up, logs in by it without a password, and not by
// the password alone; the answer of one login is worth nothing for another.
func TestPasskey(t *testing.T) {
	s, p := passkeySite(t)
	said := p.listen()
	p.plugIn()
	p.open("/login?to=/account")
	p.set("name", "operator")
	p.set("password", password)
	p.press("main form button.main")
	p.set("key", "laptop")
	p.do(chromedp.SetValue(chromedp.CSS("#k-password"), password))
	p.picture("account")
	p.press(`form[data-passkey="create"] button`)
	p.says("These are your recovery codes", "passkey laptop", "10 left")
	codes := strings.Fields(p.text("#recovery"))
	p.picture("recovery")
	p.press(`form[action="/logout"] button`)

	p.open("/login?to=/targets")
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: 1440, Height: 900,
		DeviceScaleFactor: 1,
	})
	// in its middle, not in the menu's column
	if w := eval[float64](p, `document.querySelector('main').getBoundingClientRect().width`); w < 400 {
		t.Errorf("on a wide screen the login is %v wide", w)
	}
	p.picture("login")
	p.press(`form[data-passkey="get"] button`)
	if p.where() != "/targets" {
		t.Errorf("the passkey leads to %s: %s", p.where(), p.main())
	}
	p.press(`form[action="/logout"] button`)

	// The password alone opens it no more; a recovery code does, once.
	for i := range 2 {
		p.open("/login")
		p.set("name", "operator")
		p.set("password", password)
		p.press("main form button.main")
		p.says("The second factor")
		p.set("code", codes[0])
		p.picture("second")
		p.press("main form button.main")
		if i == 0 {
			p.press(`form[action="/logout"] button`)
			continue
		}
		p.says("This is not a code that is good now")
	}
	op, err := s.st.UserByName(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.st.Passkeys(t.Context(), op.ID)
	if err != nil || len(keys) != 1 || keys[0].Used.IsZero() {
		t.Errorf("%+v, %v", keys, err)
	}
	// One-time codes: the page shows the secret, as a picture and as text.
	p.press(`form[data-passkey="get"] button`)
	p.open("/account/codes")
	p.picture("codes")
	if len(p.text("#secret")) < 32 {
		t.Error(p.text("#secret"))
	}
	if w := eval[int](p, `document.querySelector('main img').naturalWidth`); w != 200 {
		t.Errorf("the picture is %d wide", w)
	}
	for _, name := range []string{"berlin", "a site in another country with a long name"} {
		if err := s.st.SaveSite(t.Context(), &store.Site{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	admin := s.tab(t, browser(t))
	admin.loginAs(s, store.RoleAdmin)
	admin.open("/accounts")
	admin.picture("accounts")
	admin.open(fmt.Sprintf("/accounts/%d", op.ID))
	admin.picture("roles")
	said.none(t)
}

// picture keeps what is shown, wide and narrow, where IPCGUARD_PICTURES names a directory: for people who look.
func (p *page) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("IPCGUARD_PICTURES")
	if dir == "" {
		return
	}
	for _, width := range []int64{1440, 390} {
		call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900,
			DeviceScaleFactor: 1,
		})
		b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(fmt.Sprintf("%s/%s-%d.png", dir, name, width), b, 0o600)
		}
		if err != nil {
			p.t.Error(err)
		}
	}
}
