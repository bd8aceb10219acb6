package smbcrypt

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ccm is counter mode with CBC-MAC. See RFC 3610 and NIST SP800-38C.
type ccm struct {
	block  cipher.Block
	nonce  int // bytes, 7 to 13
	tagLen int // bytes, 4 to 16 and even
}

var errOpen = errors.New("smbcrypt: message authentication failed")

// NewCCM creates an AEAD of a block cipher of 16-byte blocks. The standard library has none.
func NewCCM(block cipher.Block, nonceLen, tagLen int) (cipher.AEAD, error) {
	if block.BlockSize() != blockLen || nonceLen < 7 || nonceLen > 13 || tagLen < 4 || tagLen > 16 || tagLen%2 != 0 {
		return nil, errors.New("smbcrypt: CCM with sizes out of range")
	}
	return &ccm{block, nonceLen, tagLen}, nil
}

// NonceSize implements cipher.AEAD.
func (c *ccm) NonceSize() int { return c.nonce }

// Overhead implements cipher.AEAD.
func (c *ccm) Overhead() int { return c.tagLen }

// Seal implements cipher.AEAD.
func (c *ccm) Seal(dst, nonce, plaintext, aad []byte) []byte {
	c.check(nonce, plaintext)
	tag := c.tag(nonce, plaintext, aad)
	out := append(dst, plaintext...)
	c.crypt(nonce, out[len(dst):], out[len(dst):])
	return append(out, tag[:c.tagLen]...)
}

// Open implements cipher.AEAD.
func (c *ccm) Open(dst, nonce, ciphertext, aad []byte) ([]byte, error) {
	if len(ciphertext) < c.tagLen {
		return nil, errOpen
	}
	n := len(ciphertext) - c.tagLen
	c.check(nonce, ciphertext[:n])
	var given [blockLen]byte
	copy(given[:], ciphertext[n:]) // dst may lie over it
	out := append(dst, ciphertext[:n]...)
	plain := out[len(dst):]
	c.crypt(nonce, plain, plain)
	tag := c.tag(nonce, plain, aad)
	if subtle.ConstantTimeCompare(tag[:c.tagLen], given[:c.tagLen]) != 1 {
		clear(plain)
		return nil, errOpen
	}
	return out, nil
}

// check panics where the caller breaks the interface's contract, as the standard library's AEADs do.
func (c *ccm) check(nonce, data []byte) {
	if len(nonce) != c.nonce {
		panic("smbcrypt: wrong nonce length for CCM")
	}
	if l := 15 - c.nonce; l < 8 && uint64(len(data)) >= 1<<(8*l) {
		panic("smbcrypt: message too long for CCM")
	}
}

// counter is the block that counter mode starts with: flags, nonce, and a counter of the rest.
func (c *ccm) counter(nonce []byte, n byte) (a [blockLen]byte) {
	a[0] = byte(15 - c.nonce - 1)
	copy(a[1:], nonce)
	a[blockLen-1] = n
	return a
}

func (c *ccm) crypt(nonce, dst, src []byte) {
	iv := c.counter(nonce, 1)
	cipher.NewCTR(c.block, iv[:]).XORKeyStream(dst, src)
}

// tag is the CBC-MAC over lengths, nonce, additional data and plaintext, encrypted with the counter's block 0.
func (c *ccm) tag(nonce, plaintext, aad []byte) [blockLen]byte {
	b0 := c.counter(nonce, 0)
	b0[0] |= byte((c.tagLen-2)/2) << 3
	if len(aad) > 0 {
		b0[0] |= 0x40
	}
	for i, n := blockLen-1, len(plaintext); i > c.nonce; i, n = i-1, n>>8 {
		b0[i] = byte(n)
	}
	m := cbcMAC{block: c.block}
	m.write(b0[:])
	if len(aad) > 0 {
		var length [6]byte
		if len(aad) < 0xFF00 {
			binary.BigEndian.PutUint16(length[:], uint16(len(aad)))
			m.write(length[:2])
		} else {
			length[0], length[1] = 0xFF, 0xFE
			binary.BigEndian.PutUint32(length[2:], uint32(len(aad)))
			m.write(length[:])
		}
		m.write(aad)
		m.pad()
	}
	m.write(plaintext)
	m.pad()
	s0 := c.counter(nonce, 0)
	c.block.Encrypt(s0[:], s0[:])
	subtle.XORBytes(m.x[:], m.x[:], s0[:])
	return m.x
}

// cbcMAC chains blocks; n bytes of the next one are already mixed in.
type cbcMAC struct {
	block cipher.Block
	x     [blockLen]byte
	n     int
}

func (m *cbcMAC) write(p []byte) {
	for len(p) > 0 {
		k := subtle.XORBytes(m.x[m.n:], m.x[m.n:], p)
		p = p[k:]
		if m.n += k; m.n == blockLen {
			m.block.Encrypt(m.x[:], m.x[:])
			m.n = 0
		}
	}
}

func (m *cbcMAC) pad() {
	if m.n > 0 {
		m.block.Encrypt(m.x[:], m.x[:])
		m.n = 0
	}
}
