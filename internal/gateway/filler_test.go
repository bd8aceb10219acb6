package gateway

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// filler is a server for measurements: it accepts every named user, answers READ with the requested number of bytes,
// and accepts WRITEs. It does nothing else, so that a server's cost does not hide the proxy's.
func filler(t testing.TB, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go fill(nc)
		}
	}()
	return l.Addr().String()
}

func fill(nc net.Conn) {
	defer nc.Close()
	// Most connections only log on and need little; READ and WRITE grow the buffers.
	answer := make([]byte, 1<<10)
	head := make([]byte, nbss.HeaderLen+smb2.HeaderLen)
	rest := make([]byte, 1<<10)
	for {
		if _, err := io.ReadFull(nc, head); err != nil {
			return
		}
		left := int(head[1])<<16 + int(head[2])<<8 + int(head[3]) - smb2.HeaderLen
		body := rest[:min(left, 64)]
		if _, err := io.ReadFull(nc, body); err != nil {
			return
		}
		if left > len(rest) && len(rest) < 1<<20 {
			rest = append(rest, make([]byte, 1<<20)...)
			body = rest[:64]
		}
		for left -= len(body); left > 0; {
			n, err := nc.Read(rest[64:min(64+left, len(rest))])
			if err != nil {
				return
			}
			left -= n
		}
		var h smb2.Header
		if h.Unmarshal(head[nbss.HeaderLen:]) != nil {
			return
		}
		if h.Command == smb2.Read {
			answer = slices.Grow(answer[:0], nbss.HeaderLen+smb2.HeaderLen+16+int(binary.LittleEndian.Uint32(body[4:])))
		}
		if _, err := nc.Write(fillOne(&h, body, answer)); err != nil {
			return
		}
	}
}

// fillOne builds a response in a reused buffer: a READ's data is whatever the buffer contains.
func fillOne(h *smb2.Header, body, room []byte) []byte {
	m := &smb2.Message{Header: *h}
	m.Header.Flags, m.Header.Credits, m.Header.SessionID = smb2.FlagResponse, 64, 7
	size := 0
	switch h.Command {
	case smb2.Negotiate:
		m.Body = &smb2.NegotiateResponse{
			Dialect:     smb2.Dialect210,
			MaxRead:     8 << 20,
			MaxWrite:    8 << 20,
			MaxTransact: 8 << 20,
		}
	case smb2.SessionSetup:
		m.Body = &smb2.SessionSetupResponse{}
	case smb2.Read:
		size = int(binary.LittleEndian.Uint32(body[4:]))
		m.Body = &smb2.ReadResponse{}
	case smb2.Write:
		m.Body = &smb2.WriteResponse{Count: binary.LittleEndian.Uint32(body[4:])}
	default:
		m.Body = new(smb2.Empty)
	}
	b := m.AppendMarshal(room[:nbss.HeaderLen])
	if size > 0 {
		b = room[:nbss.HeaderLen+smb2.HeaderLen+16+size]
		b[nbss.HeaderLen+smb2.HeaderLen+2] = smb2.HeaderLen + 16
		binary.LittleEndian.PutUint32(b[nbss.HeaderLen+smb2.HeaderLen+4:], uint32(size))
	}
	nbss.PutHeader(b)
	return b
}

// comeIn logs a user on to a filler, directly or through a gateway.
func comeIn(t testing.TB, address string) *wire {
	t.Helper()
	w := dialWith(t, new(net.Dialer).DialContext, address)
	w.users = true
	w.negotiate(smb2.Dialect210)
	if st, msg := w.setup(userToken(t)); st != status.Success {
		t.Fatalf("the user: %v %x", st, msg)
	}
	return w
}

// userToken returns an AUTHENTICATE with a name, which a filler accepts at once.
func userToken(t testing.TB) []byte {
	t.Helper()
	b, err := named("somebody").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return (&spnego.Resp{State: spnego.StateAbsent, ResponseToken: b}).Append(nil)
}

// named returns an AUTHENTICATE of a user with a proof that is not checked.
func named(user string) *ntlm.Authenticate {
	return &ntlm.Authenticate{
		UserName:            ntlm.EncodeText(user, ntlm.NegotiateUnicode),
		NtChallengeResponse: make([]byte, 48), Flags: ntlm.NegotiateUnicode,
	}
}

func nullToken(t testing.TB) []byte {
	t.Helper()
	a := &ntlm.Authenticate{LmChallengeResponse: []byte{0}, Flags: ntlm.NegotiateUnicode | ntlm.NegotiateAnonymous}
	b, err := a.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped(false, b)
}
