// Package smb1 reads and writes SMB1 messages, requests and answers alike: NT LM 0.12 and what is left of LANMAN.
//
//	FF 'S' 'M' 'B' command status flags flags2 PIDHigh signature[8] reserved TID PIDLow UID MID     32 bytes
//	WordCount words[2*WordCount] ByteCount bytes[ByteCount]                                         one block
//
// In an AndX command the first two words name the command and the offset of one more block in the same message:
//
//	session setup ──AndXOffset──► tree connect ──AndXCommand 0xFF: the end
//
// Parse splits a message into blocks and follows that chain, which must move forward and is at most MaxChain long.
// Decode turns a block into the struct of its command; what has no struct, and an error answer without words, is a
// *Generic. Append writes the same structs. Strings are UTF-16LE or one byte a character as Flags2 says, and UTF-16
// strings are aligned to two bytes from the start of the message, as the data of transactions is to four.
//
// Offsets in the structs (ParameterOffset, DataOffset) count from the start of the message. Zero lets Append choose.
package smb1
