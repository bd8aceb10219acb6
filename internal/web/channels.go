package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

type channels struct{ Rows []store.Channel }

func channelsPage(v *visit) error {
	list, err := v.store.Channels(v.ctx())
	if err != nil {
		return err
	}
	return v.render("channels", "Notifications", channels{list})
}

// channel is the form of one. What it sends to is chosen first, since each kind has fields of its own.
type channel struct {
	Form       *form
	Channel    store.Channel
	Kind       string
	Fields     map[string]field
	Parts      []field // of the kind
	Kinds      []option
	Deliveries []store.Delivery
}

// channelText are the fields of each kind that are texts, with the name that they have in its settings.
var channelFields = map[string][]struct{ name, label, hint string }{
	notify.KindWebhook: {{"ca", "Authority", "PEM of the authority to trust instead of the system's; empty is the system's"}},
	notify.KindEmail: {
		{"server", "Server", "HOST:PORT"},
		{"user", "User", "Empty is none"},
		{"from", "From", "ipcguard@example.org"},
		{"to", "To", "Apart by commas"},
		{"ca", "Authority", "PEM; empty is the system's"},
	},
	notify.KindSyslog: {{"address", "Address", "HOST:PORT"}, {"facility", "Facility", "local0 where it is empty"}, {"ca", "Authority", "PEM, for tls; empty is the system's"}},
}

func newChannelPage(v *visit) error {
	kind := v.r.URL.Query().Get("kind")
	if channelFields[kind] == nil {
		kind = notify.KindWebhook
	}
	f := newForm(url.Values{"enabled": {"yes"}, "least": {string(model.Medium)}})
	return v.showChannel(store.Channel{Kind: kind}, f, http.StatusOK)
}

func channelPage(v *visit) error {
	c, err := v.channelOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{"name": {c.Name}, "least": {string(c.Least)}, "digest": {c.Digest}})
	if c.Enabled {
		f.Set("enabled", "yes")
	}
	for _, k := range c.Kinds {
		f.Add("kinds", string(k))
	}
	var config map[string]any
	if json.Unmarshal([]byte(c.Config), &config) == nil {
		for name, value := range config {
			switch x := value.(type) {
			case string:
				f.Set(name, x)
			case bool:
				if x {
					f.Set(name, "yes")
				}
			case []any:
				var list []string
				for _, e := range x {
					if s, ok := e.(string); ok {
						list = append(list, s)
					}
				}
				f.Set(name, strings.Join(list, ", "))
			}
		}
	}
	return v.showChannel(c, f, http.StatusOK)
}

func (v *visit) channelOf() (store.Channel, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Channel{}, errNotFound
	}
	return v.store.Channel(v.ctx(), id)
}

func (v *visit) showChannel(c store.Channel, f *form, status int) error {
	d := channel{Form: f, Channel: c, Kind: c.Kind, Fields: map[string]field{
		"name":   f.Field("name", "Name", ""),
		"least":  f.Choose("least", "Nothing lighter than", "", options("", "everything", severities)),
		"digest": f.Field("digest", "As a digest", "When, as for schedules: @daily, 0 7 * * 1-5. Empty is at once"),
		// the secrets: what is stored is never shown
		"url":      f.Field("url", "Address", "https://… ; it is sealed, and never shown again. Empty keeps what is stored"),
		"key":      f.Field("key", "Key of the signature", "16 characters at least; empty keeps what is stored"),
		"password": f.Field("password", "Password", "Empty keeps what is stored, unless the server, its security, its certificate or the user changes"),
		"enabled":  f.Field("enabled", "In force", ""),
		"loopback": f.Field("loopback", "It may be on this machine", ""),
		"security": f.Choose("security", "Security", "", []option{{Value: "starttls", Label: "STARTTLS"}, {Value: "tls", Label: "TLS"}, {Value: "none", Label: "none"}}),
		"network":  f.Choose("network", "Network", "", []option{{Value: "tls", Label: "TLS"}, {Value: "tcp", Label: "TCP"}, {Value: "udp", Label: "UDP"}}),
		"format":   f.Choose("format", "Format", "", []option{{Value: "cef", Label: "CEF"}, {Value: "json", Label: "JSON"}}),
	}}
	for _, x := range channelFields[c.Kind] {
		d.Parts = append(d.Parts, f.Field(x.name, x.label, x.hint))
	}
	for _, k := range notify.Kinds() {
		d.Kinds = append(d.Kinds, option{string(k.Kind), k.Title, slices.Contains(f.Values["kinds"], string(k.Kind))})
	}
	title := "Channel " + brief(c.Name)
	if c.ID == 0 {
		title = "Add a channel"
	} else {
		list, _, err := v.store.Deliveries(v.ctx(), c.ID, store.Page{Size: mostResults})
		if err != nil {
			return err
		}
		d.Deliveries = list
	}
	return v.renderStatus(status, "channel", title, d)
}

// channelConfig gathers a kind's settings from the form.
func channelConfig(kind string, f *form) map[string]any {
	out := map[string]any{}
	for _, x := range channelFields[kind] {
		var s string
		if x.name == "ca" {
			s = f.note(x.name)
		} else {
			s = f.line(x.name)
		}
		if s != "" {
			out[x.name] = s
		}
	}
	switch kind {
	case notify.KindWebhook:
		if f.yes("loopback") {
			out["loopback"] = true
		}
	case notify.KindEmail:
		out["security"] = f.choice("security", "starttls", "tls", "none")
		var to []string
		for _, s := range strings.Split(f.Get("to"), ",") {
			if s = strings.TrimSpace(s); s != "" {
				to = append(to, s)
			}
		}
		out["to"] = to
	case notify.KindSyslog:
		out["network"], out["format"] = f.choice("network", "udp", "tcp", "tls"), f.choice("format", "cef", "json")
	}
	return out
}

func saveChannel(v *visit) error {
	f := newForm(v.r.PostForm)
	var c store.Channel
	var secrets notify.Secrets
	if v.r.PathValue("id") != "" {
		var err error
		if c, err = v.channelOf(); err != nil {
			return err
		}
		if secrets, err = notify.OpenSecrets(v.options.Key, c.Sealed); err != nil {
			f.Problem = "What is stored of it cannot be opened: " + plainError(err)
		}
	} else {
		c.Kind = f.choice("kind", notify.KindWebhook, notify.KindEmail, notify.KindSyslog)
	}
	c.Name, c.Digest, c.Enabled = f.need("name"), f.line("digest"), f.yes("enabled")
	c.Least = model.Severity(f.choice("least", append(slices.Clone(severities), "")...))
	c.Kinds = nil
	for _, k := range eventKinds() {
		if slices.Contains(f.Values["kinds"], string(k)) {
			c.Kinds = append(c.Kinds, k)
		}
	}
	if c.Digest != "" {
		if _, err := when.ParseSchedule(c.Digest, ""); err != nil {
			f.wrong("digest", plainError(err))
		}
	}
	config, err := json.Marshal(channelConfig(c.Kind, f))
	if err != nil {
		return err
	}
	secrets = secrets.Moved(c.Kind, c.Config, string(config))
	c.Config = string(config)
	for name, into := range map[string]*string{"url": &secrets.URL, "key": &secrets.Key, "password": &secrets.Password} {
		if s := f.line(name); s != "" {
			*into = s
		}
		f.Del(name)
	}
	if f.ok() {
		if err := notify.Check(c.Kind, c.Config, secrets); err != nil {
			var bad *notify.ConfigError
			if errors.As(err, &bad) {
				f.wrong(bad.Field, sentence(bad.Text))
			}
			f.Problem = plainError(err)
		}
	}
	if f.ok() {
		if c.Sealed, err = notify.SealSecrets(v.options.Key, secrets); err != nil {
			f.Problem = plainError(err)
		}
	}
	if !f.ok() {
		return v.showChannel(c, f, http.StatusUnprocessableEntity)
	}
	isNew := c.ID == 0
	switch err := v.store.SaveChannel(v.ctx(), &c); {
	case errors.Is(err, store.ErrConflict):
		f.wrong("name", "Another channel has this name.")
		return v.showChannel(c, f, http.StatusConflict)
	case err != nil:
		return err
	}
	if isNew {
		v.act("channel.add", c.Name, c.Kind)
	} else {
		v.act("channel.change", c.Name, c.Kind)
	}
	return v.done("/channels", "The channel was saved. Try it with its test button.")
}

func testChannel(v *visit) error {
	c, err := v.channelOf()
	if err != nil {
		return err
	}
	v.act("channel.test", c.Name, "")
	if err := v.testChannel(c); err != nil {
		return v.done("/channels", "The test of "+brief(c.Name)+" failed: "+plainError(err))
	}
	return v.done("/channels", "The test of "+brief(c.Name)+" was sent.")
}

func deleteChannel(v *visit) error {
	c, err := v.channelOf()
	if err != nil {
		return err
	}
	if err := v.store.DeleteChannel(v.ctx(), c.ID); err != nil {
		return err
	}
	v.act("channel.delete", c.Name, "")
	return v.done("/channels", "The channel was removed.")
}

// testChannel sends a test message.
func (v *visit) testChannel(c store.Channel) error {
	if v.options.Test == nil {
		return errors.New("this server sends no notifications")
	}
	return v.options.Test(v.ctx(), c)
}
