package gateway

import (
	"context"
	"encoding/asn1"
	"errors"
	"net"
	"testing"
	"time"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// wire is a client that sends exactly what a test says.
type wire struct {
	t       testing.TB
	nc      net.Conn
	id      uint64 // the next MessageId
	session uint64
	in      bool // a session began, or a share or pipe was opened
	users   bool // sessions of users are expected and do not count as success
}

// dialWith connects through a dialer.
func dialWith(t testing.TB, dial func(context.Context, string, string) (net.Conn, error), address string) *wire {
	t.Helper()
	nc, err := dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	// The deadline ends a test whose peer is silent; it does not decide whether the test passes.
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, nc: nc}
}

// message returns a request of the current session with the next MessageId.
func (w *wire) message(command smb2.Command, body smb2.Body, change ...func(*smb2.Message)) []byte {
	m := &smb2.Message{
		Header: smb2.Header{
			CreditCharge: 1,
			Command:      command,
			Credits:      8,
			MessageID:    w.id,
			SessionID:    w.session,
		}, Body: body,
	}
	for _, f := range change {
		f(m)
	}
	w.id++
	return m.AppendMarshal(nil)
}

// raw sends bytes. Errors are ignored: in many tests the peer closes the connection.
func (w *wire) raw(b []byte) { _, _ = w.nc.Write(b) }

// send sends a frame of these messages.
func (w *wire) send(messages ...[]byte) {
	b := make([]byte, nbss.HeaderLen)
	for _, m := range messages {
		b = append(b, m...)
	}
	nbss.PutHeader(b)
	w.raw(b)
}

var errClosed = errors.New("closed")

// receive reads one frame and records what the client was granted.
func (w *wire) receive() (smb2.Header, []byte, error) {
	var h smb2.Header
	_, msg, err := nbss.ReadFrame(w.nc, nil, nbss.MaxLen)
	if err != nil {
		return h, nil, errClosed
	}
	for c := smb2.NewChain(msg); c.Next(); {
		if h.Unmarshal(c.Message) == nil && status.NTStatus(h.Status) == status.Success {
			switch h.Command {
			case smb2.SessionSetup:
				w.in = w.in || !w.users
			case smb2.TreeConnect, smb2.Create:
				w.in = true
			}
		}
	}
	return h, msg, h.Unmarshal(msg)
}

// ask sends a message and reads its response. The status is 0xFFFFFFFF if the connection was closed instead.
func (w *wire) ask(message []byte) (status.NTStatus, []byte) {
	w.t.Helper()
	w.send(message)
	h, msg, err := w.receive()
	for err == nil && h.IsAsync() && status.NTStatus(h.Status) == status.Pending { // the final response follows
		h, msg, err = w.receive()
	}
	if err != nil {
		return closedInstead, nil
	}
	if h.Command == smb2.SessionSetup && h.SessionID != 0 {
		w.session = h.SessionID
	}
	return status.NTStatus(h.Status), msg
}

const closedInstead status.NTStatus = 0xFFFFFFFF

// negotiate negotiates a dialect. 2.1 does not require signing.
func (w *wire) negotiate(dialects ...uint16) {
	w.t.Helper()
	body := &smb2.NegotiateRequest{SecurityMode: smb2.SigningEnabled, Dialects: dialects, ClientGUID: [16]byte{21}}
	if st, _ := w.ask(w.message(smb2.Negotiate, body)); st != status.Success {
		w.t.Fatalf("NEGOTIATE: %v", st)
	}
}

func setupOf(token []byte) *smb2.SessionSetupRequest {
	return &smb2.SessionSetupRequest{SecurityMode: smb2.SigningEnabled, SecurityBuffer: token}
}

// setup sends a token.
func (w *wire) setup(token []byte, change ...func(*smb2.Message)) (status.NTStatus, []byte) {
	w.t.Helper()
	return w.ask(w.message(smb2.SessionSetup, setupOf(token), change...))
}

// begin starts a logon and returns the CHALLENGE. wrap wraps the tokens.
func (w *wire) begin(c *ntlm.Client, wrap func(first bool, token []byte) []byte) []byte {
	w.t.Helper()
	first, err := c.Start(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	st, msg := w.setup(wrap(true, first))
	if st != status.MoreProcessingRequired {
		w.t.Fatalf("the first SESSION_SETUP: %v", st)
	}
	var r smb2.SessionSetupResponse
	if _, err := r.Unmarshal(msg); err != nil {
		w.t.Fatal(err)
	}
	t, err := spnego.Parse(r.SecurityBuffer)
	if err != nil {
		w.t.Fatal(err)
	}
	return t.MechToken()
}

// proof returns the modified AUTHENTICATE of a logon.
func (w *wire) proof(c *ntlm.Client, challenge []byte, change func(*ntlm.Authenticate)) []byte {
	w.t.Helper()
	b, err := c.Next(w.t.Context(), challenge)
	if err != nil {
		w.t.Fatal(err)
	}
	if change == nil {
		return b
	}
	a, err := ntlm.ParseAuthenticate(b)
	if err != nil {
		w.t.Fatal(err)
	}
	change(a)
	if b, err = a.Append(nil); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// The ways to wrap a token.
func wrapped(first bool, token []byte) []byte {
	if first {
		return (&spnego.Init{MechTypes: []asn1.ObjectIdentifier{spnego.OIDNTLM}, MechToken: token}).Append(nil)
	}
	return (&spnego.Resp{State: spnego.StateAbsent, ResponseToken: token}).Append(nil)
}

func bare(_ bool, token []byte) []byte { return token }

// null logs on as a null session with a modified AUTHENTICATE.
func (w *wire) null(
	wrap func(bool, []byte) []byte, change func(*ntlm.Authenticate), message ...func(*smb2.Message),
) status.NTStatus {
	w.t.Helper()
	c := ntlm.NewAnonymous(ntlm.Options{})
	st, _ := w.setup(wrap(false, w.proof(c, w.begin(c, wrap), change)), message...)
	return st
}

// user logs on as a user of the server.
func (w *wire) user() status.NTStatus {
	w.t.Helper()
	w.users = true
	defer func() { w.users = false }()
	w.session = 0
	c := ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{})
	st, _ := w.setup(w.proof(c, w.begin(c, bare), nil))
	return st
}

// tree connects to IPC$.
func (w *wire) tree() status.NTStatus {
	w.t.Helper()
	st, _ := w.ask(w.treeConnect())
	return st
}

func (w *wire) treeConnect(change ...func(*smb2.Message)) []byte {
	return w.message(smb2.TreeConnect, &smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\server\IPC$`)}, change...)
}
