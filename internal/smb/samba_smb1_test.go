package smb_test

import (
	"testing"

	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
)

// TestSambaSMB1 holds whole conversations over SMB1 with a real server, in every form that the dialect has.
func TestSambaSMB1(t *testing.T) {
	for _, server := range []struct {
		name    string
		global  []string
		signing bool
	}{
		{"default", nil, false},
		{"signing mandatory", []string{"server signing = mandatory"}, true},
	} {
		t.Run(server.name, func(t *testing.T) {
			s := peer.StartSamba(t, peer.Config{
				Address: "127.42.0.1",
				Global: append([]string{
					"server min protocol = NT1", "lanman auth = yes", "ntlm auth = yes",
					"raw NTLMv2 auth = yes",
				}, server.global...),
			})
			for _, form := range []struct {
				name    string
				options smb.Options
			}{
				{"extended security", smb.Options{}},
				{"without extended security", smb.Options{NoExtendedSecurity: true}},
				{"OEM", smb.Options{OEM: true}},
				{"OEM without extended security", smb.Options{OEM: true, NoExtendedSecurity: true}},
				{"NetBIOS", smb.Options{NetBIOS: true}},
			} {
				t.Run(form.name, func(t *testing.T) {
					o := form.options
					o.Dialects = []smb.Dialect{smb.SMB1}
					for _, who := range []struct {
						name, want string
						a          func() smb.Authenticator
					}{{"alice", "alice", alice}, {"anonymous", "ANONYMOUS LOGON", anonymous}} {
						o.Counters = new(smb.Counters)
						c, err := smb.Dial(t.Context(), s.Addr(), o)
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						n := c.Negotiated()
						if n.Dialect != smb.SMB1 || n.SigningRequired != server.signing ||
							(len(n.SecurityBlob) > 0) == o.NoExtendedSecurity {
							t.Errorf("negotiated %+v", n)
						}
						if o.NoExtendedSecurity && (len(n.Challenge) != 8 || n.DomainName == "") {
							t.Errorf("negotiated %+v", n)
						}
						session, err := c.SessionSetup(t.Context(), who.a())
						if err != nil {
							t.Fatalf("%s: %v", who.name, err)
						}
						i := session.Info()
						signed := server.signing && who.name == "alice" && !o.NoExtendedSecurity // Samba: never without
						if i.Signed != signed || i.Guest || i.NativeOS == "" ||
							(len(i.Challenge) > 0) == o.NoExtendedSecurity {
							t.Errorf("%s: %+v", who.name, i)
						}
						if err := whoAmI(t.Context(), session, who.want); err != nil {
							t.Errorf("%s: %v", who.name, err)
						}
						t.Logf("%s: %d requests, %d round trips", who.name, o.Counters.Requests.Load(),
							o.Counters.RoundTrips.Load())
					}
				})
			}
		})
	}
}
