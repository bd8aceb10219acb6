// Package ntlm speaks NTLMSSP, the challenge and response logon of [MS-NLMP], from both ends: codecs for its three
// messages, a client and a server for NTLMv2, and the signing and sealing that follow a logon.
//
// Every message is a fixed part and a payload that the fixed part points into:
//
//	NEGOTIATE     "NTLMSSP\0" 1 flags {Domain} {Workstation} [version]
//	CHALLENGE     "NTLMSSP\0" 2 {TargetName} flags challenge[8] reserved[8] {TargetInfo} [version]
//	AUTHENTICATE  "NTLMSSP\0" 3 {Lm} {Nt} {Domain} {User} {Workstation} {Key} flags [version] [MIC[16]]
//
//	{X} = length uint16, maximum uint16, offset uint32 from the start of the message
//
// What stands in square brackets came with later versions of Windows. No flag says reliably whether it is there: the
// lowest payload offset does, and HeaderLen of each message keeps the answer.
//
// The room knows no SMB and no RPC. Secrets (passwords, hashes, keys) are never part of a String or of an error.
package ntlm
