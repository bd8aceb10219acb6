// Package dcerpc implements connection-oriented DCE/RPC as Windows uses it over named pipes: the packets, the NDR20
// encoding of arguments, a client, the server end of a pipe, and one file for each interface that ipcguard calls.
//
// Every packet (PDU) begins with 16 bytes. See [C706] 12.6.3.1 and [MS-RPCE] 2.2.2.
//
//	0        1        2        3
//	+--------+--------+--------+--------+
//	| vers=5 | minor  | ptype  | flags  |
//	+--------+--------+--------+--------+
//	| packed drep: 0x10 little endian,  |
//	|              0x01 EBCDIC          |
//	+--------+--------+--------+--------+
//	| frag_length     | auth_length     |   frag_length counts everything, the trailer too
//	+--------+--------+--------+--------+
//	| call_id                           |
//	+-----------------------------------+
//	| body … stub … pad | sec_trailer 8 | token (auth_length bytes)
//	+-----------------------------------+
//
// The package's rules: each layout is written once and used in both directions (see coder); everything is decoded in
// both byte orders and encoded in little endian; and a number from a peer is checked against the available bytes before
// it is used. The package imports only the standard library and package status, and reads from a Transport of the
// caller. Calls that change something or make a server authenticate to another host have names here (for observers) but
// no encoder.
package dcerpc
