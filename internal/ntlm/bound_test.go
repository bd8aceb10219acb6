package ntlm

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// A bound client answers no challenge to which its response cannot be bound, and says why.
func TestBound(t *testing.T) {
	named := Options{Bound: true, TargetName: "cifs/srv1", ServerName: "srv1.lab.example"}
	old := testServer()
	old.NoTimestamp = true
	for _, tc := range []struct {
		name    string
		options Options
		server  *Server
		change  func(*Challenge)
		want    string // the reason; empty is a response
	}{
		{"the server that is meant", named, testServer(), nil, ""},
		{"nobody knows its name", Options{Bound: true, TargetName: "cifs/10.0.0.1"}, testServer(), nil, ""},
		{"without a timestamp the answer has a MIC all the same", named, old, nil, ""},
		{
			"another server",
			Options{Bound: true, ServerName: "files.lab.example"},
			testServer(),
			nil,
			`calls itself "srv1.lab.example", not files.lab.example`,
		},
		{"another domain", Options{Bound: true, ServerName: "srv1.other.example"}, testServer(), nil, "calls itself"},
		{"no names at all", named, testServer(), func(c *Challenge) { c.TargetInfo = nil }, "names no server"},
		{"no signing", named, testServer(), func(c *Challenge) { c.Flags &^= NegotiateSign }, "does not offer signing"},
		{"no extended security", named, testServer(), func(c *Challenge) {
			c.Flags &^= NegotiateExtendedSecurity
		}, "does not offer signing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := NewUser("alice", "LAB", password, tc.options)
			hello, err := c.Start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			l := tc.server.NewLogon()
			challenge, err := l.Challenge(hello)
			if err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				ch, err := ParseChallenge(challenge)
				if err != nil {
					t.Fatal(err)
				}
				tc.change(ch)
				if challenge, err = ch.Append(nil); err != nil {
					t.Fatal(err)
				}
			}
			answer, err := c.Next(context.Background(), challenge)
			var withheld *WithheldError
			if tc.want != "" {
				if !errors.As(err, &withheld) || !strings.Contains(withheld.Reason, tc.want) || answer != nil {
					t.Fatalf("%v, %d bytes; want a reason with %q", err, len(answer), tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseAuthenticate(answer)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ParseV2Response(got.NtChallengeResponse)
			if err != nil {
				t.Fatal(err)
			}
			if r.Pairs.Flags()&AvFlagMIC == 0 || got.MIC == ([16]byte{}) {
				t.Errorf("no MIC: %s", hex.EncodeToString(answer))
			}
			if r.Pairs.Text(AvTargetName) != tc.options.TargetName {
				t.Errorf("target %q", r.Pairs.Text(AvTargetName))
			}
			if _, err := l.Authenticate(answer); err != nil {
				t.Errorf("the server: %v", err)
			}
		})
	}
}

func TestBoundLegacy(t *testing.T) {
	var withheld *WithheldError
	if _, _, _, _, err := NewUser("alice", "", password, Options{Bound: true}).Legacy([8]byte{1},
		"LAB"); !errors.As(err, &withheld) {
		t.Errorf("an answer to a bare challenge: %v", err)
	}
	if _, _, _, _, err := NewAnonymous(Options{Bound: true}).Legacy([8]byte{1}, "LAB"); err != nil {
		t.Errorf("a null session has nothing to withhold: %v", err)
	}
}

func TestSameHost(t *testing.T) {
	for _, tc := range []struct {
		name, dns, netBIOS string
		want               bool
	}{
		{"fs1", "fs1.corp.example", "FS1", true},
		{"FS1.corp.example", "fs1.corp.example", "FS1", true},
		{"fs1.corp.example.", "fs1.corp.example", "", true},
		{"fs1.corp.example", "fs1", "FS1", true},
		{"fs1.corp.example", "", "FS1", true},
		{"labhost", "build7", "LABHOST", true}, // Samba with a separate netbios name
		{"averyveryverylongname", "", "AVERYVERYVERYLO", true},
		{"fs1.corp.example", "fs1.evil.example", "FS1", false},
		{"fs1", "dc1.corp.example", "DC1", false},
		{"fs1", "", "", false},
	} {
		if got := SameHost(tc.name, tc.dns, tc.netBIOS); got != tc.want {
			t.Errorf("SameHost(%q, %q, %q) = %v", tc.name, tc.dns, tc.netBIOS, got)
		}
	}
}
