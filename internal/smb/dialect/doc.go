// Package dialect is what the two SMB families have in common: the interfaces that smb1client and smb2client implement,
// what they report about a server, and shared steps (a logon's tokens, reading a message to its end).
package dialect
