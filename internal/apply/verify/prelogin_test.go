package verify

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// answer is SQL Server 2019's response to a prelogin without MARS: four options and their data.
var answer = []byte{
	0x04, 0x01, 0, 37, 0, 0, 1, 0,
	0x00, 0, 21, 0, 6, 0x01, 0, 27, 0, 1, 0x02, 0, 28, 0, 1, 0x03, 0, 29, 0, 0, 0xFF,
	15, 0, 0x07, 0xD0, 0, 0, 0, 0,
}

func TestPreloginAnswer(t *testing.T) {
	if v, err := preloginVersion(answer); err != nil || v != "15.0.2000" {
		t.Errorf("%q, %v", v, err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"nothing":             func([]byte) []byte { return nil },
		"a header alone":      func(b []byte) []byte { return b[:8] },
		"cut":                 func(b []byte) []byte { return b[:30] },
		"more than it says":   func(b []byte) []byte { return append(b, 0) },
		"a request":           func(b []byte) []byte { b[0] = 0x12; return b },
		"not the end":         func(b []byte) []byte { b[1] = 0; return b },
		"a web server's":      func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") },
		"no version":          func(b []byte) []byte { b[8] = 1; return b },
		"a short version":     func(b []byte) []byte { b[12] = 5; return b },
		"an option outside":   func(b []byte) []byte { b[20] = 0xFF; return b },
		"options without end": func(b []byte) []byte { b[28] = 9; return b },
		"no options":          func(b []byte) []byte { b[8] = 0xFF; return b },
		"an RPC fragment": func([]byte) []byte {
			return []byte{5, 0, 13, 3, 0x10, 0, 0, 0, 0x18, 0, 0, 0, 1, 0, 0, 0}
		},
		"a length of 7":        func(b []byte) []byte { b[3] = 7; return b },
		"a login's token 0xAA": func([]byte) []byte { return []byte{0x04, 1, 0, 12, 0, 0, 1, 0, 0xAA, 1, 0, 0} },
	} {
		if v, err := preloginVersion(change(bytes.Clone(answer))); err == nil {
			t.Errorf("%s: taken for version %s", name, v)
		}
	}
}

func FuzzPreloginAnswer(f *testing.F) {
	f.Add(answer)
	f.Add(answer[:20])
	f.Add([]byte{0x04, 1, 0, 9, 0, 0, 0, 0, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := preloginVersion(b); (err == nil) != (v != "") {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// TestPreloginForTshark: tshark decodes the request and a response as this package does.
func TestPreloginForTshark(t *testing.T) {
	peer.Need(t, "tshark", "text2pcap")
	for _, x := range []struct {
		message []byte
		ports   string
		want    []string
	}{
		{preloginRequest(), "40000,1433", []string{
			"Type: TDS7 pre-login message (18)", "Length: 26", "Option: Version",
			"Option: Encryption", "Encryption: Encryption is available but off (0)",
		}},
		{answer, "1433,40000", []string{"Length: 37", "Version: 15.0.2000"}},
	} {
		dir := t.TempDir()
		dump, capture := filepath.Join(dir, "dump"), filepath.Join(dir, "capture")
		if err := os.WriteFile(dump, fmt.Appendf(nil, "0000 % x\n", x.message), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := (*peer.Machine)(nil).Command(t.Context(), "text2pcap", "-q", "-T", x.ports, dump, capture)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("text2pcap: %v: %s", err, out)
		}
		out, err := (*peer.Machine)(nil).Command(t.Context(), "tshark", "-r", capture, "-d", "tcp.port==1433,tds", "-V",
			"-O", "tds").CombinedOutput()
		if err != nil {
			t.Fatalf("tshark: %v: %s", err, out)
		}
		for _, want := range x.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		if strings.Contains(string(out), "Malformed") {
			t.Errorf("malformed:\n%s", out)
		}
	}
}
