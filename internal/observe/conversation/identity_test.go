package conversation

import (
	"encoding/asn1"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/smb1"
)

// wrapped returns a token of a mechanism in SPNEGO's first token.
func wrapped(oid asn1.ObjectIdentifier, token []byte) []byte {
	return (&spnego.Init{MechTypes: []asn1.ObjectIdentifier{oid}, MechToken: token}).Append(nil)
}

func authenticate(t *testing.T, a *ntlm.Authenticate) []byte {
	t.Helper()
	a.Flags |= ntlm.NegotiateUnicode
	b, err := a.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestClaims checks who tokens claim to be, and how they were made.
func TestClaims(t *testing.T) {
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
	name := ntlm.EncodeText("ann", ntlm.NegotiateUnicode)
	for what, c := range map[string]struct {
		tokens        [][]byte
		kind          model.Identity
		basis, made   string
		wantUndecided bool
	}{
		"nothing": {nil, model.Unknown, "the logon was not seen", "", true},
		"an empty token": {
			[][]byte{{}},
			model.Unknown, "the logon could not be read: no token of it says who it is",
			model.PackageUnknown, true,
		},
		"an offer alone": {
			[][]byte{wrapped(spnego.OIDNTLM, nil)},
			model.Unknown,
			"the logon could not be read: no token of it says who it is", model.PackageUnknown, true,
		},
		"an unknown one": {
			[][]byte{wrapped(unknown, spnego.Frame(unknown, []byte("x")))},
			model.Unknown,
			"the logon could not be read: mechanism 1.3.6.1.4.1.99999.1", model.PackageUnknown, false,
		},
		"NegoEx": {
			[][]byte{wrapped(spnego.OIDNegoEx, []byte("NEGOEXTS\x00\x00\x00\x00"))},
			model.Unknown,
			"the logon could not be read: NegoEx", model.PackageUnknown, false,
		},
		"NegoEx, then NTLM": {
			[][]byte{
				wrapped(spnego.OIDNegoEx, []byte("NEGOEXTS")),
				authenticate(t, &ntlm.Authenticate{}),
			},
			model.Anonymous, "NTLM logon without name and response",
			model.PackageAnonymous, false,
		},
		"IAKERB": {
			[][]byte{wrapped(spnego.OIDIAKERB, spnego.Frame(spnego.OIDIAKERB,
				[]byte{5, 1, 0x30, 0}))},
			model.User, "Kerberos logon; the name is inside the ticket",
			model.PackageKerberos, false,
		},
		"Kerberos": {
			[][]byte{wrapped(spnego.OIDKerberos, spnego.Frame(spnego.OIDKerberos, []byte{1, 0}))},
			model.User, "Kerberos logon; the name is inside the ticket", model.PackageKerberos, false,
		},
		"damaged": {
			[][]byte{{0x60, 0x82}},
			model.Unknown, "the logon could not be decoded",
			model.PackageUnknown, false,
		},
		"LM": {
			[][]byte{authenticate(t,
				&ntlm.Authenticate{UserName: name, LmChallengeResponse: make([]byte, 24)})},
			model.User,
			"NTLM logon by name", model.PackageLM, false,
		},
		"NTLMv1": {
			[][]byte{authenticate(t,
				&ntlm.Authenticate{
					UserName: name, LmChallengeResponse: make([]byte, 24),
					NtChallengeResponse: append(make([]byte, 23), 1),
				})},
			model.User, "NTLM logon by name", model.PackageNTLMv1,
			false,
		},
		"NTLMv1 with ESS": {
			[][]byte{authenticate(t,
				&ntlm.Authenticate{
					UserName: name, LmChallengeResponse: append([]byte{1}, make([]byte, 23)...),
					NtChallengeResponse: make([]byte, 24), Flags: ntlm.NegotiateExtendedSecurity,
				})},
			model.User,
			"NTLM logon by name", model.PackageNTLMv1ESS, false,
		},
		"NTLMv2": {[][]byte{authenticate(t,
			&ntlm.Authenticate{UserName: name, LmChallengeResponse: make([]byte, 24), NtChallengeResponse: make([]byte,
				80)})}, model.User, "NTLM logon by name", model.PackageNTLMv2, false},
	} {
		t.Run(what, func(t *testing.T) {
			l := new(logon)
			for _, b := range c.tokens {
				l.token(b)
			}
			id := l.claimed()
			if id.kind != c.kind || id.basis != c.basis || id.logon.with != c.made || l.decided() == c.wantUndecided {
				t.Errorf("%+v, decided %v", id, l.decided())
			}
		})
	}
}

// TestPlainPackages distinguishes SMB1's logons without extended security by the lengths of their responses.
func TestPlainPackages(t *testing.T) {
	for _, c := range []struct {
		oem, unicode int
		name, want   string
	}{
		{0, 0, "", model.PackageAnonymous},
		{1, 0, "", model.PackageAnonymous},
		{24, 0, "ann", model.PackageLM},
		{24, 24, "ann", model.PackageNTLMv1}, // the same zeros: the NT response twice
		{0, 24, "ann", model.PackageNTLMv1},
		{24, 80, "ann", model.PackageNTLMv2},
		{9, 0, "ann", model.PackagePlaintext},
		{1, 18, "ann", model.PackagePlaintext},
		{0, 0, "ann", model.PackageUnknown},
	} {
		r := &smb1.SessionSetupRequest{
			Form: smb1.SetupNT, OEMPassword: make([]byte, c.oem),
			UnicodePassword: make([]byte, c.unicode), AccountName: c.name,
		}
		if got := plainPackage(r); got != c.want {
			t.Errorf("%d and %d bytes of %q: %s, want %s", c.oem, c.unicode, c.name, got, c.want)
		}
	}
}

// TestHiddenNames gives no account to a name that is hidden.
func TestHiddenNames(t *testing.T) {
	padata := func(kinds ...int) []byte {
		type one struct {
			Kind  int    `asn1:"tag:1,explicit"`
			Value []byte `asn1:"tag:2,explicit"`
		}
		list := []one{}
		for _, k := range kinds {
			list = append(list, one{k, []byte("x")})
		}
		b, err := asn1.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		realm, name string
		padata      []byte
		want        identity
	}{
		{"R", "ann", nil, identity{kind: model.User, account: `R\ann`, basis: "Kerberos logon; its ticket was seen " +
			"being issued"}},
		{"R", "PC$", nil, identity{kind: model.Machine, account: `R\PC$`, basis: "Kerberos logon; its ticket was " +
			"seen being issued"}},
		{
			"WELLKNOWN:ANONYMOUS", "WELLKNOWN/ANONYMOUS", padata(19, paFXFast),
			identity{kind: model.Unknown, basis: "Kerberos logon; the name is hidden by FAST"},
		},
		{"", "", padata(paFXFast), identity{kind: model.Unknown, basis: "Kerberos logon; the name is hidden by FAST"}},
		{
			"WELLKNOWN:ANONYMOUS", "WELLKNOWN/ANONYMOUS", padata(paPKASRep),
			identity{kind: model.Anonymous, basis: "Kerberos logon with an anonymous ticket (PKINIT)"},
		},
		{"R", "WELLKNOWN/ANONYMOUS", nil, identity{kind: model.Unknown, basis: "Kerberos logon; the name is hidden, " +
			"or the ticket is anonymous"}},
	} {
		if got := owner(c.realm, c.name, c.padata); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.realm, c.name, got, c.want)
		}
	}
}

// TestForgedLogons reads messages with false claims: nothing is guessed from them.
func TestForgedLogons(t *testing.T) {
	name := ntlm.EncodeText("ann", ntlm.NegotiateUnicode)
	v2 := func(pairs ntlm.AVPairs) []byte {
		r := &ntlm.V2Response{Pairs: pairs}
		return r.Append(nil)
	}
	says := ntlm.AVPairs{{ID: ntlm.AvFlags, Value: []byte{2, 0, 0, 0}}}
	whole := authenticate(t, &ntlm.Authenticate{
		UserName: name, LmChallengeResponse: make([]byte, 24),
		NtChallengeResponse: v2(says), MIC: [16]byte{1},
	})
	for what, c := range map[string]struct {
		token []byte
		made  string
		mic   model.Tristate
	}{
		"a code that the flag names": {whole, model.PackageNTLMv2, model.True},
		"the flag, and zeros": {
			authenticate(t,
				&ntlm.Authenticate{UserName: name, LmChallengeResponse: make([]byte, 24), NtChallengeResponse: v2(says)}),
			model.PackageNTLMv2, model.False,
		},
		"the flag, and no room": {authenticate(t,
			&ntlm.Authenticate{
				HeaderLen: 72, UserName: name, LmChallengeResponse: make([]byte, 24),
				NtChallengeResponse: v2(says),
			}), model.PackageNTLMv2, model.False},
		"a code that no flag names": {authenticate(t,
			&ntlm.Authenticate{
				UserName: name, LmChallengeResponse: make([]byte, 24), NtChallengeResponse: v2(nil),
				MIC: [16]byte{1},
			}), model.PackageNTLMv2, model.False},
		"an NT response of no known length": {
			authenticate(t,
				&ntlm.Authenticate{UserName: name, NtChallengeResponse: make([]byte, 9)}), model.PackageUnknown,
			model.NotKnown,
		},
		"attributes that end too soon": {
			authenticate(t,
				&ntlm.Authenticate{UserName: name, NtChallengeResponse: append(v2(nil)[:44], 2, 0, 99, 0)}),
			model.PackageNTLMv2, model.False,
		},
		"cut":                          {whole[:70], model.PackageUnknown, model.NotKnown},
		"a length outside the message": {outside(whole), model.PackageUnknown, model.NotKnown},
	} {
		t.Run(what, func(t *testing.T) {
			l := new(logon)
			l.token(c.token)
			if id := l.claimed(); id.logon.with != c.made || id.logon.mic != c.mic || id.logon.with == model.PackageUnknown && id.logon.spn != "" {
				t.Errorf("%+v", id)
			}
		})
	}
}

// outside makes the length of the NT response exceed the message.
func outside(message []byte) []byte {
	b := append([]byte(nil), message...)
	b[20], b[21] = 0xFF, 0xFF
	return b
}

// TestNamesUnderFAST takes no name from a request that FAST protects: what stands in clear text there is ignored by the
// server, and the request before it is often the computer's, for the armor.
func TestNamesUnderFAST(t *testing.T) {
	tagged := func(class, tag int, b []byte) asn1.RawValue {
		return asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: b}
	}
	der := func(values ...any) (out []byte) {
		for _, v := range values {
			b, err := asn1.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b...)
		}
		return out
	}
	text := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagGeneralString, Bytes: []byte(s)} }
	field := func(tag int, v any) asn1.RawValue { return tagged(asn1.ClassContextSpecific, tag, der(v)) }
	sequence := func(values ...any) asn1.RawValue {
		return tagged(asn1.ClassUniversal, asn1.TagSequence, der(values...))
	}
	request := func(name string, kinds ...int) []byte {
		var padata []any
		for _, k := range kinds {
			padata = append(padata, sequence(field(1, k), field(2, []byte("x"))))
		}
		body := sequence(field(1, sequence(field(0, 1), field(1, sequence(text(name))))), field(2, text("R")))
		message := tagged(asn1.ClassApplication, 10, der(sequence(field(1, 5), field(2, 10),
			field(3, sequence(padata...)), field(4, body))))
		inner := append([]byte{5, 1}, der(sequence(), message)...)
		return wrapped(spnego.OIDIAKERB, spnego.Frame(spnego.OIDIAKERB, inner))
	}
	many := make([]int, maxFields)
	for what, c := range map[string]struct {
		tokens [][]byte
		want   string
	}{
		"without FAST":                {[][]byte{request("ann", 2)}, `R\ann`},
		"under FAST":                  {[][]byte{request("ann", paFXFast)}, ""},
		"after the armor's":           {[][]byte{request("PC$", 2), request("ann", 2, paFXFast)}, ""},
		"once more, without":          {[][]byte{request("PC$", paFXFast), request("ann")}, `R\ann`},
		"behind more than are looked": {[][]byte{request("ann", append(many, paFXFast)...)}, ""},
		"hidden":                      {[][]byte{request("WELLKNOWN/ANONYMOUS")}, ""},
	} {
		var l logon
		for _, token := range c.tokens {
			l.token(token)
		}
		if got := l.claimed(); got.account != c.want || got.kind != model.User || !l.kerberos {
			t.Errorf("%s: %+v, want %q", what, got, c.want)
		}
	}
	l := logon{kerberos: true, owner: owner("WELLKNOWN:ANONYMOUS", hiddenName, nil)}
	l.token(request("ann", paFXFast))
	if got := l.claimed(); got.kind != model.Unknown || got.account != "" {
		t.Errorf("with a ticket whose client is hidden: %+v", got)
	}
}
