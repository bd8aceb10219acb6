package conversation

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
)

// encrypt modifies the recorded null session so that its frames are encrypted from the first tree connect on, with the
// key that follows from the logon.
func encrypt(t *testing.T, one *tape, change func(seed []byte)) *tape {
	t.Helper()
	var auth *ntlm.Authenticate
	var preauth smbcrypt.Preauth
	var dialect uint16
	var cipher smbcrypt.Cipher
	var id uint64
	for _, p := range one.pieces {
		m, err := smb2.Parse(p.b[nbss.HeaderLen:])
		if err != nil {
			continue
		}
		switch b := m.Body.(type) {
		case *smb2.NegotiateRequest:
			preauth = smbcrypt.Preauth{}
			preauth.Add(p.b[nbss.HeaderLen:])
		case *smb2.NegotiateResponse:
			dialect = b.Dialect
			preauth.Add(p.b[nbss.HeaderLen:])
			for _, x := range b.Contexts {
				var e smb2.EncryptionCapabilities
				if x.Type == smb2.ContextEncryption && e.Unmarshal(x.Data) == nil {
					cipher = smbcrypt.Cipher(e.Ciphers[0])
				}
			}
		case *smb2.SessionSetupRequest:
			preauth.Add(p.b[nbss.HeaderLen:])
			tok, err := spnego.Parse(b.SecurityBuffer)
			if err != nil {
				t.Fatal(err)
			}
			if msg, ok := tok.NTLM(); ok {
				if kind, _ := ntlm.TypeOf(msg); kind == ntlm.TypeAuthenticate {
					if auth, err = ntlm.ParseAuthenticate(msg); err != nil {
						t.Fatal(err)
					}
				}
			}
		case *smb2.SessionSetupResponse:
			if m.Header.Status != 0 {
				preauth.Add(p.b[nbss.HeaderLen:])
			}
			id = m.Header.SessionID
		}
	}
	if dialect != smb2.Dialect311 || cipher == 0 || auth == nil {
		t.Fatalf("the recorded session is no 3.1.1 with a cipher: %#x %v", dialect, cipher)
	}
	seed := ntlm.ExportedSessionKey([16]byte{}, auth)
	change(seed)
	keys := smbcrypt.DeriveKeys(dialect, cipher, seed, &preauth)
	up, err := smbcrypt.NewTransform(cipher, keys.ClientCipher, keys.ServerCipher, id)
	if err != nil {
		t.Fatal(err)
	}
	down, err := smbcrypt.NewTransform(cipher, keys.ServerCipher, keys.ClientCipher, id)
	if err != nil {
		t.Fatal(err)
	}
	out := &tape{conn: one.conn}
	for _, p := range one.pieces {
		m, err := smb2.Parse(p.b[nbss.HeaderLen:])
		if err == nil && m.Header.Command != smb2.Negotiate && m.Header.Command != smb2.SessionSetup {
			way := up
			if p.d == flow.ToClient {
				way = down
			}
			sealed := way.AppendEncrypt(nil, p.b[nbss.HeaderLen:])
			p.b = append(nbss.AppendHeader(nil, nbss.SessionMessage, len(sealed)), sealed...)
		}
		out.pieces = append(out.pieces, p)
	}
	return out
}

// TestEncryptedNullSession decrypts a null session, whose key is not secret.
func TestEncryptedNullSession(t *testing.T) {
	all := tapes(t, "samba/null-session-rpcclient.pcap")
	plain, _ := replay(all, false, asIs)
	want := map[model.Use]int{}
	for u, n := range plain {
		if u.Layer != model.LayerSession {
			u.Encrypted = model.True
		}
		want[u] = n
	}
	got, f := replay([]*tape{encrypt(t, all[0], func([]byte) {})}, false, asIs)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := f.Counts(); n.Decrypted < 20 || n.Opaque != 0 || n.Sealed != 0 {
		t.Errorf("%+v", n)
	}
}

// TestSealed does not decrypt what another key has encrypted: the logon and one opaque row are all that is reported.
func TestSealed(t *testing.T) {
	all := tapes(t, "samba/null-session-rpcclient.pcap")
	got, f := replay([]*tape{encrypt(t, all[0], func(seed []byte) { seed[0] ^= 1 })}, false, asIs)
	var layers []string
	for u, n := range got {
		if n != 1 {
			t.Errorf("%d times %+v", n, u)
		}
		layers = append(layers, string(u.Identity)+" "+string(u.Layer))
	}
	if len(got) != 2 || !bytes.Contains([]byte(layers[0]+layers[1]), []byte(model.Opaque)) {
		t.Errorf("%v", layers)
	}
	if n := f.Counts(); n.Decrypted != 0 || n.Opaque == 0 || n.Sealed < 20 {
		t.Errorf("%+v", n)
	}
}

// TestOneSide replays only one direction: requests have no answer, and identities are only what was seen.
func TestOneSide(t *testing.T) {
	all := tapes(t, "suricata-verify/dcerpc-smb-test-01.pcap")
	for _, d := range []flow.Direction{flow.ToServer, flow.ToClient} {
		got, _ := replay(all, false, func(p piece) []piece {
			if p.d != d {
				return nil
			}
			return asIs(p)
		})
		calls := 0
		for u, n := range got {
			if u.Layer == model.LayerCall && u.Opnum >= 0 {
				calls += n
			}
			if d == flow.ToServer && (u.Outcome != model.Inconclusive || u.Status != "") {
				t.Errorf("an outcome without an answer: %+v", u)
			}
		}
		if d == flow.ToServer && calls < 15 {
			t.Errorf("%d calls", calls)
		}
	}
}
