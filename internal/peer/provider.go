package peer

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed oidc/provider.mjs
var providerScript string

// Provider is a running OpenID provider: npm's oidc-provider. Its client is called ipcguard.
type Provider struct {
	Issuer string
	Secret string // of the client

	t      testing.TB
	config string
	known  providerConfig
	stop   func()
}

type providerConfig struct {
	Redirect string            `json:"redirect"`
	After    string            `json:"after"`
	Secret   string            `json:"secret"`
	InToken  bool              `json:"inToken"`
	People   map[string]Claims `json:"people"`
}

// Claims are what a provider says about a user.
type Claims struct {
	Name   string   `json:"preferred_username,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// ProviderOptions configure a provider.
type ProviderOptions struct {
	Base    string // of the page that people log in to
	InToken bool   // the groups are in the ID token; otherwise only in the user info
}

// StartProvider starts a provider on a free port of a loopback address.
func StartProvider(t testing.TB, address string, o ProviderOptions) *Provider {
	t.Helper()
	Need(t, "node")
	modules := Npm(t, "oidc-provider-9.13.3")
	port := FreePort(t, address)
	p := &Provider{
		Issuer: "http://" + net.JoinHostPort(address, strconv.Itoa(port)),
		Secret: "the secret of a client of tests", t: t,
		config: filepath.Join(t.TempDir(), "config.json"),
	}
	p.known = providerConfig{
		o.Base + "/login/provider/back",
		o.Base + "/login",
		p.Secret,
		o.InToken,
		map[string]Claims{},
	}
	p.write()
	script := filepath.Join(filepath.Dir(p.config), "provider.mjs")
	if err := os.WriteFile(script, []byte(providerScript), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := (*Machine)(nil).Command(context.WithoutCancel(t.Context()), "node", "--no-warnings", script, modules,
		address, strconv.Itoa(port), p.config)
	words := &tail{}
	cmd.Stdout, cmd.Stderr = words, words
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("peer: starting a provider: %v", err)
	}
	ended := false
	p.stop = func() {
		if !ended {
			ended = true
			_ = leash.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the provider's last words:\n%s", words)
		}
	})
	err = within(t.Context(), time.Minute, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Issuer+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", answer.Status)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("peer: starting a provider: %v: %s", err, words)
	}
	return p
}

// Person adds or changes a user of the provider.
func (p *Provider) Person(sub string, c Claims) {
	p.t.Helper()
	p.known.People[sub] = c
	p.write()
}

// Stop ends the provider.
func (p *Provider) Stop() { p.stop() }

func (p *Provider) write() {
	p.t.Helper()
	b, err := json.Marshal(p.known)
	if err == nil {
		err = os.WriteFile(p.config+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(p.config+".new", p.config)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// Answer goes through the provider's pages as a user, from the start of a login, and returns the response to the page
// that asked.
func (p *Provider) Answer(begin, sub string) url.Values {
	p.t.Helper()
	at := begin
	jar, _ := cookiejar.New(nil) // never fails
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for range 20 {
		u, err := url.Parse(at)
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.HasPrefix(at, p.known.Redirect) {
			return u.Query()
		}
		r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, at, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		answer, err := c.Do(r)
		if err != nil {
			p.t.Fatal(err)
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
		answer.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		// A page of the provider: it asks for the name, or for consent.
		if answer.StatusCode == http.StatusOK {
			form := url.Values{"prompt": {"consent"}}
			if bytes.Contains(body, []byte(`name="login"`)) {
				form = url.Values{"prompt": {"login"}, "login": {sub}, "password": {"any"}}
			}
			if answer, err = c.PostForm(at, form); err != nil {
				p.t.Fatal(err)
			}
			answer.Body.Close()
		}
		next, err := answer.Location()
		if err != nil {
			p.t.Fatalf("peer: the provider at %s: %s: %s", at, answer.Status, body)
		}
		at = next.String()
	}
	p.t.Fatal("peer: the provider leads round and round")
	return nil
}
