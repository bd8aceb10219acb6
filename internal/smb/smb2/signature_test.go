package smb2_test

import (
	"bytes"
	"crypto/rc4"
	"encoding/binary"
	"path/filepath"
	"testing"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
)

// nullKey reads the session key of a null session off the wire: the AUTHENTICATE message carries it encrypted under
// the KeyExchangeKey, which is zero for everybody. See [MS-NLMP] 3.2.5.1.2.
func nullKey(blob []byte) ([]byte, bool) {
	i := bytes.Index(blob, []byte("NTLMSSP\x00\x03\x00\x00\x00"))
	if i < 0 {
		return nil, false
	}
	m := blob[i:]
	field := func(at int) []byte {
		if len(m) < at+8 {
			return nil
		}
		n, off := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
		if off+n > len(m) {
			return nil
		}
		return m[off : off+n]
	}
	nt, user, encrypted := field(20), field(36), field(52)
	if len(nt) != 0 || len(user) != 0 || len(encrypted) != 16 {
		return nil, false
	}
	c, err := rc4.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, false
	}
	key := make([]byte, 16)
	c.XORKeyStream(key, encrypted)
	return key, true
}

// TestNullSessionSignatures verifies what a domain controller and its client signed in null sessions, with the key
// that anybody on the way can derive.
func TestNullSessionSignatures(t *testing.T) {
	type session struct {
		signer, zero *smbcrypt.Signer
		messages     [][]byte
	}
	var file string
	for _, f := range captures(t) {
		if filepath.Base(f) == "dcerpc__zerologon.pcap" {
			file = f
		}
	}
	sessions := map[string]*session{} // by connection and session
	dialects := map[string]uint16{}
	id := func(fl *flow, h *smb2.Header) string {
		a, b := fl.from, fl.to
		if h.IsResponse() {
			a, b = b, a
		}
		return a + " " + b + " " + string(binary.BigEndian.AppendUint64(nil, h.SessionID))
	}
	walk := func(visit func(fl *flow, m *smb2.Message, raw []byte)) {
		for _, fl := range flows(t, file) {
			for _, piece := range fl.pieces {
				for _, frame := range frames(piece) {
					for c := smb2.NewChain(frame); c.Next(); {
						if m, err := smb2.Parse(c.Message); err == nil {
							visit(fl, m, c.Message)
						}
					}
				}
			}
		}
	}
	walk(func(fl *flow, m *smb2.Message, _ []byte) {
		if r, ok := m.Body.(*smb2.NegotiateResponse); ok {
			dialects[fl.to] = r.Dialect
		}
	})
	newSigner := func(dialect uint16, key []byte) *smbcrypt.Signer {
		algorithm := smbcrypt.HMACSHA256
		if dialect >= smb2.Dialect300 {
			algorithm, key = smbcrypt.AESCMAC, smbcrypt.DeriveKeys(dialect, 0, key, new(smbcrypt.Preauth)).Signing
		}
		s, err := smbcrypt.NewSigner(algorithm, key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	walk(func(fl *flow, m *smb2.Message, _ []byte) {
		if r, ok := m.Body.(*smb2.SessionSetupRequest); ok {
			if key, ok := nullKey(r.SecurityBuffer); ok {
				d := dialects[fl.from]
				if d == smb2.Dialect311 {
					t.Fatal("3.1.1 needs the preauthentication hash, and this test does not keep it")
				}
				sessions[id(fl, &m.Header)] = &session{newSigner(d, key), newSigner(d, make([]byte, 16)), nil}
			}
		}
	})
	signed, right, byZero := 0, 0, 0
	walk(func(fl *flow, m *smb2.Message, raw []byte) {
		s := sessions[id(fl, &m.Header)]
		if s == nil || !m.Header.IsSigned() {
			return
		}
		signed++
		if s.signer.Verify(raw) {
			right++
		} else {
			t.Errorf("%v of session %x: the signature is wrong", m.Header.Command, m.Header.SessionID)
		}
		if s.zero.Verify(raw) {
			byZero++
		}
	})
	t.Logf("%d null sessions, %d signed messages, %d right, %d by a zero session key", len(sessions), signed, right,
		byZero)
	if len(sessions) < 10 || signed < 110 || byZero != 0 {
		t.Error("the capture has ten null sessions and some 110 signed messages, none by a zero session key")
	}
}
