package dialect

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/status"
)

// hello is the first token of a server that offers NTLM.
func hello() []byte { return spnego.NewAcceptor(spnego.OIDNTLM).Hello() }

// FuzzReadBlob: whatever a server sends with its negotiation, what is read from it is a part of it.
func FuzzReadBlob(f *testing.F) {
	f.Add(hello())
	f.Add([]byte("NTLMSSP\x00\x01\x00\x00\x00"))
	f.Add([]byte{0x60, 0x80})
	f.Fuzz(func(t *testing.T, blob []byte) {
		n := Negotiated{SecurityBlob: blob}
		n.ReadBlob()
		if len(n.Mechanisms) > len(blob) || !bytes.Contains(blob, []byte(n.MechanismHint)) {
			t.Errorf("%d mechanisms and the hint %q in %x", len(n.Mechanisms), n.MechanismHint, blob)
		}
	})
}

// FuzzLogon: whatever tokens a server sends, a logon ends within maxLegs requests, and with a secret it never ends well
// unless the server knew it.
func FuzzLogon(f *testing.F) {
	challenge := append([]byte("NTLMSSP\x00\x02\x00\x00\x00"), make([]byte, 44)...)
	answer := (&spnego.Resp{State: spnego.StateAcceptMore, ResponseToken: challenge}).Append(nil)
	f.Add(uint8(1), answer, []byte(nil))
	f.Add(uint8(0), hello(), []byte(nil))
	f.Add(uint8(200), answer, answer)
	f.Add(uint8(1), answer,
		(&spnego.Resp{State: spnego.StateAcceptCompleted, MechListMIC: make([]byte, 16)}).Append(nil))
	f.Fuzz(func(t *testing.T, legs uint8, token, last []byte) {
		l := NewLogon(ntlm.NewUser("anna", "LAB", "secret", ntlm.Options{}))
		sent := 0
		got, err := l.Run(context.Background(), func([]byte) (status.NTStatus, []byte, error) {
			if sent++; sent > int(legs) {
				return status.Success, last, nil
			}
			return status.MoreProcessingRequired, token, nil
		})
		if sent > maxLegs {
			t.Fatalf("%d requests", sent)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(got, last) {
			t.Errorf("the last token is %x, want %x", got, last)
		}
		secret, none := l.Finish(context.Background(), last, true), l.Finish(context.Background(), last, false)
		if secret == nil && none != nil || secret != nil && none == nil && !errors.Is(secret, spnego.ErrMIC) {
			t.Errorf("with a secret %v, without %v", secret, none)
		}
	})
}
