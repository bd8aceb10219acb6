package kerberos

import (
	"encoding/asn1"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"ipcguard/internal/ntlm/spnego"
)

// The library panics on some malformed input. These tests check that no panic leaves this package, and that no length
// in a file makes it allocate more memory than the file has bytes.

func FuzzCache(f *testing.F) {
	header := "\x05\x04\x00\x0c\x00\x01\x00\x08\xff\xff\xff\xff\x00\x00\x00\x00"
	principal := "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x03LAB\x00\x00\x00\x04anna"
	f.Add([]byte(header + principal))
	f.Add([]byte(header + principal + principal + principal + strings.Repeat("\x00", 40)))
	f.Add([]byte("\x05\x03\x00\x00\x00\x01\xff\xff\xff\xff"))
	cfg := config.New()
	f.Fuzz(func(_ *testing.T, b []byte) {
		if c, err := fromCache(b, cfg); err == nil {
			_ = c.String()
			c.Close()
		}
	})
}

func FuzzKeytab(f *testing.F) {
	f.Add([]byte(
		"\x05\x02\x00\x00\x00\x2b\x00\x01\x00\x03LAB\x00\x04anna\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x17\x00\x10aaaaaaaaaaaaaaaa"))
	f.Add([]byte("\x05\x02\x80\x00\x00\x00"))
	f.Add([]byte("\x05\x02\x7f\xff\xff\xff\xff\xff"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = readKeytab(b)
	})
}

// FuzzReply answers a request with any token, and with any text encrypted with the ticket's key.
func FuzzReply(f *testing.F) {
	key := types.EncryptionKey{KeyType: etypeID.AES128_CTS_HMAC_SHA1_96, KeyValue: []byte("0123456789abcdef")}
	at := time.Unix(1_700_000_000, 0).UTC()
	part, err := asn1.Marshal(struct {
		CTime time.Time `asn1:"generalized,explicit,tag:0"`
		Cusec int       `asn1:"explicit,tag:1"`
	}{at, 7})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x60\x05"), asn1tools.AddASNAppTag(part, asnAppTag.EncAPRepPart))
	f.Add([]byte{0x03, 0x00, 0x7e, 0x03, 0x30, 0x01, 0xa0}, []byte{0x7b, 0x80})
	f.Fuzz(func(t *testing.T, token, plain []byte) {
		fresh := func() *Client {
			c := &Client{credentials: &Credentials{name: "anna@LAB"}, ticketKey: key, started: true}
			c.authenticator.CTime, c.authenticator.Cusec = at, 7
			return c
		}
		for _, b := range [][]byte{token, spnego.Frame(spnego.OIDKerberos, token), sealedReply(t, key, plain)} {
			c := fresh()
			_, err := c.Next(t.Context(), b)
			if err != nil && c.SessionKey() != nil {
				t.Fatal("a reply that was refused gave a key")
			}
			_ = c.VerifyMIC(token, plain)
			_ = c.MIC(token)
		}
	})
}

// sealedReply returns an AP-REP with any content.
func sealedReply(t *testing.T, key types.EncryptionKey, plain []byte) []byte {
	sealed, err := crypto.GetEncryptedData(plain, key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		t.Skip(err) // the library cannot encrypt it
	}
	b, err := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed})
	if err != nil {
		t.Fatal(err)
	}
	b = asn1tools.AddASNAppTag(b, asnAppTag.APREP)
	return spnego.Frame(spnego.OIDKerberos, append(binary.BigEndian.AppendUint16(nil, tokenReply), b...))
}

// TestCacheCounts refuses a cache with a credential that claims two thousand million addresses.
func TestCacheCounts(t *testing.T) {
	principal := "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x03LAB\x00\x00\x00\x04anna"
	credential := principal + principal + "\x00\x17\x00\x00\x00\x01k" + strings.Repeat("\x00", 21)
	whole := "\x05\x04\x00\x00" + principal + credential
	if _, err := checkedCache([]byte(whole + strings.Repeat("\x00", 16))); err != nil {
		t.Errorf("a whole cache: %v", err)
	}
	b := []byte(whole + "\x7f\xff\xff\xff" + strings.Repeat("\x00", 12))
	if _, err := fromCache(b, config.New()); err == nil || !strings.Contains(err.Error(), "announced") {
		t.Errorf("%v", err)
	}
}

// TestLargeCache refuses a file that is too large for a cache before reading it.
func TestLargeCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	if err := os.WriteFile(path, make([]byte, maxCache+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, filepath.Dir(path), os.DevNull} {
		if _, err := FromCache(name); err == nil || !strings.Contains(err.Error(), "at most 16 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
