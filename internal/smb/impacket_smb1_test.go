package smb_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// TestImpacketSMB1 talks SMB1 with a server that is neither Windows nor Samba: open to anybody, and with one account.
func TestImpacketSMB1(t *testing.T) {
	unknown := func() smb.Authenticator { return ntlm.NewUser("mallory", "", "x", ntlm.Options{}) }
	for _, server := range []struct {
		name  string
		users []string
		who   map[string]func() smb.Authenticator
		let   map[string]bool
	}{
		{
			"open", nil,
			map[string]func() smb.Authenticator{"anonymous": anonymous, "unknown": unknown},
			map[string]bool{"anonymous": true, "unknown": true},
		},
		{
			"one account",
			[]string{"alice"},
			map[string]func() smb.Authenticator{"alice": alice, "unknown": unknown},
			map[string]bool{"alice": true},
		},
	} {
		t.Run(server.name, func(t *testing.T) {
			s := peer.StartImpacket(t, "127.42.0.3", server.users...)
			for name, a := range server.who {
				c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dialects: []smb.Dialect{smb.SMB1}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				session, err := c.SessionSetup(t.Context(), a())
				if !server.let[name] {
					if !errors.Is(err, status.LogonFailure) {
						t.Errorf("%s: %v, want STATUS_LOGON_FAILURE", name, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				// Its name is eight random letters of ASCII.
				for _, text := range []string{session.Info().NativeOS, session.Info().NativeLanMan} {
					if len(text) != 8 || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
						t.Errorf("%s: the server calls itself %q", name, text)
					}
				}
				tree, err := session.TreeConnect(t.Context(), "IPC$")
				if err != nil || tree.Info().ShareType != smb.SharePipe {
					t.Errorf("%s: tree %v", name, err)
					continue
				}
				p, err := tree.OpenPipe(t.Context(), "srvsvc")
				if err != nil {
					t.Errorf("%s: pipe %v", name, err)
					continue
				}
				if err := p.Close(t.Context()); err != nil {
					t.Errorf("%s: close %v", name, err)
				}
			}
		})
	}
}
