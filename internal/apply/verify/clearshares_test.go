package verify

import (
	"net/netip"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// TestClearShares opens shares of a real server in clear text after plans that make them require encryption.
func TestClearShares(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t, peer.Config{
		Address: "127.42.1.41",
		Shares:  []peer.Share{{Name: "team", Lines: []string{"server smb encrypt = required"}}},
	})
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	change := func(where, to string) model.Change {
		return model.Change{
			Setting: "server smb encrypt", Where: where, To: model.Value{Present: true, Type: "enum", Data: to},
		}
	}
	v := &Verification{
		Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial, User: as("alice", peer.Password), Timeouts: unhurried, checkTime: long,
		Weak: &scan.WeakLogons{}, Plan: &model.Plan{
			Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone}, Changes: []model.Change{
				change("[global] server smb encrypt", "required"),
				change("[team] server smb encrypt", "required"),
				change("[finance] server smb encrypt", "required"), // a plan that was not made
				change("[nowhere] server smb encrypt", "required"),
				change("[public] server smb encrypt", "desired"),
			},
		},
	}
	for _, x := range []struct {
		name string
		want []string
	}{
		{"probed", []string{"weak:clear:team passed", "weak:clear:finance failed", "weak:clear:nowhere unchecked"}},
		{"not to be probed", []string{
			"weak:clear:team unchecked note", "weak:clear:finance unchecked note", "weak:clear:nowhere unchecked note",
		}},
	} {
		list := v.clearShares(t.Context(), c)
		if len(list) != len(x.want) {
			t.Fatalf("%s: %+v", x.name, list)
		}
		for i, check := range list {
			got := check.Check + " " + string(check.Result)
			if check.Note {
				got += " note"
			}
			if got != x.want[i] || check.Result == Passed && !check.Looks[0].Authenticated {
				t.Errorf("%s: %s (%s), want %s: %+v", x.name, got, check.Detail, x.want[i], check.Looks)
			}
		}
		v.Weak = nil
	}
	if list := v.ends(c); len(list) != 1 {
		t.Errorf("the lines of shares end ways into the host: %+v", list)
	}
}
