package smbtest

import (
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// start runs a practice server of a profile until the test ends.
func start(t testing.TB, profile string, change func(*Host)) *Server {
	t.Helper()
	h, err := NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(h)
	}
	s, err := Start("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var protocols = []string{"NT1", "SMB2_02", "SMB2_10", "SMB3_00", "SMB3_11"}

// TestRealClients: Samba's own clients use the server in every dialect: anonymously and as a user, signed and
// encrypted.
func TestRealClients(t *testing.T) {
	peer.Need(t, "rpcclient", "smbclient")
	s := start(t, "samba", func(h *Host) {
		h.Profile.SMB1 = true
		h.World.Populate(250)
		h.World.Shares[3].Files = []string{"report.txt"}
	})
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			for _, c := range []struct {
				client  peer.Client
				command string
				want    []string
			}{
				{peer.Client{}, "enumdomusers", []string{"user:[anna] rid:[0x3e9]", "user:[user00249]"}},
				{peer.Client{}, "lsaquery", []string{"Domain Name: PRACTICE\n"}},
				{peer.Client{}, "getusername", []string{"ANONYMOUS LOGON"}},
				{
					peer.Client{},
					"lookupsids S-1-5-21-1000000001-2000000002-3000000003-500",
					[]string{`PRACTICE1\Administrator (1)`},
				},
				{peer.Client{}, "netshareenum", []string{"netname: finance"}},
				{peer.Client{}, "querydominfo", []string{"Total Users:\t254"}},
				{peer.Client{}, "getdompwinfo", []string{"min_password_length: 0"}},
				{peer.Client{}, "srvinfo", []string{"PRACTICE1"}},
				{peer.Client{}, "dsroledominfo", []string{"Machine Role = [2]"}},
				{peer.Client{}, "enumprinters 1", []string{"practice-printer"}},
				{peer.Client{User: "anna", Password: "Passw0rd!"}, "enumdomusers", []string{"user:[anna]"}},
				{peer.Client{User: "anna", Password: "Passw0rd!"}, "getusername", []string{"anna"}},
				{
					peer.Client{
						User: "anna", Password: "Passw0rd!",
						Options: []string{"client signing = required", "client ipc signing = required"},
					},
					"netshareenum 1",
					[]string{"finance"},
				},
			} {
				c.client.MaxProtocol = protocol
				a := c.client.RPC(t, s.Address(), c.command)
				for _, want := range c.want {
					if !strings.Contains(a.Text, want) {
						t.Errorf("%s as %q: no %q in:\n%.600s", c.command, c.client.User, want, a.Text)
					}
				}
			}
			user := peer.Client{User: "anna", Password: "Passw0rd!", MaxProtocol: protocol}
			if a := user.List(t, s.Address()); !strings.Contains(a.Text, "finance") {
				t.Errorf("smbclient -L:\n%s", a.Text)
			}
			if protocol != "NT1" { // folders are listed only with SMB 2 and 3
				if a := user.Share(t, s.Address(), "finance", "ls"); !strings.Contains(a.Text, "report.txt") {
					t.Errorf("smbclient ls:\n%s", a.Text)
				}
			}
			if a := (peer.Client{User: "anna", Password: "wrong", MaxProtocol: protocol}).RPC(t, s.Address(),
				"getusername"); a.Status != "STATUS_LOGON_FAILURE" {
				t.Errorf("a wrong password: %v", a)
			}
			if a := (peer.Client{MaxProtocol: protocol}).Share(t, s.Address(), "finance",
				"ls"); a.Status != "STATUS_ACCESS_DENIED" {
				t.Errorf("finance as nobody: %v", a)
			}
		})
	}
}

// TestEncryptingClients: smbclient requires encryption, with each cipher.
func TestEncryptingClients(t *testing.T) {
	peer.Need(t, "rpcclient", "smbclient")
	for _, cipher := range []string{"AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"} {
		t.Run(cipher, func(t *testing.T) {
			s := start(t, "samba", func(h *Host) {
				h.Profile.Ciphers, h.Profile.EncryptRequired = []string{cipher}, true
			})
			user := peer.Client{User: "anna", Password: "Passw0rd!", Options: []string{"client smb encrypt = required"}}
			if a := user.RPC(t, s.Address(), "enumdomusers"); !strings.Contains(a.Text, "user:[anna]") {
				t.Errorf("%v", a)
			}
			if a := (peer.Client{}).RPC(t, s.Address(), "getusername"); a.Status != "STATUS_ACCESS_DENIED" {
				t.Errorf("nobody, unencrypted: %v", a)
			}
		})
	}
}

// TestProfilesToRealClients: each product gives anonymous what its documents say.
func TestProfilesToRealClients(t *testing.T) {
	peer.Need(t, "rpcclient")
	for _, c := range []struct{ profile, protocol, command, status string }{
		{"nt4", "NT1", "enumdomusers", ""},
		{"win2000", "NT1", "enumdomusers", ""},
		{"winxp", "NT1", "enumdomusers", "STATUS_ACCESS_DENIED"},
		{"winxp", "NT1", "enumprinters 1", ""},
		{"win2003", "NT1", "getusername", ""},
		{"win2003", "NT1", "enumdomusers", "STATUS_ACCESS_DENIED"},
		{"win2008", "SMB2_02", "getusername", "STATUS_ACCESS_DENIED"},
		{"win2008r2", "SMB2_10", "netshareenum", "STATUS_ACCESS_DENIED"},
		{"win2012r2", "SMB2_10", "netshareenum", "STATUS_ACCESS_DENIED"},
		{"win2022-dc", "SMB3_11", "getusername", ""},
		{"win2022-dc", "SMB3_11", "enumdomusers", "STATUS_ACCESS_DENIED"},
		{"win2022-dc", "SMB3_11", "dsr_getdcname PRACTICE", ""},
		{"samba-1", "SMB3_11", "netshareenum", "WERR_ACCESS_DENIED"},
		{"samba-2", "SMB3_11", "getusername", "STATUS_ACCESS_DENIED"},
	} {
		t.Run(c.profile+"/"+c.command, func(t *testing.T) {
			s := start(t, c.profile, nil)
			a := peer.Client{MaxProtocol: c.protocol}.RPC(t, s.Address(), c.command)
			if a.Status != c.status || c.status == "" && !a.OK() {
				t.Errorf("got %v, want %q", a, c.status)
			}
		})
	}
	t.Run("a constrained connection is dropped", func(t *testing.T) {
		a := (peer.Client{}).RPC(t, start(t, "win2022", nil).Address(), "getusername")
		if a.OK() || a.Status == "STATUS_ACCESS_DENIED" {
			t.Errorf("%v", a)
		}
	})
}

// TestImpacketClient: impacket's client logs on, and lists shares and accounts. Not over 3.1.1: with NTLM, impacket
// 0.10 does not start the session's preauthentication hash from the connection's (it does with Kerberos), so its
// signing key differs from any server's.
func TestImpacketClient(t *testing.T) {
	s := start(t, "samba", func(h *Host) { h.Profile.SMB1 = true })
	for _, dialect := range []string{"SMB_DIALECT", "SMB2_DIALECT_002", "SMB2_DIALECT_21", "SMB2_DIALECT_30"} {
		for _, user := range []string{"", "anna"} {
			t.Run(dialect+"/"+user, func(t *testing.T) {
				password := ""
				if user != "" {
					password = "Passw0rd!"
				}
				script := fmt.Sprintf(`
import sys
from impacket import smb, smb3structs
from impacket.smbconnection import SMBConnection
from impacket.dcerpc.v5 import transport, samr, lsat, lsad
d = getattr(smb, '%[1]s', None) or getattr(smb3structs, '%[1]s')
c = SMBConnection('127.0.0.1', '127.0.0.1', sess_port=%[2]d, preferredDialect=d)
c.login('%[3]s', '%[4]s')
print('shares', ' '.join(s['shi1_netname'][:-1] for s in c.listShares()))
t = transport.SMBTransport('127.0.0.1', %[2]d, r'\samr', smb_connection=c)
r = t.get_dce_rpc(); r.connect(); r.bind(samr.MSRPC_UUID_SAMR)
h = samr.hSamrConnect(r)['ServerHandle']
names = [d['Name'] for d in samr.hSamrEnumerateDomainsInSamServer(r, h)['Buffer']['Buffer']]
sid = samr.hSamrLookupDomainInSamServer(r, h, names[0])['DomainId']
dom = samr.hSamrOpenDomain(r, h, domainId=sid)['DomainHandle']
print('users', ' '.join(u['Name'] for u in samr.hSamrEnumerateUsersInDomain(r, dom)['Buffer']['Buffer']))
`, dialect, s.Port(), user, password)
				a := peer.Python(t, script)
				if !strings.Contains(a.Text, "shares IPC$ ADMIN$ C$ finance") ||
					!strings.Contains(a.Text, "users Administrator Guest anna otto") {
					t.Errorf("exit %d:\n%s", a.Exit, a.Text)
				}
			})
		}
	}
}
