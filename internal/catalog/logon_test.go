package catalog

import (
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestSignIn: which observed logons still succeed under a value.
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
		{
			"NTLMv1 where it may", model.Standalone,
			map[string]any{"ntlm auth": "ntlmv1-permitted"},
			by(model.PackageNTLMv1), model.Allowed,
		},
		{
			"NTLMv1 where it may not", model.Standalone,
			map[string]any{"ntlm auth": "ntlmv2-only"},
			by(model.PackageNTLMv1), model.Denied,
		},
		{"NTLMv1 by default", model.Standalone, nil, by(model.PackageNTLMv1ESS), model.Denied},
		{"NTLMv2 by default", model.Standalone, nil, by(model.PackageNTLMv2), model.Allowed},
		{"a package that was not seen", model.Standalone, nil, by(""), model.OutcomeUnknown},
		{"a domain's account on a member", model.Member, nil, by(model.PackageNTLMv1), model.OutcomeUnknown},
		{"a role that is not known", model.UnknownRole, nil, by(model.PackageNTLMv1), model.OutcomeUnknown},
		{"a guest keeps coming", model.Standalone, map[string]any{"ntlm auth": "disabled"}, guest, model.Allowed},
		{
			"Kerberos goes on without NTLM", model.DomainController,
			map[string]any{"ntlm auth": "disabled"},
			by(model.PackageKerberos), model.Allowed,
		},
		{
			"a wrong password becomes guest", model.Standalone,
			map[string]any{"map to guest": "bad password"},
			by(model.PackageNTLMv1), model.OutcomeUnknown,
		},
		{"raw NTLMv2", model.Standalone, nil, raw, model.Denied},
		{"SMB1 that offers no more", model.Standalone, nil, held, model.Denied},
		{"SMB1 that offers more", model.Standalone, nil, offers, model.Allowed},
		{"SMB1, what it offers not seen", model.Standalone, nil, old, model.OutcomeUnknown},
		{
			"cannot encrypt", model.Standalone,
			map[string]any{"server smb encrypt": "required"},
			model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", CanEncrypt: model.False},
			model.Denied,
		},
		{
			"can encrypt", model.Standalone,
			map[string]any{"server smb encrypt": "required"},
			model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", CanEncrypt: model.True},
			model.Allowed,
		},
		{
			"cannot sign", model.Standalone,
			map[string]any{"server signing": "mandatory"},
			model.Use{Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0", Signing: model.SigningNone},
			model.Denied,
		},
		{
			"can sign", model.Standalone,
			map[string]any{"server signing": "mandatory"},
			model.Use{
				Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.0",
				Signing: model.SigningOffered,
			},
			model.Allowed,
		},
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
		if got, why := c.View(in).SignIn(&x.use, nil); got != x.want || (got != model.Allowed) != (len(why) > 0) {
			t.Errorf("%s: %s %q, want %s", x.what, got, why, x.want)
		}
	}
}

// TestSignInOnWindows does the same for Windows, according to its documents.
func TestSignInOnWindows(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	user := func(change func(*model.Use)) model.Use {
		u := model.Use{
			Identity: model.User, Package: model.PackageNTLMv2, Dialect: "3.1.1", Offers: "3.1.1",
			Signing: model.SigningOffered, CanEncrypt: model.True,
			Raw: model.False, SPN: "cifs/fs1",
		}
		change(&u)
		return u
	}
	v1 := user(func(u *model.Use) { u.Package, u.SPN = model.PackageNTLMv1ESS, "" })
	ntlm := user(func(u *model.Use) { u.Package, u.Log = model.PackageNTLM, true })
	smb1 := user(func(u *model.Use) { u.Dialect, u.Offers = "NT LM 0.12", "NT LM 0.12" })
	plain := user(func(u *model.Use) { u.Dialect, u.Offers, u.CanEncrypt = "2.1", "2.1", model.False })
	kerberos := user(func(u *model.Use) { u.Package = model.PackageKerberos })
	guest := user(func(u *model.Use) { u.Identity = model.Guest })
	for _, x := range []struct {
		what     string
		role     model.Role
		settings map[string]int
		use      model.Use
		want     model.Outcome
	}{
		{"level 5 and NTLMv1", model.Standalone, map[string]int{"LmCompatibilityLevel": 5}, v1, model.Denied},
		{"level 4 and NTLMv1", model.Standalone, map[string]int{"LmCompatibilityLevel": 4}, v1, model.Allowed},
		{
			"level 5 and NTLMv2", model.Standalone,
			map[string]int{"LmCompatibilityLevel": 5},
			user(func(*model.Use) {}),
			model.Allowed,
		},
		{"level 5 of a member", model.Member, map[string]int{"LmCompatibilityLevel": 5}, v1, model.OutcomeUnknown},
		{
			"level 5 and a version that was not told", model.Standalone,
			map[string]int{"LmCompatibilityLevel": 5},
			ntlm,
			model.OutcomeUnknown,
		},
		{
			"NTLM refused, the version not told", model.Member,
			map[string]int{"RestrictReceivingNTLMTraffic": 2},
			ntlm,
			model.Denied,
		},
		{
			"NTLM refused to the domain alone", model.Member,
			map[string]int{"RestrictReceivingNTLMTraffic": 1},
			user(func(*model.Use) {}), model.OutcomeUnknown,
		},
		{
			"NTLM refused and Kerberos", model.Member,
			map[string]int{"RestrictReceivingNTLMTraffic": 2},
			kerberos,
			model.Allowed,
		},
		{
			"signing required of a guest", model.Member,
			map[string]int{"RequireSecuritySignature": 1},
			guest,
			model.OutcomeUnknown,
		},
		{
			"EnableSecuritySignature ends nothing", model.Member,
			map[string]int{"EnableSecuritySignature": 0},
			smb1,
			model.Allowed,
		},
		{"SMB1 off", model.Member, map[string]int{"SMB1": 0}, smb1, model.Denied},
		{"SMB1 off and SMB2", model.Member, map[string]int{"SMB1": 0}, plain, model.Allowed},
		{
			"the lowest dialect does not stop SMB1", model.Member,
			map[string]int{"SMB1": 1, "MinSmb2Dialect": 768},
			smb1,
			model.Allowed,
		},
		{"the lowest dialect stops SMB 2.1", model.Member, map[string]int{"MinSmb2Dialect": 768}, plain, model.Denied},
		{"encryption", model.Member, map[string]int{"EncryptData": 1}, plain, model.Denied},
		{
			"encryption where clear text goes on", model.Member,
			map[string]int{"EncryptData": 1, "RejectUnencryptedAccess": 0},
			plain, model.Allowed,
		},
		{"a name has to be there", model.Member, map[string]int{"SmbServerNameHardeningLevel": 2}, v1, model.Denied},
		{"no name at 1", model.Member, map[string]int{"SmbServerNameHardeningLevel": 1}, v1, model.Allowed},
		{
			"a name has to fit", model.Member,
			map[string]int{"SmbServerNameHardeningLevel": 1},
			kerberos,
			model.OutcomeUnknown,
		},
	} {
		in := Config{
			Platform: model.Platform{System: "windows", Product: "win2025", Role: x.role},
			Settings: map[string]model.Value{}, Complete: true,
		}
		for id, v := range map[string]int{"SMB1": 0, "RequireSecuritySignature": 0, "LmCompatibilityLevel": 3} {
			in.Settings[id] = model.Value{Present: true, Type: "REG_DWORD", Data: v}
		}
		if x.use.Dialect == "NT LM 0.12" && x.settings["SMB1"] == 0 && x.want == model.Allowed {
			in.Settings["SMB1"] = model.Value{Present: true, Type: "REG_DWORD", Data: 1}
		}
		for id, v := range x.settings {
			in.Settings[id] = model.Value{Present: true, Type: "REG_DWORD", Data: v}
		}
		if got, why := c.View(in).SignIn(&x.use, nil); got != x.want {
			t.Errorf("%s: %s %q, want %s", x.what, got, why, x.want)
		}
	}
}

// TestSignInOfWhom: where a client was seen to come in the way that ends, the doubt that is left is about who it is.
func TestSignInOfWhom(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	in := Config{
		Platform: model.Platform{System: "windows", Product: "win2022", Role: model.Member}, Complete: true,
		Settings: map[string]model.Value{"RequireSecuritySignature": {Present: true, Type: "REG_DWORD", Data: 1}},
	}
	for signing, want := range map[string]string{
		model.SigningNone: "; this client comes so, and as whom was not seen", "": "; whether that meets this client was not seen",
	} {
		u := model.Use{Identity: model.Unknown, Layer: model.LayerNegotiate, Signing: signing, Log: true}
		got, why := c.View(in).SignIn(&u, []string{"RequireSecuritySignature"})
		if got != model.OutcomeUnknown || len(why) == 0 || !strings.HasSuffix(why[0], want) {
			t.Errorf("signing %q: %s %q, want %q", signing, got, why, want)
		}
	}
}

// Encryption that is only desired closes no way in: there is nothing for a verification to find refused.
func TestDesiredEncryptionClosesNothing(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	p := model.Platform{System: "samba", Product: "samba-4.17"}
	s := c.Setting("server smb encrypt")
	for value, want := range map[string]int{"required": 1, "desired": 0, "default": 0} {
		if got := c.WeakWays(s, value, p); len(got) != want {
			t.Errorf("%s closes %+v", value, got)
		}
	}
}
