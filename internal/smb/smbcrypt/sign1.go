package smbcrypt

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
)

// The fields of an SMB1 header that signing touches. See [MS-CIFS] 2.2.3.1.
const (
	header1Len       = 32
	offset1Flags2    = 10
	offset1Signature = 14
	flags2Signed     = 0x0004
)

// Signer1 signs the messages of an SMB1 connection: MD5 over the MAC key and the message. Its key is the session key
// of the connection's first real logon and, without extended security, the response behind it. Numbers are counted by
// the caller: a request takes one, its response the next. See [MS-CIFS] 3.1.4.1.
type Signer1 struct{ key []byte }

// NewSigner1 takes the MAC key.
func NewSigner1(key []byte) *Signer1 { return &Signer1{append([]byte(nil), key...)} }

// Sign sets the signed flag of a message and fills in the signature for a sequence number. A message below 32 bytes
// stays as it is.
func (s *Signer1) Sign(msg []byte, number uint32) {
	if len(msg) < header1Len {
		return
	}
	flags2 := binary.LittleEndian.Uint16(msg[offset1Flags2:])
	binary.LittleEndian.PutUint16(msg[offset1Flags2:], flags2|flags2Signed)
	mac := s.mac(msg, number)
	copy(msg[offset1Signature:], mac[:])
}

// Verify reports whether the signature of a message is right for a sequence number.
func (s *Signer1) Verify(msg []byte, number uint32) bool {
	if len(msg) < header1Len {
		return false
	}
	mac := s.mac(msg, number)
	return subtle.ConstantTimeCompare(mac[:], msg[offset1Signature:offset1Signature+8]) == 1
}

func (s *Signer1) mac(msg []byte, number uint32) [8]byte {
	h := md5.New()
	h.Write(s.key)
	h.Write(msg[:offset1Signature])
	var seq [8]byte
	binary.LittleEndian.PutUint32(seq[:], number)
	h.Write(seq[:])
	h.Write(msg[offset1Signature+8:])
	var sum [md5.Size]byte
	return [8]byte(h.Sum(sum[:0])[:8])
}
