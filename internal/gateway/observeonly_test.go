package gateway

import (
	"fmt"
	"maps"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestObservedCounts: a gateway that only observes counts the refusals that it would make, and has one row for each
// logon: what the server answered.
func TestObservedCounts(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient", "smbclient")
	l := startLab(t, peer.Config{Global: []string{
		"map to guest = bad user", "server min protocol = NT1", "ntlm auth = yes",
	}}, Route{})
	for n, c := range []struct {
		name   string
		policy Policy
		who    model.Identity // of the rows of logons
		play   func(address string)
	}{
		{"a null session", Policy{}, model.Anonymous, func(address string) {
			null := peer.Client{From: l.samba.Machine}
			null.RPC(t, address, "srvinfo")
		}},
		{"a null session of SMB1", Policy{}, model.Anonymous, func(address string) {
			null := peer.Client{From: l.samba.Machine, MaxProtocol: "NT1"}
			null.RPC(t, address, "srvinfo")
		}},
		{"a made-up user", Policy{}, model.Guest, func(address string) {
			made := peer.Client{
				From: l.samba.Machine, User: "nosuchuser", Password: "x",
				Options: []string{"client signing = disabled"},
			}
			made.Share(t, address, "public", "ls")
		}},
		{"another pipe", somePolicy(), model.Anonymous, func(address string) {
			null := peer.Client{From: l.samba.Machine}
			null.RPC(t, address, "enumdomusers")
		}},
		{"another call", somePolicy(), model.Anonymous, func(address string) {
			null := peer.Client{From: l.samba.Machine}
			null.RPC(t, address, "lookupsids S-1-5-32-544")
		}},
		{"a made-up user of SMB1", Policy{}, model.Guest, func(address string) {
			made := peer.Client{
				From: l.samba.Machine, User: "nosuchuser", Password: "x", MaxProtocol: "NT1",
				Options: []string{"client signing = disabled"},
			}
			made.Share(t, address, "public", "ls")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counts [2]map[Reason]int64
			var logons [2]int
			for i, only := range []bool{false, true} {
				told := new(rows)
				g := New(Options{Dial: l.samba.Dial, Use: told.add, Log: testLog(t)})
				listener, err := l.samba.Listen("tcp", fmt.Sprintf("127.21.0.%d:445", 10+2*n+i))
				if err != nil {
					t.Fatal(err)
				}
				t.Run("", func(t *testing.T) {
					serve(t, g, listener, Route{To: l.direct, Policy: c.policy, ObserveOnly: only})
					c.play(listener.Addr().String())
				})
				counts[i] = g.Stats().Refused
				for _, u := range told.list {
					if u.Layer == model.LayerSession && u.Identity == c.who {
						logons[i]++
					}
				}
			}
			if len(counts[0]) == 0 || !maps.Equal(counts[0], counts[1]) {
				t.Errorf("%v are refused, %v are counted", counts[0], counts[1])
			}
			if logons[0] == 0 || logons[0] != logons[1] {
				t.Errorf("%d rows of logons when refused, %d when observed", logons[0], logons[1])
			}
		})
	}
}
