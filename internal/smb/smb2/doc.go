// Package smb2 encodes and decodes SMB2 and SMB3 messages, requests and responses alike:
//
//	a frame (one NetBIOS message)             a message
//	+---------+---------+-----+---------+     0      4    6    8      12   14   16    20    24     32    36   40     48
//	| message | message | ... | message |     | FE   | 64 |chg | stat | cmd | cr |flags|next | mid  | -   |tree| sid  |
//	+---------+---------+-----+---------+     | SMB  |    |    |      |     |    |     |     |      | async id | ..   | signature
//	each but the last padded to 8 bytes,      +------+----+----+------+-----+----+-----+-----+------+----------+------+----- 64
//	NextCommand leads to the one behind       | StructureSize | fixed fields | buffers named by offset and length   |
//
//	FD'S''M''B' frames are encrypted (TransformHeader), FC'S''M''B' frames compressed (CompressionHeader).
//
// The rules of the package:
//
//   - It converts between bytes and structs: no I/O, no state, no knowledge of sessions. Cryptography is in smbcrypt.
//   - Decoded slices point into their frame. Nothing is copied, and nothing is allocated beyond the struct; Unmarshal
//     on a reused struct allocates only lists.
//   - Every offset and length is checked against the message before it is used. No input makes this package panic.
//   - A decoded message is encoded to the same bytes if its padding was zero and its buffers were in the order of their
//     fields. For that, reserved fields and the offsets of buffers are kept; a zero offset in a new struct means the
//     default position.
//
// See [MS-SMB2] 2.2.
package smb2
