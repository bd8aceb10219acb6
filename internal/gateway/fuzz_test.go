package gateway

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// FuzzConn lets both sides of a connection send anything at the same time. The connection always ends, no frame that
// reaches the server is a null session's logon, and only NEGOTIATE and logons reach it before a user has logged on.
func FuzzConn(f *testing.F) {
	null, user := nullFrames(f), userFrames(f)
	f.Add(null, answers(status.AccessDenied, 0))
	f.Add(user, answers(status.Success, 0))
	f.Add(user, answers(status.Success, smb2.SessionIsGuest))
	f.Add(append(bytes.Clone(user), null...), answers(status.Success, 0))
	f.Add(frames1(f, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}, null1(), ipc1()),
		frames1(f, &smb1.NegotiateResponse{SecurityMode: 3, Capabilities: smb1.CapUnicode}))
	named1 := null1()
	named1.AccountName, named1.OEMPassword = "anna", make([]byte, 24)
	f.Add(frames1(f, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}, named1, rawRequest(1, 100), null1()),
		frames1(f, &smb1.NegotiateResponse{SecurityMode: 3, Capabilities: smb1.CapUnicode}, new(smb1.SessionSetupResponse),
			&smb1.Generic{Code: writeRaw, Words: []byte{0xFF, 0xFF}}))
	f.Add([]byte{0, 0, 0, 4, 0xFF, 'S', 'M', 'B'}, []byte{0x85, 0, 0, 0})
	f.Add([]byte{0, 0xFF, 0xFF, 0xFF, 0xFE}, []byte{})
	f.Fuzz(func(t *testing.T, client, server []byte) {
		if len(client)+len(server) > 1<<20 {
			return // longer inputs show nothing new
		}
		got, rows := converse(t, client, server)
		known := false
		for _, u := range rows {
			known = known || u.Outcome == model.Allowed
		}
		raw := false // the frame may be a user's data in raw mode: TestWriteRaw has when
		for len(got) >= nbss.HeaderLen {
			n := int(got[1])<<16 + int(got[2])<<8 + int(got[3])
			if n > len(got)-nbss.HeaderLen {
				break // incomplete: a server ignores it
			}
			frame := got[nbss.HeaderLen:][:n]
			if !raw || !known {
				check(t, frame, known)
			}
			if got[0] == nbss.SessionMessage {
				h, err := smb1.ParseHeader(frame)
				raw = err == nil && h.Command == writeRaw && !raw
			}
			got = got[nbss.HeaderLen+n:]
		}
	})
}

// check judges a frame that reached the server.
func check(t *testing.T, frame []byte, known bool) {
	t.Helper()
	switch kind := smb2.KindOf(frame); {
	case kind == smb2.KindSMB1:
		check1(t, frame, known)
		return
	case kind != smb2.KindPlain:
		if !known && len(frame) > 0 {
			t.Errorf("a frame that starts with % X, and nobody has come in", frame[:min(8, len(frame))])
		}
		return
	}
	var h smb2.Header
	if err := h.Unmarshal(frame); err != nil {
		t.Fatalf("a frame that is none: %v", err)
	}
	switch h.Command {
	case smb2.SessionSetup:
		var r smb2.SessionSetupRequest
		if _, err := r.Unmarshal(frame); err != nil {
			t.Fatalf("a logon that does not decode: %v", err)
		}
		var l logon
		l.request(r.SecurityBuffer)
		if c := l.claimed(); c.who == model.Anonymous {
			t.Error("a null session's logon")
		}
	case smb2.Negotiate, smb2.Echo, smb2.Logoff: // of a refused guest, whose next request came before the end
	default:
		if !known {
			t.Errorf("%v, and nobody has come in", h.Command)
		}
	}
}

// check1 judges an SMB1 frame.
func check1(t *testing.T, frame []byte, known bool) {
	t.Helper()
	m, err := smb1.Parse(frame)
	if err != nil {
		if h, herr := smb1.ParseHeader(frame); !known &&
			(herr != nil || h.Command != smb1.Negotiate && h.Command != smb1.Echo) {
			t.Errorf("a frame that does not decode, and nobody has come in: %v", err)
		}
		return
	}
	for i, b := range m.Blocks {
		switch r := must(m.Decode(i)).(type) {
		case *smb1.SessionSetupRequest:
			var l logon
			if l.request(r.SecurityBlob); r.Form != smb1.SetupExtended && r.Anonymous() ||
				l.claimed().who == model.Anonymous {
				t.Error("a null session's logon")
			}
		default:
			if i == 0 && !known && b.Command != smb1.Negotiate && b.Command != smb1.Echo {
				t.Errorf("%v, and nobody has come in", b.Command)
			}
		}
	}
}

// converse runs a connection between two ends that send these bytes, and returns what the server's end got.
func converse(t *testing.T, client, server []byte) (got []byte, told []model.Use) {
	t.Helper()
	rows := new(rows)
	g := New(Options{Use: rows.add, Limits: Limits{Logon: time.Hour}})
	way, err := NewWay(Route{To: "server"})
	if err != nil {
		t.Fatal(err)
	}
	clientEnd, clientSide := net.Pipe()
	serverEnd, serverSide := net.Pipe()
	var said, ended sync.WaitGroup
	say := func(nc net.Conn, b []byte) {
		said.Go(func() { _, _ = nc.Write(b) })
	}
	var out bytes.Buffer
	ended.Go(func() { _, _ = io.Copy(io.Discard, clientEnd) })
	ended.Go(func() { _, _ = io.Copy(&out, serverEnd) })
	say(clientEnd, client)
	say(serverEnd, server)
	go func() {
		said.Wait()
		clientEnd.Close()
		serverEnd.Close()
	}()
	newConn(g, way, "server", clientSide, serverSide).run()
	ended.Wait()
	return out.Bytes(), rows.list
}

// sayings builds frames as a client does, without a connection.
func sayings(t testing.TB, f func(w *wire) [][]byte) []byte {
	w := &wire{t: t}
	var out []byte
	for _, m := range f(w) {
		out = append(nbss.AppendHeader(out, nbss.SessionMessage, len(m)), m...)
	}
	return out
}

func nullFrames(t testing.TB) []byte {
	a := named("")
	a.NtChallengeResponse = nil
	b, err := a.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sayings(t, func(w *wire) [][]byte {
		return [][]byte{
			w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}}),
			w.message(smb2.SessionSetup, setupOf(wrapped(false, b))),
			w.treeConnect(),
		}
	})
}

func userFrames(t testing.TB) []byte {
	return sayings(t, func(w *wire) [][]byte {
		out := [][]byte{
			w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}}),
			w.message(smb2.SessionSetup, setupOf(userToken(t))),
		}
		w.session = 7
		return append(out, w.treeConnect(), w.message(smb2.Logoff, new(smb2.Empty)))
	})
}

// answers returns a server's responses to a NEGOTIATE and a SESSION_SETUP.
func answers(st status.NTStatus, flags uint16) []byte {
	var out []byte
	for i, body := range []smb2.Body{
		&smb2.NegotiateResponse{Dialect: smb2.Dialect210}, &smb2.SessionSetupResponse{SessionFlags: flags},
	} {
		m := &smb2.Message{Header: smb2.Header{Flags: smb2.FlagResponse, MessageID: uint64(i), Credits: 8}, Body: body}
		if i == 1 {
			m.Header.Command, m.Header.Status, m.Header.SessionID = smb2.SessionSetup, uint32(st), 7
		}
		b := m.AppendMarshal(nil)
		out = append(nbss.AppendHeader(out, nbss.SessionMessage, len(b)), b...)
	}
	return out
}

// frames1 builds SMB1 frames of one command each; those of a server are responses.
func frames1(t testing.TB, bodies ...smb1.Body) []byte {
	t.Helper()
	var out []byte
	for i, body := range bodies {
		h := &smb1.Header{Flags2: smb1.Flags2NTStatus | smb1.Flags2Unicode, MID: uint16(i)}
		switch body.(type) {
		case *smb1.NegotiateResponse, *smb1.SessionSetupResponse:
			h.Flags = smb1.FlagsReply
		}
		b, err := smb1.Append(nil, h, body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(nbss.AppendHeader(out, nbss.SessionMessage, len(b)), b...)
	}
	return out
}
