// Package smbcrypt is the cryptography of SMB, over raw message bytes:
//
//	session key ──SP800-108──► signing key ── HMAC-SHA256, AES-128-CMAC, AES-128-GMAC over a message (SMB2, SMB3)
//	    │                      encryption keys ── AES-128/256-CCM/GCM: FD'SMB' header ‖ ciphertext (SMB3)
//	    └── MD5 over key ‖ message with the sequence number in the signature's place (SMB1)
//	preauthentication hash: H := SHA-512(H ‖ message), over NEGOTIATE and SESSION_SETUP (3.1.1)
//
// Anyone who sees an anonymous session can derive its keys: its session key is zero, or was encrypted under a key of
// zeros. Verifying such a signature proves only that both sides computed it.
//
// The package holds functions of bytes: it parses messages only at the offsets that signing and encryption need, keeps
// no session state, and names no key in an error. Signatures are compared in constant time.
package smbcrypt
