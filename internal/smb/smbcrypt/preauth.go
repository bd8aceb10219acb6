package smbcrypt

import "crypto/sha512"

// Preauth is the preauthentication integrity hash of 3.1.1: zeros at first, then chained over whole messages, from
// the SMB2 header to the last byte. The connection's covers NEGOTIATE; each session copies it and goes on with its
// own SESSION_SETUPs, but for the last response. See [MS-SMB2] 3.2.5.2 and 3.2.5.3.1.
type Preauth [sha512.Size]byte

// Add chains a message.
func (p *Preauth) Add(msg []byte) {
	h := sha512.New()
	h.Write(p[:])
	h.Write(msg)
	h.Sum(p[:0])
}
