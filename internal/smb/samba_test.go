package smb_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

func anonymous() smb.Authenticator { return ntlm.NewAnonymous(ntlm.Options{}) }

func alice() smb.Authenticator {
	return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{})
}

// bindLSA is an RPC bind to LSARPC, and whoami the call LsarGetUserName, as rpcclient sends them.
var (
	bindLSA = unhex("05000b03100000004800000001000000b810b8100000000001000000000001007857341234" +
		"12cdabef000123456789ab00000000045d888aeb1cc9119fe808002b10486002000000")
	whoami = unhex("050000031000000024000000020000000c00000000002d00" + "000000000000000000000000")
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// whoAmI asks a server through a whole conversation who it thinks the caller is. The answer is the name in UTF-16,
// so the letters of want must be in it.
func whoAmI(ctx context.Context, s *smb.Session, want string) error {
	tree, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return err
	}
	if tree.Info().ShareType != smb.SharePipe {
		return fmt.Errorf("IPC$ has share type %d", tree.Info().ShareType)
	}
	pipe, err := tree.OpenPipe(ctx, "lsarpc")
	if err != nil {
		return err
	}
	ack, err := pipe.Transact(ctx, bindLSA, 4096)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if len(ack) < 24 || ack[2] != 12 {
		return fmt.Errorf("bind answered with % x", ack)
	}
	out, err := pipe.Transact(ctx, whoami, 4096)
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if name := strings.ReplaceAll(string(out), "\x00", ""); !strings.Contains(strings.ToLower(name), strings.ToLower(want)) {
		return fmt.Errorf("the answer does not name %s: % x", want, out)
	}
	// The same answer, by write and read in small parts.
	if n, err := pipe.Write(ctx, whoami); err != nil || n != len(whoami) {
		return fmt.Errorf("write: %d, %w", n, err)
	}
	var parts []byte
	for len(parts) < len(out) { // Samba does not say that a message goes on: its own length tells
		part, _, err := pipe.Read(ctx, 10)
		if err != nil || len(part) == 0 {
			return fmt.Errorf("read: %d bytes, %w", len(part), err)
		}
		parts = append(parts, part...)
	}
	if len(parts) != len(out) {
		return fmt.Errorf("%d bytes in parts, %d in one", len(parts), len(out))
	}
	// A transaction whose answer does not fit at first.
	if all, err := pipe.Transact(ctx, whoami, len(out)); err != nil || len(all) != len(out) {
		return fmt.Errorf("transact: %d bytes of %d, %w", len(all), len(out), err)
	}
	if _, err := pipe.Transact(ctx, whoami, 20); !errors.Is(err, status.BufferOverflow) {
		return fmt.Errorf("a too long answer gave %w", err)
	}
	if err := pipe.Close(ctx); err != nil {
		return err
	}
	if _, err := tree.OpenPipe(ctx, "no such pipe"); !errors.Is(err, status.ObjectNameNotFound) {
		return fmt.Errorf("a missing pipe gave %w", err)
	}
	if err := tree.Disconnect(ctx); err != nil {
		return err
	}
	return s.Logoff(ctx)
}

func dialects2() []smb.Dialect {
	return []smb.Dialect{smb.SMB202, smb.SMB210, smb.SMB300, smb.SMB302, smb.SMB311}
}

func TestSamba(t *testing.T) {
	for _, server := range []struct {
		name    string
		global  []string
		signing bool
		cipher  string
		only    []smb.Dialect
	}{
		{name: "default"},
		{name: "signing mandatory", global: []string{"server signing = mandatory"}, signing: true},
		{name: "encryption desired", global: []string{"server smb encrypt = desired"}},
		{name: "AES-256-GCM", global: []string{"server smb3 encryption algorithms = AES-256-GCM", "server smb encrypt = desired"}, cipher: "AES-256-GCM", only: []smb.Dialect{smb.SMB311}},
		{name: "AES-256-CCM", global: []string{"server smb3 encryption algorithms = AES-256-CCM", "server smb encrypt = desired"}, cipher: "AES-256-CCM", only: []smb.Dialect{smb.SMB311}},
		{name: "AES-128-CCM", global: []string{"server smb3 encryption algorithms = AES-128-CCM", "server smb encrypt = desired"}, cipher: "AES-128-CCM", only: []smb.Dialect{smb.SMB311}},
		{name: "CMAC", global: []string{"server smb3 signing algorithms = AES-128-CMAC"}, only: []smb.Dialect{smb.SMB311}},
		{name: "HMAC", global: []string{"server smb3 signing algorithms = HMAC-SHA256"}, only: []smb.Dialect{smb.SMB311}},
	} {
		t.Run(server.name, func(t *testing.T) {
			s := peer.StartSamba(t, peer.Config{Address: "127.41.0.1", Global: server.global})
			list := server.only
			if list == nil {
				list = dialects2()
			}
			for _, d := range list {
				t.Run(d.String(), func(t *testing.T) {
					c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: []smb.Dialect{d}, Encrypt: true})
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					n := c.Negotiated()
					if n.Dialect != d || n.SigningRequired != server.signing || server.cipher != "" && n.Cipher != server.cipher {
						t.Errorf("negotiated %v, signing required %v, cipher %q", n.Dialect, n.SigningRequired, n.Cipher)
					}
					t.Logf("signing %s, cipher %q, mechanisms %v", n.Signing, n.Cipher, n.Mechanisms)
					for _, who := range []struct {
						name, want string
						a          func() smb.Authenticator
					}{{"alice", "alice", alice}, {"anonymous", "ANONYMOUS LOGON", anonymous}, {"alice again", "alice", alice}} {
						session, err := c.SessionSetup(t.Context(), who.a())
						if err != nil {
							t.Fatalf("%s: %v", who.name, err)
						}
						i := session.Info()
						t.Logf("%s: signed %v, encrypted %v", who.name, i.Signed, i.Encrypted)
						if secret := who.want == "alice"; secret != (i.Signed || i.Encrypted) && !(server.signing && !secret) {
							t.Errorf("%s: signed %v, encrypted %v", who.name, i.Signed, i.Encrypted)
						} else if secret && i.Encrypted != (d >= smb.SMB300) {
							t.Errorf("%s: encrypted %v on %v", who.name, i.Encrypted, d)
						}
						if len(i.Challenge) == 0 {
							t.Errorf("%s: no challenge", who.name)
						}
						if err := whoAmI(t.Context(), session, who.want); err != nil {
							t.Errorf("%s: %v", who.name, err)
						}
					}
				})
			}
		})
	}
}
