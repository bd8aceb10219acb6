package plan

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/model"
)

// A signature is Ed25519 (RFC 8032) over a plan's hash, which covers everything in the plan except the hash and the
// signature:
//
//	"ipcguard plan signature 1" 0x00 sha256:<64 hexadecimal digits>
//
// The plan does not say who owns the key. The host that applies plans has a file with the public keys that it trusts,
// one a line. Removing a line revokes the key:
//
//	ed25519 <public key in base64> <name>
//	# a comment
const signed = "ipcguard plan signature 1\x00"

// algorithm is the first word of a line of the trust file.
const algorithm = "ed25519"

// Errors of a signature.
var (
	ErrUnsigned  = errors.New("plan: it is not signed")
	ErrSignature = errors.New("plan: its signature does not fit")
	ErrUntrusted = errors.New("plan: it is signed with a key that is not trusted here")
)

// Sign signs a sealed plan.
func Sign(p *model.Plan, key ed25519.PrivateKey) error {
	if err := Verify(p); err != nil {
		return err
	}
	public, _ := key.Public().(ed25519.PublicKey)
	p.Signature = &model.Signature{
		Key:   base64.StdEncoding.EncodeToString(public),
		Value: base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(signed+p.Hash))),
	}
	return nil
}

// Signer returns the trusted key that signed a plan, or an error. The plan must come from Read, which checks its hash.
func Signer(p *model.Plan, trusted []Key) (*Key, error) {
	if p.Signature == nil {
		return nil, ErrUnsigned
	}
	public, err := base64.StdEncoding.DecodeString(p.Signature.Key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: no public key", ErrSignature)
	}
	value, err := base64.StdEncoding.DecodeString(p.Signature.Value)
	if err != nil || !ed25519.Verify(public, []byte(signed+p.Hash), value) {
		return nil, ErrSignature
	}
	for i := range trusted {
		if bytes.Equal(trusted[i].Public, public) {
			return &trusted[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUntrusted, Key{Public: public}.Fingerprint())
}

// Key is a public key with its owner's name.
type Key struct {
	Public ed25519.PublicKey
	Name   string
}

// String returns the key's line in a trust file.
func (k Key) String() string {
	return strings.TrimSpace(algorithm + " " + base64.StdEncoding.EncodeToString(k.Public) + " " + k.Name)
}

// Fingerprint returns enough of a key for people to recognize it.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k.Public)
	return "SHA256:" + hex.EncodeToString(sum[:8])
}

// maxTrust bounds a trust file, in bytes: a thousand keys.
const maxTrust = 256 << 10

// ReadTrust reads a file of public keys. A line that cannot be read is an error, so that a mistyped key is not silently
// ignored.
func ReadTrust(b []byte) ([]Key, error) {
	if len(b) > maxTrust {
		return nil, fmt.Errorf("trusted keys: the file is larger than %d bytes", maxTrust)
	}
	var out []Key
	for i, text := range strings.Split(string(b), "\n") {
		n, line := i+1, strings.TrimSpace(text)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != algorithm {
			return nil, fmt.Errorf("trusted keys: line %d: want %s, the public key and a name", n, algorithm)
		}
		public, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("trusted keys: line %d: this is no public key", n)
		}
		out = append(out, Key{public, strings.Join(fields[2:], " ")})
	}
	return out, nil
}
