package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

type channels struct {
	Rows  []channelRow
	Heads []head
}

type channelRow struct {
	store.Channel
	Shown, When string // its kind and its digest, in words
}

func channelsPage(v *visit) error {
	list, err := v.store.Channels(v.ctx())
	if err != nil {
		return err
	}
	var d channels
	for _, c := range list {
		row := channelRow{c, c.Kind, when.Say(c.Digest)}
		switch notify.Shape(c.Kind, c.Config) {
		case notify.ShapeSlack:
			row.Shown = "Slack"
		case notify.ShapeTeams:
			row.Shown = "Teams"
		}
		if c.Digest != "" && c.Zone != "" {
			row.When += ", " + c.Zone
		}
		d.Rows = append(d.Rows, row)
	}
	columns := []column{
		{"name", "name", "", false},
		{"kind", "kind", "", false},
		{"kinds", "changes", "", false},
		{"least", "minimum severity", "", true},
		{"acts", "audit log", "", true},
		{"when", "when", "", false},
		{"sent", "last sent", "", true},
		{"failed", "last failure", "", false},
		{"", "act", "", false},
	}
	order := v.sorted(byParam, "", columns)
	d.Heads = v.heads(byParam, order, columns)
	arrange(d.Rows, order, map[string]func(a, b channelRow) int{
		"name":   by(func(c channelRow) string { return c.Name }),
		"kind":   by(func(c channelRow) string { return c.Shown }),
		"kinds":  by(func(c channelRow) int { return len(c.Kinds) }),
		"least":  by(func(c channelRow) int { return c.Least.Rank() }),
		"acts":   by(func(c channelRow) string { return string(c.Acts) }),
		"when":   by(func(c channelRow) string { return c.When }),
		"sent":   byTime(func(c channelRow) time.Time { return c.LastOK }),
		"failed": by(func(c channelRow) string { return c.LastFail }),
	})
	return v.render("channels", "Notifications", d)
}

// channel is the form of one. The kind is chosen first, because each has fields of its own.
type channel struct {
	Form       *form
	Channel    store.Channel
	Kind       string
	Shape      string // of a webhook
	Acts       bool   // it may receive the audit log
	Signed     bool   // its receiver checks a signature
	Fields     map[string]field
	Parts      []field // of the kind
	Kinds      []option
	Deliveries []store.Delivery
	Coming     []time.Time // of a saved digest
	Zone       string
}

// channelFields are the text fields of each kind, with their names in its settings.
var channelFields = map[string][]struct{ name, label, hint string }{
	notify.KindWebhook: {{"ca", "CA certificate", "PEM, to trust instead of the system's; empty: the system's"}},
	notify.KindEmail: {
		{"server", "Server", "HOST:PORT"},
		{"user", "User", "Empty is none"},
		{"from", "From", "ipcguard@example.org"},
		{"to", "To", "Separated by commas"},
		{"ca", "CA certificate", "PEM; empty: the system's"},
	},
	notify.KindSyslog: {
		{"address", "Address", "HOST:PORT"},
		{"facility", "Facility", "local0 where it is empty"},
		{"ca", "CA certificate", "PEM, for tls; empty: the system's"},
	},
}

func newChannelPage(v *visit) error {
	kind := v.r.URL.Query().Get("kind")
	if channelFields[kind] == nil {
		kind = notify.KindWebhook
	}
	f := newForm(url.Values{
		"enabled": {"yes"}, "least": {string(model.Medium)},
		"shape": {v.r.URL.Query().Get("shape")},
	})
	return v.showChannel(store.Channel{Kind: kind}, f, http.StatusOK)
}

func channelPage(v *visit) error {
	c, err := v.channelOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{
		"name": {c.Name}, "least": {string(c.Least)}, "acts": {string(c.Acts)},
		"digest": {when.Say(c.Digest)}, "quiet": {c.Quiet}, "zone": {c.Zone},
	})
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
	id, err := v.number()
	if err != nil {
		return store.Channel{}, err
	}
	return v.store.Channel(v.ctx(), id)
}

func (v *visit) showChannel(c store.Channel, f *form, status int) error {
	shape := ""
	if c.Kind == notify.KindWebhook {
		shape = view.Known(f.Get("shape"), notify.ShapeSlack, notify.ShapeTeams)
	}
	signed := c.Kind == notify.KindWebhook && shape == ""
	d := channel{Form: f, Channel: c, Kind: c.Kind, Shape: shape, Signed: signed, Acts: signed ||
		c.Kind == notify.KindSyslog, Fields: map[string]field{
		"name":  f.Field("name", "Name", ""),
		"least": f.Choose("least", "Minimum severity", "", options("", "everything", view.Severities)),
		"acts": f.Choose("acts", "Audit log", "Every login and every action, as they happen", []option{
			{Value: string(store.TellNoActs), Label: "not sent"},
			{Value: string(store.TellActsToo), Label: "sent too"},
			{Value: string(store.TellActsOnly), Label: "sent, and no changes"},
		}),
		"digest": f.Field("digest", "As a digest",
			"every hour, every day at 07:00, every weekday at 07:00, or a cron line. Empty is at once: a message for each host and run"),
		"quiet": f.Field("quiet", "Quiet hours",
			"22:00-07:00; Sat,Sun. What happens then is told when they end. Empty is never"),
		"zone": f.Field("zone", "Time zone",
			"Of the digest, the quiet hours and the times in messages: Europe/Berlin; empty is UTC"),
		// the secrets: stored ones are never shown
		"url": f.Field("url", "Address",
			"https://… ; it is encrypted, and never shown again. Empty keeps what is stored"),
		"key": f.Field("key", "Signing key", "16 characters at least; empty keeps what is stored"),
		"password": f.Field("password", "Password",
			"Empty keeps what is stored, unless the server, its security, its certificate or the user changes"),
		"kinds":    f.Field("kinds", "", ""),
		"enabled":  f.Field("enabled", "In force", ""),
		"loopback": f.Field("loopback", "Allow addresses of this machine", ""),
		"plain":    f.Field("plain", "Allow plain HTTP", "Others on the network can read the messages"),
		"security": f.Choose("security", "Security", "",
			[]option{
				{Value: "starttls", Label: "STARTTLS"},
				{Value: "tls", Label: "TLS"},
				{Value: "none", Label: "none"},
			}),
		"network": f.Choose("network", "Network", "",
			[]option{{Value: "tls", Label: "TLS"}, {Value: "tcp", Label: "TCP"}, {Value: "udp", Label: "UDP"}}),
		"format": f.Choose("format", "Format", "",
			[]option{{Value: "cef", Label: "CEF"}, {Value: "json", Label: "JSON"}}),
	}}
	for _, x := range channelFields[c.Kind] {
		d.Parts = append(d.Parts, f.Field(x.name, x.label, x.hint))
	}
	for _, k := range notify.Kinds() {
		d.Kinds = append(d.Kinds, option{string(k.Kind), k.Title, slices.Contains(f.Values["kinds"], string(k.Kind))})
	}
	title := "Channel " + brief(c.Name)
	d.Coming, d.Zone = coming(c.Digest, c.Zone, v.now())
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

// channelConfig collects a kind's settings from the form.
func channelConfig(kind string, f *form) map[string]any {
	out := map[string]any{}
	for _, x := range channelFields[kind] {
		if s := strings.TrimSpace(strings.ReplaceAll(f.Get(x.name), "\r\n", "\n")); s != "" {
			out[x.name] = s
		}
	}
	switch kind {
	case notify.KindWebhook:
		if s := f.Get("shape"); s != "" {
			out["shape"] = s
		}
		if f.yes("plain") {
			out["plain"] = true
		}
		if f.yes("loopback") {
			out["loopback"] = true
		}
	case notify.KindEmail:
		out["security"] = f.Get("security")
		var to []string
		for _, s := range strings.Split(f.Get("to"), ",") {
			if s = strings.TrimSpace(s); s != "" {
				to = append(to, s)
			}
		}
		out["to"] = to
	case notify.KindSyslog:
		out["network"], out["format"] = f.Get("network"), f.Get("format")
	}
	return out
}

func saveChannel(v *visit) error {
	f := newForm(v.r.PostForm)
	var c store.Channel
	if v.r.PathValue("id") != "" {
		var err error
		if c, err = v.channelOf(); err != nil {
			return err
		}
	} else {
		c.Kind = f.Get("kind")
	}
	config, err := json.Marshal(channelConfig(c.Kind, f))
	if err != nil {
		return err
	}
	change := acts.ChannelChange{
		Name: f.Get("name"), Kind: c.Kind, Config: config, Least: model.Severity(f.Get("least")),
		Acts: store.TellActs(f.Get("acts")), Digest: f.Get("digest"), Quiet: f.Get("quiet"), Zone: f.Get("zone"),
		Enabled: f.on("enabled"),
		Secrets: &notify.Secrets{
			URL: strings.TrimSpace(f.Get("url")), Key: strings.TrimSpace(f.Get("key")),
			Password: f.Get("password"),
		},
	}
	for _, k := range f.Values["kinds"] {
		change.Kinds = append(change.Kinds, store.EventKind(k))
	}
	for _, name := range []string{"url", "key", "password"} {
		f.Del(name) // no secret is shown again, not even here
	}
	switch _, err := v.acts.SaveChannel(v.ctx(), v.who(), c.ID, change); {
	case f.refused(err):
		if channelFields[c.Kind] == nil {
			c.Kind = notify.KindWebhook
		}
		return v.showChannel(c, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/channels", "The channel was saved. Try it with its test button.")
}

func testChannel(v *visit) error {
	id, err := v.number()
	if err != nil {
		return err
	}
	c, failed, err := v.acts.TestChannel(v.ctx(), v.who(), id)
	switch {
	case errors.Is(err, acts.ErrNoTest):
		return v.done("/channels", sentence(acts.Words(err)))
	case err != nil:
		return err
	case failed != nil:
		return v.done("/channels", "The test of "+brief(c.Name)+" failed: "+sentence(acts.Words(failed)))
	}
	return v.done("/channels", "The test of "+brief(c.Name)+" was sent.")
}

func deleteChannel(v *visit) error {
	return v.remove(v.acts.DeleteChannel, "/channels", "The channel was removed.")
}
