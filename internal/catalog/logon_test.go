package catalog

import (
	"testing"

	"ipcguard/internal/model"
)

// TestSignIn says who may still come in under a value, by how he was seen to.
func TestSignIn(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	smb := func(role model.Role) model.Platform {
		return model.Platform{System: "samba", Product: "samba", Role: role}
	}
	by := func(pkg string) model.Use { return model.Use{Identity: model.User, Package: pkg} }
	old := model.Use{Identity: model.User, Dialect: "NT LM 0.12"}
	held, offers := old, old
	held.Offers, offers.Offers = "NT LM 0.12", "2.0.2"
	guest := by(model.PackageNTLMv1)
	guest.Identity = model.Guest
	raw := by(model.PackageNTLMv2)
	raw.Raw = model.True
	for _, x := range []struct {
		what     string
		role     model.Role
		settings map[string]any
		use      model.Use
		want     model.Outcome
	}{
		{"NTLMv1 where it may", model.Standalone, map[string]any{"ntlm auth": "ntlmv1-permitted"}, by(model.PackageNTLMv1), model.Allowed},
		{"NTLMv1 where it may not", model.Standalone, map[string]any{"ntlm auth": "ntlmv2-only"}, by(model.PackageNTLMv1), model.Denied},
		{"NTLMv1 by default", model.Standalone, nil, by(model.PackageNTLMv1ESS), model.Denied},
		{"NTLMv2 by default", model.Standalone, nil, by(model.PackageNTLMv2), model.Allowed},
		{"a package that was not seen", model.Standalone, nil, by(""), model.OutcomeUnknown},
		{"a domain's account on a member", model.Member, nil, by(model.PackageNTLMv1), model.OutcomeUnknown},
		{"a role that is not known", model.UnknownRole, nil, by(model.PackageNTLMv1), model.OutcomeUnknown},
		{"a guest keeps coming", model.Standalone, map[string]any{"ntlm auth": "disabled"}, guest, model.Allowed},
		{"Kerberos goes on without NTLM", model.DomainController, map[string]any{"ntlm auth": "disabled"}, by(model.PackageKerberos), model.Allowed},
		{"a wrong password becomes guest", model.Standalone, map[string]any{"map to guest": "bad password"}, by(model.PackageNTLMv1), model.OutcomeUnknown},
		{"raw NTLMv2", model.Standalone, nil, raw, model.Denied},
		{"SMB1 that offers no more", model.Standalone, nil, held, model.Denied},
		{"SMB1 that offers more", model.Standalone, nil, offers, model.Allowed},
		{"SMB1, what it offers not seen", model.Standalone, nil, old, model.OutcomeUnknown},
		{"cannot encrypt", model.Standalone, map[string]any{"server smb encrypt": "required"}, model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", CanEncrypt: model.False}, model.Denied},
		{"can encrypt", model.Standalone, map[string]any{"server smb encrypt": "required"}, model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", CanEncrypt: model.True}, model.Allowed},
		{"cannot sign", model.Standalone, map[string]any{"server signing": "mandatory"}, model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", Signing: model.SigningNone}, model.Denied},
		{"can sign", model.Standalone, map[string]any{"server signing": "mandatory"}, model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", Signing: model.SigningOffered}, model.Allowed},
	} {
		in := Config{Platform: smb(x.role), Settings: map[string]model.Value{}, Complete: true}
		for id, v := range x.settings {
			in.Settings[id] = model.Value{Present: true, Type: c.Setting(id).Type, Data: v}
		}
		if x.use.Dialect == "" {
			x.use.Dialect, x.use.Offers = "3.1.1", "3.1.1"
		}
		if x.use.Package == "" && x.use.Offers != "3.1.1" {
			x.use.Package = model.PackageNTLMv2
		}
		if x.use.Signing == "" {
			x.use.Signing = model.SigningOffered
		}
		if x.use.Raw == model.NotKnown {
			x.use.Raw = model.False
		}
		if got, why := c.View(in).SignIn(&x.use); got != x.want || (got != model.Allowed) != (len(why) > 0) {
			t.Errorf("%s: %s %q, want %s", x.what, got, why, x.want)
		}
	}
}
