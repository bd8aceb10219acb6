// Package dialect is what the two families of SMB have in common: the interfaces that smb1client and smb2client
// implement, what they report about a server, and the steps that both take in the same way (a logon's tokens, reading a
// message to its end).
package dialect
