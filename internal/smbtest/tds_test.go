package smbtest

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// example is the message of [MS-TDS] 4.1.
var example = []byte{
	0x12, 0x01, 0x00, 0x2F, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1A, 0x00, 0x06, 0x01, 0x00, 0x20,
	0x00, 0x01, 0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00, 0x22, 0x00, 0x04, 0x04, 0x00, 0x26, 0x00,
	0x01, 0xFF, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0xB8, 0x0D, 0x00, 0x00, 0x01,
}

// TestSQLPrelogin accepts the specification's own message, whole and byte by byte, and closes the connection on
// anything else.
func TestSQLPrelogin(t *testing.T) {
	whole, slow := &sql{}, &sql{}
	if err := whole.Write(example); err != nil {
		t.Fatal(err)
	}
	for i := range example {
		if slow.Pending() > 0 {
			t.Fatalf("it answers after %d bytes", i)
		}
		if err := slow.Write(example[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	a, more := whole.Read(4096)
	b, _ := slow.Read(4096)
	if len(a) == 0 || more || !bytes.Equal(a, b) {
		t.Errorf("answers % X and % X, more %v", a, b, more)
	}
	for name, change := range map[string]func([]byte) []byte{
		"another type":        func(b []byte) []byte { b[0] = 0x10; return b },
		"no end":              func(b []byte) []byte { b[1] = 0; return b },
		"too long":            func(b []byte) []byte { b[2] = 0x20; return b },
		"too short":           func(b []byte) []byte { b[3] = 7; return b },
		"no version first":    func(b []byte) []byte { b[8] = 1; return b },
		"outside":             func(b []byte) []byte { b[15] = 0xF0; return b },
		"options without end": func(b []byte) []byte { b[33] = 5; return b },
	} {
		s := &sql{}
		if err := s.Write(change(bytes.Clone(example))); !errors.Is(err, errHungUp) || s.Pending() > 0 {
			t.Errorf("%s: %v, %d bytes wait", name, err, s.Pending())
		}
	}
}

// tdsClient connects as impacket's client of SQL Server does.
const tdsClient = `
import sys
from impacket import tds
c = tds.MSSQL(sys.argv[1], int(sys.argv[2]))
c.connect()
a = c.preLogin()
print("version %d.%d.%d encryption %d" % (a["Version"][0], a["Version"][1], a["Version"][2] << 8 | a["Version"][3], a["Encryption"]))
`

// TestSQLForImpacket: an independent client understands the response.
func TestSQLForImpacket(t *testing.T) {
	peer.Need(t, "impacket")
	l, err := net.Listen("tcp", "127.42.3.1:0")
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
			_ = ServeSQL(c)
			c.Close()
		}
	}()
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a := peer.Python(t, tdsClient, host, port)
	if !a.OK() || strings.TrimSpace(a.Text) != "version 15.0.2000 encryption 0" {
		t.Errorf("impacket: %s", a)
	}
}

func FuzzSQL(f *testing.F) {
	f.Add(example)
	f.Add(example[:20])
	f.Add([]byte{0x12, 1, 0, 9, 0, 0, 0, 0, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &sql{}
		if err := s.Write(b); err == nil && s.Pending() > len(b)*8 {
			t.Errorf("%d bytes for %d", s.Pending(), len(b))
		}
	})
}
