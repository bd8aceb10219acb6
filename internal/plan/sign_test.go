package plan

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

func TestSignature(t *testing.T) {
	seed := func(b byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(b)), ed25519.SeedSize)))
	}
	anna, berta := seed('a'), seed('b')
	key := func(k ed25519.PrivateKey, name string) Key { return Key{k.Public().(ed25519.PublicKey), name} }
	trust, err := ReadTrust([]byte("# who plans here\n\n" + key(anna, "anna of the night shift").String() + "\r\n" +
		key(berta, "").String()))
	if err != nil || len(trust) != 2 || trust[0].Name != "anna of the night shift" || trust[1].Name != "" {
		t.Fatalf("%v, %v", trust, err)
	}
	p, err := Make(Evidence{Audit: sambaOpen.audit(t), By: "anna@desk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Signer(p, trust); !errors.Is(err, ErrUnsigned) {
		t.Errorf("without a signature: %v", err)
	}
	unsigned := p.Hash
	if err := Sign(p, anna); err != nil || p.Hash != unsigned {
		t.Fatalf("%v; the hash was %s and is %s", err, unsigned, p.Hash)
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Read(text); err != nil {
		t.Fatal(err)
	}
	if k, err := Signer(p, trust); err != nil || k.Name != "anna of the night shift" {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := Signer(p, trust[1:]); !errors.Is(err, ErrUntrusted) {
		t.Errorf("after her key was taken off: %v", err)
	}
	// another plan under her signature, and her plan under another's key
	other, err := Make(Evidence{Audit: sambaOpen.audit(t), By: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	other.Signature = p.Signature
	if _, err := Signer(other, trust); !errors.Is(err, ErrSignature) {
		t.Errorf("her signature under another plan: %v", err)
	}
	swapped := *p.Signature
	swapped.Key = other.Signature.Key[:len(swapped.Key)-4] + "AAA="
	p.Signature = &swapped
	if _, err := Signer(p, trust); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	p.Signature = &model.Signature{Key: "%", Value: "%"}
	if _, err := Signer(p, trust); !errors.Is(err, ErrSignature) {
		t.Errorf("no base64: %v", err)
	}
	if err := Sign(&model.Plan{Hash: "sha256:0"}, anna); err == nil {
		t.Error("a plan whose hash does not fit is signed")
	}
}

func TestTrustErrors(t *testing.T) {
	line := "ed25519 " + strings.Repeat("A", 43) + "= anna\n"
	if keys, err := ReadTrust([]byte(line + "#" + strings.Repeat("-", 100<<10) + "\r\n" + line)); err != nil ||
		len(keys) != 2 {
		t.Errorf("behind a long line: %d keys, %v", len(keys), err)
	}
	for _, bad := range []string{
		"ed25519", "rsa AAAA x", "ed25519 AAAA x", "ed25519 !!!! x", strings.Repeat("#", maxTrust+1),
	} {
		if keys, err := ReadTrust([]byte(bad)); err == nil {
			t.Errorf("%.40q is read as %v", bad, keys)
		}
	}
}

func FuzzReadTrust(f *testing.F) {
	f.Add("ed25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= anna\n# x")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ReadTrust([]byte(text))
		if err != nil {
			return
		}
		for _, k := range keys {
			again, err := ReadTrust([]byte(k.String()))
			if err != nil || len(again) != 1 || again[0].String() != k.String() {
				t.Errorf("%q is written %q and read %v, %v", text, k.String(), again, err)
			}
		}
	})
}
