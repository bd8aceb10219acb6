// Package secret seals what must not be read from the store: passwords and keys of credentials and channels. It uses
// age (X25519) with the identity in a file beside the store, so that a copy of the database opens nothing.
//
// The rules of the room:
//
//   - The key file has the format of age-keygen: one identity a line, the newest first. The first seals, all of them
//     open. The age tool opens what is sealed here, with this file.
//   - A file that other accounts can read or write is refused, not repaired: whoever read it has the key.
//   - A Key never shows itself, whatever prints it.
package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"filippo.io/age"
)

// MaxPlain bounds what is sealed, in bytes: a keytab with thousands of entries fits, a file chosen by mistake does not.
const MaxPlain = 1 << 20

// maxSealed bounds what is opened: age adds a header with a stanza for each recipient, and 16 bytes for every 64 KiB.
const maxSealed = MaxPlain + 64<<10

// The errors that callers distinguish.
var (
	ErrNoKey    = errors.New("secret: there is no key")
	ErrWrongKey = errors.New("secret: sealed with another key")
	ErrTooLong  = errors.New("secret: too long to be sealed")
	ErrDamaged  = errors.New("secret: what is sealed is damaged")
)

// Key seals and opens. The zero Key does neither and returns an error. It is safe for concurrent use.
type Key struct {
	identities []*age.X25519Identity // the newest first
}

// Seal encrypts for the newest identity and returns an age file.
func (k Key) Seal(plain []byte) ([]byte, error) {
	if len(k.identities) == 0 {
		return nil, ErrNoKey
	}
	if len(plain) > MaxPlain {
		return nil, ErrTooLong
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identities[0].Recipient())
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts with the identity that fits. It returns ErrWrongKey if none does, and ErrDamaged if the data is
// incomplete or changed.
func (k Key) Open(sealed []byte) ([]byte, error) {
	if len(k.identities) == 0 {
		return nil, ErrNoKey
	}
	if len(sealed) > maxSealed {
		return nil, ErrTooLong
	}
	all := make([]age.Identity, len(k.identities))
	for i, id := range k.identities {
		all[i] = id
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), all...)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, ErrWrongKey
	case err != nil:
		return nil, ErrDamaged // age's error quotes the header, which may be anything
	}
	plain, err := io.ReadAll(io.LimitReader(r, MaxPlain+1))
	switch {
	case err != nil:
		return nil, ErrDamaged
	case len(plain) > MaxPlain:
		return nil, ErrTooLong
	}
	return plain, nil
}

// Current reports whether the newest identity opens sealed; data of older ones can be resealed.
func (k Key) Current(sealed []byte) bool {
	if len(k.identities) == 0 {
		return false
	}
	_, err := Key{k.identities[:1]}.Open(sealed)
	return err == nil
}

// Recipient returns the public key of the newest identity ("age1…"), which identifies a key and opens nothing. It is
// empty for the zero Key.
func (k Key) Recipient() string {
	if len(k.identities) == 0 {
		return ""
	}
	return k.identities[0].Recipient().String()
}

const hidden = "(secret key)"

// String hides the key.
func (Key) String() string { return hidden }

// Format hides the key from every verb, %x and %#v among them.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// MarshalText hides the key from JSON and from whatever else encodes text.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the key from logs.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }
