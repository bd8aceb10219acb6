package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// siteBody is a site as somebody wants it.
type siteBody struct {
	Name        string  `json:"name"`
	Rate        float64 `json:"rate,omitempty"`
	Concurrency int     `json:"concurrency,omitempty"`
	Window      string  `json:"window,omitempty"`
	Zone        string  `json:"zone,omitempty"`
}

// Bounds of a site: beyond them nothing is asked for that a network stands.
const (
	maxRate        = 100_000
	maxConcurrency = 10_000
)

func listSites(c *call) (any, error) { return all(c.store.Sites(c.ctx())) }

func (c *call) site() (store.Site, error) {
	id, err := c.id()
	if err != nil {
		return store.Site{}, err
	}
	return c.store.Site(c.ctx(), id)
}

func saveSite(c *call) (any, error) {
	b, err := body[siteBody](c)
	if err != nil {
		return nil, err
	}
	s, action := store.Site{}, "site.add"
	if c.r.Method == http.MethodPut {
		if s, err = c.site(); err != nil {
			return nil, err
		}
		action = "site.change"
	}
	var k checks
	k.need("name", &b.Name)
	k.clock(&b.Zone, &b.Window)
	if b.Rate < 0 || b.Rate > maxRate {
		k.wrong("rate", "want 0 to %d connections a second", maxRate)
	}
	if b.Concurrency < 0 || b.Concurrency > maxConcurrency {
		k.wrong("concurrency", "want 0 to %d hosts at a time", maxConcurrency)
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	s.Name, s.Rate, s.Concurrency, s.Window, s.Zone = b.Name, b.Rate, b.Concurrency, b.Window, b.Zone
	if err := c.store.SaveSite(c.ctx(), &s); err != nil {
		return nil, err
	}
	return s, c.act(action, s.Name, "")
}

func deleteSite(c *call) (any, error) {
	s, err := c.site()
	if err != nil {
		return nil, err
	}
	if err := c.store.DeleteSite(c.ctx(), s.ID); err != nil {
		return nil, err
	}
	return nil, c.act("site.delete", s.Name, "")
}

// channelOut is a channel without its secrets, its settings as JSON.
type channelOut struct {
	ID       int64             `json:"id"`
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Config   json.RawMessage   `json:"config"`
	Secrets  bool              `json:"secrets"` // some are stored
	Kinds    []store.EventKind `json:"kinds"`
	Least    model.Severity    `json:"least"`
	Digest   string            `json:"digest"`
	Enabled  bool              `json:"enabled"`
	Created  time.Time         `json:"created"`
	LastOK   time.Time         `json:"last_ok,omitzero"`
	LastFail string            `json:"last_fail,omitempty"`
}

func shown(c store.Channel) channelOut {
	config := json.RawMessage(c.Config)
	if !json.Valid(config) {
		config = json.RawMessage("{}")
	}
	return channelOut{c.ID, c.Name, c.Kind, config, len(c.Sealed) > 0, c.Kinds, c.Least, c.Digest, c.Enabled, c.Created, c.LastOK, c.LastFail}
}

// channelBody is a channel as somebody wants it.
type channelBody struct {
	Name    string            `json:"name"`
	Kind    string            `json:"kind" enum:"webhook,email,syslog"`
	Config  json.RawMessage   `json:"config,omitempty"`
	Secrets *notify.Secrets   `json:"secrets,omitempty"` // what is left out stays as it is
	Kinds   []store.EventKind `json:"kinds,omitempty"`
	Least   model.Severity    `json:"least,omitempty"`
	Digest  string            `json:"digest,omitempty"`
	Enabled *bool             `json:"enabled,omitempty"` // true where it is left out
}

func listChannels(c *call) (any, error) {
	channels, err := c.store.Channels(c.ctx())
	out := make([]channelOut, 0, len(channels))
	for _, ch := range channels {
		out = append(out, shown(ch))
	}
	return all(out, err)
}

func (c *call) channel() (store.Channel, error) {
	id, err := c.id()
	if err != nil {
		return store.Channel{}, err
	}
	return c.store.Channel(c.ctx(), id)
}

func saveChannel(c *call) (any, error) {
	b, err := body[channelBody](c)
	if err != nil {
		return nil, err
	}
	ch, action := store.Channel{}, "channel.add"
	var secrets notify.Secrets
	if c.r.Method == http.MethodPut {
		if ch, err = c.channel(); err != nil {
			return nil, err
		}
		action = "channel.change"
		if secrets, err = notify.OpenSecrets(c.Key, ch.Sealed); err != nil {
			secrets = notify.Secrets{} // sealed with a key that is gone: all of them are needed again
		}
	}
	var k checks
	k.need("name", &b.Name)
	k.line("digest", &b.Digest)
	for _, kind := range b.Kinds {
		oneOf(&k, "kinds", string(kind), eventKinds...)
	}
	oneOf(&k, "least", string(b.Least), append([]string{""}, severities...)...)
	if ch.ID != 0 && ch.Kind != b.Kind {
		k.wrong("kind", "a channel stays of its kind")
	}
	if b.Digest != "" {
		if _, err := when.ParseSchedule(b.Digest, ""); err != nil {
			k.wrong("digest", "%s", plainError(err))
		}
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	config := string(b.Config)
	secrets = secrets.Moved(ch.Kind, ch.Config, config)
	if s := b.Secrets; s != nil {
		for _, part := range []struct{ to, from *string }{{&secrets.URL, &s.URL}, {&secrets.Key, &s.Key}, {&secrets.Password, &s.Password}} {
			if *part.from != "" {
				*part.to = *part.from
			}
		}
	}
	if err := notify.Check(b.Kind, config, secrets); err != nil {
		return nil, err
	}
	sealed, err := notify.SealSecrets(c.Key, secrets)
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		sealed = []byte{} // none, rather than those that there were
	}
	ch.Name, ch.Kind, ch.Config, ch.Sealed = b.Name, b.Kind, config, sealed
	ch.Kinds, ch.Least, ch.Digest, ch.Enabled = b.Kinds, b.Least, b.Digest, b.Enabled == nil || *b.Enabled
	if err := c.store.SaveChannel(c.ctx(), &ch); err != nil {
		return nil, err
	}
	return shown(ch), c.act(action, ch.Name, ch.Kind)
}

func deleteChannel(c *call) (any, error) {
	ch, err := c.channel()
	if err != nil {
		return nil, err
	}
	if err := c.store.DeleteChannel(c.ctx(), ch.ID); err != nil {
		return nil, err
	}
	return nil, c.act("channel.delete", ch.Name, "")
}

// tested says how a test went.
type tested struct {
	Sent   bool   `json:"sent"`
	Detail string `json:"detail,omitempty"`
}

func testChannel(c *call) (any, error) {
	ch, err := c.channel()
	if err != nil {
		return nil, err
	}
	if c.Test == nil {
		return nil, &problem{Status: http.StatusServiceUnavailable, Detail: "This server sends no notifications."}
	}
	if err := c.act("channel.test", ch.Name, ""); err != nil {
		return nil, err
	}
	if err := c.Test(c.ctx(), ch); err != nil {
		return tested{Detail: plainError(err)}, nil
	}
	return tested{Sent: true}, nil
}

func listDeliveries(c *call) (any, error) {
	ch, err := c.channel()
	if err != nil {
		return nil, err
	}
	deliveries, total, err := c.store.Deliveries(c.ctx(), ch.ID, c.page())
	return part(c, deliveries, total, err)
}

// credentialBody is a credential with its secret: the password, the NT hash in hexadecimal, or the keytab in base64.
type credentialBody struct {
	Name    string `json:"name"`
	Kind    string `json:"kind" enum:"password,hash,keytab"`
	Account string `json:"account"`
	Secret  string `json:"secret,omitempty"`
	Keytab  []byte `json:"keytab,omitempty"`
}

func listCredentials(c *call) (any, error) { return all(c.store.Credentials(c.ctx())) }

func saveCredential(c *call) (any, error) {
	b, err := body[credentialBody](c)
	if err != nil {
		return nil, err
	}
	cred, action := store.Credential{}, "credential.add"
	if c.r.Method == http.MethodPut {
		if cred, err = c.credential(); err != nil {
			return nil, err
		}
		action = "credential.change"
	}
	var k checks
	k.need("name", &b.Name)
	k.need("account", &b.Account)
	oneOf(&k, "kind", b.Kind, "password", "hash", "keytab")
	secret, field := []byte(b.Secret), "secret"
	if b.Kind == "keytab" {
		secret, field = b.Keytab, "keytab"
	}
	if err := fleet.CheckCredential(b.Kind, secret); err != nil {
		k.wrong(field, "%s", err)
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	cred.Name, cred.Kind, cred.Account = b.Name, b.Kind, b.Account
	if cred.Sealed, err = c.Key.Seal(secret); err != nil {
		return nil, err
	}
	if err := c.store.SaveCredential(c.ctx(), &cred); err != nil {
		return nil, err
	}
	return cred, c.act(action, cred.Name, cred.Kind)
}

func (c *call) credential() (store.Credential, error) {
	id, err := c.id()
	if err != nil {
		return store.Credential{}, err
	}
	return c.store.Credential(c.ctx(), id)
}

func deleteCredential(c *call) (any, error) {
	cred, err := c.credential()
	if err != nil {
		return nil, err
	}
	if err := c.store.DeleteCredential(c.ctx(), cred.ID); err != nil {
		return nil, err
	}
	return nil, c.act("credential.delete", cred.Name, "")
}

// userBody is a new account.
type userBody struct {
	Name     string     `json:"name"`
	Role     store.Role `json:"role"`
	Password string     `json:"password"`
}

// userChange is what an administrator changes of an account; what is left out stays.
type userChange struct {
	Role     store.Role `json:"role,omitempty"`
	Disabled *bool      `json:"disabled,omitempty"`
}

// passwordBody is a new password, and for one's own the present one.
type passwordBody struct {
	Old      string `json:"old,omitempty"`
	Password string `json:"password"`
}

func listUsers(c *call) (any, error) { return all(c.store.Users(c.ctx())) }

func addUser(c *call) (any, error) {
	b, err := body[userBody](c)
	if err != nil {
		return nil, err
	}
	return c.access.AddUser(c.ctx(), c.who, b.Name, b.Role, b.Password)
}

func changeUser(c *call) (any, error) {
	b, err := body[userChange](c)
	if err != nil {
		return nil, err
	}
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	if b.Role != "" {
		if err := c.access.SetRole(c.ctx(), c.who, id, b.Role); err != nil {
			return nil, err
		}
	}
	if b.Disabled != nil {
		set := c.access.Enable
		if *b.Disabled {
			set = c.access.Disable
		}
		if err := set(c.ctx(), c.who, id); err != nil {
			return nil, err
		}
	}
	return c.store.User(c.ctx(), id)
}

func setPassword(c *call) (any, error) {
	b, err := body[passwordBody](c)
	if err != nil {
		return nil, err
	}
	id := c.who.User.ID
	if c.r.PathValue("id") != "" {
		if id, err = c.id(); err != nil {
			return nil, err
		}
	}
	return nil, c.access.SetPassword(c.ctx(), c.who, id, b.Old, b.Password)
}

// tokenBody is a token as somebody wants it.
type tokenBody struct {
	Name  string     `json:"name"`
	Scope store.Role `json:"scope"`
	Until time.Time  `json:"until"`
}

// newToken is a token with its secret, this once.
type newToken struct {
	store.Token
	Secret string `json:"secret"`
}

func listTokens(c *call) (any, error) { return all(c.store.Tokens(c.ctx(), c.who.User.ID)) }

func addToken(c *call) (any, error) {
	b, err := body[tokenBody](c)
	if err != nil {
		return nil, err
	}
	secret, t, err := c.access.NewToken(c.ctx(), c.who, b.Name, b.Scope, b.Until)
	return newToken{t, secret}, err
}

func deleteToken(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return nil, c.access.DeleteToken(c.ctx(), c.who, c.who.User.ID, id)
}

func (c *call) user() (store.User, error) {
	id, err := c.id()
	if err != nil {
		return store.User{}, err
	}
	return c.store.User(c.ctx(), id)
}

func listUserTokens(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return all(c.store.Tokens(c.ctx(), u.ID))
}

func deleteUserToken(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(c.r.PathValue("token"), 10, 64)
	if err != nil {
		return nil, store.ErrNotFound
	}
	err = c.access.DeleteToken(c.ctx(), c.who, u.ID, id)
	if errors.Is(err, access.ErrForbidden) {
		return nil, store.ErrNotFound
	}
	return nil, err
}
