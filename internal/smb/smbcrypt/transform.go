package smbcrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// Cipher encrypts frames of SMB3. The values are those of [MS-SMB2] 2.2.3.1.2; zero is none.
type Cipher uint16

// The ciphers.
const (
	AES128CCM Cipher = 1
	AES128GCM Cipher = 2
	AES256CCM Cipher = 3
	AES256GCM Cipher = 4
)

// String is the cipher as the specification writes it.
func (c Cipher) String() string {
	switch c {
	case 0:
		return ""
	case AES128CCM:
		return "AES-128-CCM"
	case AES128GCM:
		return "AES-128-GCM"
	case AES256CCM:
		return "AES-256-CCM"
	case AES256GCM:
		return "AES-256-GCM"
	}
	return fmt.Sprintf("cipher 0x%04X", uint16(c))
}

// KeyLen is the length of the cipher's key, in bytes.
func (c Cipher) KeyLen() int {
	if c == AES256CCM || c == AES256GCM {
		return 32
	}
	return 16
}

func (c Cipher) aead(key []byte) (cipher.AEAD, error) {
	if c < AES128CCM || c > AES256GCM || len(key) != c.KeyLen() {
		return nil, fmt.Errorf("smbcrypt: %v with a key of %d bytes", c, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("smbcrypt: %w", err)
	}
	if c == AES128CCM || c == AES256CCM {
		return NewCCM(block, 11, 16)
	}
	return cipher.NewGCM(block)
}

// The layout of a transform header. See [MS-SMB2] 2.2.41.
const (
	transformLen    = 52
	offsetTag       = 4
	offsetNonce     = 20
	offsetSize      = 36
	offsetTransform = 42 // Flags
	offsetSessionID = 44
)

// ErrDecrypt says that a frame was not encrypted with this session's key, or was changed on the way.
var ErrDecrypt = errors.New("smbcrypt: frame does not decrypt")

// Transform encrypts what one side of a session sends and decrypts what it receives. It is safe for concurrent use.
type Transform struct {
	out, in   cipher.AEAD
	sessionID uint64
	sent      atomic.Uint64 // counts the nonces
}

// NewTransform takes the keys of the two directions. The nonces of out count from zero, so a key must not serve two
// Transforms that send.
func NewTransform(c Cipher, out, in []byte, sessionID uint64) (*Transform, error) {
	o, err := c.aead(out)
	if err != nil {
		return nil, err
	}
	i, err := c.aead(in)
	if err != nil {
		return nil, err
	}
	return &Transform{out: o, in: i, sessionID: sessionID}, nil
}

// AppendEncrypt appends the transform header and the ciphertext of a frame. plain must not overlap dst's free room.
func (t *Transform) AppendEncrypt(dst, plain []byte) []byte {
	base := len(dst)
	dst = append(dst, 0xFD, 'S', 'M', 'B')
	dst = append(dst, make([]byte, transformLen-4)...)
	h := dst[base:]
	binary.LittleEndian.PutUint64(h[offsetNonce:], t.sent.Add(1))
	binary.LittleEndian.PutUint32(h[offsetSize:], uint32(len(plain)))
	binary.LittleEndian.PutUint16(h[offsetTransform:], 1)
	binary.LittleEndian.PutUint64(h[offsetSessionID:], t.sessionID)
	dst = t.out.Seal(dst, h[offsetNonce:offsetNonce+t.out.NonceSize()], plain, h[offsetNonce:transformLen:transformLen])
	tag := len(dst) - t.out.Overhead()
	copy(dst[base+offsetTag:], dst[tag:])
	return dst[:tag]
}

// Decrypt returns the plaintext of a frame that starts with a transform header.
func (t *Transform) Decrypt(frame []byte) ([]byte, error) {
	if len(frame) < transformLen || string(frame[:4]) != "\xFDSMB" ||
		int64(binary.LittleEndian.Uint32(frame[offsetSize:])) != int64(len(frame)-transformLen) {
		return nil, fmt.Errorf("%w: no transform header for its length", ErrDecrypt)
	}
	sealed := make([]byte, 0, len(frame)-transformLen+t.in.Overhead())
	sealed = append(append(sealed, frame[transformLen:]...), frame[offsetTag:offsetNonce]...)
	plain, err := t.in.Open(sealed[:0], frame[offsetNonce:offsetNonce+t.in.NonceSize()], sealed,
		frame[offsetNonce:transformLen])
	if err != nil {
		return nil, ErrDecrypt
	}
	return plain, nil
}

// SessionID reads whose key a frame with a transform header needs.
func SessionID(frame []byte) (uint64, bool) {
	if len(frame) < transformLen || string(frame[:4]) != "\xFDSMB" {
		return 0, false
	}
	return binary.LittleEndian.Uint64(frame[offsetSessionID:]), true
}
