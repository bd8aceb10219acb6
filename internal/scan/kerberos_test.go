package scan

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/kerberos"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
)

// TestKerberos logs on to a real domain controller with the tickets of a real kinit, and with a keytab.
func TestKerberos(t *testing.T) {
	peer.Need(t, "kinit")
	dc := peer.StartDC(t)
	conf := filepath.Join(dc.Client.Dir, "krb5.conf")
	text := "[libdefaults]\n default_realm = " + peer.Realm + "\n dns_lookup_kdc = false\n[realms]\n " + peer.Realm +
		" = {\n  kdc = " + peer.DCAddress + "\n }\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", conf)
	cache := filepath.Join(dc.Client.Dir, "alice.cache")
	kinit := dc.Client.Command(t.Context(), "kinit", "-c", "FILE:"+cache, "alice@"+peer.Realm)
	kinit.Env = append(os.Environ(), "KRB5_CONFIG="+conf)
	kinit.Stdin = strings.NewReader(peer.Password + "\n")
	if out, err := kinit.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v\n%s", err, out)
	}
	keytab := filepath.Join(dc.Dir, "bob.keytab")
	export := dc.Command(t.Context(), "samba-tool", "domain", "exportkeytab", keytab, "--principal=bob", "-s",
		dc.ConfigFile)
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("exportkeytab: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		make func() (*kerberos.Credentials, error)
		want string
	}{
		{"cache", func() (*kerberos.Credentials, error) { return kerberos.FromCache("FILE:" + cache) }, "alice"},
		{"keytab", func() (*kerberos.Credentials, error) {
			b, err := os.ReadFile(keytab)
			if err != nil {
				return nil, err
			}
			return kerberos.FromKeytab(b, "bob@"+peer.Realm)
		}, "bob"},
	} {
		for _, dialect := range []smb.Dialect{0x0210, 0x0300, 0x0311} {
			t.Run(c.name+"/"+dialect.String(), func(t *testing.T) {
				err := dc.Client.InNetwork(func() error {
					credentials, err := c.make()
					if err != nil {
						return err
					}
					defer credentials.Close()
					o := smb.Options{Dialects: []smb.Dialect{dialect}, RequireSigning: true}
					conn, err := smb.Dial(t.Context(), net.JoinHostPort(peer.DCAddress, "445"), o)
					if err != nil {
						return err
					}
					defer conn.Close()
					session, err := conn.SessionSetup(t.Context(), credentials.Client("cifs/"+peer.DCName))
					if err != nil {
						return err
					}
					if !session.Info().Signed || session.Info().Guest {
						t.Errorf("%+v", session.Info())
					}
					tree, err := session.TreeConnect(t.Context(), "IPC$")
					if err != nil {
						return err
					}
					pipe, err := tree.OpenPipe(t.Context(), "lsarpc")
					if err != nil {
						return err
					}
					rpc := dcerpc.NewClient(pipe)
					if _, err := rpc.Bind(t.Context(), dcerpc.LSARPC); err != nil {
						return err
					}
					who, err := dcerpc.LSAClient{Client: rpc}.GetUserName(t.Context(), peer.DCAddress)
					if err != nil {
						return err
					}
					if who.User.Text() != c.want {
						t.Errorf("the server says %q", who.User.Text())
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}
