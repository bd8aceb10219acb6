// Package observetest makes captures of SMB traffic for tests and benchmarks: Ethernet, IPv4 and TCP in segments of the
// usual size, around messages that internal/smb and internal/dcerpc encode. The content of a capture is known to the
// byte.
package observetest

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
)

// Maker writes a capture.
type Maker struct {
	w       *bufio.Writer
	Packets int // written so far
	client  [4]byte
	port    uint16
	Seq     [2]uint32               // of the next byte, by direction: to the server, to the client
	MID     uint64                  // of the next message
	Pack    func(msg []byte) []byte // changes each message after NEGOTIATE; nil leaves it unchanged
	held    *[2][]byte              // what Together has collected, by direction; else nil
}

const (
	segment   = 1460
	madeStart = 1_700_000_000
)

func Create(t testing.TB, path string) (*Maker, func()) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &Maker{w: bufio.NewWriterSize(f, 1<<20)}
	le := binary.LittleEndian
	h := le.AppendUint32(nil, 0xA1B2C3D4)
	h = le.AppendUint16(le.AppendUint16(h, 2), 4)
	h = append(h, make([]byte, 8)...)
	h = le.AppendUint32(le.AppendUint32(h, 65535), 1)
	_, _ = m.w.Write(h)
	return m, func() {
		if err := m.w.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Packet writes one segment; up means to the server.
func (m *Maker) Packet(up bool, flags byte, payload []byte) {
	var b [16 + 54]byte
	le, be := binary.LittleEndian, binary.BigEndian
	n := 54 + len(payload)
	le.PutUint32(b[0:], madeStart+uint32(m.Packets/1000))
	le.PutUint32(b[4:], uint32(m.Packets%1000)*1000)
	le.PutUint32(b[8:], uint32(n))
	le.PutUint32(b[12:], uint32(n))
	p := b[16:]
	p[12] = 8
	p[14] = 0x45
	be.PutUint16(p[16:], uint16(n-14))
	p[22], p[23] = 64, 6
	d, server := 0, [4]byte{10, 0, 0, 1}
	if up {
		copy(p[26:], m.client[:])
		copy(p[30:], server[:])
		be.PutUint16(p[34:], m.port)
		be.PutUint16(p[36:], 445)
	} else {
		d = 1
		copy(p[26:], server[:])
		copy(p[30:], m.client[:])
		be.PutUint16(p[34:], 445)
		be.PutUint16(p[36:], m.port)
	}
	be.PutUint32(p[38:], m.Seq[d])
	be.PutUint32(p[42:], m.Seq[1-d])
	p[46], p[47] = 0x50, flags
	be.PutUint16(p[48:], 0xFFFF)
	_, _ = m.w.Write(b[:])
	_, _ = m.w.Write(payload)
	m.Seq[d] += uint32(len(payload))
	if flags&3 != 0 { // SYN, FIN
		m.Seq[d]++
	}
	m.Packets++
}

func (m *Maker) Connect(i int) {
	m.client = [4]byte{10, 1, byte(i >> 16), byte(i >> 8)}
	m.port = 1024 + uint16(i&0xFF) + uint16(i>>8&0x7F)<<8
	m.Seq = [2]uint32{uint32(i) * 7919, uint32(i) * 104729}
	m.MID = 0
	m.Packet(true, 0x02, nil)
	m.Packet(false, 0x12, nil)
}

func (m *Maker) Disconnect() {
	m.Packet(true, 0x11, nil)
	m.Packet(false, 0x11, nil)
}

func (m *Maker) Send(up bool, msg []byte) {
	if m.Pack != nil && m.MID > 1 {
		msg = m.Pack(msg)
	}
	b := append(nbss.AppendHeader(nil, nbss.SessionMessage, len(msg)), msg...)
	if m.held != nil {
		d := 1
		if up {
			d = 0
		}
		m.held[d] = append(m.held[d], b...)
		return
	}
	m.segments(up, b)
}

func (m *Maker) segments(up bool, b []byte) {
	for len(b) > 0 {
		n := min(len(b), segment)
		m.Packet(up, 0x18, b[:n])
		b = b[n:]
	}
}

// Together sends all requests that body makes at once, and then all answers, like clients that do not wait: segments
// contain several messages, and parts of them.
func (m *Maker) Together(body func()) {
	m.held = new([2][]byte)
	body()
	held := m.held
	m.held = nil
	m.segments(true, held[0])
	m.segments(false, held[1])
}

// Ask sends a request and its answer.
func (m *Maker) Ask(h smb2.Header, request, response smb2.Body, status uint32) {
	h.MessageID, h.Credits = m.MID, 1
	m.MID++
	m.Send(true, (&smb2.Message{Header: h, Body: request}).AppendMarshal(nil))
	h.Flags |= smb2.FlagResponse
	h.Status = status
	m.Send(false, (&smb2.Message{Header: h, Body: response}).AppendMarshal(nil))
}

const madeSession, madeIPC, madeDisk = 0x77, 1, 2

// Logon makes a null session to IPC$ with the pipe srvsvc open and bound.
func (m *Maker) Logon(t testing.TB) {
	m.Ask(smb2.Header{Command: smb2.Negotiate}, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}},
		&smb2.NegotiateResponse{Dialect: smb2.Dialect210}, 0)
	first, err := (&ntlm.Negotiate{Flags: ntlm.NegotiateUnicode}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	last, err := (&ntlm.Authenticate{LmChallengeResponse: []byte{0}, Flags: ntlm.NegotiateUnicode}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	id := smb2.Header{Command: smb2.SessionSetup, SessionID: madeSession}
	m.Ask(smb2.Header{Command: smb2.SessionSetup, SessionID: madeSession},
		&smb2.SessionSetupRequest{SecurityBuffer: first}, &smb2.SessionSetupResponse{}, 0xC0000016)
	m.Ask(id, &smb2.SessionSetupRequest{SecurityBuffer: last}, &smb2.SessionSetupResponse{}, 0)
	id.Command, id.TreeID = smb2.TreeConnect, madeIPC
	m.Ask(id, &smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\10.0.0.1\IPC$`)},
		&smb2.TreeConnectResponse{ShareType: smb2.SharePipe}, 0)
	id.Command = smb2.Create
	m.Ask(id, &smb2.CreateRequest{Name: smb2.EncodeText("srvsvc")}, &smb2.CreateResponse{FileID: smb2.FileID{1}}, 0)
	m.Transact(t, dcerpc.TypeBind,
		&dcerpc.Bind{
			MaxXmit: 4280, MaxRecv: 4280,
			Contexts: []dcerpc.Context{{Abstract: dcerpc.SRVSVC, Transfer: []dcerpc.SyntaxID{dcerpc.NDR20}}},
		},
		dcerpc.TypeBindAck, &dcerpc.BindAck{
			MaxXmit: 4280, MaxRecv: 4280, Secondary: `\PIPE\srvsvc`,
			Results: []dcerpc.ContextResult{{Transfer: dcerpc.NDR20}},
		}, 1)
}

func (m *Maker) Transact(t testing.TB, qt dcerpc.PacketType, q dcerpc.Body, at dcerpc.PacketType, a dcerpc.Body,
	call uint32,
) {
	flags := dcerpc.FlagFirst | dcerpc.FlagLast
	in, err := dcerpc.AppendPDU(nil, dcerpc.Header{Type: qt, Flags: flags, CallID: call}, q, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := dcerpc.AppendPDU(nil, dcerpc.Header{Type: at, Flags: flags, CallID: call}, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Ask(smb2.Header{Command: smb2.IOCTL, SessionID: madeSession, TreeID: madeIPC},
		&smb2.IOCTLRequest{
			CtlCode: smb2.FSCTLPipeTransceive, FileID: smb2.FileID{1}, Input: in,
			MaxOutputResponse: 65536, Flags: smb2.IsFSCTL,
		},
		&smb2.IOCTLResponse{CtlCode: smb2.FSCTLPipeTransceive, FileID: smb2.FileID{1}, Output: out}, 0)
}

// Calls makes n calls of NetrServerGetInfo.
func (m *Maker) Calls(t testing.TB, n int) {
	for i := range n {
		m.Transact(t, dcerpc.TypeRequest, &dcerpc.Request{Opnum: 21, Stub: make([]byte, 44)}, dcerpc.TypeResponse,
			&dcerpc.Response{Stub: make([]byte, 120)}, uint32(i+2))
	}
}

// Copies writes and reads n pieces of 64 KiB of a file.
func (m *Maker) Copies(n int) {
	id := smb2.Header{Command: smb2.TreeConnect, SessionID: madeSession, TreeID: madeDisk}
	m.Ask(id, &smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\10.0.0.1\data`)},
		&smb2.TreeConnectResponse{ShareType: smb2.ShareDisk}, 0)
	id.Command = smb2.Create
	m.Ask(id, &smb2.CreateRequest{Name: smb2.EncodeText(`a\file.bin`)}, &smb2.CreateResponse{FileID: smb2.FileID{2}}, 0)
	data := make([]byte, 64<<10)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	for i := range n {
		if i%2 == 0 {
			id.Command = smb2.Write
			m.Ask(id, &smb2.WriteRequest{Data: data, Offset: uint64(i) << 16, FileID: smb2.FileID{2}},
				&smb2.WriteResponse{Count: uint32(len(data))}, 0)
		} else {
			id.Command = smb2.Read
			m.Ask(id, &smb2.ReadRequest{Length: uint32(len(data)), Offset: uint64(i) << 16, FileID: smb2.FileID{2}},
				&smb2.ReadResponse{DataOffset: 80, Data: data}, 0)
		}
	}
}

// Traffic makes a capture of about size bytes: file copies with pipe traffic between them.
func Traffic(t testing.TB, size int) (path string, calls int64) {
	path = filepath.Join(t.TempDir(), "made.pcap")
	m, done := Create(t, path)
	const pieces, each = 60, 20 // 4 MB of a file and 20 calls a connection
	for i := 0; i*pieces*(64<<10) < size; i++ {
		m.Connect(i)
		m.Logon(t)
		m.Calls(t, each)
		m.Copies(pieces)
		m.Disconnect()
		calls += each
	}
	done()
	return path, calls
}
