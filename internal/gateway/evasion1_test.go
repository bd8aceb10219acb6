package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// wire1 is an SMB1 client that can send anything.
type wire1 struct {
	*wire
	uid, mid uint16
}

// ask1 sends commands in one chain and reads the response: its status, or 0xFFFFFFFF if the connection was closed.
func (w *wire1) ask1(change func(*smb1.Header), bodies ...smb1.Body) (status.NTStatus, *smb1.Message) {
	w.t.Helper()
	w.mid++
	h := &smb1.Header{
		Flags: smb1.FlagsCaseInsensitive, Flags2: smb1.Flags2LongNames | smb1.Flags2NTStatus | smb1.Flags2Unicode,
		UID: w.uid, MID: w.mid, PIDLow: 21,
	}
	if change != nil {
		change(h)
	}
	b, err := smb1.Append(nil, h, bodies...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(b)
	_, msg, err := nbss.ReadFrame(w.nc, nil, nbss.MaxLen)
	if err != nil {
		return closedInstead, nil
	}
	m, err := smb1.Parse(msg)
	if err != nil {
		w.t.Fatalf("an answer that does not decode: %v: % X", err, msg)
	}
	for i, b := range m.Blocks {
		_, said := must(m.Decode(i)).(*smb1.Generic)
		if m.NTStatus() == status.Success && !said &&
			(b.Command == smb1.SessionSetupAndX || b.Command == smb1.TreeConnectAndX) {
			w.in = w.in || !w.users
		}
	}
	if m.Command == smb1.SessionSetupAndX {
		w.uid = m.UID
	}
	return m.NTStatus(), m
}

func must(b smb1.Body, err error) smb1.Body {
	if err != nil {
		return &smb1.Generic{}
	}
	return b
}

func extended(h *smb1.Header) { h.Flags2 |= smb1.Flags2ExtendedSecurity }

func null1() *smb1.SessionSetupRequest {
	return &smb1.SessionSetupRequest{
		Form:          smb1.SetupNT,
		MaxBufferSize: 4356,
		MaxMpxCount:   2,
		Capabilities:  smb1.CapUnicode | smb1.CapStatus32,
	}
}

func ipc1() *smb1.TreeConnectRequest {
	return &smb1.TreeConnectRequest{Path: `\\server\IPC$`, Service: "?????", Password: []byte{0}}
}

func blob1(token []byte) *smb1.SessionSetupRequest {
	r := null1()
	r.Form, r.SecurityBlob = smb1.SetupExtended, token
	r.Capabilities |= smb1.CapExtendedSecurity
	return r
}

// logon1 logs on with extended security.
func (w *wire1) logon1(c *ntlm.Client, change func(*ntlm.Authenticate), more ...smb1.Body) {
	w.t.Helper()
	first, err := c.Start(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	st, m := w.ask1(extended, blob1(first))
	if st != status.MoreProcessingRequired {
		w.t.Fatalf("the first SESSION_SETUP_ANDX: %v", st)
	}
	r, ok := must(m.Decode(0)).(*smb1.SessionSetupResponse)
	if !ok {
		w.t.Fatal("the answer is none")
	}
	w.ask1(extended, append([]smb1.Body{blob1(w.proof(c, r.SecurityBlob, change))}, more...)...)
}

// decoy returns an AUTHENTICATE of a user.
func (w *wire1) decoy() []byte {
	w.t.Helper()
	b, err := named("labadmin").Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// setupWords returns a SESSION_SETUP_ANDX of so many words, with the lengths of two passwords where servers of NT LM
// 0.12 look for them.
func setupWords(words, oem, unicode int, data []byte) *smb1.Generic {
	w := make([]byte, 2*words-4) // without the link
	binary.LittleEndian.PutUint16(w, 4356)
	binary.LittleEndian.PutUint16(w[2:], 2)
	binary.LittleEndian.PutUint16(w[10:], uint16(oem))
	binary.LittleEndian.PutUint16(w[12:], uint16(unicode))
	return &smb1.Generic{Code: smb1.SessionSetupAndX, Link: true, Words: w, Bytes: data}
}

// tricks1 are the tricks in SMB1. The server negotiates with or without extended security.
var tricks1 = []struct {
	name     string
	extended bool
	direct   bool
	play     func(w *wire1)
}{
	{"the classic null session, IPC$ in the same frame", false, true, func(w *wire1) { w.ask1(nil, null1(), ipc1()) }},
	{"a null session alone", false, true, func(w *wire1) { w.ask1(nil, null1()) }},
	{"in the OEM character set", false, true, func(w *wire1) {
		w.ask1(func(h *smb1.Header) { h.Flags2 &^= smb1.Flags2Unicode }, null1(), ipc1())
	}},
	{"a name without a password", false, true, func(w *wire1) { // the server makes it a guest
		r := null1()
		r.AccountName = "nobody1"
		w.ask1(nil, r, ipc1())
	}},
	{"a made-up user with a password", false, true, func(w *wire1) {
		r := null1()
		r.AccountName, r.OEMPassword, r.UnicodePassword = "nobody1", make([]byte, 24), make([]byte, 24)
		w.ask1(nil, r, ipc1())
	}},
	{"a null session with extended security", true, true, func(w *wire1) {
		w.logon1(ntlm.NewAnonymous(ntlm.Options{}), nil, ipc1())
	}},
	{"a name of one NUL", true, true, func(w *wire1) {
		w.logon1(ntlm.NewAnonymous(ntlm.Options{}), func(a *ntlm.Authenticate) {
			a.UserName, a.Flags = []byte{0, 0}, a.Flags&^ntlm.NegotiateAnonymous
		})
	}},
	{"the form of extended security without its flag", true, true, func(w *wire1) {
		w.ask1(nil, blob1(w.decoy()), ipc1())
	}},
	{"the form of extended security, which was not agreed on", false, true, func(w *wire1) {
		w.ask1(nil, blob1(w.decoy()), ipc1())
	}},
	{"the form of LAN Manager, with a second password", false, true, func(w *wire1) {
		oem := func(h *smb1.Header) { h.Flags2 &^= smb1.Flags2Unicode }
		// The name is where a server that reads one password finds it; after the second there is none.
		b := append(append(make([]byte, 24), "labadmin\x00LABGRP\x00\x00\x00"...), make([]byte, 64)...)
		w.ask1(oem, setupWords(smb1.SetupLANMAN, 24, 40, b))
	}},
	{"half a pair of characters for a name", false, true, func(w *wire1) {
		b := append(make([]byte, 49), 0x00, 0xD8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		w.ask1(nil, setupWords(smb1.SetupNT, 24, 24, b))
	}},
	{"a logon of fourteen words", false, true, func(w *wire1) {
		w.ask1(nil, setupWords(smb1.SetupNT+1, 24, 24, make([]byte, 64)))
	}},
	{"a logon behind a tree connect", false, false, func(w *wire1) { w.ask1(nil, ipc1(), null1()) }},
	{"a tree without a logon", false, false, func(w *wire1) { w.ask1(nil, ipc1()) }},
	{"marked as an answer", false, true, func(w *wire1) {
		w.ask1(func(h *smb1.Header) { h.Flags |= smb1.FlagsReply }, null1())
	}},
	{"behind a length of 18 bits, of which servers of SMB1 read 17", false, true, func(w *wire1) {
		h := &smb1.Header{Flags2: smb1.Flags2NTStatus, MID: 9}
		b, err := smb1.Append(make([]byte, nbss.HeaderLen), h, &smb1.Generic{Code: smb1.Echo, Words: []byte{1, 0}})
		if err != nil {
			w.t.Fatal(err)
		}
		nbss.PutHeader(b)
		b[1] |= 2 // for the gateway, the null session is inside an ECHO of 128 KiB
		w.raw(b)
		if _, _, err := nbss.ReadFrame(w.nc, nil, nbss.MaxLen); err == nil {
			w.ask1(nil, null1(), ipc1())
		}
	}},
	{"beside a user", true, true, func(w *wire1) {
		w.users = true
		w.logon1(ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{}), nil)
		w.users, w.uid = false, 0
		w.logon1(ntlm.NewAnonymous(ntlm.Options{}), nil)
	}},
}

// TestEvasion1 does for SMB1 what TestEvasion does for SMB2.
func TestEvasion1(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient")
	l := startLab(t, peer.Config{Ports: []int{445, 139}, Global: []string{
		"map to guest = bad user", "server min protocol = NT1", "ntlm auth = yes", "disable netbios = no",
	}, Shares: []peer.Share{{Name: "drop", Lines: []string{"guest ok = yes", "read only = no"}}}}, Route{})
	for _, trick := range tricks1 {
		t.Run(trick.name, func(t *testing.T) {
			play := func(address string) *wire1 {
				w := &wire1{wire: dialWith(t, l.samba.Dial, address)}
				change := extended
				if !trick.extended {
					change = nil
				}
				if st, _ := w.ask1(change,
					&smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}); st != status.Success {
					t.Fatalf("NEGOTIATE: %v", st)
				}
				trick.play(w)
				return w
			}
			if w := play(l.direct); w.in != trick.direct {
				t.Errorf("directly it gets in: %v", w.in)
			}
			if w := play(l.through); w.in {
				t.Error("it gets in through the gateway")
			}
		})
	}
	t.Run("what a guest writes in the frame of the logon", func(t *testing.T) {
		file := filepath.Join(l.samba.Dir, "share-drop", "left")
		for _, address := range []string{l.through, l.direct} {
			w := &wire1{wire: dialWith(t, l.samba.Dial, address)}
			w.ask1(nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}})
			user, tree := null1(), ipc1()
			user.AccountName, user.OEMPassword, user.UnicodePassword = "nobody1", make([]byte, 24), make([]byte, 24)
			tree.Path = `\\server\drop`
			const readWrite, openOrCreate = 0x3, 3
			w.ask1(nil, user, tree, &smb1.NTCreateRequest{
				DesiredAccess: readWrite, CreateDisposition: openOrCreate, Name: `\left`, Terminated: true,
			}, &smb1.WriteRequest{Data: []byte("x")})
			switch _, err := os.Stat(file); {
			case address == l.direct && err != nil:
				t.Errorf("the control failed: directly: %v", err)
			case address == l.through && !errors.Is(err, fs.ErrNotExist):
				t.Errorf("a guest wrote a file through the gateway: %v", err)
			}
		}
	})
	t.Run("port 139", func(t *testing.T) {
		listener, err := l.samba.Listen("tcp", labGateway+":139")
		if err != nil {
			t.Fatal(err)
		}
		serve(t, l.Gateway, listener, Route{To: labAddress + ":139", NetBIOS: true})
		for _, protocol := range []string{"NT1", "SMB2_10"} {
			null := peer.Client{From: l.samba.Machine, MaxProtocol: protocol}
			if a := null.RPC(t, labAddress+":139", "srvinfo"); !a.OK() {
				t.Fatalf("the control failed: a null session of %s directly: %v", protocol, a)
			}
			if a := null.RPC(t, labGateway+":139", "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
				t.Errorf("a null session of %s: %v", protocol, a)
			}
			user := peer.Client{From: l.samba.Machine, User: "labadmin", Password: peer.Password, MaxProtocol: protocol}
			if a := user.RPC(t, labGateway+":139", "srvinfo"); !a.OK() {
				t.Errorf("a user of %s: %v", protocol, a)
			}
		}
	})
}

// TestNames1: a server of SMB1 may find another name in a logon than the gateway, and take a logon without a name for a
// null session, whatever its proof. Its answer does not say so.
func TestNames1(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{
		"server min protocol = NT1", "encrypt passwords = no", "unix charset = ISO-8859-1",
	}}, Route{})
	for name, play := range map[string]func(w *wire1){
		"no name behind the first of two passwords": func(w *wire1) {
			r := null1()
			r.AccountName, r.OEMPassword, r.UnicodePassword = "labadmin", []byte("abc"), make([]byte, 9)
			w.ask1(nil, r, ipc1())
		},
		"a name that the server's code page does not have": func(w *wire1) {
			r := null1()
			r.AccountName, r.OEMPassword = "\u65e5\u672c", []byte("abc")
			w.ask1(nil, r, ipc1())
		},
	} {
		t.Run(name, func(t *testing.T) {
			for address, direct := range map[string]bool{l.direct: true, l.through: false} {
				w := &wire1{wire: dialWith(t, l.samba.Dial, address)}
				w.ask1(nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}})
				if play(w); w.in != direct {
					t.Errorf("directly: %v; it gets in: %v", direct, w.in)
				}
			}
		})
	}
	t.Run("a user", func(t *testing.T) { // whose password Samba then looks for in the system's accounts
		w := &wire1{wire: dialWith(t, l.samba.Dial, l.through)}
		w.ask1(nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}})
		r := null1()
		r.AccountName, r.OEMPassword = "nobody1", []byte("abc")
		if st, _ := w.ask1(nil, r); st != status.LogonFailure {
			t.Errorf("one password: %v", st)
		}
	})
}

// TestSealed1 passes the encrypted frames of SMB1 of a user, and of nobody else.
func TestSealed1(t *testing.T) {
	frame := rawFrame(append([]byte("\xFFE\x00\x00"), make([]byte, 60)...))
	guests := Policy{Strangers: []Exception{{As: []model.Identity{model.Guest}, Allow: everything}}}
	for name, c := range map[string]struct {
		policy Policy
		play   func(e *ends)
		passes bool
	}{
		"a user":                             {play: func(e *ends) { e.user1(100) }, passes: true},
		"nobody":                             {play: func(*ends) {}},
		"a stranger who may do everything":   {policy: guests, play: func(e *ends) { e.comes1(100, smb1.SetupGuest) }},
		"a user beside such a stranger":      {guests, func(e *ends) { e.comes1(100, smb1.SetupGuest); e.user1(101) }, true},
		"such a stranger in a user's number": {guests, func(e *ends) { e.user1(100); e.comes1(100, smb1.SetupGuest) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := between(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445", Policy: c.policy})
			e.negotiate1(false)
			c.play(e)
			if got := e.asks(frame); bytes.Equal(got, frame) != c.passes {
				t.Errorf("the server gets % X", got)
			}
		})
	}
}
