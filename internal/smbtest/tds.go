package smbtest

import (
	"encoding/binary"
	"errors"
	"io"
)

// pipeEnd is the server's end of an open pipe: RPC, or SQL Server's protocol.
type pipeEnd interface {
	// Write processes bytes from the client. An error closes the pipe.
	Write(b []byte) error
	// Read returns at most max bytes of the first message; more reports whether it continues.
	Read(max int) (b []byte, more bool)
	// Pending returns how many bytes can be read.
	Pending() int
}

// sqlPipe is the pipe of SQL Server's default instance.
const sqlPipe = `sql\query`

// sql is SQL Server's end of its pipe, limited to the first message and its response. See [MS-TDS] 2.2.6.5 and 3.3.5.1.
type sql struct {
	in, out []byte
	hungUp  bool
}

const (
	tdsHeader = 8
	tdsMost   = 4096 // no packet is larger before its size is negotiated; [MS-TDS] 2.2.3.1.3
)

// errHungUp means that the server closed the connection, as it does after an invalid first message.
var errHungUp = errors.New("smbtest: SQL Server hung up")

// Write implements pipeEnd.
func (s *sql) Write(b []byte) error {
	s.in = append(s.in, b...)
	for !s.hungUp && len(s.in) >= tdsHeader {
		length := int(binary.BigEndian.Uint16(s.in[2:]))
		if length < tdsHeader || length > tdsMost {
			s.hungUp = true
			break
		}
		if len(s.in) < length {
			break
		}
		packet := s.in[:length:length]
		s.in = s.in[length:]
		encryption, ok := prelogin(packet)
		if s.hungUp = !ok; ok {
			s.out = append(s.out, preloginAnswer(encryption)...)
		}
	}
	if s.hungUp {
		return errHungUp
	}
	return nil
}

// Read implements pipeEnd.
func (s *sql) Read(max int) ([]byte, bool) {
	n := min(len(s.out), max)
	b := s.out[:n:n]
	s.out = s.out[n:]
	return b, len(s.out) > 0
}

// Pending implements pipeEnd.
func (s *sql) Pending() int { return len(s.out) }

// prelogin parses a client's first message: one packet of type 0x12, the client's version as the first option, every
// option within it, a terminator. It returns the encryption that the client requested; 0xFF is none.
func prelogin(packet []byte) (encryption byte, ok bool) {
	if packet[0] != 0x12 || packet[1]&0x01 == 0 {
		return 0, false
	}
	data := packet[tdsHeader:]
	encryption = 0xFF
	for i := 0; i < len(data); i += 5 {
		if data[i] == 0xFF {
			return encryption, i > 0
		}
		if i+5 > len(data) {
			return 0, false
		}
		offset, length := int(binary.BigEndian.Uint16(data[i+1:])), int(binary.BigEndian.Uint16(data[i+3:]))
		switch {
		case offset+length > len(data), i == 0 && (data[0] != 0 || length != 6), data[i] == 1 && length != 1:
			return 0, false
		case data[i] == 1:
			encryption = data[offset]
		}
	}
	return 0, false
}

// preloginAnswer is the response of SQL Server 2019 with its defaults: its version, encryption that is available and
// off, and the options that [MS-TDS] 2.2.6.5 requires.
func preloginAnswer(encryption byte) []byte {
	wish := map[byte]byte{0x00: 0x00, 0x01: 0x01, 0x02: 0x02, 0x03: 0x01}
	answer, known := wish[encryption]
	if !known {
		answer = 0x02
	}
	data := []byte{
		0x00, 0, 21, 0, 6, // VERSION
		0x01, 0, 27, 0, 1, // ENCRYPTION
		0x02, 0, 28, 0, 1, // INSTOPT: the instance matches
		0x03, 0, 29, 0, 0, // THREADID, which a server leaves empty
		0xFF,
		15, 0, 0x07, 0xD0, 0, 0, // 15.0.2000
		answer,
		0,
	}
	packet := append([]byte{0x04, 0x01, 0, 0, 0, 0, 1, 0}, data...)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	return packet
}

// ServeSQL is SQL Server's end of its pipe on a connection, for servers that forward a pipe. It returns when either
// side ends the connection.
func ServeSQL(conn io.ReadWriter) error {
	end, buf := &sql{}, make([]byte, tdsMost)
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := end.Write(buf[:n]); err != nil {
			return err
		}
		out, _ := end.Read(end.Pending())
		if _, err := conn.Write(out); err != nil {
			return err
		}
	}
}
