// Package ntlm implements NTLMSSP, the challenge-response logon of [MS-NLMP], for both ends: codecs for its three
// messages, a client and a server for NTLMv2, and the signing and sealing after a logon.
//
// Every message has a fixed part and a payload to which the fixed part points:
//
//	NEGOTIATE     "NTLMSSP\0" 1 flags {Domain} {Workstation} [version]
//	CHALLENGE     "NTLMSSP\0" 2 {TargetName} flags challenge[8] reserved[8] {TargetInfo} [version]
//	AUTHENTICATE  "NTLMSSP\0" 3 {Lm} {Nt} {Domain} {User} {Workstation} {Key} flags [version] [MIC[16]]
//
//	{X} = length uint16, maximum uint16, offset uint32 from the start of the message
//
// Fields in square brackets were added by later versions of Windows. No flag says reliably whether they are present:
// the lowest payload offset does, and HeaderLen of each message records it.
//
// This room does not depend on SMB or RPC. Secrets (passwords, hashes, keys) are never part of a String or of an error.
package ntlm
