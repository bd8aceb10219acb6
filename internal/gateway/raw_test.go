package gateway

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// rawRequest is a WRITE_RAW of so many bytes, none of which come with it.
func rawRequest(fid uint16, count int) *smb1.Generic {
	w := make([]byte, 24)
	binary.LittleEndian.PutUint16(w, fid)
	binary.LittleEndian.PutUint16(w[2:], uint16(count))
	w[14] = 1    // WritethroughMode: there is a final response
	w[22] = 0x3B // DataOffset, of none
	return &smb1.Generic{Code: writeRaw, Words: w}
}

// readRequest is a READ_RAW of so many bytes.
func readRequest(fid uint16, count int) *smb1.Generic {
	w := make([]byte, 16)
	binary.LittleEndian.PutUint16(w, fid)
	binary.LittleEndian.PutUint16(w[6:], uint16(count))
	return &smb1.Generic{Code: readRaw, Words: w}
}

// rawAnswer is a server's answer to a WRITE_RAW: with the same command it is the interim one.
func rawAnswer(t testing.TB, command smb1.Command, st status.NTStatus, mid uint16) []byte {
	return frame1(t, func(h *smb1.Header) {
		h.Flags, h.UID, h.MID = smb1.FlagsReply, 100, mid
		h.SetStatus(st)
	}, &smb1.Generic{Code: command, Words: []byte{0xFF, 0xFF}})
}

// rawFrame is data in raw mode.
func rawFrame(data []byte) []byte {
	b := append(make([]byte, nbss.HeaderLen), data...)
	nbss.PutHeader(b)
	return b
}

// rawData are things that a user may write.
func rawData(t testing.TB) map[string][]byte {
	null := frame1(t, nil, null1())[nbss.HeaderLen:]
	answer := bytes.Clone(null)
	answer[9] |= smb1.FlagsReply
	return map[string][]byte{
		"text":                     []byte("a text of a user"),
		"nothing":                  nil,
		"three bytes":              {0xFF, 'S', 'M'},
		"the start of SMB1":        []byte("\xFFSMB"),
		"a null session of SMB1":   null,
		"an answer of SMB1":        answer,
		"a header of SMB2":         append([]byte("\xFESMB"), make([]byte, 60)...),
		"an encrypted frame":       append([]byte("\xFDSMB"), make([]byte, 60)...),
		"the most that is allowed": append([]byte("\xFFSMB"), make([]byte, maxRaw-4)...),
	}
}

// TestWriteRaw is client and server of a user's writes in raw mode: the data pass whatever they look like, and only
// what the server takes for data.
func TestWriteRaw(t *testing.T) {
	user := func(t *testing.T, p Policy) *ends {
		e := between(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445", Policy: p})
		e.negotiate1(false)
		e.user1(100)
		return e
	}
	ask := func(t *testing.T, e *ends) {
		if e.asks(frame1(t, func(h *smb1.Header) { h.UID = 100 }, rawRequest(1, 1000))) == nil {
			t.Fatal("the WRITE_RAW does not pass")
		}
	}
	null := frame1(t, nil, null1())
	for name, data := range rawData(t) {
		t.Run(name, func(t *testing.T) {
			e := user(t, Policy{})
			for range 2 {
				ask(t, e)
				e.answers(rawAnswer(t, writeRaw, status.Success, 7))
				keepAlive := []byte{nbss.KeepAlive, 0, 0, 0}
				if got := e.asks(keepAlive); !bytes.Equal(got, keepAlive) {
					t.Fatalf("the server gets % X for a keep-alive", got)
				}
				if got := e.asks(rawFrame(data)); !bytes.Equal(got, rawFrame(data)) {
					t.Fatalf("the server gets %d bytes, the user wrote %d", len(got), len(data))
				}
				e.answers(rawAnswer(t, 0x20, status.Success, 7))
			}
			if got := e.asks(null); got != nil {
				t.Errorf("a null session behind the data passes: % X", got)
			}
		})
	}
	for _, c := range []struct {
		name string
		play func(t *testing.T, e *ends)
	}{
		{"without an answer", func(*testing.T, *ends) {}},
		{"the server fails it", func(t *testing.T, e *ends) { e.answers(rawAnswer(t, 0x20, status.AccessDenied, 7)) }},
		{"all of it came with the request", func(t *testing.T, e *ends) { e.answers(rawAnswer(t, 0x20, 0, 7)) }},
		{"an interim answer with an error", func(t *testing.T, e *ends) {
			e.answers(rawAnswer(t, writeRaw, status.AccessDenied, 7))
		}},
		{"the answer to another request", func(t *testing.T, e *ends) { e.answers(rawAnswer(t, writeRaw, 0, 8)) }},
		{"the data came before", func(t *testing.T, e *ends) {
			e.answers(rawAnswer(t, writeRaw, 0, 7))
			e.asks(rawFrame([]byte("data")))
		}},
		{"no data came", func(t *testing.T, e *ends) {
			e.answers(rawAnswer(t, writeRaw, 0, 7))
			e.asks(rawFrame(nil))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := user(t, Policy{})
			ask(t, e)
			c.play(t, e)
			if got := e.asks(null); got != nil {
				t.Errorf("a null session passes for data: % X", got)
			}
		})
	}
	t.Run("too much", func(t *testing.T) {
		e := user(t, Policy{})
		ask(t, e)
		e.answers(rawAnswer(t, writeRaw, 0, 7))
		if got := e.asks(rawFrame(make([]byte, maxRaw+1))); got != nil {
			t.Errorf("%d bytes pass", len(got))
		}
	})
	t.Run("behind another command", func(t *testing.T) {
		e := user(t, Policy{})
		echo := func(h *smb1.Header) { h.UID = 100 }
		if got := e.asks(frame1(t, echo, ipc1(), rawRequest(1, 1000))); got != nil {
			t.Errorf("it passes: % X", got)
		}
	})
	t.Run("a stranger who may do everything", func(t *testing.T) {
		guests := Policy{Strangers: []Exception{{As: []model.Identity{model.Guest}, Allow: everything}}}
		for name, data := range rawData(t) {
			e := between(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445", Policy: guests})
			e.negotiate1(false)
			e.comes1(100, smb1.SetupGuest)
			ask(t, e)
			e.answers(rawAnswer(t, writeRaw, 0, 7))
			got := e.asks(rawFrame(data))
			if passes := name == "text" || name == "nothing" || name == "three bytes"; passes != (got != nil) {
				t.Errorf("%s: it passes: %v", name, got != nil)
			}
		}
	})
}

// TestReadRaw is client and server of a user who reads in raw mode a file that looks like something else: it passes,
// and is never taken for the answer to another request.
func TestReadRaw(t *testing.T) {
	user := func(h *smb1.Header) { h.UID = 100 }
	null := frame1(t, nil, null1())
	guest := null1()
	guest.AccountName, guest.OEMPassword, guest.UnicodePassword = "x", make([]byte, 24), make([]byte, 24)
	request := map[string][]byte{
		"READ_RAW":  frame1(t, user, readRequest(1, 1000)),
		"WRITE_RAW": frame1(t, user, rawRequest(1, 1000)),
		"READ_ANDX": frame1(t, user, &smb1.ReadRequest{FID: 1, MaxCount: 1}),
		"LOGOFF":    frame1(t, user, &smb1.Generic{Code: smb1.LogoffAndX, Link: true, Words: []byte{}}),
		"a logon":   frame1(t, nil, guest),
	}
	start := func(t *testing.T) *ends {
		e := between(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445"})
		e.negotiate1(false)
		e.user1(100)
		return e
	}
	ask := func(t *testing.T, e *ends, what string) {
		t.Helper()
		if e.asks(request[what]) == nil {
			t.Fatalf("%s does not pass", what)
		}
	}
	forged := rawAnswer(t, writeRaw, status.Success, 7)
	t.Run("passes", func(t *testing.T) {
		e := start(t)
		data := rawData(t)
		data["the interim answer to a WRITE_RAW"] = forged[nbss.HeaderLen:]
		for name, data := range data {
			ask(t, e, "READ_RAW")
			if got := e.answers(rawFrame(data)); !bytes.Equal(got, rawFrame(data)) {
				t.Fatalf("%s: the user gets %d bytes of %d", name, len(got), len(data))
			}
		}
		ask(t, e, "LOGOFF")
	})
	for _, c := range [][]string{
		{"READ_RAW", "WRITE_RAW"},
		{"READ_RAW", "READ_RAW"},
		{"READ_RAW", "a logon"},
		{"READ_RAW", "LOGOFF"},
		{"READ_RAW", "READ_ANDX", "WRITE_RAW"},
		{"WRITE_RAW", "READ_RAW"},
		{"a logon", "READ_RAW"},
	} {
		t.Run(strings.Join(c, ", "), func(t *testing.T) {
			e := start(t)
			last := len(c) - 1
			for _, what := range c[:last] {
				ask(t, e, what)
			}
			if e.asks(request[c[last]]) != nil {
				t.Errorf("%s passes", c[last])
			}
		})
	}
	t.Run("an answer to another request before it", func(t *testing.T) {
		e := start(t)
		ask(t, e, "READ_ANDX")
		ask(t, e, "READ_RAW")
		e.answers(rawAnswer(t, smb1.ReadAndX, 0, 7))
		ask(t, e, "WRITE_RAW")
		e.answers(forged)
		if got := e.asks(null); got != nil {
			t.Errorf("a null session passes for data: % X", got)
		}
	})
	t.Run("an answer to another request before it, and a logon", func(t *testing.T) {
		for name, first := range map[string][]byte{
			"plain": rawAnswer(t, smb1.ReadAndX, 0, 7), "encrypted": rawFrame([]byte("\xFFE\x00\x00")),
		} {
			e := start(t)
			ask(t, e, "READ_ANDX")
			ask(t, e, "READ_RAW")
			e.answers(first)
			if e.asks(request["a logon"]) != nil { // the data, which come now, would be taken for its answer
				t.Errorf("%s: a logon passes", name)
			}
		}
	})
	t.Run("a logon behind it", func(t *testing.T) {
		e := start(t)
		ask(t, e, "READ_RAW")
		e.answers(rawFrame([]byte("data")))
		ask(t, e, "a logon")
	})
	t.Run("an oplock break before it", func(t *testing.T) {
		e := start(t)
		ask(t, e, "READ_RAW")
		e.answers(frame1(t, nil, &smb1.Generic{Code: lockingAndX, Link: true, Words: make([]byte, 12)}))
		e.answers(rawFrame(nil))
		ask(t, e, "WRITE_RAW")
	})
	t.Run("what looks like an oplock break", func(t *testing.T) {
		e := start(t)
		ask(t, e, "READ_RAW")
		e.answers(frame1(t, nil, &smb1.Generic{Code: lockingAndX, Link: true, Words: make([]byte, 12)}))
		if e.asks(request["WRITE_RAW"]) != nil {
			t.Error("a WRITE_RAW passes before the data")
		}
	})
	t.Run("behind another command", func(t *testing.T) {
		if got := start(t).asks(frame1(t, user, ipc1(), readRequest(1, 1000))); got != nil {
			t.Errorf("it passes: % X", got)
		}
	})
}

// TestRawWithSamba writes data that look like a command of SMB to a file of a real server and reads them, directly and
// through the gateway.
func TestRawWithSamba(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{
		"server min protocol = NT1", "ntlm auth = yes", "server signing = disabled",
	}, Shares: []peer.Share{{Name: "drop", Lines: []string{"read only = no"}}}}, Route{})
	for name, data := range rawData(t) {
		t.Run(name, func(t *testing.T) {
			for _, address := range []string{l.direct, l.through} {
				w := &wire1{wire: dialWith(t, l.samba.Dial, address)}
				w.users = true
				if st, _ := w.ask1(extended, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}); st != 0 {
					t.Fatalf("NEGOTIATE: %v", st)
				}
				w.logon1(ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{}), nil)
				file := filepath.Join(l.samba.Dir, "share-drop", "raw")
				if err := os.WriteFile(file, nil, 0o666); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file, 0o666); err != nil { // the umask took some of it
					t.Fatal(err)
				}
				tid, fid := w.open1(t, `\\server\drop`, `\raw`)
				in := func(h *smb1.Header) { h.TID = tid }
				if st, m := w.ask1(in, rawRequest(fid, len(data))); st != 0 || m == nil || m.Command != writeRaw {
					t.Fatalf("%s: WRITE_RAW: %v", address, st)
				}
				w.raw(rawFrame(data))
				typ, msg, err := byte(nbss.KeepAlive), []byte(nil), error(nil)
				for typ == nbss.KeepAlive && err == nil { // which Samba sends to have its answer on the way
					typ, msg, err = nbss.ReadFrame(w.nc, nil, nbss.MaxLen)
				}
				if err != nil {
					t.Fatalf("%s: %v", address, err)
				}
				if m, err := smb1.Parse(msg); err != nil || m.NTStatus() != 0 {
					t.Fatalf("%s: the final response: %v: %v", address, m, err)
				}
				if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes were written, %d are in the file: %v", address, len(data), len(got), err)
				}
				w.raw(frame1(t, func(h *smb1.Header) { h.UID, h.TID = w.uid, tid }, readRequest(fid, len(data))))
				_, got, err := nbss.ReadFrame(w.nc, nil, nbss.MaxLen)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d of %d bytes were read: %v", address, len(got), len(data), err)
				}
			}
		})
	}
}

// open1 opens a file for reading and writing.
func (w *wire1) open1(t testing.TB, share, name string) (tid, fid uint16) {
	t.Helper()
	tree := ipc1()
	tree.Path = share
	st, m := w.ask1(nil, tree)
	if st != 0 {
		t.Fatalf("TREE_CONNECT: %v", st)
	}
	tid = m.TID
	const readWrite, open = 0x3, 1
	st, m = w.ask1(func(h *smb1.Header) { h.TID = tid }, &smb1.NTCreateRequest{
		DesiredAccess: readWrite, CreateDisposition: open, ShareAccess: 7, Name: name, Terminated: true,
	})
	r, ok := must(m.Decode(0)).(*smb1.NTCreateResponse)
	if st != 0 || !ok {
		t.Fatalf("NT_CREATE: %v", st)
	}
	return tid, r.FID
}
