package smbcrypt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// counterKDF is the counter mode of SP800-108 5.1 with HMAC-SHA256 and a 32-bit counter before the fixed input.
func counterKDF(key, fixed []byte, bits int) []byte {
	out := make([]byte, 0, bits/8+sha256.Size)
	mac := hmac.New(sha256.New, key)
	var n [4]byte
	for i := uint32(1); len(out) < bits/8; i++ {
		mac.Reset()
		binary.BigEndian.PutUint32(n[:], i)
		mac.Write(n[:])
		mac.Write(fixed)
		out = mac.Sum(out)
	}
	return out[: bits/8 : bits/8]
}

// Derive derives a key of bits bits. label and context come with their terminating zeros, where they have one.
// See [MS-SMB2] 3.1.4.2.
func Derive(key, label, context []byte, bits int) []byte {
	fixed := make([]byte, 0, 128)
	fixed = append(append(fixed, label...), 0)
	fixed = append(fixed, context...)
	return counterKDF(key, binary.BigEndian.AppendUint32(fixed, uint32(bits)), bits)
}

// Keys are what a session of SMB3 derives from its session key. Client and server are the directions: the client
// encrypts with ClientCipher and decrypts with ServerCipher.
type Keys struct {
	Signing      []byte // 16 bytes
	ClientCipher []byte // 16 bytes, or 32 with a 256-bit cipher
	ServerCipher []byte
	Application  []byte // 16 bytes
}

// The dialect in which keys began to depend on the preauthentication hash.
const dialect311 = 0x0311

// DeriveKeys derives the keys of a 3.x session. key is the whole session key of the mechanism; all but the keys of a
// 256-bit cipher come from its first 16 bytes, padded with zeros. preauth is the session's hash in 3.1.1 and is not
// used before. See [MS-SMB2] 3.2.5.3.1 and 3.3.5.5.3.
func DeriveKeys(dialect uint16, cipher Cipher, key []byte, preauth *Preauth) Keys {
	short := make([]byte, 16)
	copy(short, key)
	full, bits := short, 128
	if cipher.KeyLen() == 32 {
		full, bits = key, 256
	}
	if dialect < dialect311 {
		return Keys{
			Signing:      DeriveSigning(dialect, key, preauth),
			ClientCipher: Derive(short, []byte("SMB2AESCCM\x00"), []byte("ServerIn \x00"), 128),
			ServerCipher: Derive(short, []byte("SMB2AESCCM\x00"), []byte("ServerOut\x00"), 128),
			Application:  Derive(short, []byte("SMB2APP\x00"), []byte("SmbRpc\x00"), 128),
		}
	}
	return Keys{
		Signing:      DeriveSigning(dialect, key, preauth),
		ClientCipher: Derive(full, []byte("SMBC2SCipherKey\x00"), preauth[:], bits),
		ServerCipher: Derive(full, []byte("SMBS2CCipherKey\x00"), preauth[:], bits),
		Application:  Derive(short, []byte("SMBAppKey\x00"), preauth[:], 128),
	}
}

// DeriveSigning derives only the signing key, which is all that a session without encryption uses.
func DeriveSigning(dialect uint16, key []byte, preauth *Preauth) []byte {
	short := make([]byte, 16)
	copy(short, key)
	if dialect < dialect311 {
		return Derive(short, []byte("SMB2AESCMAC\x00"), []byte("SmbSign\x00"), 128)
	}
	return Derive(short, []byte("SMBSigningKey\x00"), preauth[:], 128)
}
