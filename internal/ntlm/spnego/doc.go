// Package spnego reads and writes the tokens that wrap an SMB logon: SPNEGO of RFC 4178 with the extensions of
// [MS-SPNG], and the raw mechanism tokens that peers send without it.
//
//	60 len 06 06 2b 06 01 05 05 02   [APPLICATION 0] with the SPNEGO OID: the initiator's (or server's) first token
//	   a0 len 30 len                 NegTokenInit
//	      a0 mechTypes · a1 reqFlags · a2 mechToken · a3 negHints or mechListMIC · a4 mechListMIC
//	a1 len 30 len                    NegTokenResp, every later token
//	   a0 negState · a1 supportedMech · a2 responseToken · a3 mechListMIC
//
//	60 len 06 …                      another OID: that mechanism's own first token, such as a Kerberos AP-REQ
//	"NTLMSSP\0"                      NTLM without SPNEGO
//
// Elements are found only by their tags and lengths, never by searching for a pattern. The parser accepts definite
// lengths of up to four bytes, does not recurse, and returns slices of its input.
package spnego
