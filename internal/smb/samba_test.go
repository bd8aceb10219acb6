package smb_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
func whoAmI(ctx context.Context, s smb.Session, want string) error {
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
	if name := strings.ReplaceAll(string(out), "\x00", ""); !strings.Contains(strings.ToLower(name),
		strings.ToLower(want)) {
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

const desired = "server smb encrypt = desired"

func dialects2() []smb.Dialect {
	return []smb.Dialect{smb.SMB202, smb.SMB210, smb.SMB300, smb.SMB302, smb.SMB311}
}

func TestSamba(t *testing.T) {
	type identity struct {
		name, want string
		a          func() smb.Authenticator
	}
	users := []identity{
		{"alice", "alice", alice},
		{"anonymous", "ANONYMOUS LOGON", anonymous},
		{"alice again", "alice", alice},
	}
	for _, server := range []struct {
		name    string
		global  []string
		signing bool
		cipher  string
		only    []smb.Dialect
	}{
		{name: "default"},
		{name: "signing mandatory", global: []string{"server signing = mandatory"}, signing: true},
		{name: "encryption desired", global: []string{desired}},
		{
			name: "AES-256-GCM", global: []string{"server smb3 encryption algorithms = AES-256-GCM", desired},
			cipher: "AES-256-GCM", only: []smb.Dialect{smb.SMB311},
		},
		{
			name: "AES-256-CCM", global: []string{"server smb3 encryption algorithms = AES-256-CCM", desired},
			cipher: "AES-256-CCM", only: []smb.Dialect{smb.SMB311},
		},
		{
			name: "AES-128-CCM", global: []string{"server smb3 encryption algorithms = AES-128-CCM", desired},
			cipher: "AES-128-CCM", only: []smb.Dialect{smb.SMB311},
		},
		{
			name: "CMAC", global: []string{"server smb3 signing algorithms = AES-128-CMAC"},
			only: []smb.Dialect{smb.SMB311},
		},
		{
			name: "HMAC", global: []string{"server smb3 signing algorithms = HMAC-SHA256"},
			only: []smb.Dialect{smb.SMB311},
		},
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
					if n.Dialect != d || n.SigningRequired != server.signing ||
						server.cipher != "" && n.Cipher != server.cipher {
						t.Errorf("negotiated %v, signing required %v, cipher %q", n.Dialect, n.SigningRequired,
							n.Cipher)
					}
					t.Logf("signing %s, cipher %q, mechanisms %v", n.Signing, n.Cipher, n.Mechanisms)
					for _, who := range users {
						if who.want != "alice" && slices.Contains(server.global, desired) {
							// Samba 4.17 then tries to encrypt the interim answer to a slow request of a session that
							// has no key, and ends the connection.
							continue
						}
						session, err := c.SessionSetup(t.Context(), who.a())
						if err != nil {
							t.Fatalf("%s: %v", who.name, err)
						}
						i := session.Info()
						t.Logf("%s: signed %v, encrypted %v", who.name, i.Signed, i.Encrypted)
						if secret := who.want == "alice"; secret != (i.Signed || i.Encrypted) &&
							!(server.signing && !secret) {
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

// TestSambaUpgrade offers everything in an SMB1 NEGOTIATE, as a scanner does, and asks the null-session question in at
// most nine requests on one connection.
func TestSambaUpgrade(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.41.0.2"})
	var n smb.Counters
	c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Counters: &n})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if d := c.Negotiated().Dialect; d != smb.SMB311 {
		t.Errorf("negotiated %v", d)
	}
	session, err := c.SessionSetup(t.Context(), anonymous())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := session.TreeConnect(t.Context(), "IPC$")
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := tree.OpenPipe(t.Context(), "lsarpc")
	if err != nil {
		t.Fatal(err)
	}
	for _, pdu := range [][]byte{bindLSA, whoami} {
		if _, err := pipe.Transact(t.Context(), pdu, 4096); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Requests.Load(); got > 9 {
		t.Errorf("%d requests", got)
	}
	// One question after the other: the connect, and a round trip each.
	if got, want := n.RoundTrips.Load(), n.Requests.Load()+1; got != want {
		t.Errorf("%d round trips, %d wanted", got, want)
	}
	if n.Connections.Load() != 1 || n.BytesSent.Load() == 0 || n.BytesReceived.Load() == 0 {
		t.Errorf("counted %d connections, %d and %d bytes", n.Connections.Load(), n.BytesSent.Load(),
			n.BytesReceived.Load())
	}
	t.Logf("%d requests, %d round trips, %d bytes sent, %d received", n.Requests.Load(), n.RoundTrips.Load(),
		n.BytesSent.Load(), n.BytesReceived.Load())
}

// TestSambaTogether has many pipes in flight on one connection and several sessions, and counts the waits.
func TestSambaTogether(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.41.0.3"})
	var n smb.Counters
	// smbd logs 24 clients on one after the other; on a busy machine that takes longer than anybody would wait for one.
	patient := smb.Timeouts{Session: time.Minute, Tree: time.Minute, Open: time.Minute, Call: time.Minute}
	c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: dialects2(), Counters: &n, Timeouts: patient})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			who, want := anonymous(), "ANONYMOUS LOGON"
			if i%2 == 1 {
				who, want = alice(), "alice"
			}
			session, err := c.SessionSetup(t.Context(), who)
			if err == nil {
				err = whoAmI(t.Context(), session, want)
			}
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d requests in a chain of %d waits", n.Requests.Load(), n.RoundTrips.Load())
}

// TestSambaGuest is a made-up user whom the server takes as its guest, and shares beside IPC$.
func TestSambaGuest(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.41.0.4", Global: []string{"map to guest = Bad User"}})
	for _, d := range dialects2() {
		for _, strict := range []bool{false, true} {
			c, err := smb.Dial(t.Context(), s.Addr(),
				smb.Options{Dialects: []smb.Dialect{d}, RequireSigning: strict, Encrypt: true})
			if err != nil {
				t.Fatal(err)
			}
			session, err := c.SessionSetup(t.Context(), ntlm.NewUser("nobody-knows-me", "", "wrong", ntlm.Options{}))
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			if i := session.Info(); !i.Guest || i.Encrypted {
				t.Errorf("%v: guest %v, encrypted %v", d, i.Guest, i.Encrypted)
			}
			tree, err := session.TreeConnect(t.Context(), "public")
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			if tree.Info().ShareType != smb.ShareDisk {
				t.Errorf("%v: share type %d", d, tree.Info().ShareType)
			}
			root, err := tree.OpenRoot(t.Context())
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			if err := root.Close(t.Context()); err != nil {
				t.Errorf("%v: %v", d, err)
			}
			if _, err := session.TreeConnect(t.Context(), "finance"); !errors.Is(err, status.AccessDenied) {
				t.Errorf("%v: finance gave %v", d, err)
			}
			if err := whoAmI(t.Context(), session, "ANONYMOUS LOGON"); err != nil {
				t.Errorf("%v: %v", d, err)
			}
			if _, err := c.SessionSetup(t.Context(),
				ntlm.NewUser("alice", "", "wrong", ntlm.Options{})); !errors.Is(err, status.LogonFailure) {
				t.Errorf("%v: a wrong password gave %v", d, err)
			}
			c.Close()
		}
	}
}

// TestSambaRefusals are the answers no at each layer.
func TestSambaRefusals(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{
		Address: "127.41.0.5",
		Global:  []string{"restrict anonymous = 2", "server min protocol = SMB3_00"},
	})
	if _, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: []smb.Dialect{smb.SMB202}}); !errors.Is(err,
		status.NotSupported) {
		t.Errorf("2.0.2 gave %v", err)
	}
	c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: dialects2()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	session, err := c.SessionSetup(t.Context(), anonymous())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.TreeConnect(t.Context(), "IPC$"); !errors.Is(err, status.AccessDenied) {
		t.Errorf("IPC$ gave %v", err)
	}

	s = peer.StartSamba(t, peer.Config{Address: "127.41.0.6", Global: []string{"server smb encrypt = required"}})
	c, err = smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: dialects2()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.SessionSetup(t.Context(), anonymous()); !errors.Is(err, status.AccessDenied) {
		t.Errorf("an anonymous session where encryption is required gave %v", err)
	}
	session, err = c.SessionSetup(t.Context(), alice())
	if err != nil {
		t.Fatal(err)
	}
	if i := session.Info(); !i.EncryptRequired || !i.Encrypted {
		t.Errorf("required encryption: %+v", i)
	}
	if err := whoAmI(t.Context(), session, "alice"); err != nil {
		t.Error(err)
	}
}

// TestSambaNetBIOS calls the server by its name on port 139.
func TestSambaNetBIOS(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Network: true, Ports: []int{139}})
	var n smb.Counters
	c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{NetBIOS: true, Dial: s.Dial, Counters: &n})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	session, err := c.SessionSetup(t.Context(), anonymous())
	if err != nil {
		t.Fatal(err)
	}
	if err := whoAmI(t.Context(), session, "ANONYMOUS LOGON"); err != nil {
		t.Error(err)
	}
}
