package access

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestProvider logs in at a real provider, which sends the groups in the ID token or only in the user info.
func TestProvider(t *testing.T) {
	peers := map[bool]*peer.Provider{}
	for inToken, address := range map[bool]string{true: "127.77.1.1", false: "127.77.1.2"} {
		peers[inToken] = peer.StartProvider(t, address,
			peer.ProviderOptions{Base: "https://fleet.example", InToken: inToken})
	}
	onBoth(t, func(t *testing.T, c *scene) {
		c.now.Store(time.Now().UnixMicro()) // the provider's clock is the machine's
		branch := store.Site{Name: "branch"}
		if err := c.st.SaveSite(t.Context(), &branch); err != nil {
			t.Fatal(err)
		}
		for inToken, there := range peers {
			p := c.provider(there)
			there.Person("ada", peer.Claims{Name: "Ada@example.net", Groups: []string{"staff", "cn=ops,dc=example"}})
			there.Person("bob", peer.Claims{Name: "root", Groups: []string{"branch-look", "branch-run"}})
			there.Person("eve", peer.Claims{Name: "eve", Groups: []string{"nobody"}})
			log := c.testProvider(t, p, there, branch)
			if strings.Contains(log, there.Secret) {
				t.Errorf("groups in the token %v: the client's secret is in the log", inToken)
			}
		}
	})
	peers[true].Stop()
	c := newScene(t)
	p := c.provider(peers[true])
	if _, _, err := p.Begin(t.Context(), "/", false); !errors.Is(err, ErrProvider) {
		t.Errorf("a provider that is away: %v", err)
	}
	if _, err := c.login("root", good, home); err != nil {
		t.Errorf("the local account then: %v", err)
	}
}

func (c *scene) provider(there *peer.Provider) *Provider {
	c.t.Helper()
	o := ProviderOptions{
		Issuer: there.Issuer, Client: "ipcguard", Secret: there.Secret,
		Redirect: "https://fleet.example/login/provider/back", After: "https://fleet.example/login",
		Scopes: []string{"groups"},
	}
	for _, s := range []string{
		"staff=viewer", "cn=ops,dc=example=operator", "branch-look=viewer@branch", "branch-run=operator@branch",
		"gone=admin@nowhere",
	} {
		g, err := ParseGrant(s)
		if err != nil {
			c.t.Fatal(err)
		}
		o.Grants = append(o.Grants, g)
	}
	p, err := NewProvider(o)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *scene) testProvider(t *testing.T, p *Provider, there *peer.Provider, branch store.Site) string {
	begin := func(again bool) (string, Flow) {
		t.Helper()
		address, flow, err := p.Begin(t.Context(), "/hosts", again)
		if err != nil {
			t.Fatal(err)
		}
		return address, flow
	}
	in := func(sub string) (Entry, error) {
		t.Helper()
		address, flow := begin(false)
		return c.SignIn(t.Context(), p, flow, there.Answer(address, sub), home)
	}
	ada, err := in("ada")
	if err != nil || ada.User.Role != store.RoleOperator || ada.User.Password != "" ||
		!strings.HasPrefix(ada.User.Name, "ada@example.net") {
		t.Fatalf("%+v, %v", ada, err)
	}
	if who, err := c.Resume(t.Context(), ada.User.ID, Stamp(&ada.User), home); err != nil ||
		!who.Can(store.RoleOperator) || who.Can(store.RoleAdmin) {
		t.Errorf("%+v, %v", who, err)
	}
	// A user whom the provider calls by a local account's name gets another account, with roles at a site.
	bob, err := in("bob")
	if err != nil || bob.User.Name == "root" || bob.User.Role != "" || len(bob.User.Sites) != 1 ||
		bob.User.Sites[0].Role != store.RoleOperator || bob.User.Sites[0].SiteID != branch.ID {
		t.Fatalf("%+v, %v", bob, err)
	}
	if _, err := in("eve"); !errors.Is(err, ErrNoGroup) {
		t.Errorf("without a group: %v", err)
	}
	if _, err := c.st.UserByName(t.Context(), "eve"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("whoever may not come in has an account: %v", err)
	}
	// The current groups count: fewer, none, others.
	there.Person("ada", peer.Claims{Name: "someone else", Groups: []string{"staff"}})
	if again, err := in("ada"); err != nil || again.User.ID != ada.User.ID || again.User.Name != ada.User.Name ||
		again.User.Role != store.RoleViewer {
		t.Errorf("%+v, %v", again, err)
	}
	there.Person("ada", peer.Claims{})
	if _, err := in("ada"); !errors.Is(err, ErrNoGroup) {
		t.Errorf("without her groups: %v", err)
	}
	if who, err := c.Resume(t.Context(), ada.User.ID, Stamp(&ada.User), home); err != nil ||
		who.Somewhere(store.RoleViewer) {
		t.Errorf("an older session then: %+v, %v", who, err)
	}
	there.Person("ada", peer.Claims{Groups: []string{"staff"}})
	if _, err := in("ada"); err != nil {
		t.Error(err)
	}
	// The account has no password, and nobody can set one or change its roles.
	var rule *RuleError
	if err := c.SetPassword(t.Context(), c.admin, ada.User.ID, "", other); !errors.As(err, &rule) {
		t.Errorf("a password: %v", err)
	}
	if err := c.SetRole(t.Context(), c.admin, ada.User.ID, store.RoleAdmin); !errors.As(err, &rule) {
		t.Errorf("a role: %v", err)
	}
	for _, password := range []string{"", good} {
		if _, err := c.login(ada.User.Name, password, home); !errors.Is(err, ErrCredentials) {
			t.Errorf("with the password %q: %v", password, err)
		}
	}
	if err := c.Disable(t.Context(), c.admin, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := in("ada"); !errors.Is(err, ErrCredentials) {
		t.Errorf("locked here: %v", err)
	}
	if err := c.Enable(t.Context(), c.admin, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	// What is changed in transit is refused, by us or by the provider.
	spoil := func(name string, want error, change func(f *Flow, answer url.Values)) {
		t.Helper()
		address, flow := begin(false)
		answer := there.Answer(address, "ada")
		change(&flow, answer)
		if _, err := c.SignIn(t.Context(), p, flow, answer, home); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	spoil("nothing", nil, func(*Flow, url.Values) {})
	spoil("another state", ErrFlow, func(_ *Flow, a url.Values) { a.Set("state", "x") })
	spoil("no login was begun", ErrFlow, func(f *Flow, a url.Values) { *f = Flow{}; a.Del("state") })
	spoil("another login's nonce", ErrProvider, func(f *Flow, _ url.Values) { f.Nonce = "x" })
	spoil("no PKCE", ErrProvider, func(f *Flow, _ url.Values) { f.Verifier = "" })
	spoil("another PKCE", ErrProvider, func(f *Flow, _ url.Values) { f.Verifier = strings.Repeat("x", 43) })
	spoil("another code", ErrProvider, func(_ *Flow, a url.Values) { a.Set("code", "x") })
	spoil("another issuer", ErrProvider, func(_ *Flow, a url.Values) { a.Set("iss", "https://evil.example") })
	spoil("no issuer", ErrProvider, func(_ *Flow, a url.Values) { a.Del("iss") })
	spoil("the provider says no", ErrDenied,
		func(_ *Flow, a url.Values) { a.Del("code"); a.Set("error", "access_denied\nx=1") })
	address, flow := begin(false)
	answer := there.Answer(address, "ada")
	if _, err := c.SignIn(t.Context(), p, flow, answer, home); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(t.Context(), p, flow, answer, home); !errors.Is(err, ErrProvider) {
		t.Errorf("an answer twice: %v", err)
	}
	// Creating a token needs a login of minutes ago for which the provider asked anew.
	who := as(ada.User, "")
	who.Role = store.RoleViewer
	until := c.Access.now().Add(time.Hour)
	if _, _, err := c.NewToken(t.Context(), who, "", "t", store.ScopeRead, until); !errors.Is(err, ErrFresh) {
		t.Errorf("a token without a fresh login: %v", err)
	}
	address, flow = begin(true)
	if u, err := url.Parse(address); err != nil || u.Query().Get("prompt") != "login" ||
		u.Query().Get("code_challenge_method") != "S256" {
		t.Error(address)
	}
	if _, err := c.SignIn(t.Context(), p, flow, there.Answer(address, "ada"), home); err != nil {
		t.Fatal(err)
	}
	who.Fresh = c.Access.now()
	secret, _, err := c.NewToken(t.Context(), who, "", "t", store.ScopeRead, until)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.TokenAuth(t.Context(), secret, home); err != nil {
		t.Error(err)
	}
	if end := p.End(t.Context()); !strings.HasPrefix(end, there.Issuer+"/session/end?") ||
		!strings.Contains(end, "client_id=ipcguard") {
		t.Error(end)
	}
	log := c.acts()
	for _, want := range []string{
		" login " + ada.User.Name + " by ", "login.failed (at the provider)",
		"login.failed " + ada.User.Name + " the account is disabled",
		"user.role " + ada.User.Name + " by the provider: viewer",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	return log
}

func TestGrants(t *testing.T) {
	for s, want := range map[string]*Grant{
		"a=viewer":                 {"a", store.RoleViewer, ""},
		"cn=a,dc=b=admin@new york": {"cn=a,dc=b", store.RoleAdmin, "new york"}, "=viewer": nil,
		"a": nil, "a=": nil, "a=king": nil, "a=viewer@": nil, "a=viewer@b@c": {"a", store.RoleViewer, "b@c"},
	} {
		g, err := ParseGrant(s)
		if (err == nil) != (want != nil) || want != nil && g != *want {
			t.Errorf("%q: %+v, %v", s, g, err)
		}
	}
	for issuer, ok := range map[string]bool{
		"https://a.example":     true,
		"http://127.0.0.1:1":    true,
		"http://a.example":      false,
		"a.example":             false,
		"https://u@a.example":   false,
		"https://a.example?x=1": false,
		"ftp://a.example":       false,
	} {
		_, err := NewProvider(
			ProviderOptions{Issuer: issuer, Client: "c", Grants: []Grant{{"a", store.RoleViewer, ""}}},
		)
		if (err == nil) != ok {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
