package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"

	"pgregory.net/rapid"
)

// TestWhatIfSums draws uses of every kind and settings to try, of a server and of its shares: each use has one fate.
func TestWhatIfSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, what) }
		three := func(what string) model.Tristate { return model.Tristate(rapid.IntRange(0, 2).Draw(rt, what)) }
		h := host{
			system: "samba", product: "samba", role: model.Standalone,
			settings: map[string]any{"map to guest": one("guests", "never", "bad user")},
		}
		audit := h.audit(t)
		audit.Shares = []model.Share{{Name: "public", Guest: true}, {Name: "finance"}}
		settings := []Setting{{one("share", "public:", "finance:") + "server smb encrypt", one("encrypt", "off", "required")}}
		for _, s := range [][]string{ // the first two do to users what the model does not know
			{"null passwords", "yes"},
			{"allow dcerpc auth level connect", "no", "yes"},
			{"ntlm auth", "disabled"},
			{"restrict anonymous", "0", "2"},
			{"map to guest", "never", "bad user"},
			{"server signing", "mandatory"},
			{"public:guest ok", "no"},
			{"nt pipe support", "no"},
		} {
			if value := one(s[0], append(s[1:], "", "")...); value != "" {
				settings = append(settings, Setting{s[0], value})
			}
		}
		o := month()
		for i := range rapid.IntRange(1, 20).Draw(rt, "uses") {
			u := model.Use{
				Client: fmt.Sprint("10.0.0.", rapid.IntRange(1, 3).Draw(rt, "client")), Server: "fs", Count: int64(i + 1),
				Account:  one("account", "", "ann", "NAS2$"),
				Identity: model.Identity(one("identity", "anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown")),
				Layer:    model.Layer(one("layer", "session", "tree", "open")),
				Outcome:  model.Outcome(one("outcome", "allowed", "allowed", "denied", "inconclusive")),
				Package:  one("package", "", "ntlm", "ntlmv1", "ntlmv2", "kerberos", "plaintext"),
				Dialect:  one("dialect", "", "NT LM 0.12", "2.1", "3.1.1"), Offers: one("offers", "", "NT LM 0.12", "2.1", "3.1.1"),
				Signing: one("signing", "", "none", "offered"), CanEncrypt: three("encrypt"), Raw: three("raw"), Log: i%2 == 0,
				ToldBy: one("teller", "", "", "", "dc", "10.0.0.1"), Opnum: -1,
			}
			if u.Layer == model.LayerOpen {
				u.Share, u.Pipe = "IPC$", "srvsvc"
			}
			o.Uses = append(o.Uses, u)
		}
		a, err := WhatIf(Evidence{Audit: audit, Observed: o}, settings)
		if err != nil {
			rt.Fatal(err)
		}
		fates := map[model.Use]int{}
		told := 0
		for _, r := range slices.Concat(a.Refused, a.Possible, a.Unjudged, a.NotKnown) {
			fates[r.Use]++
			told++
		}
		for u, n := range fates {
			if n > 1 {
				rt.Errorf("%v: %d fates of %+v", settings, n, u)
			}
		}
		if told+a.Unchanged != len(o.Uses) {
			rt.Errorf("%v: %d uses told and %d unchanged, of %d", settings, told, a.Unchanged, len(o.Uses))
		}
	})
}

// TestWhatIfWay has settings that end ways to sign in meet uses about which the model has an answer of its own.
func TestWhatIfWay(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.Standalone,
		settings: map[string]any{"map to guest": "bad user", "server min protocol": "NT1"},
	}
	use := func(id model.Identity, u model.Use) model.Use {
		u.Client, u.Server, u.Identity, u.Outcome, u.Count, u.Opnum = "pc", "fs", id, model.Allowed, 1, -1
		u.Layer = model.LayerTree
		if u.Pipe != "" {
			u.Layer, u.Share = model.LayerOpen, "IPC$"
		}
		return u
	}
	closed, modern := Setting{"restrict anonymous", "2"}, Setting{"server min protocol", "SMB2"}
	for _, x := range []struct {
		what     string
		use      model.Use
		settings []Setting
		fate     string
		why      string
	}{
		// no present release has the pipe
		{"a pipe that the model denies, by a dialect that was not seen", use(model.User, model.Use{Pipe: "browser"}), []Setting{modern}, "possible", "was not seen"},
		{"a pipe that the model denies, by SMB1", use(model.User, model.Use{Pipe: "browser", Dialect: "NT LM 0.12", Offers: "NT LM 0.12"}), []Setting{modern}, "refused", "older dialects"},
		{"a stranger who is refused anyhow", use(model.Anonymous, model.Use{}), []Setting{closed, modern}, "refused", "anonymous is refused"},
		{"nobody knows who, nor how", use(model.Unknown, model.Use{}), []Setting{closed, modern}, "unjudged", "if it was a stranger"},
		{"nobody knows who, by SMB1", use(model.Unknown, model.Use{Dialect: "NT LM 0.12", Offers: "NT LM 0.12"}), []Setting{closed, modern}, "refused", "older dialects"},
		{"a user of whom it is not known how", use(model.User, model.Use{}), []Setting{closed, modern}, "possible", "was not seen"},
	} {
		a, err := WhatIf(Evidence{Audit: h.audit(t), Observed: &Observed{Uses: []model.Use{x.use}}}, x.settings)
		if err != nil {
			t.Fatal(err)
		}
		list := map[string][]Replay{
			"refused": a.Refused, "possible": a.Possible, "unjudged": a.Unjudged, "not known": a.NotKnown,
		}[x.fate]
		if len(list) != 1 || !strings.Contains(list[0].Why, x.why) {
			t.Errorf("%s: want %s because %q: refused %v, possible %v, if strangers %v, not known %v", x.what, x.fate,
				x.why, a.Refused, a.Possible, a.Unjudged, a.NotKnown)
		}
	}
}
