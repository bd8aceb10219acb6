package acts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// ChannelChange is the wanted state of a channel. Omitted secrets stay unchanged, unless messages would go elsewhere.
type ChannelChange struct {
	Name    string            `json:"name"`
	Kind    string            `json:"kind" enum:"webhook,email,syslog"`
	Config  json.RawMessage   `json:"config,omitempty"`
	Secrets *notify.Secrets   `json:"secrets,omitempty"`
	Kinds   []store.EventKind `json:"kinds,omitempty"`
	Least   model.Severity    `json:"least,omitempty"`
	Acts    store.TellActs    `json:"acts,omitempty"`    // entries of the audit log; only webhook and syslog
	Digest  string            `json:"digest,omitempty"`  // a cron line or a sentence; empty sends at once
	Quiet   string            `json:"quiet,omitempty"`   // when changes are held back, as "22:00-07:00; Sat,Sun"
	Zone    string            `json:"zone,omitempty"`    // of digest, quiet and the times in messages; empty is UTC
	Enabled *bool             `json:"enabled,omitempty"` // true if omitted
}

func (in *ChannelChange) check(old *store.Channel, now time.Time) error {
	var k checks
	k.need("name", &in.Name)
	oneOf(&k, "kind", in.Kind, notify.KindWebhook, notify.KindEmail, notify.KindSyslog)
	if old.ID != 0 && old.Kind != in.Kind {
		k.wrong("kind", "a channel stays of its kind")
	}
	var known []store.EventKind
	for _, x := range notify.Kinds() {
		known = append(known, x.Kind)
	}
	for _, kind := range in.Kinds {
		oneOf(&k, "kinds", kind, known...)
	}
	oneOf(&k, "least", in.Least, "", model.Critical, model.High, model.Medium, model.Low, model.Info)
	oneOf(&k, "acts", in.Acts, store.TellNoActs, store.TellActsToo, store.TellActsOnly)
	if in.Acts != store.TellNoActs && !notify.TakesActs(in.Kind, string(in.Config)) {
		k.wrong("acts", "only webhooks with JSON and syslog are sent the audit log")
	}
	in.checkTimes(&k, now)
	return k.err()
}

// checkTimes checks when messages are sent and when they are held back. It replaces a sentence by its cron line.
func (in *ChannelChange) checkTimes(k *checks, now time.Time) {
	k.line("digest", &in.Digest)
	k.line("quiet", &in.Quiet)
	k.line("zone", &in.Zone)
	if in.Digest != "" {
		line, zone, err := when.Read(in.Digest)
		switch {
		case err != nil:
			k.wrong("digest", "%s", Words(err))
		default:
			in.Digest, in.Zone = line, cmp.Or(zone, in.Zone)
		}
	}
	if _, err := when.Zone(in.Zone); err != nil {
		k.wrong("zone", "%s", Words(err))
		return
	}
	if in.Quiet == "" {
		return
	}
	w, err := when.ParseWindow(in.Quiet, in.Zone)
	switch {
	case err != nil:
		k.wrong("quiet", "%s", Words(err))
	case w.Holds(now):
		k.wrong("quiet", "this never ends, and nothing would be sent")
	}
}

// sealed checks a channel's settings with its secrets, and seals the secrets.
func (a *Acts) sealed(in *ChannelChange, old *store.Channel) ([]byte, error) {
	kept, err := notify.OpenSecrets(a.o.Key, old.Sealed)
	if err != nil {
		kept = notify.Secrets{} // sealed with a lost key: all of them must be entered again
	}
	kept = kept.Moved(old.Kind, old.Config, string(in.Config))
	if s := in.Secrets; s != nil {
		for _, part := range []struct{ to, from *string }{
			{&kept.URL, &s.URL},
			{&kept.Key, &s.Key},
			{&kept.Password, &s.Password},
		} {
			if *part.from != "" {
				*part.to = *part.from
			}
		}
	}
	var bad *notify.ConfigError
	if err := notify.Check(in.Kind, string(in.Config), kept); errors.As(err, &bad) {
		return nil, &Refusal{Fields: []Field{{bad.Field, plain(bad.Text)}}}
	} else if err != nil {
		return nil, err
	}
	b, err := notify.SealSecrets(a.o.Key, kept)
	if b == nil {
		b = []byte{} // none, instead of the old ones
	}
	return b, err
}

// SaveChannel adds a channel if id is 0, or changes one.
func (a *Acts) SaveChannel(
	ctx context.Context, who access.Who, id int64, in ChannelChange,
) (c store.Channel, err error) {
	err = a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		c = store.Channel{}
		if id != 0 {
			if c, err = tx.Channel(ctx, id); err != nil {
				return line{}, err
			}
		}
		if err := in.check(&c, a.now()); err != nil {
			return line{}, err
		}
		if c.Sealed, err = a.sealed(&in, &c); err != nil {
			return line{}, err
		}
		was := c
		c.Name, c.Kind, c.Config, c.Kinds = in.Name, in.Kind, string(in.Config), in.Kinds
		c.Least, c.Acts, c.Digest, c.Enabled = in.Least, in.Acts, in.Digest, in.Enabled == nil || *in.Enabled
		c.Quiet, c.Zone = in.Quiet, in.Zone
		err := taken(tx.SaveChannel(ctx, &c), "name", "another channel has this name")
		if err == nil && c.Enabled {
			err = notify.Begin(ctx, tx, &was, &c)
		}
		return entry(action("channel", id), c.Name, c.Kind), err
	})
	return c, err
}

// DeleteChannel deletes a channel.
func (a *Acts) DeleteChannel(ctx context.Context, who access.Who, id int64) error {
	return a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		c, err := tx.Channel(ctx, id)
		if err != nil {
			return line{}, err
		}
		return entry("channel.delete", c.Name, ""), tx.DeleteChannel(ctx, id)
	})
}

// ErrNoTest says that this process sends no messages.
var ErrNoTest = errors.New("acts: this server sends no notifications")

// TestChannel sends a test message after adding the entry to the audit log. failed says why the message did not arrive;
// err says that it was not sent.
func (a *Acts) TestChannel(ctx context.Context, who access.Who, id int64) (c store.Channel, failed, err error) {
	err = a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		if c, err = tx.Channel(ctx, id); err != nil {
			return line{}, err
		}
		if a.o.Test == nil {
			return line{}, ErrNoTest
		}
		return entry("channel.test", c.Name, ""), nil
	})
	if err != nil {
		return c, nil, err
	}
	return c, a.o.Test(ctx, c), nil
}
