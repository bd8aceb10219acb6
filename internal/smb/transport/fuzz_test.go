package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"ipcguard/internal/smb/nbss"
)

// said is a connection on which a server has said all of these bytes, and takes whatever is written.
type said struct{ *bytes.Reader }

func (said) Write(b []byte) (int, error)        { return len(b), nil }
func (said) Close() error                       { return nil }
func (said) LocalAddr() net.Addr                { return nil }
func (said) RemoteAddr() net.Addr               { return nil }
func (said) SetDeadline(time.Time) error        { return nil }
func (said) SetReadDeadline(time.Time) error    { return nil }
func (said) SetWriteDeadline(t time.Time) error { return nil }

// FuzzConn is a server that says anything, from the first byte of a NetBIOS session or of a negotiation on. An answer
// is an SMB message that the server said, and everything else is an error that names the layer and a reason.
func FuzzConn(f *testing.F) {
	frame := func(typ byte, payload []byte) []byte {
		return append(nbss.AppendHeader(nil, typ, len(payload)), payload...)
	}
	message := append([]byte("\xFESMB"), make([]byte, 60)...)
	f.Add(frame(nbss.SessionMessage, message), false)
	f.Add(append(frame(nbss.PositiveResponse, nil), frame(nbss.SessionMessage, message)...), true)
	f.Add(append(frame(nbss.KeepAlive, nil), frame(nbss.NegativeResponse, []byte{0x8F})...), true)
	f.Add(frame(nbss.NegativeResponse, []byte{0x80}), false)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false)
	f.Add([]byte("\x00\xFF\xFF\xFF"), false)
	f.Fuzz(func(t *testing.T, b []byte, byName bool) {
		const most = 1 << 16
		counters := &Counters{}
		c, err := Dial(t.Context(), "192.0.2.1:445", Options{
			Connect: time.Minute, MaxFrame: most, Counters: counters,
			Dial: func(context.Context, string, string) (net.Conn, error) { return said{bytes.NewReader(b)}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(time.Minute)
		if byName {
			if err := c.CallByName("SRV", deadline); err != nil {
				explained(t, err, LayerConnect)
				return
			}
		}
		answer, err := c.Ask(make([]byte, nbss.HeaderLen+64), deadline)
		if err != nil {
			explained(t, err, LayerNegotiate)
			return
		}
		taken := [][]byte{answer}
		c.Start(func(frame []byte) error { taken = append(taken, frame); return nil })
		<-c.down
		explained(t, c.Err(LayerSession), LayerSession)
		for _, m := range taken {
			if len(m) < 32 || len(m) > most || string(m[1:4]) != "SMB" || !bytes.Contains(b, m) {
				t.Fatalf("% x is no message that the server sent", m)
			}
		}
		if got := counters.BytesReceived.Load(); got < int64(len(answer)) {
			t.Fatalf("counted %d bytes of an answer of %d", got, len(answer))
		}
	})
}

// explained checks that an error says where it came about, and why.
func explained(t *testing.T, err error, layer string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Layer != layer || e.Reason == "" {
		t.Fatalf("%#v says neither where nor why", err)
	}
}
