package gateway

import (
	"bytes"
	"encoding/binary"
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
	second := null1()
	second.VcNumber = 2
	signature := func(s string) func(*smb1.Header) {
		return func(h *smb1.Header) { copy(h.Signature[:], s) }
	}
	const at = nbss.HeaderLen + smb1.HeaderLen + 1 + vcNumber
	for _, c := range []struct {
		name              string
		used, transparent bool
		change            func(*smb1.Header)
		body              smb1.Body
		want              uint16
		extended          bool
	}{
		{name: "13 words", body: null1(), want: 1},
		{
			name: "12 words", extended: true, change: extended, body: blob1([]byte("NTLMSSP\x00\x01\x00\x00\x00")),
			want: 1,
		},
		{name: "10 words", body: setupWords(smb1.SetupLANMAN, 1, 0, make([]byte, 16)), want: 1},
		{name: "a second circuit", body: second, want: 2},
		{name: "signed, before anybody has a key", change: signature("12345678"), body: null1(), want: 1},
		{name: "signed", used: true, change: signature("12345678"), body: null1()},
		{name: "unsigned, of a user", used: true, body: null1(), want: 1},
		{name: "unsigned, of a user of Windows", used: true, change: signature("BSRSPYL "), body: null1(), want: 1},
		{name: "transparent", transparent: true, body: null1()},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := between(t, New(Options{Log: testLog(t)}), Route{
				To: "server:445", Transparent: c.transparent,
				Policy: Policy{Strangers: []Exception{{Allow: everything}}},
			})
			e.negotiate1(c.extended)
			if c.used {
				e.user1(1)
			}
			sent := frame1(t, c.change, c.body)
			got := e.asks(sent)
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

// TestVcNumberObserved: a gateway that only observes forwards what it would refuse, and changes every VcNumber 0 there,
// too: of a logon behind another command, behind another logon, and in a frame that is marked as an answer.
func TestVcNumberObserved(t *testing.T) {
	const words = 1 + vcNumber // from the WordCount of a logon
	for _, c := range []struct {
		name        string
		transparent bool
		change      func(*smb1.Header)
		bodies      []smb1.Body
	}{
		{name: "behind another command", bodies: []smb1.Body{ipc1(), null1()}},
		{name: "behind two others", bodies: []smb1.Body{ipc1(), ipc1(), null1()}},
		{name: "behind a logon", bodies: []smb1.Body{null1(), null1()}},
		{name: "behind a logon and another command", bodies: []smb1.Body{null1(), ipc1(), null1()}},
		{
			name: "marked as an answer", change: func(h *smb1.Header) { h.Flags |= smb1.FlagsReply },
			bodies: []smb1.Body{null1(), ipc1()},
		},
		{name: "transparent", transparent: true, bodies: []smb1.Body{ipc1(), null1()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := between(t, New(Options{Log: testLog(t)}), Route{
				To: "server:445", Transparent: c.transparent, ObserveOnly: true,
			})
			e.negotiate1(false)
			sent := frame1(t, c.change, c.bodies...)
			got := e.asks(sent)
			m, err := smb1.Parse(sent[nbss.HeaderLen:])
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range m.Blocks {
				at := nbss.HeaderLen + b.Offset + words
				if b.Command == smb1.SessionSetupAndX && !c.transparent {
					if vc := binary.LittleEndian.Uint16(got[at:]); vc != 1 {
						t.Errorf("VcNumber %d at %d", vc, at)
					}
					copy(got[at:], sent[at:at+2])
				}
			}
			if !bytes.Equal(got, sent) {
				t.Errorf("other bytes changed:\n% X\n% X", sent, got)
			}
		})
	}
}
