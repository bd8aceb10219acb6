package smbcrypt

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func count(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from + i)
	}
	return b
}

// The examples of RFC 4493 section 4.
func TestCMACVectors(t *testing.T) {
	block, err := aes.NewCipher(unhex(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		t.Fatal(err)
	}
	msg := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"+
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		if got := cmac(block, msg[:n]); !bytes.Equal(got[:], unhex(t, want)) {
			t.Errorf("%d bytes: %x, want %s", n, got, want)
		}
		for cut := range n { // the parts must not matter
			if got := cmac(block, msg[:cut], nil, msg[cut:n]); !bytes.Equal(got[:], unhex(t, want)) {
				t.Errorf("%d bytes cut at %d: %x, want %s", n, cut, got, want)
			}
		}
	}
}

// The first packet vector of RFC 3610 section 8 and the four examples of NIST SP800-38C appendix C.
func TestCCMVectors(t *testing.T) {
	aad64k := bytes.Repeat(count(0, 256), 256)
	for _, v := range []struct {
		name            string
		key, nonce, aad []byte
		plain           []byte
		tag             int
		want            string
	}{
		{
			"RFC 3610 #1", count(0xC0, 16), unhex(t, "00000003020100A0A1A2A3A4A5"), count(0, 8), count(8, 23), 8,
			"588C979A61C663D2F066D0C2C0F989806D5F6B61DAC38417E8D12CFDF926E0",
		},
		{"SP800-38C #1", count(0x40, 16), count(0x10, 7), count(0, 8), count(0x20, 4), 4, "7162015b4dac255d"},
		{
			"SP800-38C #2", count(0x40, 16), count(0x10, 8), count(0, 16), count(0x20, 16), 6,
			"d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd",
		},
		{
			"SP800-38C #3", count(0x40, 16), count(0x10, 12), count(0, 20), count(0x20, 24), 8,
			"e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951",
		},
		{
			"SP800-38C #4", count(0x40, 16), count(0x10, 13), aad64k, count(0x20, 32), 14,
			"69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc484828529463ccf72b4ac6bec93e8598e7f0dadbcea5b",
		},
	} {
		block, err := aes.NewCipher(v.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewCCM(block, len(v.nonce), v.tag)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Seal([]byte("dst"), v.nonce, v.plain, v.aad)
		if want := append([]byte("dst"), unhex(t, v.want)...); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", v.name, got, want)
			continue
		}
		sealed := got[3:]
		plain, err := c.Open(nil, v.nonce, sealed, v.aad)
		if err != nil || !bytes.Equal(plain, v.plain) {
			t.Errorf("%s: open: %x, %v", v.name, plain, err)
		}
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 0x10
			if _, err := c.Open(nil, v.nonce, bad, v.aad); err == nil {
				t.Errorf("%s: opens with byte %d changed", v.name, i)
			}
		}
	}
}

// CAVS KDFCTR: HMAC_SHA256, BEFORE_FIXED, 32_BITS, COUNT 0.
func TestCounterKDFVector(t *testing.T) {
	got := counterKDF(
		unhex(t, "dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0"),
		unhex(t,
			"01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac"), 128)
	if want := unhex(t, "10621342bfb0fd40046c0e29f2cfdbf0"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// The keys that Microsoft's open specification articles on signing and encryption print for captured sessions.
func TestKeyVectors(t *testing.T) {
	if got, want := DeriveKeys(0x0300, AES128CCM, unhex(t, "7CD451825D0450D235424E44BA6E78CC"), nil).Signing,
		unhex(t, "0B7E9C5CAC36C0F6EA9AB275298CEDCE"); !bytes.Equal(got, want) {
		t.Errorf("3.0 signing key %x, want %x", got, want)
	}
	k := DeriveKeys(0x0300, AES128CCM, unhex(t, "B4546771B515F766A86735532DD6C4F0"), nil)
	if want := unhex(t, "261B72350558F2E9DCF613070383EDBF"); !bytes.Equal(k.ClientCipher, want) {
		t.Errorf("3.0 client cipher key %x, want %x", k.ClientCipher, want)
	}
	if want := unhex(t, "8FE2B57EC34D2DB5B1A9727F526BBDB5"); !bytes.Equal(k.ServerCipher, want) {
		t.Errorf("3.0 server cipher key %x, want %x", k.ServerCipher, want)
	}
	preauth := Preauth(unhex(t, "0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB79"+
		"28622DDDAD522D9751640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01"))
	if got, want := DeriveKeys(0x0311, AES128GCM, unhex(t, "270E1BA896585EEB7AF3472D3B4C75A7"), &preauth).Signing,
		unhex(t, "73FE7A9A77BEF0BDE49C650D8CCB5F76"); !bytes.Equal(got, want) {
		t.Errorf("3.1.1 signing key %x, want %x", got, want)
	}
}
