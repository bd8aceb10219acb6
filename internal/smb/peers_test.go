package smb_test

import (
	"errors"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// TestImpacket is a server that shares no code with Samba.
func TestImpacket(t *testing.T) {
	open := peer.StartImpacket(t, "127.41.2.1")
	closed := peer.StartImpacket(t, "127.41.2.2", "alice")
	for _, server := range []struct {
		name, address string
		a             smb.Authenticator
		refusal       error
	}{
		{"open, anonymous", open.Addr(), anonymous(), nil},
		{"closed, alice", closed.Addr(), alice(), nil},
		{
			"closed, wrong password", closed.Addr(), ntlm.NewUser("alice", "", "wrong", ntlm.Options{}),
			status.LogonFailure,
		},
	} {
		t.Run(server.name, func(t *testing.T) {
			c, err := smb.Dial(t.Context(), server.address, smb.Options{Dialects: dialects2()})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			session, err := c.SessionSetup(t.Context(), server.a)
			if server.refusal != nil {
				if !errors.Is(err, server.refusal) {
					t.Errorf("%v, want %v", err, server.refusal)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tree, err := session.TreeConnect(t.Context(), "IPC$")
			if err != nil {
				t.Fatal(err)
			}
			pipe, err := tree.OpenPipe(t.Context(), "srvsvc")
			if err != nil {
				t.Fatal(err)
			}
			bind := append([]byte(nil), bindLSA...)
			copy(bind[32:], unhex("c84f324b7016d30112785a47bf6ee18803000000")) // SRVSVC 3.0
			ack, err := pipe.Transact(t.Context(), bind, 4096)
			if err != nil || len(ack) < 24 || ack[2] != 12 {
				t.Errorf("%v: bind answered with % x, %v", c.Negotiated().Dialect, ack, err)
			}
			if session.Info().Signed {
				t.Error("signed, and impacket's server has no right key")
			}
		})
	}
}

// TestDomainController is a server that requires signing, as every domain controller does.
func TestDomainController(t *testing.T) {
	dc := peer.StartDC(t)
	for _, d := range dialects2() {
		c, err := smb.Dial(t.Context(), dc.Addr(), smb.Options{Dialects: []smb.Dialect{d}, Dial: dc.Client.Dial})
		if err != nil {
			t.Fatal(err)
		}
		if !c.Negotiated().SigningRequired || len(c.Negotiated().Mechanisms) < 2 {
			t.Errorf("%v: signing required %v, mechanisms %v", d, c.Negotiated().SigningRequired,
				c.Negotiated().Mechanisms)
		}
		for want, a := range map[string]smb.Authenticator{"alice": alice(), "ANONYMOUS LOGON": anonymous()} {
			session, err := c.SessionSetup(t.Context(), a)
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			if err := whoAmI(t.Context(), session, want); err != nil {
				t.Errorf("%v: %s: %v", d, want, err)
			}
		}
		c.Close()
	}
}

// TestAnonymousSigned is a server that holds null sessions to signing too: the key is zeros, and the client finds out.
func TestAnonymousSigned(t *testing.T) {
	signer, err := smbcrypt.NewSigner(smbcrypt.HMACSHA256, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	signed := 0
	address := script(t, func(q question) []byte {
		switch {
		case q.Command == smb2.Negotiate:
			return q.reply(0, &smb2.NegotiateResponse{
				Dialect:      smb2.Dialect210,
				SecurityMode: smb2.SigningEnabled | smb2.SigningRequired,
			})
		case q.Command == smb2.SessionSetup:
			return honest(q)
		case !q.IsSigned() || !signer.Verify(q.raw):
			return q.reply(status.AccessDenied, new(smb2.ErrorResponse))
		}
		signed++
		return honest(q)
	})
	if err := climb(t, address, waits("")); err != nil || signed != 3 {
		t.Errorf("%d signed requests, %v", signed, err)
	}
}
