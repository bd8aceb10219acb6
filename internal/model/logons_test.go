package model

import (
	"testing"
	"time"
)

// TestLogons: uses are joined by logon, and the weakest comes first.
func TestLogons(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	use := func(client string, layer Layer, pkg, dialect string, signed, encrypted Tristate) Use {
		return Use{
			Client: client, Server: "s", Identity: User, Account: "ann", Layer: layer, Outcome: Allowed, Package: pkg,
			Dialect: dialect,
			Signed:  signed, Encrypted: encrypted, Count: 1, First: at, Last: at.Add(time.Hour),
		}
	}
	session := func(client, pkg, dialect string) Use {
		return use(client, LayerSession, pkg, dialect, NotKnown, NotKnown)
	}
	tree := func(client, pkg, dialect string, signed, encrypted Tristate) Use {
		return use(client, LayerTree, pkg, dialect, signed, encrypted)
	}
	sealed := use("encrypted", LayerSession, PackageNTLMv2, "3.0", NotKnown, True)
	sealed.Identity, sealed.Outcome = Opaque, Inconclusive
	null := session("null", PackageAnonymous, "3.1.1")
	null.Identity, null.Account = Anonymous, ""
	refused := session("v1", PackageNTLMv1ESS, "2.1")
	refused.Outcome, refused.Count = Denied, 3
	got := Logons([]Use{
		session("unreadable", PackageUnknown, "3.1.1"), tree("unreadable", PackageUnknown, "3.1.1", False, False),
		tree("unseen", "", "3.1.1", False, False),
		session("some NTLM", PackageNTLM, "3.1.1"), tree("some NTLM", PackageNTLM, "3.1.1", True, False),
		session("kerberos", PackageKerberos, "3.1.1"),
		tree("kerberos", PackageKerberos, "3.1.1", True, False),
		session("encrypted", PackageNTLMv2, "3.0"), sealed,
		session("half", PackageNTLMv2, "3.1.1"),
		tree("half", PackageNTLMv2, "3.1.1", True, False), tree("half", PackageNTLMv2, "3.1.1", False, False),
		tree("half", PackageNTLMv2, "3.1.1", True, False),
		session("smb1", PackageKerberos, "NT LM 0.12"), session("logon alone", PackageNTLMv2, "3.1.1"), null,
		session("v1", PackageNTLMv1ESS, "2.1"), refused,
	})
	want := []struct {
		client   string
		strength Strength
	}{
		{"v1", StrengthBroken},
		{"null", StrengthNone},
		{"smb1", StrengthOld},
		{"logon alone", StrengthUnknown},
		{"some NTLM", StrengthUnknown},
		{"unreadable", StrengthUnknown},
		{"unseen", StrengthUnknown},
		{"half", StrengthUnsigned},
		{"encrypted", StrengthNTLM},
		{"kerberos", StrengthStrong},
	}
	if len(got) != len(want) {
		t.Fatalf("%d ways, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if got[i].Client != w.client || got[i].Strength != w.strength {
			t.Errorf("%d: %s is %s, want %s %s", i, got[i].Client, got[i].Strength, w.client, w.strength)
		}
	}
	if v1 := got[0]; v1.Allowed != 1 || v1.Denied != 3 || !v1.Last.Equal(at.Add(time.Hour)) {
		t.Errorf("%+v", v1)
	}
}
