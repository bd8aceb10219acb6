// Package smb2client holds the conversation in SMB 2.0.2 to 3.1.1: the client's side of [MS-SMB2], from NEGOTIATE to
// the pipes of IPC$.
//
// Requests cost credits and are numbered by MessageId. Keys belong to a session: one with a secret is signed, its
// answers must be, and a server that says otherwise is left. A session without a secret (anonymous, guest) has keys
// that anybody can derive, so its signatures prove nothing and it is never encrypted.
package smb2client
