package ntlm

import (
	"crypto/hmac"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// SignatureLen is the size of a message signature. See [MS-NLMP] 2.2.2.9.
const SignatureLen = 16

// ErrSignature reports a message whose signature does not match the session's keys.
var ErrSignature = errors.New("ntlm: wrong signature")

var errKey = errors.New("ntlm: a session key of 16 bytes is due")

// Security signs and seals messages after a logon, with a state for each direction. It is not safe for concurrent use,
// because the order of messages is part of the protocol.
//
// See [MS-NLMP] 3.4.
type Security struct {
	flags         Flags
	send, receive half
}

type half struct {
	sign     []byte
	seal     *rc4.Cipher
	sequence uint32
}

// NewSecurity derives the keys of both directions from the exported session key; client says which end this is.
func NewSecurity(f Flags, sessionKey []byte, client bool) (*Security, error) {
	if len(sessionKey) != 16 {
		return nil, errKey
	}
	s := &Security{flags: f}
	for _, h := range []struct {
		half   *half
		client bool
	}{{&s.send, client}, {&s.receive, !client}} {
		h.half.sign = signKey(sessionKey, h.client)
		c, err := rc4.NewCipher(sealKey(f, sessionKey, h.client))
		if err != nil {
			return nil, errKey
		}
		h.half.seal = c
	}
	if !f.Has(NegotiateExtendedSecurity) {
		// One key, one stream: without extended session security both directions share the cipher's state.
		s.receive.seal = s.send.seal
	}
	return s, nil
}

// Sign returns the signature of a message to send.
func (s *Security) Sign(message []byte) [SignatureLen]byte { return s.Seal(message, nil) }

// Verify checks the signature of a received message.
func (s *Security) Verify(message, signature []byte) error { return s.Unseal(message, nil, signature) }

// Seal encrypts part in place and returns the signature of the message. The signature covers the unencrypted message;
// part is usually a slice of message, such as the stub of an RPC fragment, or message itself.
func (s *Security) Seal(message, part []byte) [SignatureLen]byte {
	if !s.flags.Has(NegotiateExtendedSecurity) {
		sum := crc32.ChecksumIEEE(message)
		s.send.seal.XORKeyStream(part, part)
		return s.send.oldMAC(sum)
	}
	sum := s.send.digest(message)
	s.send.seal.XORKeyStream(part, part)
	return s.send.mac(s.flags, sum)
}

// Unseal decrypts part in place and checks the signature of the message, which must contain the decrypted part (usually
// part is a slice of it).
func (s *Security) Unseal(message, part, signature []byte) error {
	h := &s.receive
	h.seal.XORKeyStream(part, part)
	var want [SignatureLen]byte
	if s.flags.Has(NegotiateExtendedSecurity) {
		want = h.mac(s.flags, h.digest(message))
	} else {
		want = h.oldMAC(crc32.ChecksumIEEE(message))
		if len(signature) == SignatureLen {
			copy(want[4:8], signature[4:8]) // a random pad, not part of the proof
		}
	}
	if !hmac.Equal(want[:], signature) {
		return ErrSignature
	}
	return nil
}

func (h *half) digest(message []byte) []byte {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], h.sequence)
	return hmacMD5(h.sign, n[:], message)[:8]
}

// mac returns the signature with extended session security. See [MS-NLMP] 3.4.4.2.
func (h *half) mac(f Flags, sum []byte) (out [SignatureLen]byte) {
	out[0] = 1
	if f.Has(NegotiateKeyExchange) {
		h.seal.XORKeyStream(sum, sum)
	}
	copy(out[4:], sum)
	binary.LittleEndian.PutUint32(out[12:], h.sequence)
	h.sequence++
	return out
}

// oldMAC returns the signature without extended session security. See [MS-NLMP] 3.4.4.1.
func (h *half) oldMAC(sum uint32) (out [SignatureLen]byte) {
	var b [12]byte // random pad, checksum, sequence number: all encrypted, then the number mixed in
	binary.LittleEndian.PutUint32(b[4:], sum)
	h.seal.XORKeyStream(b[:], b[:])
	out[0] = 1
	copy(out[8:], b[4:])
	binary.LittleEndian.PutUint32(out[12:], binary.LittleEndian.Uint32(b[8:])^h.sequence)
	h.sequence++
	return out
}

// micOf returns the message integrity code over the three messages of a logon, with zeros in its place in the third.
func micOf(sessionKey, negotiate, challenge, authenticate []byte) [16]byte {
	return [16]byte(hmacMD5(sessionKey, negotiate, challenge, authenticate))
}
