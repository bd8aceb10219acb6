package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// serve runs a bad server on a loopback address until the test ends.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.47.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return l.Addr().String()
}

// hold keeps a connection open until the client goes.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// Whatever answers on port 445, the scan ends in time, with a verdict that claims nothing and a reason in words.
func TestBadServers(t *testing.T) {
	read := func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }
	for name, c := range map[string]struct {
		handle  func(net.Conn)
		verdict model.Verdict
		reason  string
	}{
		"HTTP": {
			func(c net.Conn) { read(c); _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
			model.Unreachable, "HTTP",
		},
		"SSH": {
			func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); hold(c) },
			model.Unreachable, "SSH",
		},
		"TLS": {
			func(c net.Conn) { read(c); _, _ = c.Write([]byte{0x15, 3, 1, 0, 2, 2, 40}); hold(c) },
			model.Unreachable, "TLS",
		},
		"silent": {hold, model.VerdictInconclusive, "timed out during negotiate"},
		"drops": {
			func(c net.Conn) { read(c) }, model.VerdictInconclusive,
			"dropped before a dialect is agreed on",
		},
		"no read": {func(net.Conn) {}, model.VerdictInconclusive, "dropped before a dialect is agreed on"},
		"16 MiB": {
			func(c net.Conn) { read(c); _, _ = c.Write([]byte{0, 0xFF, 0xFF, 0xFF, 0xFE}); hold(c) },
			model.VerdictInconclusive, "",
		},
		"garbage": {func(c net.Conn) {
			read(c)
			_, _ = c.Write(bytes.Repeat([]byte{0, 0, 0, 4, 1, 2, 3, 4},
				100))
			hold(c)
		}, model.Unreachable, "not SMB"},
		"short": {
			func(c net.Conn) { read(c); _, _ = c.Write([]byte{0, 0, 0, 4, 0xFE, 'S', 'M', 'B'}); hold(c) },
			model.Unreachable, "not SMB",
		},
		"echo":       {func(c net.Conn) { _, _ = io.Copy(c, c) }, model.VerdictInconclusive, ""},
		"keepalives": {func(c net.Conn) { flood(c, []byte{0x85, 0, 0, 0}) }, model.VerdictInconclusive, ""},
		"one byte a second": {func(c net.Conn) {
			frame := binary.BigEndian.AppendUint32(nil, 200)
			for _, b := range append(frame, make([]byte, 200)...) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, model.VerdictInconclusive, "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, c.handle)
			o := Options{Timeouts: smb.Timeouts{Connect: time.Minute, Negotiate: time.Minute}, Host: 2 * time.Minute}
			// the wait alone ends these
			if slices.Contains([]string{"silent", "keepalives", "one byte a second"}, name) {
				o.Timeouts.Negotiate = 400 * time.Millisecond
			}
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			r := s.Host(context.Background(), at(t, address))
			t.Logf("%s: %s", r.Verdict, r.Reason)
			if r.Verdict != c.verdict || !strings.Contains(r.Reason, c.reason) || r.Reason == "" {
				t.Errorf("%s, %q; want %s, %q", r.Verdict, r.Reason, c.verdict, c.reason)
			}
			if len(r.Findings) > 0 {
				t.Errorf("findings: %+v", r.Findings)
			}
			if r.Stats.BytesReceived > 4<<20 {
				t.Errorf("%d bytes were read", r.Stats.BytesReceived)
			}
		})
	}
}

func flood(c net.Conn, b []byte) {
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func TestClosedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.47.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s, err := New(Options{Retries: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Host(context.Background(), at(t, address))
	if r.Verdict != model.Unreachable || !strings.Contains(r.Reason, "connection refused") {
		t.Errorf("%s, %q", r.Verdict, r.Reason)
	}
}

// A host that never ends is cut off after its time, and the result says so.
func TestHostTimeout(t *testing.T) {
	address := serve(t, hold)
	s, err := New(Options{Host: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Host(context.Background(), at(t, address))
	if r.Verdict != model.VerdictInconclusive || r.Reason == "" {
		t.Errorf("%s, %q", r.Verdict, r.Reason)
	}
}
