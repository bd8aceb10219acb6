package smbcrypt

import (
	"crypto/cipher"
	"crypto/subtle"
)

const blockLen = 16

// cmac computes AES-CMAC over the concatenation of parts. See RFC 4493 2.4.
func cmac(b cipher.Block, parts ...[]byte) (mac [blockLen]byte) {
	var buf [blockLen]byte
	n := 0
	for _, p := range parts {
		for len(p) > 0 {
			if n == blockLen { // a full block with more behind it
				subtle.XORBytes(mac[:], mac[:], buf[:])
				b.Encrypt(mac[:], mac[:])
				n = 0
			}
			m := copy(buf[n:], p)
			n += m
			p = p[m:]
		}
	}
	var k [blockLen]byte
	b.Encrypt(k[:], k[:])
	double(&k)
	if n < blockLen {
		buf[n] = 0x80
		clear(buf[n+1:])
		double(&k)
	}
	subtle.XORBytes(mac[:], mac[:], buf[:])
	subtle.XORBytes(mac[:], mac[:], k[:])
	b.Encrypt(mac[:], mac[:])
	return mac
}

// double multiplies by x in GF(2^128), which makes the subkeys. See RFC 4493 2.3.
func double(k *[blockLen]byte) {
	carry := k[0] >> 7
	for i := range blockLen - 1 {
		k[i] = k[i]<<1 | k[i+1]>>7
	}
	k[blockLen-1] = k[blockLen-1]<<1 ^ carry*0x87
}
