package smbcrypt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
)

// message is an SMB2 message of n bytes behind its header.
func message(n int) []byte {
	m := make([]byte, 64+n)
	copy(m, "\xFESMB\x40\x00")
	for i := range n {
		m[64+i] = byte(i)
	}
	binary.LittleEndian.PutUint64(m[offsetMessageID:], 0x0102030405060708)
	return m
}

func TestSign(t *testing.T) {
	key := count(1, 16)
	for _, a := range []Algorithm{HMACSHA256, AESCMAC, AESGMAC} {
		s, err := NewSigner(a, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 15, 16, 17, 1000} {
			m := message(n)
			copy(m[offsetSignature:], "what was there before")
			copy(m[64:], count(0, n))
			s.Sign(m)
			if m[offsetFlags]&flagSigned == 0 || !s.Verify(m) {
				t.Errorf("%v: %d bytes do not verify", a, n)
			}
			for i := range m {
				bad := bytes.Clone(m)
				bad[i] ^= 4
				if s.Verify(bad) {
					t.Errorf("%v: %d bytes verify with byte %d changed", a, n, i)
				}
			}
		}
		other, err := NewSigner(a, count(2, 16))
		if err != nil {
			t.Fatal(err)
		}
		m := message(10)
		s.Sign(m)
		if other.Verify(m) || s.Verify(m[:63]) {
			t.Errorf("%v: verifies with another key, or cut", a)
		}
		s.Sign(m[:63])
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					if !s.Verify(m) {
						t.Errorf("%v: fails from several goroutines", a)
					}
				}
			})
		}
		wg.Wait()
	}
	if _, err := NewSigner(9, key); err == nil {
		t.Error("an unknown algorithm is taken")
	}
	if _, err := NewSigner(AESCMAC, key[:5]); err == nil {
		t.Error("a key of five bytes is taken")
	}
}

// The nonce of [MS-SMB2] 3.1.4.1: MessageId, bit 0 for a server, bit 1 for CANCEL.
func TestGMACNonce(t *testing.T) {
	m := message(0)
	for _, c := range []struct {
		flags   byte
		command uint16
		want    byte
	}{{0, 0x000B, 0}, {flagResponse, 0x000B, 1}, {0, commandCancel, 2}, {flagResponse, commandCancel, 3}} {
		m[offsetFlags] = c.flags
		binary.LittleEndian.PutUint16(m[offsetCommand:], c.command)
		want := [12]byte{8, 7, 6, 5, 4, 3, 2, 1, c.want}
		if got := gmacNonce(m); got != want {
			t.Errorf("flags %d, command %d: %x, want %x", c.flags, c.command, got, want)
		}
	}
}

func TestSign1(t *testing.T) {
	s := NewSigner1(append(count(0, 16), "response"...))
	m := make([]byte, 60)
	copy(m, "\xFFSMB")
	s.Sign(m, 2)
	if !s.Verify(m, 2) || s.Verify(m, 3) || m[offset1Flags2]&flags2Signed == 0 || NewSigner1(nil).Verify(m, 2) {
		t.Error("the signature does not hang on key and number alone")
	}
	for i := range m {
		if i >= offset1Signature+8 || i < offset1Signature {
			bad := bytes.Clone(m)
			bad[i] ^= 1
			if s.Verify(bad, 2) {
				t.Errorf("verifies with byte %d changed", i)
			}
		}
	}
	s.Sign(m[:10], 1)
	if s.Verify(m[:10], 1) {
		t.Error("ten bytes verify")
	}
}

func TestTransform(t *testing.T) {
	for c := AES128CCM; c <= AES256GCM; c++ {
		up, down := count(1, c.KeyLen()), count(100, c.KeyLen())
		client, err := NewTransform(c, up, down, 0x1122334455667788)
		if err != nil {
			t.Fatal(err)
		}
		server, err := NewTransform(c, down, up, 0x1122334455667788)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, n := range []int{0, 1, 100, 70000} {
			plain := message(n)
			frame := client.AppendEncrypt([]byte("head"), plain)[4:]
			if nonce := string(frame[offsetNonce:offsetSize]); seen[nonce] {
				t.Errorf("%v: a nonce twice", c)
			} else {
				seen[nonce] = true
			}
			if id, ok := SessionID(frame); !ok || id != 0x1122334455667788 {
				t.Errorf("%v: session %x", c, id)
			}
			got, err := server.Decrypt(frame)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%v: %d bytes: %v", c, n, err)
			}
			if _, err := client.Decrypt(frame); !errors.Is(err, ErrDecrypt) {
				t.Errorf("%v: the wrong direction decrypts: %v", c, err)
			}
			for i := 0; i < len(frame); i += 1 + len(frame)/300 {
				bad := bytes.Clone(frame)
				bad[i] ^= 1
				if _, err := server.Decrypt(bad); err == nil {
					t.Errorf("%v: decrypts with byte %d changed", c, i)
				}
			}
			if _, err := server.Decrypt(frame[:len(frame)-1]); err == nil {
				t.Errorf("%v: decrypts cut", c)
			}
		}
		if _, err := NewTransform(c, up[1:], down, 1); err == nil {
			t.Errorf("%v: takes a short key", c)
		}
	}
	if _, err := NewTransform(0, count(0, 16), count(0, 16), 1); err == nil {
		t.Error("no cipher is taken for one")
	}
}

// Preauth chains whole messages, so their order and bounds matter.
func TestPreauth(t *testing.T) {
	var a, b Preauth
	a.Add([]byte("one"))
	a.Add([]byte("two"))
	b.Add([]byte("onetwo"))
	if a == b {
		t.Error("two messages hash as one")
	}
	// SHA-512 over 64 zeros.
	var p Preauth
	p.Add(nil)
	if want := unhex(t,
		"7be9fda48f4179e611c698a73cff09faf72869431efee6eaad14de0cb44bbf66503f752b7a8eb17083355f3ce6eb7d2806f236b25af96a24e22b887405c20081"); !bytes.Equal(p[:], want) {
		t.Errorf("the hash of nothing is %x", p)
	}
}

func FuzzDecrypt(f *testing.F) {
	tr, err := NewTransform(AES128CCM, count(1, 16), count(1, 16), 7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tr.AppendEncrypt(nil, message(5)))
	f.Add([]byte("\xFDSMB"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if plain, err := tr.Decrypt(frame); err == nil && len(plain) != len(frame)-transformLen {
			t.Fatal("a plaintext of another length")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, a := range []Algorithm{HMACSHA256, AESCMAC, AESGMAC} {
		b.Run(a.String(), func(b *testing.B) {
			s, err := NewSigner(a, count(1, 16))
			if err != nil {
				b.Fatal(err)
			}
			m := message(200)
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			for b.Loop() {
				s.Sign(m)
			}
		})
	}
}
