package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"ipcguard/internal/store"
)

// ProviderOptions configure an identity provider and what its users may do.
type ProviderOptions struct {
	Name     string   // label of the button; empty is the issuer's host
	Issuer   string   // https://…; plain HTTP only on this machine
	Client   string   // the client id at the provider
	Secret   string   // of the client; empty is a public client, whose code PKCE protects
	Redirect string   // the page's own address for answers
	After    string   // where the provider redirects after a logout
	Scopes   []string // in addition to openid and profile, such as groups
	Claim    string   // the claim that holds the groups; empty is groups
	Grants   []Grant
	CA       []byte // PEM: the authorities to trust instead of the system's
}

// Grant is what the members of a group may do, in the whole fleet or at a site.
type Grant struct {
	Group string
	Role  store.Role
	Site  string // by its name; empty is everywhere
}

// ParseGrant parses GROUP=ROLE or GROUP=ROLE@SITE. A group may contain =, as a distinguished name does: the last one
// counts.
func ParseGrant(s string) (Grant, error) {
	i := strings.LastIndexByte(s, '=')
	if i <= 0 {
		return Grant{}, fmt.Errorf("access: %q: want GROUP=ROLE or GROUP=ROLE@SITE", s)
	}
	g := Grant{Group: s[:i]}
	role, site, at := strings.Cut(s[i+1:], "@")
	if g.Role, g.Site = store.Role(role), site; CheckRole(g.Role) != nil || at && site == "" {
		return Grant{}, fmt.Errorf(
			"access: %q: the role is viewer, operator or admin, and @SITE behind it for one site", s,
		)
	}
	return g, nil
}

// The errors of a login at a provider.
var (
	ErrProvider = errors.New("access: the provider does not answer, or not as it should")
	ErrNoGroup  = errors.New("access: none of your groups at the provider may come in here")
	ErrFlow     = errors.New("access: this login was begun elsewhere, or too long ago: begin again")
	ErrDenied   = errors.New("access: the provider let nobody in")
)

// Provider is an OpenID provider. It fetches the provider's metadata when it is first needed, so that a server starts
// without it.
type Provider struct {
	ProviderOptions
	client *http.Client
	lock   sync.Mutex
	found  *oidc.Provider
	ends   string // where a logout goes; empty if the provider has no such endpoint
	tells  bool   // its answers name the issuer (RFC 9207)
}

// Bounds of the provider's answers: how long to wait and how much to read. Its documents have some kilobytes.
const (
	providerWait = 10 * time.Second
	providerSays = 1 << 20
)

// NewProvider checks options. It does not contact the provider.
func NewProvider(o ProviderOptions) (*Provider, error) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, errors.New("access: the issuer is an address such as https://login.example")
	case u.Scheme == "https":
	case u.Scheme != "http" || !loopback(u.Hostname()):
		return nil, errors.New("access: the issuer is reached over HTTPS")
	case o.Client == "":
		return nil, errors.New("access: the provider needs to know this server: name the client")
	}
	if o.Client == "" {
		return nil, errors.New("access: the provider needs to know this server: name the client")
	}
	if len(o.Grants) == 0 {
		return nil, errors.New("access: no group may come in: name what groups may do")
	}
	if o.Name == "" {
		o.Name = u.Hostname()
	}
	if o.Claim == "" {
		o.Claim = "groups"
	}
	trusted := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CA) > 0 {
		trusted.RootCAs = x509.NewCertPool()
		if !trusted.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, errors.New("access: the file of the provider's authorities holds no certificate in PEM form")
		}
	}
	return &Provider{ProviderOptions: o, client: &http.Client{
		Timeout:       providerWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("it leads elsewhere") },
		Transport: bounded{&http.Transport{
			TLSClientConfig: trusted, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4,
			Proxy: http.ProxyFromEnvironment,
		}},
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bounded limits how much of a response is read.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, providerSays), answer.Body}
	}
	return answer, err
}

// discover fetches the provider's metadata, once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.found == nil {
		// It fetches keys later, with this context.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		var more struct {
			End   string `json:"end_session_endpoint"`
			Tells bool   `json:"authorization_response_iss_parameter_supported"`
		}
		if err := found.Claims(&more); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		p.found, p.ends, p.tells = found, more.End, more.Tells
	}
	scopes := append([]string{oidc.ScopeOpenID, "profile"}, p.Scopes...)
	return p.found, &oauth2.Config{
		ClientID:     p.Client,
		ClientSecret: p.Secret,
		Endpoint:     p.found.Endpoint(),
		RedirectURL:  p.Redirect,
		Scopes:       scopes,
	}, nil
}

// Flow is a login that has begun: the browser keeps it and sends it back with the provider's answer.
type Flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"t,omitempty"` // where the page redirects afterwards
	Again    bool   `json:"a,omitempty"`
}

// Begin returns the address of the login. again asks the provider to ignore an existing session.
func (p *Provider) Begin(ctx context.Context, to string, again bool) (string, Flow, error) {
	_, c, err := p.discover(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f := Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to, Again: again}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return c.AuthCodeURL(f.State, options...), f, nil
}

// End returns the address that ends the session at the provider, or an empty string if it has none. It does not name
// the user: the provider knows, and asks.
func (p *Provider) End(ctx context.Context) string {
	if _, _, err := p.discover(ctx); err != nil || p.ends == "" {
		return ""
	}
	u, err := url.Parse(p.ends)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.Client)
	if p.After != "" {
		q.Set("post_logout_redirect_uri", p.After)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// person is what a provider says about a user.
type person struct {
	subject string // issuer and subject
	name    string
	groups  []string
}

// ask exchanges the answer for what the provider says about the user. The state binds it to the browser that began,
// PKCE and the nonce to this login, the signature to the provider and to this client.
func (p *Provider) ask(ctx context.Context, f Flow, answer url.Values, now time.Time) (person, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(f.State)) != 1 {
		return person{}, ErrFlow
	}
	found, c, err := p.discover(ctx)
	if err != nil {
		return person{}, err
	}
	if iss := answer.Get("iss"); iss != p.Issuer && (iss != "" || p.tells) {
		return person{}, fmt.Errorf("%w: the answer is another issuer's", ErrProvider)
	}
	if e := answer.Get("error"); e != "" {
		return person{}, fmt.Errorf("%w: %s", ErrDenied, clean(e, 64))
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), providerWait)
	defer cancel()
	token, err := c.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return person{}, fmt.Errorf("%w: %w", ErrProvider, withoutBody(err))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: p.Client, Now: func() time.Time { return now }}).Verify(ctx, raw)
	if err != nil {
		return person{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return person{}, fmt.Errorf("%w: the nonce is another login's", ErrProvider)
	}
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return person{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if azp := text(claims["azp"]); azp != "" && azp != p.Client || azp == "" && len(id.Audience) > 1 {
		return person{}, fmt.Errorf("%w: the token is another client's", ErrProvider)
	}
	if f.Again && now.Sub(time.Unix(number(claims["auth_time"]), 0)) > FreshFor {
		return person{}, fmt.Errorf("%w: it did not ask again who it is", ErrProvider)
	}
	if claims[p.Claim] == nil && found.UserInfoEndpoint() != "" { // many return the groups only there
		info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return person{}, fmt.Errorf("%w: %w", ErrProvider, withoutBody(err))
		}
		if info.Subject != id.Subject {
			return person{}, fmt.Errorf("%w: it tells of somebody else", ErrProvider)
		}
		var more map[string]json.RawMessage
		if err := info.Claims(&more); err != nil {
			return person{}, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		for name, v := range more {
			if claims[name] == nil {
				claims[name] = v
			}
		}
	}
	out := person{subject: p.Issuer + " " + id.Subject, groups: texts(claims[p.Claim])}
	for _, claim := range []string{"preferred_username", "email", "upn"} {
		if name := canonical(text(claims[claim])); out.name == "" && CheckName(name) == nil {
			out.name = name
		}
	}
	return out, nil
}

// withoutBody removes the provider's response from an error: it may contain a token.
func withoutBody(err error) error {
	var e *oauth2.RetrieveError
	if errors.As(err, &e) {
		if e.ErrorCode != "" {
			return errors.New(clean(e.ErrorCode, 64))
		}
		if e.Response != nil {
			return errors.New(e.Response.Status)
		}
	}
	return err
}

func text(b json.RawMessage) (s string) {
	if json.Unmarshal(b, &s) != nil {
		return ""
	}
	return s
}

func number(b json.RawMessage) (n int64) {
	if json.Unmarshal(b, &n) != nil {
		return 0
	}
	return n
}

// texts parses a list of texts, or a single one.
func texts(b json.RawMessage) []string {
	var list []string
	if json.Unmarshal(b, &list) != nil {
		if one := text(b); one != "" {
			list = []string{one}
		}
	}
	return list
}

// SignIn logs in a user of a provider. The first login creates the account; every login sets its roles from its groups.
// It never takes over a local account, whatever the provider calls the user.
func (a *Access) SignIn(ctx context.Context, p *Provider, f Flow, answer url.Values, from string) (Entry, error) {
	who, err := p.ask(ctx, f, answer, a.now())
	if err != nil {
		return Entry{}, a.signInFailed(ctx, from, "(at the provider)", err)
	}
	var u store.User
	err = a.st.InTx(ctx, func(tx *store.Tx) (err error) {
		u, err = a.provided(ctx, tx, p, who, from)
		return err
	})
	if err != nil {
		return Entry{}, a.signInFailed(ctx, from, u.Name, err)
	}
	// The roles from before were removed, and stay removed.
	if u.Role == "" && len(u.Sites) == 0 {
		return Entry{}, a.signInFailed(ctx, from, u.Name, ErrNoGroup)
	}
	entry, err := a.enter(ctx, u, from, "", "by "+p.Name, nil)
	entry.Device = "" // the account has no password to guess
	return entry, err
}

// granted returns the highest role that a provider gives to the groups of a user, and the highest of each site.
func (p *Provider) granted(groups []string) (role store.Role, sites map[string]store.Role) {
	sites = map[string]store.Role{}
	for _, g := range p.Grants {
		switch {
		case !slices.Contains(groups, g.Group):
		case g.Site == "" && rank(g.Role) > rank(role):
			role = g.Role
		case g.Site != "" && rank(g.Role) > rank(sites[g.Site]):
			sites[g.Site] = g.Role
		}
	}
	return role, sites
}

// provided returns the account of a provider's user with the roles of the user's groups, and creates it if there is
// none. The account is named in an error if there is one.
func (a *Access) provided(ctx context.Context, tx *store.Tx, p *Provider, who person, from string) (u store.User, err error) {
	if err := a.lock(ctx, tx); err != nil {
		return u, err
	}
	if u, err = tx.UserBySubject(ctx, who.subject); err != nil && !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	known, err := tx.Sites(ctx)
	if err != nil {
		return u, err
	}
	role, named := p.granted(who.groups)
	var roles []store.SiteRole
	for _, s := range known {
		if named[s.Name] != "" {
			roles = append(roles, store.SiteRole{SiteID: s.ID, Site: s.Name, Role: named[s.Name]})
		}
	}
	if u.Disabled {
		return u, ErrCredentials
	}
	if u.ID == 0 && role == "" && len(roles) == 0 {
		return u, ErrNoGroup
	}
	before := saidRoles(u.Role, u.Sites)
	if u.ID == 0 {
		u = store.User{Subject: who.subject, Created: a.now()}
		if u.Name, err = freeName(ctx, tx, who, p); err != nil {
			return u, err
		}
	}
	u.Role = role
	if err := tx.SaveUser(ctx, &u); err != nil {
		return u, err
	}
	if after := saidRoles(role, roles); after != before {
		if err := tx.SetSiteRoles(ctx, u.ID, roles); err != nil {
			return u, err
		}
		if err := a.ActIn(ctx, tx, Who{User: u, From: from}, "user.role", u.Name,
			"by the provider: "+after); err != nil {
			return u, err
		}
	}
	u.Sites = roles
	return u, nil
}

// signInFailed records a failed login at a provider and returns the error.
func (a *Access) signInFailed(ctx context.Context, from, name string, err error) error {
	for _, known := range []error{ErrProvider, ErrNoGroup, ErrFlow, ErrDenied, ErrCredentials} {
		if errors.Is(err, known) {
			if name == "" {
				name = "(at the provider)"
			}
			why := strings.TrimPrefix(err.Error(), "access: ")
			if known == ErrCredentials {
				why = "the account is disabled"
			}
			return errors.Join(err, a.Act(ctx, Who{From: from}, store.ActLoginFailed, name, why))
		}
	}
	return err
}

// freeName returns the name of a new account of a provider: the provider's own, or, if it is taken, with the provider's
// host appended.
func freeName(ctx context.Context, tx *store.Tx, who person, p *Provider) (string, error) {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return "", fmt.Errorf("access: %w", err)
	}
	names := []string{who.name, who.name + "@" + strings.ToLower(u.Hostname())}
	for range 3 {
		names = append(names, "user-"+strings.ToLower(rand.Text()[:10]))
	}
	for _, name := range names {
		if CheckName(name) != nil {
			continue
		}
		if _, err := tx.UserByName(ctx, name); errors.Is(err, store.ErrNotFound) {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", &RuleError{"name", "no name is free"}
}
