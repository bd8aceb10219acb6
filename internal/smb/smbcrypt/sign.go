package smbcrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
)

// Algorithm signs messages of SMB2 and SMB3. The values are those of [MS-SMB2] 2.2.3.1.7.
type Algorithm uint16

// The signing algorithms.
const (
	HMACSHA256 Algorithm = 0
	AESCMAC    Algorithm = 1
	AESGMAC    Algorithm = 2
)

// String is the algorithm as the specification writes it, with the key length.
func (a Algorithm) String() string {
	switch a {
	case HMACSHA256:
		return "HMAC-SHA256"
	case AESCMAC:
		return "AES-128-CMAC"
	case AESGMAC:
		return "AES-128-GMAC"
	}
	return fmt.Sprintf("signing algorithm 0x%04X", uint16(a))
}

// The fields of an SMB2 header that signing touches. See [MS-SMB2] 2.2.1.
const (
	headerLen       = 64
	offsetCommand   = 12
	offsetFlags     = 16
	offsetMessageID = 24
	offsetSignature = 48
	flagResponse    = 0x01
	flagSigned      = 0x08
	commandCancel   = 0x000C
)

// Signer signs and verifies the messages of one session. It is safe for concurrent use.
type Signer struct {
	block cipher.Block // CMAC
	gcm   cipher.AEAD  // GMAC
	macs  sync.Pool    // HMAC states
}

// NewSigner takes the signing key: 16 bytes, for HMAC-SHA256 the session key itself.
func NewSigner(a Algorithm, key []byte) (*Signer, error) {
	s := new(Signer)
	if a == HMACSHA256 {
		key := append([]byte(nil), key...)
		s.macs.New = func() any { return hmac.New(sha256.New, key) }
		return s, nil
	}
	if a > AESGMAC {
		return nil, fmt.Errorf("smbcrypt: %v is unknown", a)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("smbcrypt: %w", err)
	}
	if a == AESCMAC {
		s.block = block
		return s, nil
	}
	if s.gcm, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("smbcrypt: %w", err)
	}
	return s, nil
}

// Sign sets the signed flag of a message, which holds its padding in a chain too, and fills in the signature.
// A message below 64 bytes stays as it is.
func (s *Signer) Sign(msg []byte) {
	if len(msg) < headerLen {
		return
	}
	flags := binary.LittleEndian.Uint32(msg[offsetFlags:])
	binary.LittleEndian.PutUint32(msg[offsetFlags:], flags|flagSigned)
	mac := s.mac(msg)
	copy(msg[offsetSignature:headerLen], mac[:])
}

// Verify reports whether the signature of a message is right. It does not look at the signed flag.
func (s *Signer) Verify(msg []byte) bool {
	if len(msg) < headerLen {
		return false
	}
	mac := s.mac(msg)
	return subtle.ConstantTimeCompare(mac[:], msg[offsetSignature:headerLen]) == 1
}

// zeroSignature stands for the signature field while the signature is computed.
var zeroSignature [16]byte

// mac computes the signature over the message with zeros in its place. See [MS-SMB2] 3.1.4.1.
func (s *Signer) mac(msg []byte) (mac [16]byte) {
	switch {
	case s.block != nil:
		return cmac(s.block, msg[:offsetSignature], zeroSignature[:], msg[headerLen:])
	case s.gcm != nil:
		aad := make([]byte, len(msg)) // GCM wants its additional data in one piece
		copy(aad, msg)
		clear(aad[offsetSignature:headerLen])
		nonce := gmacNonce(msg)
		s.gcm.Seal(mac[:0], nonce[:], nil, aad)
		return mac
	}
	h := s.macs.Get().(hash.Hash)
	defer s.macs.Put(h)
	h.Reset()
	h.Write(msg[:offsetSignature])
	h.Write(zeroSignature[:])
	h.Write(msg[headerLen:])
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0])[:16])
}

// gmacNonce is MessageId, then one bit for the server and one for CANCEL. See [MS-SMB2] 3.1.4.1.
func gmacNonce(msg []byte) (nonce [12]byte) {
	copy(nonce[:8], msg[offsetMessageID:])
	if msg[offsetFlags]&flagResponse != 0 {
		nonce[8] |= 1
	}
	if binary.LittleEndian.Uint16(msg[offsetCommand:]) == commandCancel {
		nonce[8] |= 2
	}
	return nonce
}
