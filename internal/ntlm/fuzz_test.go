package ntlm

import (
	"bytes"
	"testing"
)

// canonical parses a message, writes it, parses and writes it again: both outputs must be equal.
func canonical[M interface{ Append([]byte) ([]byte, error) }](t *testing.T, parse func([]byte) (M, error), b []byte) {
	m, err := parse(b)
	if err != nil {
		return
	}
	once, err := m.Append(nil)
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	m, err = parse(once)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v\n%x", err, once)
	}
	twice, err := m.Append(nil)
	if err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("written twice and different: %v\n%x\n%x", err, once, twice)
	}
}

func FuzzMessages(f *testing.F) {
	for _, s := range []string{vectorChallenge, vectorAuthenticate, vectorChallengeV1, vectorAuthenticateV1} {
		f.Add(unhex(f, s))
	}
	f.Add(unhex(f, "4e544c4d53535000 01000000 97820862 00000000 00000000 00000000 00000000 0a0063450000000f"))
	for _, b := range captured(f) {
		f.Add(b)
	}
	server := testServer()
	f.Fuzz(func(t *testing.T, b []byte) {
		canonical(t, ParseNegotiate, b)
		canonical(t, ParseChallenge, b)
		canonical(t, ParseAuthenticate, b)
		if m, err := ParseAuthenticate(b); err == nil {
			_, _, _ = Classify(m), m.HasMIC(), m.User()+m.Domain()+m.Host()
			ExportedSessionKey([16]byte{}, m)
		}
		if m, err := ParseChallenge(b); err == nil {
			m.Target()
			c := NewUser("u", "d", "p", Options{})
			if _, err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a, err := c.Next(t.Context(), b); err == nil {
				if _, err := ParseAuthenticate(a); err != nil {
					t.Fatalf("the client's answer cannot be read: %v", err)
				}
			}
		}
		l := server.NewLogon()
		if _, err := l.Challenge(b); err == nil {
			l.Authenticate(b)
		}
	})
}

func FuzzV2Response(f *testing.F) {
	m, err := ParseAuthenticate(unhex(f, vectorAuthenticate))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.NtChallengeResponse)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseV2Response(b)
		if err != nil {
			return
		}
		again, err := ParseV2Response(r.Append(nil))
		if err != nil || len(again.Pairs) != len(r.Pairs) || !bytes.Equal(again.Tail, r.Tail) {
			t.Fatalf("read again as %+v, %v", again, err)
		}
	})
}
