package engine

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// seal makes and checks the codes that stand on everything of a journal. The key is derived from the state directory's, so
// that one secret is kept:
//
//	root      = MAC("journal", ID, plan.json, before.json)
//	code of a = MAC("step", the code before it or the root, the step's text)
//	a file    = its SHA-256 in the step that keeps it
//	ledger    = MAC("ledger", its text)
//
// The ID is the journal's place; each step stands on all before it. So nothing can be changed, moved, exchanged or left out
// within a journal without the key. That a journal as a whole is not one from earlier is what the ledger says.
type seal struct{ key []byte }

// mac is the code of a step, or the root.
type mac [sha256.Size]byte

func (m mac) String() string { return hex.EncodeToString(m[:]) }

// macText is how long a code is in text.
const macText = 2 * sha256.Size

func newSeal(key ed25519.PrivateKey) (*seal, error) {
	derived, err := hkdf.Key(sha256.New, key.Seed(), nil, "ipcguard journal seal 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	return &seal{derived}, nil
}

// over is a code over parts, each with its length before it, so that no two lists of parts look alike.
func (s *seal) over(parts ...[]byte) (m mac) {
	h := hmac.New(sha256.New, s.key)
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	h.Sum(m[:0])
	return m
}

func (s *seal) root(id string, plan, before []byte) mac {
	return s.over([]byte("journal"), []byte(id), plan, before)
}

func (s *seal) step(last mac, text []byte) mac { return s.over([]byte("step"), last[:], text) }

// fits compares a code with its text. The text is compared, not what it stands for: hexadecimal digits come in two cases.
func (m mac) fits(text []byte) bool { return hmac.Equal([]byte(m.String()), text) }
