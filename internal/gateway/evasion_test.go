package gateway

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// trick is one way to get past a gateway. Directly it works or not: if it works, the server understands what the
// gateway must refuse.
type trick struct {
	name   string
	direct bool
	play   func(w *wire)
}

// tricks come from captures, other tools and analysis.
var tricks = []trick{
	{"plain null session", true, func(w *wire) { w.null(wrapped, nil) }},
	{"without the flag ANONYMOUS", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) { a.Flags &^= ntlm.NegotiateAnonymous })
	}},
	{"an LM response of no byte", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) { a.LmChallengeResponse = nil })
	}},
	{"without SPNEGO", true, func(w *wire) { w.null(bare, nil) }},
	{"a name of one NUL", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) {
			a.UserName, a.Flags = []byte{0, 0}, a.Flags&^ntlm.NegotiateAnonymous
		})
	}},
	{"a NUL and then a name", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) {
			a.UserName, a.Flags = []byte{0, 0, 'l', 0, 'a', 0, 'b', 0}, a.Flags&^ntlm.NegotiateAnonymous
		})
	}},
	{"half a character for a name", false, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) {
			a.UserName, a.Flags = []byte{'a'}, a.Flags&^ntlm.NegotiateAnonymous
		})
	}},
	{"another character set than agreed", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) {
			a.UserName, a.Flags = []byte{0, 1},
				a.Flags&^(ntlm.NegotiateAnonymous|ntlm.NegotiateUnicode)|ntlm.NegotiateOEM
		})
	}},
	{"an empty name with a response", true, func(w *wire) {
		w.null(wrapped, func(a *ntlm.Authenticate) { a.NtChallengeResponse = make([]byte, 24) })
	}},
	{"a name and the flag ANONYMOUS", true, func(w *wire) { // the name is unknown, and the server makes it a guest
		w.null(wrapped, func(a *ntlm.Authenticate) { a.UserName = ntlm.EncodeText("nobody1", a.Flags) })
	}},
	{"a made-up user", true, func(w *wire) {
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		w.setup(wrapped(false, w.proof(c, w.begin(c, wrapped), nil)))
	}},
	{"another token in the workstation's name", true, func(w *wire) {
		decoy := &ntlm.Authenticate{
			UserName:            ntlm.EncodeText("labadmin", ntlm.NegotiateUnicode),
			NtChallengeResponse: bytes.Repeat([]byte{'A'}, 24),
			Flags:               ntlm.NegotiateUnicode, HeaderLen: 64,
		}
		b, err := decoy.Append(nil)
		if err != nil {
			w.t.Fatal(err)
		}
		w.null(wrapped, func(a *ntlm.Authenticate) { a.Workstation = b })
	}},
	{"names that overlap the fixed part", false, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		b := w.proof(c, w.begin(c, wrapped), nil)
		binary.LittleEndian.PutUint16(b[36:], 2) // the user's name is inside the signature
		binary.LittleEndian.PutUint32(b[40:], 4)
		w.setup(wrapped(false, b))
	}},
	{"a token in two halves", true, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		token := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		if st, _ := w.setup(token[:len(token)/2]); st == status.MoreProcessingRequired {
			w.setup(token[len(token)/2:])
		}
	}},
	{"bytes behind the token", false, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		w.setup(append(wrapped(false, w.proof(c, w.begin(c, wrapped), nil)), 0, 0))
	}},
	{"a token that lies elsewhere", false, func(w *wire) {
		w.null(wrapped, nil, func(m *smb2.Message) {
			m.Body.(*smb2.SessionSetupRequest).SecurityOffset = setupFixed + 8
		})
	}},
	{"Kerberos announced, NTLM sent", true, func(w *wire) {
		w.null(func(first bool, b []byte) []byte {
			if !first {
				return wrapped(first, b)
			}
			both := []asn1.ObjectIdentifier{spnego.OIDNTLM, spnego.OIDKerberos}
			return (&spnego.Init{MechTypes: both, MechToken: b}).Append(nil)
		}, nil)
	}},
	{"a SESSION_SETUP in a compound", false, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		echo := w.message(smb2.Echo, new(smb2.Empty), padded)
		w.send(echo, w.message(smb2.SessionSetup, setupOf(proof)))
		for range 2 {
			if _, _, err := w.receive(); err != nil {
				return
			}
		}
	}},
	{"what is asked before the logon is answered", true, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		w.send(w.message(smb2.SessionSetup, setupOf(proof)))
		w.send(w.treeConnect())
		for range 2 {
			if _, _, err := w.receive(); err != nil {
				return
			}
		}
	}},
	{"what a guest asks before the logon is answered", true, func(w *wire) {
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		w.send(w.message(smb2.SessionSetup, setupOf(proof)))
		w.send(w.treeConnect())
		for range 2 {
			if _, _, err := w.receive(); err != nil {
				return
			}
		}
	}},
	{"byte by byte", true, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		m := w.message(smb2.SessionSetup, setupOf(proof))
		for _, b := range append(nbss.AppendHeader(nil, nbss.SessionMessage, len(m)), m...) {
			w.raw([]byte{b})
		}
		_, _, _ = w.receive()
	}},
	{"with a MessageId as if it were the answer", false, func(w *wire) {
		w.null(wrapped, nil, func(m *smb2.Message) { m.Header.Flags |= smb2.FlagResponse })
	}},
	{"with the flag of a binding", false, func(w *wire) {
		w.null(wrapped, nil, func(m *smb2.Message) { m.Body.(*smb2.SessionSetupRequest).Flags = smb2.SessionBinding })
	}},
	{"with a priority", false, func(w *wire) {
		w.null(wrapped, nil, func(m *smb2.Message) { m.Header.Flags |= 0x10 })
	}},
	{"beside a user", true, func(w *wire) {
		w.user()
		w.session = 0
		w.null(wrapped, nil)
	}},
	{"a user who becomes nobody", true, func(w *wire) {
		w.user()
		w.null(wrapped, nil)
	}},
	{"a user who becomes a guest", true, func(w *wire) {
		w.user()
		id := w.session
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		w.setup(wrapped(false, w.proof(c, w.begin(c, wrapped), nil)))
		if w.session = id; w.in {
			w.tree()
		}
	}},
	{"a user who becomes a guest, by a name that ends with the user's", true, func(w *wire) {
		w.user()
		c := ntlm.NewUser(`x\labadmin`, "", "x", ntlm.Options{})
		w.setup(wrapped(false, w.proof(c, w.begin(c, wrapped), nil)))
	}},
	{"a guest beside a user, asking all the same", true, func(w *wire) {
		w.user()
		w.session = 0
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		w.setup(wrapped(false, w.proof(c, w.begin(c, wrapped), nil)))
		for range 3 {
			w.tree()
		}
	}},
	{"behind a user's request, related", true, func(w *wire) {
		w.user()
		id := w.session
		echo := w.message(smb2.Echo, new(smb2.Empty), padded)
		w.session = id + 1
		w.send(echo, w.treeConnect(func(m *smb2.Message) { m.Header.Flags |= smb2.FlagRelated }))
		_, _, _ = w.receive()
	}},
	{"a compound that is not aligned", false, func(w *wire) {
		w.session = 0
		c := ntlm.NewAnonymous(ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		echo := w.message(smb2.Echo, new(smb2.Empty), func(m *smb2.Message) { m.Header.NextCommand = 68 })
		w.send(echo, w.message(smb2.SessionSetup, setupOf(proof)))
		_, _, _ = w.receive()
	}},
	{"encrypted with the key that everybody can make", true, func(w *wire) {
		w.null(wrapped, nil)
		keys := smbcrypt.DeriveKeys(smb2.Dialect300, smbcrypt.AES128CCM, make([]byte, 16), new(smbcrypt.Preauth))
		tr, err := smbcrypt.NewTransform(smbcrypt.AES128CCM, keys.ClientCipher, keys.ServerCipher, w.session)
		if err != nil {
			w.t.Fatal(err)
		}
		w.send(tr.AppendEncrypt(nil, w.treeConnect()))
		_, _, _ = w.receive()
	}},
	{"compressed", false, func(w *wire) {
		c := ntlm.NewAnonymous(ntlm.Options{})
		m := w.message(smb2.SessionSetup, setupOf(wrapped(false, w.proof(c, w.begin(c, wrapped), nil))))
		h := []byte{0xFC, 'S', 'M', 'B', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		binary.LittleEndian.PutUint32(h[4:], uint32(len(m)))
		w.send(h, m)
		_, _, _ = w.receive()
	}},
	{"SMB1 behind an SMB2 NEGOTIATE", false, func(w *wire) {
		m := make([]byte, 64)
		copy(m, "\xFFSMB\x73") // SESSION_SETUP_ANDX
		w.send(m)
		_, _, _ = w.receive()
	}},
	{"two answers in one token, a user's first", true, func(w *wire) {
		decoy, err := named("labadmin").Append(nil)
		if err != nil {
			w.t.Fatal(err)
		}
		element := func(tag byte, b []byte) []byte {
			return append([]byte{tag, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
		}
		w.null(func(first bool, b []byte) []byte {
			if first {
				return wrapped(first, b)
			}
			both := append(element(0xA2, element(4, decoy)), element(0xA2, element(4, b))...)
			return element(0xA1, element(0x30, both))
		}, nil)
	}},
	{"a guest beside a user, asking in a session that is not there yet", true, func(w *wire) {
		w.user()
		w.session = 0
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		proof := wrapped(false, w.proof(c, w.begin(c, wrapped), nil))
		w.send(w.message(smb2.SessionSetup, setupOf(proof)))
		w.send(w.treeConnect())
		for range 2 {
			_, _, _ = w.receive()
		}
	}},
	{"keep-alives in front", true, func(w *wire) {
		w.raw([]byte{nbss.KeepAlive, 0, 0, 0, nbss.KeepAlive, 0, 0, 0})
		w.null(wrapped, nil)
	}},
	{"a session that somebody else has", false, func(w *wire) {
		for id := range uint64(4) {
			w.session = id + 1
			w.tree()
		}
	}},
	{"a frame of 16 MiB", false, func(w *wire) {
		w.raw([]byte{0, 0xFF, 0xFF, 0xFF})
		w.raw(w.treeConnect())
		closeWrite(w.nc)
		_, _, _ = w.receive()
	}},
	{"a second NEGOTIATE", false, func(w *wire) {
		w.send(w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect202}}))
		if _, _, err := w.receive(); err == nil {
			w.null(wrapped, nil)
		}
	}},
	{"a NetBIOS session request in front", false, func(w *wire) {
		call := nbss.CallRequest{Called: nbss.Name{Name: nbss.ServerName, Suffix: 0x20}, Calling: nbss.Name{Name: "X"}}
		w.raw(call.AppendMarshal(nil))
		w.send(w.message(smb2.SessionSetup, setupOf(nil)))
		_, _, _ = w.receive()
	}},
}

// padded makes a message the first of a compound of two.
func padded(m *smb2.Message) {
	m.Header.NextCommand = smb2.HeaderLen + 8
	m.Tail = make([]byte, 4)
}

// TestEvasion tries every trick on a real server: directly it works as listed, and none works through the gateway.
// After each, a user is still served.
func TestEvasion(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{"map to guest = bad user"}}, Route{})
	for _, trick := range tricks {
		t.Run(trick.name, func(t *testing.T) {
			w := dialWith(t, l.samba.Dial, l.direct)
			w.negotiate(smb2.Dialect210)
			if trick.play(w); w.in != trick.direct {
				t.Errorf("directly it gets in: %v", w.in)
			}
			w = dialWith(t, l.samba.Dial, l.through)
			w.negotiate(smb2.Dialect210)
			if trick.play(w); w.in {
				t.Error("it gets in through the gateway")
			}
			w = dialWith(t, l.samba.Dial, l.through)
			w.negotiate(smb2.Dialect210)
			if st := w.user(); st != status.Success {
				t.Errorf("the user behind it: %v", st)
			}
			if st := w.tree(); st != status.Success {
				t.Errorf("the user's tree: %v", st)
			}
		})
	}
}
