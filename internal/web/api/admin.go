package api

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

func listSites(c *call) (any, error) { return all(c.store.Sites(c.ctx())) }

func saveSite(c *call) (any, error) {
	return save(c, func(id int64, in acts.SiteChange) (store.Site, error) {
		return c.acts.SaveSite(c.ctx(), c.who, id,
			in)
	})
}

func deleteSite(c *call) (any, error) { return remove(c, c.acts.DeleteSite) }

func listEnrolled(c *call) (any, error) { return all(c.store.EnrolledWorkers(c.ctx())) }

func addWorker(c *call) (any, error) {
	in, err := body[acts.NewWorker](c)
	if err != nil {
		return nil, err
	}
	return c.acts.AddWorker(c.ctx(), c.who, in)
}

func revokeWorker(c *call) (any, error) { return remove(c, c.acts.RevokeWorker) }

// channelOut is a channel without its secrets, with its settings as JSON.
type channelOut struct {
	ID       int64             `json:"id"`
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Config   json.RawMessage   `json:"config"`
	Secrets  bool              `json:"secrets"` // some are stored
	Kinds    []store.EventKind `json:"kinds"`
	Least    model.Severity    `json:"least"`
	Acts     store.TellActs    `json:"acts"`
	Digest   string            `json:"digest"`
	Quiet    string            `json:"quiet"`
	Zone     string            `json:"zone"`
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
	return channelOut{
		c.ID, c.Name, c.Kind, config, len(c.Sealed) > 0, c.Kinds, c.Least, c.Acts, c.Digest, c.Quiet,
		c.Zone, c.Enabled, c.Created, c.LastOK, c.LastFail,
	}
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
	return save(c, func(id int64, in acts.ChannelChange) (channelOut, error) {
		ch, err := c.acts.SaveChannel(c.ctx(), c.who, id, in)
		return shown(ch), err
	})
}

func deleteChannel(c *call) (any, error) { return remove(c, c.acts.DeleteChannel) }

// tested is the outcome of a test.
type tested struct {
	Sent   bool   `json:"sent"`
	Detail string `json:"detail,omitempty"`
}

func testChannel(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	switch _, failed, err := c.acts.TestChannel(c.ctx(), c.who, id); {
	case err != nil:
		return nil, err
	case failed != nil:
		return tested{Detail: acts.Words(failed)}, nil
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

func listCredentials(c *call) (any, error) { return all(c.store.Credentials(c.ctx())) }

func saveCredential(c *call) (any, error) {
	return save(c, func(id int64, in acts.CredentialChange) (store.Credential, error) {
		return c.acts.SaveCredential(c.ctx(), c.who, id, in)
	})
}

func deleteCredential(c *call) (any, error) { return remove(c, c.acts.DeleteCredential) }

// userBody is a new account.
type userBody struct {
	Name     string           `json:"name"`
	Role     store.Role       `json:"role,omitempty"`  // everywhere; if empty, sites must not be
	Sites    []store.SiteRole `json:"sites,omitempty"` // roles at single sites, by the site's number
	Password string           `json:"password"`
}

// userChange is an administrator's change of an account; omitted fields stay.
type userChange struct {
	Role     store.Role        `json:"role,omitempty"`
	Sites    *[]store.SiteRole `json:"sites,omitempty"` // by the site's number; an empty role is none everywhere
	Disabled *bool             `json:"disabled,omitempty"`
}

// passwordBody is a new password, and for one's own also the present one.
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
	return c.access.AddUser(c.ctx(), c.who, b.Name, b.Role, b.Password, b.Sites...)
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
	if b.Sites != nil {
		if err := c.access.SetRoles(c.ctx(), c.who, id, b.Role, *b.Sites); err != nil {
			return nil, err
		}
	} else if b.Role != "" {
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

// tokenBody is a token to be created.
type tokenBody struct {
	Name     string      `json:"name"`
	Scope    store.Scope `json:"scope"`
	Until    time.Time   `json:"until"`
	Password string      `json:"password"` // the account's own
}

// newToken is a token with its secret, shown only now.
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
	secret, t, err := c.access.NewToken(c.ctx(), c.who, b.Password, b.Name, b.Scope, b.Until)
	if errors.Is(err, access.ErrCredentials) {
		err = wrong("password", "this is not the present password")
	}
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
