// Package smb1client holds the conversation in SMB1 (NT LM 0.12): the client's side of [MS-CIFS] and [MS-SMB], from the
// answer to NEGOTIATE to the pipes of IPC$.
//
// What differs from SMB2 and shapes the code: requests are numbered by a MID of 16 bits and bounded by MaxMpxCount;
// signing belongs to the connection and counts its messages; the answer to one TRANSACTION may come in several
// messages; a server without extended security takes no SPNEGO tokens but the two responses of [MS-CIFS] 2.2.4.53.1.
package smb1client
