package gateway

import (
	"errors"
	"net"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// before starts a gateway in front of a server, and returns its address.
func before(t *testing.T, to string) string {
	t.Helper()
	_, address := local(t, Options{Log: testLog(t)}, Route{To: to})
	return address
}

// TestServers uses servers other than Samba: impacket's, and the practice server in the documented behaviour of each
// product. In every dialect of a server, a null session is refused and a user can log on.
func TestServers(t *testing.T) {
	type server struct{ name, address, user string }
	var servers []server
	peer.Need(t, "impacket")
	closed, open := peer.StartImpacket(t, "127.21.4.1", "alice"), peer.StartImpacket(t, "127.21.4.2")
	servers = append(servers, server{"impacket", closed.Addr(), "alice"},
		server{"impacket, open to anybody", open.Addr(), ""})
	for _, profile := range smbtest.Profiles() {
		host, err := smbtest.NewHost(profile, "PRACTICE1")
		if err != nil {
			t.Fatal(err)
		}
		s, err := smbtest.Start("127.21.4.3:0", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		servers = append(servers, server{profile, s.Address(), "anna"})
	}
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			through := before(t, s.address)
			tried := 0
			for _, d := range []smb.Dialect{smb.SMB1, smb.SMB202, smb.SMB210, smb.SMB300, smb.SMB302, smb.SMB311} {
				if _, err := logOn(t, s.address, d, ntlm.NewAnonymous(ntlm.Options{})); isTransport(err) {
					continue // the server does not support it
				}
				tried++
				if _, err := logOn(t, through, d,
					ntlm.NewAnonymous(ntlm.Options{})); !errors.Is(err, status.AccessDenied) {
					t.Errorf("a null session of %v: %v", d, err)
				}
				if s.user == "" {
					continue
				}
				who := func() *ntlm.Client { return ntlm.NewUser(s.user, "", peer.Password, ntlm.Options{}) }
				_, direct := logOn(t, s.address, d, who())
				if _, err := logOn(t, through, d, who()); (err == nil) != (direct == nil) {
					t.Errorf("a user of %v: %v directly, %v through the gateway", d, direct, err)
				} else if direct != nil {
					t.Errorf("the control failed: a user of %v directly: %v", d, direct)
				}
			}
			if tried == 0 {
				t.Error("no dialect was tried")
			}
		})
	}
}

// logOn logs on and opens IPC$.
func logOn(t *testing.T, address string, d smb.Dialect, a smb.Authenticator) (*smb.Conn, error) {
	t.Helper()
	c, err := smb.Dial(t.Context(), address, smb.Options{Dialects: []smb.Dialect{d}, Dial: new(net.Dialer).DialContext})
	if err != nil {
		return nil, &net.OpError{Op: "negotiate", Err: err}
	}
	t.Cleanup(func() { c.Close() })
	s, err := c.SessionSetup(t.Context(), a)
	if err == nil {
		_, err = s.TreeConnect(t.Context(), "IPC$")
	}
	return c, err
}

// isTransport reports that no dialect was negotiated.
func isTransport(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "negotiate"
}
