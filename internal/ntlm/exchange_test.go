package ntlm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/status"
)

const password = "correct horse"

func testServer() *Server {
	return &Server{
		NetBIOSComputer: "SRV1", NetBIOSDomain: "LAB", DNSComputer: "srv1.lab.example", DNSDomain: "lab.example",
		Accounts: func(user, _ string) (Hash, bool) {
			switch strings.ToLower(user) {
			case "alice", "zoë":
				return NTHash(password), true
			case "guest":
				return NTHash(""), true
			}
			return Hash{}, false
		},
	}
}

// logon passes the tokens between both ends.
func logon(t *testing.T, c *Client, s *Server) (*Accepted, error) {
	t.Helper()
	n, err := c.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l := s.NewLogon()
	ch, err := l.Challenge(n)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Next(context.Background(), ch)
	if err != nil {
		t.Fatal(err)
	}
	return l.Authenticate(a)
}

func TestLogon(t *testing.T) {
	old := testServer()
	old.NoTimestamp = true
	guests := testServer()
	guests.GuestForUnknown = true
	for _, tc := range []struct {
		name   string
		client *Client
		server *Server
		kind   Kind
		denied bool
	}{
		{"user", NewUser("alice", "LAB", password, Options{TargetName: "cifs/srv1"}), testServer(), KindUser, false},
		{"user in capitals", NewUser("ALICE", "", password, Options{}), testServer(), KindUser, false},
		{
			"user beyond ASCII", NewUser("Zoë", "LAB", password, Options{Workstation: "WS"}), testServer(), KindUser,
			false,
		},
		{"old server", NewUser("alice", "LAB", password, Options{}), old, KindUser, false},
		{
			"hash", NewHash("alice", "LAB", NTHash(password), Options{UntrustedTarget: true, TargetName: "x"}),
			testServer(), KindUser, false,
		},
		{"wrong password", NewUser("alice", "LAB", "wrong", Options{}), testServer(), 0, true},
		{"unknown", NewUser("mallory", "LAB", password, Options{}), testServer(), 0, true},
		{"unknown as guest", NewUser("mallory", "LAB", password, Options{}), guests, KindGuest, false},
		{"known with wrong password is no guest", NewUser("alice", "LAB", "wrong", Options{}), guests, 0, true},
		{"guest by name", NewGuest(Options{}), testServer(), KindUser, false},
		{"anonymous", NewAnonymous(Options{}), testServer(), KindAnonymous, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := logon(t, tc.client, tc.server)
			if tc.denied {
				var s status.NTStatus
				if !errors.As(err, &s) || s != status.LogonFailure {
					t.Fatalf("error %v, want STATUS_LOGON_FAILURE", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != tc.kind {
				t.Errorf("kind %d, want %d", got.Kind, tc.kind)
			}
			key := tc.client.SessionKey()
			if tc.kind == KindGuest {
				if bytes.Equal(key, got.SessionKey) {
					t.Error("a guest's key depends on the password")
				}
				key = tc.client.GuestSessionKey()
			}
			if !bytes.Equal(key, got.SessionKey) || bytes.Equal(key, make([]byte, 16)) {
				t.Errorf("keys differ or are zero")
			}
			if tc.kind == KindGuest {
				return
			}
			checkSecurity(t, tc.client, got)
		})
	}
}

func checkSecurity(t *testing.T, c *Client, a *Accepted) {
	t.Helper()
	client, err := c.Security()
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.Security()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		plain := fmt.Appendf(nil, "header %d|stub to hide|verifier", i)
		for _, way := range []struct{ from, to *Security }{{client, server}, {server, client}} {
			m := bytes.Clone(plain)
			sig := way.from.Seal(m, m[9:21])
			if bytes.Equal(m, plain) || !bytes.Equal(m[:9], plain[:9]) || !bytes.Equal(m[21:], plain[21:]) {
				t.Fatalf("sealed as %q", m)
			}
			if err := way.to.Unseal(m, m[9:21], sig[:]); err != nil || !bytes.Equal(m, plain) {
				t.Fatalf("unsealed as %q: %v", m, err)
			}
			sig = way.from.Sign(plain)
			if err := way.to.Verify(plain, sig[:]); err != nil {
				t.Fatal(err)
			}
		}
	}
	sig := client.Sign([]byte("a"))
	if err := server.Verify([]byte("b"), sig[:]); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed message passes: %v", err)
	}
	if err := server.Verify([]byte("b"), sig[:3]); !errors.Is(err, ErrSignature) {
		t.Errorf("a short signature passes: %v", err)
	}
}

func TestSecurityWithoutExtendedSecurity(t *testing.T) {
	flags := NegotiateUnicode | NegotiateSign | NegotiateSeal | NegotiateNTLM | Negotiate128
	key := bytes.Repeat([]byte{7}, 16)
	client, err := NewSecurity(flags, key, true)
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewSecurity(flags, key, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m := []byte("message")
		sig := client.Seal(m, m)
		if err := server.Unseal(m, m, sig[:]); err != nil || string(m) != "message" {
			t.Fatalf("%q %v", m, err)
		}
		sig = server.Sign(m)
		if err := client.Verify(m, sig[:]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTamperedMessagesAreRefused(t *testing.T) {
	c := NewUser("alice", "LAB", password, Options{})
	s := testServer()
	n, _ := c.Start(context.Background())
	l := s.NewLogon()
	ch, err := l.Challenge(n)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Next(context.Background(), ch)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := ParseAuthenticate(a)
	if !m.HasMIC() || m.MIC == [16]byte{} {
		t.Fatal("a timestamp in the challenge and no MIC in the answer")
	}
	if !bytes.Equal(m.LmChallengeResponse, make([]byte, 24)) {
		t.Error("the LM response is sent beside a MIC")
	}
	for i := range a {
		b := bytes.Clone(a)
		b[i] ^= 1
		if got, err := l.Authenticate(b); err == nil {
			// A message with a changed byte may only pass if it names the same account.
			t.Errorf("byte %d changed and the logon passes as %v", i, got)
		}
	}
	if _, err := l.Authenticate(a); err != nil {
		t.Errorf("the message itself: %v", err)
	}
}

func TestAnonymousMessage(t *testing.T) {
	c := NewAnonymous(Options{})
	s := testServer()
	n, _ := c.Start(context.Background())
	ch, err := s.NewLogon().Challenge(n)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Next(context.Background(), ch)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseAuthenticate(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.UserName) != 0 || len(m.NtChallengeResponse) != 0 || !bytes.Equal(m.LmChallengeResponse, []byte{0}) {
		t.Errorf("%+v", m)
	}
	if !m.Flags.Has(NegotiateAnonymous) || Classify(m) != ClassAnonymous {
		t.Errorf("flags %v, class %v", m.Flags, Classify(m))
	}
	if got := ExportedSessionKey([16]byte{}, m); !bytes.Equal(got, c.SessionKey()) {
		t.Error("the key cannot be computed from the wire")
	}
	if c.MIC([]byte("x")) != nil || c.VerifyMIC([]byte("x"), nil) != nil {
		t.Error("a null session signs the mechanisms")
	}
}

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		name string
		m    Authenticate
		want Class
	}{
		{"empty", Authenticate{}, ClassAnonymous},
		{"one byte", Authenticate{LmChallengeResponse: []byte{0}}, ClassAnonymous},
		{"with a domain", Authenticate{DomainName: []byte{'A', 0}}, ClassAnonymous},
		{"flag alone", Authenticate{Flags: NegotiateAnonymous, UserName: []byte{'A', 0}}, ClassUser},
		{"empty name with response", Authenticate{NtChallengeResponse: make([]byte, 24)}, ClassUser},
		{"long LM response", Authenticate{LmChallengeResponse: make([]byte, 24)}, ClassUser},
	} {
		if got := Classify(&tc.m); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := NewUser("alice", "LAB", password, Options{})
	a, err := logon(t, c, testServer())
	if err != nil {
		t.Fatal(err)
	}
	hash := NTHash(password)
	for _, v := range []any{c, *a, a, hash, c.secret} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			s := fmt.Sprintf(verb, v)
			for _, secret := range []string{
				password, fmt.Sprintf("%x", hash[:]), fmt.Sprint(hash[:]), fmt.Sprintf("%#v", hash[:]),
				fmt.Sprint(a.SessionKey),
			} {
				if strings.Contains(s, secret) {
					t.Errorf("%s of %T shows a secret", verb, v)
				}
			}
		}
	}
}

func TestOrder(t *testing.T) {
	c := NewAnonymous(Options{})
	if _, err := c.Next(context.Background(), nil); err == nil {
		t.Error("Next before Start")
	}
	if _, err := c.Security(); err == nil {
		t.Error("Security before the end")
	}
	if _, err := testServer().NewLogon().Authenticate(nil); err == nil {
		t.Error("Authenticate before Challenge")
	}
}

func TestLegacy(t *testing.T) {
	challenge := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	account, domain, lm, nt, err := NewAnonymous(Options{}).Legacy(challenge, "LAB")
	if err != nil || account != "" || domain != "" || len(lm)+len(nt) != 0 {
		t.Errorf("null session: %q %q %x %x %v", account, domain, lm, nt, err)
	}
	c := NewUser("alice", "LAB", password, Options{})
	account, domain, lm, nt, err = c.Legacy(challenge, "LAB")
	if err != nil || account != "alice" || domain != "LAB" || len(lm) != lmv2Len {
		t.Errorf("user: %q %q %x %v", account, domain, lm, err)
	}
	r, err := ParseV2Response(nt)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := Secret{"alice", "LAB", NTHash(password)}.Verify(challenge, r)
	if !ok || !bytes.Equal(key, c.SessionKey()) {
		t.Errorf("the server's view: %v %x %x", ok, key, c.SessionKey())
	}
	if r.Pairs.Text(AvNbDomainName) != "LAB" {
		t.Errorf("attributes %v", r.Pairs)
	}
	if _, _, _, _, err := c.Legacy(challenge, ""); err == nil {
		t.Error("a client serves two logons")
	}
}
