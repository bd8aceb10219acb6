package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"ipcguard/internal/dcerpc"
)

// The first message of every client of SQL Server, before any logon, and its answer. See [MS-TDS] 2.2.3.1 and 2.2.6.5.
//
//	byte  0     1       2..3           4..5  6       7
//	      type  status  length (big-   SPID  packet  window   then options: token, offset, length (5 bytes each),
//	                    endian, all)                          ended by 0xFF, then the options' data
const (
	tdsPreLogin      = 0x12
	tdsTabularResult = 0x04
	tdsEndOfMessage  = 0x01
	tdsHeader        = 8
	tdsMost          = 4096 // no packet is larger before its size is negotiated; 2.2.3.1.3

	optionVersion    = 0x00
	optionEncryption = 0x01
	optionsEnd       = 0xFF

	// encryptOff says that encryption is supported. A server that requires it answers this, and may silently close the
	// connection of a client without encryption.
	encryptOff = 0x00
)

// preloginRequest asks only for a response. It gives the client's version as 0, which servers ignore.
func preloginRequest() []byte {
	options := []byte{
		optionVersion, 0, 11, 0, 6,
		optionEncryption, 0, 17, 0, 1,
		optionsEnd,
		0, 0, 0, 0, 0, 0,
		encryptOff,
	}
	message := append([]byte{tdsPreLogin, tdsEndOfMessage, 0, 0, 0, 0, 1, 0}, options...)
	binary.BigEndian.PutUint16(message[2:], uint16(len(message)))
	return message
}

// errNotTDS means that another kind of server answered.
var errNotTDS = errors.New("the answer on the pipe is not SQL Server's")

// preloginVersion parses the response: one packet whose first option is the server's version.
func preloginVersion(b []byte) (string, error) {
	if len(b) < tdsHeader || b[0] != tdsTabularResult || b[1]&tdsEndOfMessage == 0 {
		return "", fmt.Errorf("%w: % X", errNotTDS, b[:min(len(b), tdsHeader)])
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < tdsHeader || length != len(b) {
		return "", fmt.Errorf("%w: it says that it has %d bytes, and %d came", errNotTDS, length, len(b))
	}
	data, version := b[tdsHeader:], ""
	for i := 0; ; i += 5 {
		switch {
		case i < len(data) && data[i] == optionsEnd:
			if i == 0 {
				return "", fmt.Errorf("%w: it has no version", errNotTDS)
			}
			return version, nil
		case i+5 > len(data):
			return "", fmt.Errorf("%w: its options do not end", errNotTDS)
		}
		offset, size := int(binary.BigEndian.Uint16(data[i+1:])), int(binary.BigEndian.Uint16(data[i+3:]))
		if offset+size > len(data) {
			return "", fmt.Errorf("%w: option %d lies outside of it", errNotTDS, data[i])
		}
		if i > 0 {
			continue
		}
		if data[0] != optionVersion || size != 6 { // it must be the first
			return "", fmt.Errorf("%w: it does not begin with a version", errNotTDS)
		}
		v := data[offset:]
		version = fmt.Sprintf("%d.%d.%d", v[0], v[1], binary.BigEndian.Uint16(v[2:]))
	}
}

// prelogin asks whether SQL Server answers on its pipe, and for its version.
func prelogin(ctx context.Context, pipe dcerpc.Transport) (version string, err error) {
	b, err := pipe.Transact(ctx, preloginRequest(), tdsMost)
	if err != nil {
		return "", err
	}
	return preloginVersion(b)
}
