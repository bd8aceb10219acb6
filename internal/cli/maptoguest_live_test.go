package cli

import (
	"encoding/json"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestMapToGuestOnSamba holds every value of map to guest against a real server: whether a made-up name comes in, as
// the audit says, and whether a known name with a wrong password does, as the catalog's meaning of the value says.
func TestMapToGuestOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "smbclient")
	s := peer.StartSamba(t, peer.Config{Address: "127.18.5.1"})
	enters := func(user, password string) bool {
		c := peer.Client{
			From: s.Machine, User: user, Password: password, Options: []string{"client ipc signing = disabled"},
		}
		return c.Share(t, s.Addr(), "public", "ls").OK()
	}
	for _, c := range []struct {
		line               string
		unknown, wrongPass bool
	}{
		{"", false, false},
		{"never", false, false},
		{"Bad User", true, false},
		{"baduser", true, false},
		{"bad password", true, true},
		{"Bad Uid", false, false},
	} {
		s.Edit(t, func(now *peer.Config) {
			now.Global = nil
			if c.line != "" {
				now.Global = []string{"map to guest = " + c.line}
			}
		})
		s.Restart(t)
		_, out, trouble := run("audit", s.ConfigFile, "--format", "json")
		var audits []model.Audit
		if err := json.Unmarshal([]byte(out), &audits); err != nil {
			t.Fatalf("%v: %s", err, trouble)
		}
		said := audits[0].Access[model.UnknownUser].Session
		if got := enters("ghost", "x"); got != c.unknown || (said == model.Allowed) != got || said == model.OutcomeUnknown {
			t.Errorf("%q: a made-up name comes in: %t, want %t, and the audit says %s", c.line, got, c.unknown, said)
		}
		if got := enters("alice", "wrong"); got != c.wrongPass {
			t.Errorf("%q: a wrong password comes in: %t, want %t", c.line, got, c.wrongPass)
		}
		if !enters("alice", peer.Password) {
			t.Errorf("%q: alice does not come in", c.line)
		}
	}
}
