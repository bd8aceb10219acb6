// Package smbcrypt holds the cryptography of SMB, over raw message bytes:
//
//	session key ──SP800-108──► signing key ── HMAC-SHA256, AES-128-CMAC, AES-128-GMAC over a message (SMB2, SMB3)
//	    │                      encryption keys ── AES-128/256-CCM/GCM: FD'SMB' header ‖ ciphertext (SMB3)
//	    └── MD5 over key ‖ message with the sequence number in the signature's place (SMB1)
//	preauthentication hash: H := SHA-512(H ‖ message), over NEGOTIATE and SESSION_SETUP (3.1.1)
//
// The keys of an anonymous session can be derived by anybody who sees it: its session key is zero, or came encrypted
// under a key of zeros. Verifying such a signature proves nothing but that both sides computed it.
//
// The room holds functions of bytes: no messages are parsed beyond the offsets that signing and encryption touch, no
// session is remembered, and no error names a key. Signatures are compared in constant time.
package smbcrypt
