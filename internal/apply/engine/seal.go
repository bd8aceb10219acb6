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

// seal computes and checks the codes that authenticate everything in a journal. Its key is derived from the state
// directory's key, so that only one secret is stored:
//
//	root      = MAC("journal", ID, plan.json, before.json)
//	code of a = MAC("step", the code before it or the root, the step's text)
//	a file    = its SHA-256 in the step that keeps it
//	ledger    = MAC("ledger", its text)
//
// The ID is the journal's directory; each code covers all steps before it. So without the key nothing within a journal
// can be changed, moved, exchanged or left out. The ledger proves that the journal as a whole is not an older one.
type seal struct{ key []byte }

// mac is the code of a step, or the root.
type mac [sha256.Size]byte

func (m mac) String() string { return hex.EncodeToString(m[:]) }

// macText is the length of a code in text.
const macText = 2 * sha256.Size

func newSeal(key ed25519.PrivateKey) (*seal, error) {
	derived, err := hkdf.Key(sha256.New, key.Seed(), nil, "ipcguard journal seal 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	return &seal{derived}, nil
}

// over returns the code over parts, each preceded by its length, so that no two lists of parts collide.
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

// fits compares a code with its text form. It compares text, because hexadecimal digits come in two cases.
func (m mac) fits(text []byte) bool { return hmac.Equal([]byte(m.String()), text) }
