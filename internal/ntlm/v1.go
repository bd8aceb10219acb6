package ntlm

import (
	"crypto/des"

	//lint:ignore SA1019 MD4 is what the protocol prescribes
	"golang.org/x/crypto/md4"
)

// desl encrypts 8 bytes with a hash, in three parts of which the last has only two bytes of key. That is why the result
// reveals the hash. See DESL in [MS-NLMP] 6.
func desl(hash Hash, data []byte) []byte {
	var key [21]byte
	copy(key[:], hash[:])
	out := make([]byte, 0, v1Len)
	for part := key[:]; len(part) > 0; part = part[7:] {
		c, err := des.NewCipher(spread(part[:7]))
		if err != nil {
			panic(err) // the key has 8 bytes
		}
		var block [8]byte
		c.Encrypt(block[:], data)
		out = append(out, block[:]...)
	}
	return out
}

// spread expands 56 bits to a DES key: seven in each byte, and a parity bit that is ignored.
func spread(b []byte) []byte {
	key := make([]byte, 8)
	for i := range key {
		switch i {
		case 0:
			key[i] = b[0]
		case 7:
			key[i] = b[6] << 1
		default:
			key[i] = b[i-1]<<(8-i) | b[i]>>i
		}
		key[i] &^= 1
	}
	return key
}

// respondV1 computes the NTLMv1 responses, with extended session security if negotiated. See [MS-NLMP] 3.3.1 for the
// responses, and 3.4.5.1 for the key.
func (s Secret) respondV1(challenge [8]byte, extended bool, nonce [8]byte) (nt, lm, key []byte) {
	h := md4.New()
	h.Write(s.Hash[:])
	key = h.Sum(nil)
	if !extended {
		nt = desl(s.Hash, challenge[:])
		return nt, nt, key
	}
	nt = desl(s.Hash, md5Of(challenge[:], nonce[:])[:8])
	lm = make([]byte, v1Len)
	copy(lm, nonce[:])
	return nt, lm, hmacMD5(key, challenge[:], nonce[:])
}
