package spnego

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"ipcguard/internal/ntlm"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOID(t *testing.T) {
	for _, oid := range []asn1.ObjectIdentifier{
		OIDSPNEGO,
		OIDNTLM,
		OIDNegoEx,
		OIDKerberos,
		OIDKerberosMS,
		OIDKerberosUser2U,
		{2, 999, 1},
		{0, 0},
	} {
		want, err := asn1.Marshal(oid)
		if err != nil {
			t.Fatal(err)
		}
		got := appendOID(nil, oid)
		if !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %x", oid, got, want)
		}
		if back, rest, err := leadingOID(got); err != nil || len(rest) > 0 || !back.Equal(oid) {
			t.Errorf("%v read as %v, %v", oid, back, err)
		}
	}
	for _, bad := range []string{"", "80", "8001", "2b80", "2bffffffffffff7f"} {
		if oid, err := parseOID(unhex(t, bad)); err == nil {
			t.Errorf("%s read as %v", bad, oid)
		}
	}
}

func TestTokens(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 70000)
	for name, tok := range map[string]*Token{
		"hello": {
			Kind: KindInit,
			Init: &Init{
				MechTypes: []asn1.ObjectIdentifier{OIDKerberosMS, OIDKerberos, OIDNTLM},
				Hints:     &Hints{Name: []byte(notDefinedHint)},
			},
		},
		"init": {
			Kind: KindInit,
			Init: &Init{MechTypes: []asn1.ObjectIdentifier{OIDNTLM}, MechToken: []byte("NTLMSSP\x00\x01\x00\x00\x00")},
		},
		"flags, mic": {
			Kind: KindInit,
			Init: &Init{
				MechTypes:   []asn1.ObjectIdentifier{OIDNTLM},
				ReqFlags:    []byte{1, 6},
				MechToken:   long,
				MechListMIC: []byte("mic"),
			},
		},
		"hints, mic": {
			Kind: KindInit,
			Init: &Init{Hints: &Hints{Name: []byte{}, Address: []byte("a")}, MechListMIC: []byte{}},
		},
		"bare": {Kind: KindInit, Init: &Init{MechTypes: []asn1.ObjectIdentifier{OIDNTLM}, Bare: true}},
		"resp": {
			Kind: KindResp,
			Resp: &Resp{State: StateAcceptMore, SupportedMech: OIDNTLM, ResponseToken: long[:200]},
		},
		"resp, mic": {
			Kind: KindResp,
			Resp: &Resp{State: StateAbsent, ResponseToken: long[:300], MechListMIC: []byte("0123456789abcdef")},
		},
		"completed":    {Kind: KindResp, Resp: &Resp{State: StateAcceptCompleted}},
		"empty answer": {Kind: KindResp, Resp: &Resp{State: StateAbsent}},
	} {
		b := appendToken(tok)
		got, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := appendToken(got); !bytes.Equal(again, b) {
			t.Errorf("%s: written again\n%x\n%x", name, again, b)
		}
		if got.Init != nil {
			got.Init.mechTypes = nil
		}
		got.Trailing = nil
		if !reflect.DeepEqual(got, tok) {
			t.Errorf("%s: read as %+v", name, got)
		}
		if m, err := Parse(append(b, "more"...)); err != nil || string(m.Trailing) != "more" {
			t.Errorf("%s: trailing bytes: %v", name, err)
		}
		for n := range b[:min(len(b), 300)] {
			if _, err := Parse(b[:n]); err == nil {
				t.Errorf("%s: cut to %d bytes and still read", name, n)
			}
		}
	}
}

func appendToken(t *Token) []byte {
	switch t.Kind {
	case KindInit:
		return t.Init.Append(nil)
	case KindResp:
		return t.Resp.Append(nil)
	}
	return t.Raw
}

func TestRawTokens(t *testing.T) {
	b := []byte("NTLMSSP\x00\x01\x00\x00\x00")
	tok, err := Parse(b)
	if err != nil || tok.Kind != KindNTLM || !bytes.Equal(tok.MechToken(), b) {
		t.Errorf("raw NTLM: %+v, %v", tok, err)
	}
	ap := appendElement(nil, tagApplication0, append(appendOID(nil, OIDKerberos), 1, 0, 0x6E, 0))
	tok, err = Parse(ap)
	if err != nil || tok.Kind != KindMechanism || !tok.Kerberos() || !bytes.Equal(tok.Raw, ap) {
		t.Errorf("raw Kerberos: %+v, %v", tok, err)
	}
	tok, err = Parse((&Init{MechTypes: []asn1.ObjectIdentifier{OIDKerberosMS}, MechToken: ap}).Append(nil))
	if err != nil || !tok.Kerberos() {
		t.Errorf("wrapped Kerberos: %+v, %v", tok, err)
	}
	// NTLM's signature inside another mechanism's token does not make it NTLM.
	tok, err = Parse((&Init{
		MechTypes: []asn1.ObjectIdentifier{OIDKerberosMS},
		MechToken: append(ap, b...),
	}).Append(nil))
	if _, ntlm := tok.NTLM(); err != nil || ntlm {
		t.Errorf("a planted NTLM message is believed: %v", err)
	}
}

func TestFrame(t *testing.T) {
	b := Frame(OIDKerberos, []byte("\x01\x00inner"))
	oid, inner, err := Unframe(b)
	if err != nil || !oid.Equal(OIDKerberos) || string(inner) != "\x01\x00inner" {
		t.Errorf("%v %q %v", oid, inner, err)
	}
	tok, err := Parse(b)
	if err != nil || !tok.Kerberos() {
		t.Errorf("%+v, %v", tok, err)
	}
	for _, bad := range [][]byte{nil, b[:5], append(b, 0), appendElement(nil, tagApplication0, nil)} {
		if _, _, err := Unframe(bad); err == nil {
			t.Errorf("%x is read", bad)
		}
	}
}

func TestLogonThroughSPNEGO(t *testing.T) {
	server := &ntlm.Server{
		NetBIOSComputer: "SRV", NetBIOSDomain: "LAB",
		Accounts: func(user, _ string) (ntlm.Hash, bool) { return ntlm.NTHash("secret"), user == "alice" },
	}
	for name, client := range map[string]*ntlm.Client{
		"anonymous": ntlm.NewAnonymous(ntlm.Options{}),
		"alice":     ntlm.NewUser("alice", "LAB", "secret", ntlm.Options{}),
	} {
		for _, raw := range []bool{false, true} {
			if raw {
				client = ntlm.NewAnonymous(ntlm.Options{})
			}
			ctx := context.Background()
			i, a, l := NewInitiator(client, raw), NewAcceptor(OIDNTLM), server.NewLogon()
			b, err := i.Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := a.Accept(b)
			if err != nil {
				t.Fatal(err)
			}
			ch, err := l.Challenge(token)
			if err != nil {
				t.Fatal(err)
			}
			b, seen, err := i.Next(ctx, a.Answer(StateAcceptMore, ch, nil))
			if err != nil || !bytes.Equal(seen, ch) {
				t.Fatal(err)
			}
			token, mic, err := a.Accept(b)
			if err != nil {
				t.Fatal(err)
			}
			who, err := l.Authenticate(token)
			if err != nil {
				t.Fatal(err)
			}
			var answer []byte
			if who.Kind == ntlm.KindUser && !raw {
				s, err := who.Security()
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Verify(a.MechList(), mic); err != nil {
					t.Errorf("%s: the client's signature of the list: %v", name, err)
				}
				sig := s.Sign(a.MechList())
				answer = sig[:]
			} else if mic != nil {
				t.Errorf("%s: a signature without a key", name)
			}
			last := a.Answer(StateAcceptCompleted, nil, answer)
			if err := i.Finish(ctx, last); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if answer != nil {
				last[len(last)-1] ^= 1
				if err := i.Finish(ctx, last); !errors.Is(err, ErrMIC) {
					t.Errorf("%s: a wrong signature passes: %v", name, err)
				}
			}
		}
	}
}

func TestReject(t *testing.T) {
	i := NewInitiator(ntlm.NewAnonymous(ntlm.Options{}), false)
	if _, err := i.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Resp{
		{State: StateReject},
		{State: StateAcceptMore, SupportedMech: OIDKerberos},
	} {
		if _, _, err := i.Next(context.Background(), r.Append(nil)); !errors.Is(err, ErrReject) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(NewAcceptor(OIDKerberosMS, OIDNTLM).Hello())
	f.Add((&Resp{
		State:         StateAcceptMore,
		SupportedMech: OIDNTLM,
		ResponseToken: []byte("NTLMSSP\x00"),
		MechListMIC:   []byte{1},
	}).Append(nil))
	f.Add((&Init{
		MechTypes:   []asn1.ObjectIdentifier{OIDNTLM},
		ReqFlags:    []byte{0, 1},
		MechToken:   []byte{1},
		MechListMIC: []byte{2},
	}).Append(nil))
	f.Add([]byte("NTLMSSP\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := Parse(b)
		if err != nil {
			return
		}
		tok.NTLM()
		tok.Kerberos()
		once := appendToken(tok)
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%x", err, once)
		}
		if twice := appendToken(again); !bytes.Equal(once, twice) {
			t.Fatalf("written twice and different\n%x\n%x", once, twice)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	token := NewAcceptor(OIDKerberosMS, OIDKerberos, OIDNTLM).Hello()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(token); err != nil {
			b.Fatal(err)
		}
	}
}
