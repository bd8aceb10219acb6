package gateway

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// TestCircuits uses a server that ends all connections from the address of a client that says that its others are lost,
// as Windows Server 2003 does. Through the gateway, which has one address for all clients, a user's connection goes on.
func TestCircuits(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{
		"reset on zero vc = yes", "server min protocol = NT1", "ntlm auth = yes", "map to guest = bad user",
	}}, Route{})
	dial := func(t *testing.T, address string, change func(*smb1.Header)) *wire1 {
		w := &wire1{wire: dialWith(t, l.samba.Dial, address)}
		if st, _ := w.ask1(change, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}); st != status.Success {
			t.Fatalf("NEGOTIATE: %v", st)
		}
		return w
	}
	user := func(t *testing.T, address string) *wire1 {
		w := dial(t, address, extended)
		w.logon1(ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{}), nil)
		if !w.in {
			t.Fatal("the user did not log on")
		}
		return w
	}
	made := func(t *testing.T, address string) {
		r := null1()
		r.AccountName, r.OEMPassword, r.UnicodePassword = "nobody1", make([]byte, 24), make([]byte, 24)
		dial(t, address, nil).ask1(nil, r)
	}
	for _, second := range []struct {
		name string
		come func(t *testing.T, address string)
	}{
		{"a user with extended security", func(t *testing.T, address string) { user(t, address) }},
		{"a stranger with extended security", func(t *testing.T, address string) {
			c := ntlm.NewAnonymous(ntlm.Options{})
			first, err := c.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			dial(t, address, extended).ask1(extended, blob1(first))
		}},
		{"a made-up user without extended security", made},
		{"a user's further logon", func(t *testing.T, address string) {
			w := user(t, address)
			w.uid = 0
			w.logon1(ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil)
		}},
	} {
		t.Run(second.name, func(t *testing.T) {
			for _, address := range []string{l.direct, l.through} {
				first := user(t, address)
				second.come(t, address)
				// The server has sent itself the message that ends the connection before it answered the second
				// client, so it reads it among the next requests.
				st := status.Success
				for range 50 {
					if st == status.Success {
						st, _ = first.ask1(nil, &smb1.Generic{Code: smb1.Echo, Words: []byte{1, 0}})
					}
				}
				switch {
				case address == l.direct && st != closedInstead:
					t.Fatalf("the control failed: directly the first client's connection goes on: %v", st)
				case address == l.through && st != status.Success:
					t.Errorf("through the gateway the first client's connection ended: %v", st)
				}
			}
		})
	}
}

// TestVcNumber: a gateway with its own address changes the VcNumber 0 of every unsigned logon, and nothing else; a
// transparent one changes nothing.
func TestVcNumber(t *testing.T) {
	frame := func(change func(*smb1.Header), body smb1.Body) []byte {
		h := &smb1.Header{Flags2: smb1.Flags2NTStatus | smb1.Flags2Unicode, MID: 7}
		if change != nil {
			change(h)
		}
		b, err := smb1.Append(make([]byte, nbss.HeaderLen), h, body)
		if err != nil {
			t.Fatal(err)
		}
		nbss.PutHeader(b)
		return b
	}
	second := null1()
	second.VcNumber = 2
	signature := func(s string) func(*smb1.Header) {
		return func(h *smb1.Header) { copy(h.Signature[:], s) }
	}
	const at = nbss.HeaderLen + vcNumber
	for _, c := range []struct {
		name              string
		used, transparent bool
		change            func(*smb1.Header)
		body              smb1.Body
		want              uint16
		extended          bool
	}{
		{name: "13 words", body: null1(), want: 1},
		{name: "12 words", extended: true, change: extended, body: blob1([]byte("NTLMSSP\x00\x01\x00\x00\x00")), want: 1},
		{name: "10 words", body: setupWords(smb1.SetupLANMAN, 1, 0, make([]byte, 16)), want: 1},
		{name: "a second circuit", body: second, want: 2},
		{name: "signed, before anybody has a key", change: signature("12345678"), body: null1(), want: 1},
		{name: "signed", used: true, change: signature("12345678"), body: null1()},
		{name: "unsigned, of a user", used: true, body: null1(), want: 1},
		{name: "unsigned, of a user of Windows", used: true, change: signature("BSRSPYL "), body: null1(), want: 1},
		{name: "transparent", transparent: true, body: null1()},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, server := between(t, Route{
				To: "server:445", Transparent: c.transparent,
				Policy: Policy{Strangers: []Exception{{Allow: everything}}},
			})
			exchange := func(to, from net.Conn, b []byte) []byte {
				t.Helper()
				if _, err := to.Write(b); err != nil {
					t.Fatal(err)
				}
				_, got, err := nbss.ReadFrame(from, nil, nbss.MaxLen)
				if err != nil {
					t.Fatal(err)
				}
				return append(nbss.AppendHeader(nil, nbss.SessionMessage, len(got)), got...)
			}
			answer := func(h *smb1.Header) { h.Flags = smb1.FlagsReply }
			exchange(client, server, frame(nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}))
			said := &smb1.NegotiateResponse{SecurityMode: 3, Challenge: make([]byte, 8)}
			if c.extended {
				said = &smb1.NegotiateResponse{SecurityMode: 3, Capabilities: smb1.CapExtendedSecurity}
			}
			exchange(server, client, frame(func(h *smb1.Header) { answer(h); h.MID = 7 }, said))
			if c.used {
				user := null1()
				user.AccountName, user.OEMPassword, user.UnicodePassword = "anna", make([]byte, 24), make([]byte, 24)
				exchange(client, server, frame(nil, user))
				exchange(server, client, frame(func(h *smb1.Header) { answer(h); h.UID = 1 },
					new(smb1.SessionSetupResponse)))
			}
			sent := frame(c.change, c.body)
			got := exchange(client, server, sent)
			if vc := binary.LittleEndian.Uint16(got[at:]); vc != c.want {
				t.Errorf("VcNumber %d, want %d", vc, c.want)
			}
			copy(got[at:], sent[at:at+2])
			if !bytes.Equal(got, sent) {
				t.Errorf("other bytes changed:\n% X\n% X", sent, got)
			}
		})
	}
}

// between runs a connection between the two ends that it returns.
func between(t *testing.T, route Route) (client, server net.Conn) {
	t.Helper()
	way, err := NewWay(route)
	if err != nil {
		t.Fatal(err)
	}
	client, clientSide := net.Pipe()
	server, serverSide := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		newConn(New(Options{Log: testLog(t)}), way, route.To, clientSide, serverSide).run()
	}()
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-ended
	})
	return client, server
}
