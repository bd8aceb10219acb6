package gateway

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ipcguard/internal/peer"
)

// talked is what two ends of a connection sent to each other.
type talked struct{ asked, answered []byte }

// place stores a segment at its sequence number, so that a retransmission is stored once.
func place(b []byte, at int, payload []byte) []byte {
	if need := at + len(payload); need > len(b) {
		b = append(b, make([]byte, need-len(b))...)
	}
	copy(b[at:], payload)
	return b
}

// conversations reads a capture and returns the connections of each server address in the order in which they began.
func conversations(t *testing.T, file string) map[string][]*talked {
	t.Helper()
	byStream, out := map[string]*talked{}, map[string][]*talked{}
	for _, row := range peer.Fields(t, file, "tcp.len > 0", "tcp.stream", "ip.src", "ip.dst", "tcp.dstport", "tcp.seq",
		"tcp.payload") {
		seq, err := strconv.Atoi(row[4])
		if err != nil {
			t.Fatal(err)
		}
		payload, err := hex.DecodeString(row[5])
		if err != nil {
			t.Fatal(err)
		}
		c, toServer := byStream[row[0]], row[3] == "445"
		if c == nil {
			server := row[1]
			if toServer {
				server = row[2]
			}
			c = new(talked)
			byStream[row[0]], out[server] = c, append(out[server], c)
		}
		if toServer {
			c.asked = place(c.asked, seq-1, payload)
		} else {
			c.answered = place(c.answered, seq-1, payload)
		}
	}
	return out
}

// TestBytesUnchanged captures both sides of the gateway. The server gets exactly the bytes of a user's client, and vice
// versa, signed, encrypted and in SMB1; of a null session's logon the server gets nothing.
func TestBytesUnchanged(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "smbclient", "rpcclient", "dumpcap", "tshark")
	l := startLab(t, peer.Config{Global: []string{
		"map to guest = bad user", "server signing = mandatory", "server min protocol = NT1", "ntlm auth = yes",
	}}, Route{})
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, bytes.Repeat([]byte("a line of a file\n"), 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	file, stop := peer.Dumpcap(t, l.samba)
	for _, c := range []peer.Client{
		{MaxProtocol: "SMB3_11"},
		{MaxProtocol: "SMB3_11", Options: []string{"client smb encrypt = required"}},
		{MaxProtocol: "SMB2_10"},
		{MaxProtocol: "NT1"},
	} {
		c.From, c.User, c.Password = l.samba.Machine, "labadmin", peer.Password
		if a := c.Share(t, l.through, "finance", "put "+source+" copy", "get copy "+source+".back", "ls",
			"del copy"); !a.OK() {
			t.Fatalf("%s: %v", c.MaxProtocol, a)
		}
		if a := c.RPC(t, l.through, "enumdomusers"); !a.OK() {
			t.Fatalf("%s: %v", c.MaxProtocol, a)
		}
		null := peer.Client{From: l.samba.Machine, MaxProtocol: c.MaxProtocol}
		if a := null.RPC(t, l.through, "enumdomusers"); a.Status != "STATUS_ACCESS_DENIED" {
			t.Fatalf("a null session of %s: %v", c.MaxProtocol, a)
		}
	}
	stop()
	said := conversations(t, file)
	in, out := said[labGateway], said[labAddress]
	alike := 0
	authenticate := []byte("NTLMSSP\x00\x03\x00\x00\x00")
	asked, reached := 0, 0
	for _, c := range in {
		asked += bytes.Count(c.asked, authenticate)
		for _, s := range out {
			if bytes.Equal(c.asked, s.asked) && bytes.Equal(c.answered, s.answered) {
				alike++
				break
			}
		}
	}
	for _, s := range out {
		reached += bytes.Count(s.asked, authenticate)
	}
	// Four users twice, each on a connection of its own, and four null sessions, of which nothing matches.
	if len(in) != 12 || alike != 8 {
		t.Errorf("%d of %d connections are the same on both sides", alike, len(in))
	}
	if asked != 12 || reached != 8 {
		t.Errorf("%d logons came, %d reached the server", asked, reached)
	}
}

// TestMandatoryEncryption uses a server that requires encryption: the logon can be read, so strangers are refused as
// everywhere. The rest cannot, which the counters show.
func TestMandatoryEncryption(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "smbclient", "rpcclient")
	l := startLab(t, peer.Config{Global: []string{"map to guest = bad user", "server smb encrypt = required"}},
		Route{Policy: denyingPolicy()})
	null := peer.Client{From: l.samba.Machine}
	if a := null.RPC(t, l.through, "enumdomusers"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("a null session: %v", a)
	}
	made := peer.Client{From: l.samba.Machine, User: "nosuchuser", Password: "x"}
	if a := made.Share(t, l.through, "public", "ls"); a.OK() {
		t.Errorf("a made-up user: %v", a)
	}
	user := peer.Client{From: l.samba.Machine, User: "labadmin", Password: peer.Password}
	if want, got := user.RPC(t, l.direct, "enumdomusers"), user.RPC(t, l.through, "enumdomusers"); !want.OK() ||
		got.Text != want.Text {
		t.Errorf("a user directly: %v\nthrough the gateway: %v", want, got)
	}
	if s := l.Stats(); s.Encrypted != 1 || s.Unread != 1 || s.Refused["anonymous"] == 0 {
		t.Errorf("%+v", s)
	}
}
