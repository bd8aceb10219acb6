package ntlm

import (
	"crypto/md5"
	"crypto/rc4"
)

// The constants of [MS-NLMP] 3.4.5.2 and 3.4.5.3, with their final zero byte.
const (
	signClient = "session key to client-to-server signing key magic constant\x00"
	signServer = "session key to server-to-client signing key magic constant\x00"
	sealClient = "session key to client-to-server sealing key magic constant\x00"
	sealServer = "session key to server-to-client sealing key magic constant\x00"
)

func md5Of(parts ...[]byte) []byte {
	h := md5.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// rc4k encrypts or decrypts data with a key that is used once. Keys have 16 bytes here, so it cannot fail.
func rc4k(key, data []byte) []byte {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out
}

// ExportedSessionKey returns the session key, given the key exchange key and the client's message: the client's random
// key under RC4 if key exchange was negotiated, else the key exchange key itself. For a null session and for a guest
// the key exchange key is 16 zero bytes, so anybody who saw the logon can compute the rest. See [MS-NLMP] 3.2.5.1.2. It
// is nil if key exchange was negotiated and the message has no key.
func ExportedSessionKey(keyExchangeKey [16]byte, m *Authenticate) []byte {
	if !m.Flags.Has(NegotiateKeyExchange) || m.Flags&signOrSeal == 0 {
		return keyExchangeKey[:]
	}
	if len(m.EncryptedRandomSessionKey) != 16 {
		return nil
	}
	return rc4k(keyExchangeKey[:], m.EncryptedRandomSessionKey)
}

func signKey(session []byte, client bool) []byte {
	if client {
		return md5Of(session, []byte(signClient))
	}
	return md5Of(session, []byte(signServer))
}

func sealKey(f Flags, session []byte, client bool) []byte {
	switch {
	case f.Has(NegotiateExtendedSecurity):
		part := session[:5]
		if f.Has(Negotiate128) {
			part = session
		} else if f.Has(Negotiate56) {
			part = session[:7]
		}
		if client {
			return md5Of(part, []byte(sealClient))
		}
		return md5Of(part, []byte(sealServer))
	case f&(NegotiateLMKey|NegotiateDatagram) != 0 && f.Has(Negotiate56):
		return append(append([]byte(nil), session[:7]...), 0xA0)
	case f&(NegotiateLMKey|NegotiateDatagram) != 0:
		return append(append([]byte(nil), session[:5]...), 0xE5, 0x38, 0xB0)
	}
	return session
}
