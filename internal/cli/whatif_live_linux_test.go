package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// seen reads a capture.
func seen(t *testing.T, capture string) []model.Use {
	t.Helper()
	agg := observe.NewAggregator(0)
	traffic := observe.NewTraffic(agg, new(observe.Coverage), observe.TrafficOptions{})
	if err := traffic.ReadPath(t.Context(), capture); err != nil {
		t.Fatal(err)
	}
	traffic.Close()
	return agg.Rows()
}

// asked is what a client asks for, whoever it is taken for.
func asked(u model.Use) string {
	return strings.Join([]string{u.Client, string(u.Layer), u.Share, u.Pipe, u.Interface, u.Call}, " ")
}

// TestWhatIfOnSamba records what several clients do with a real Samba server, asks who would be refused under other
// settings, makes the change on that server, and has the same clients come again: those that are refused now are
// exactly those that were named. Every client has an address of its own.
func TestWhatIfOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient", "tshark", "dumpcap", "impacket")
	const before = "map to guest = bad user"
	s := peer.StartManyHosts(t, peer.Config{Global: []string{before}})
	nobody := peer.Client{From: s.Machine}
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
	guest := peer.Client{From: s.Machine, User: "ghost", Password: "x", Domain: "LABHOST"}
	// a guest has no key to sign with, and rpcclient asks for it unless told
	guest.Options = []string{"client ipc signing = disabled"}
	impacket := func(script string, args ...string) func(address string) peer.Answer {
		return func(address string) peer.Answer {
			args := append([]string{"/usr/share/doc/python3-impacket/examples/" + script}, args...)
			args[len(args)-1] += address
			answer, err := peer.Run(s.Command(t.Context(), "/usr/bin/python3", args...))
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
	}
	clients := []struct {
		name string
		run  func(address string) peer.Answer
	}{
		{"rpcclient, anonymous, policy", func(a string) peer.Answer { return nobody.RPC(t, a, "lsaquery") }},
		{"rpcclient, anonymous, users", func(a string) peer.Answer { return nobody.RPC(t, a, "enumdomusers") }},
		{"rpcclient, anonymous, server", func(a string) peer.Answer { return nobody.RPC(t, a, "srvinfo") }},
		{"smbclient, anonymous, shares", func(a string) peer.Answer { return nobody.List(t, a) }},
		{"rpcclient, alice, users", func(a string) peer.Answer { return alice.RPC(t, a, "enumdomusers") }},
		{"smbclient, alice, files", func(a string) peer.Answer { return alice.Share(t, a, "finance", "ls") }},
		{"smbclient, guest, files", func(a string) peer.Answer { return guest.Share(t, a, "public", "ls") }},
		{"rpcclient, guest, policy", func(a string) peer.Answer { return guest.RPC(t, a, "lsaquery") }},
		{"rpcclient, guest, server", func(a string) peer.Answer { return guest.RPC(t, a, "srvinfo") }},
		{"impacket, anonymous, users", impacket("samrdump.py", "-no-pass", "")},
		{"impacket, alice, users", impacket("samrdump.py", "alice:"+peer.Password+"@")},
		{"impacket, guest, users", impacket("samrdump.py", "ghost:x@")},
	}
	client := func(i int) string { return fmt.Sprintf("127.43.3.%d", i+1) }
	server := func(i int) string { return fmt.Sprintf("127.43.2.%d", i+1) }
	for i := range clients {
		if out, err := s.Command(t.Context(), "ip", "route", "replace", "local", server(i), "dev", "lo", "table",
			"local", "src", client(i)).CombinedOutput(); err != nil {
			t.Fatalf("ip route: %v: %s", err, out)
		}
	}
	visit := func() map[string]bool {
		worked := map[string]bool{}
		for i, c := range clients {
			a := c.run(server(i))
			worked[client(i)] = a.OK()
			t.Logf("%s %s: %t %s", client(i), c.name, a.OK(), a.Status)
		}
		return worked
	}
	names := func(addresses map[string]bool) (out []string) {
		for i, c := range clients {
			if addresses[client(i)] {
				out = append(out, c.name)
			}
		}
		return out
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	capture, stop := peer.Dumpcap(t, s)
	worked := visit()
	stop()
	if n := len(names(worked)); n < 10 {
		t.Fatalf("only %d clients work on the server as it is", n)
	}
	allowed := map[string]bool{}
	for _, u := range seen(t, capture) {
		if u.Outcome == model.Allowed {
			allowed[asked(u)] = true
		}
	}
	if code, _, trouble := run("observe", capture, "--format", "json", "-o", file("uses")); code != exitExposed {
		t.Fatalf("observe: exit %d: %s", code, trouble)
	}
	if code, _, trouble := run("audit", s.ConfigFile, "--from", "127.43.3.1", "--format", "json", "-o",
		file("audit")); code != exitExposed {
		t.Fatalf("audit: exit %d: %s", code, trouble)
	}
	for _, c := range []struct {
		settings []string
		lines    []string
	}{
		{[]string{"restrict anonymous=1"}, []string{before, "restrict anonymous = 1"}},
		{[]string{"restrict anonymous=2"}, []string{before, "restrict anonymous = 2"}},
		{[]string{"map to guest=Never"}, []string{"map to guest = never"}},
	} {
		t.Run(fmt.Sprint(c.settings), func(t *testing.T) {
			args := []string{"what-if", "--audit", file("audit"), "--observe", file("uses"), "--format", "json"}
			for _, x := range c.settings {
				args = append(args, "--setting", x)
			}
			for i := range clients {
				args = append(args, "--server", server(i))
			}
			_, out, trouble := run(args...)
			var answer plan.Answer
			if err := json.Unmarshal([]byte(out), &answer); err != nil {
				t.Fatalf("%v: %s%s", err, out, trouble)
			}
			named := map[string]bool{}
			for _, r := range answer.Refused {
				named[r.Use.Client] = true
			}
			for _, r := range slices.Concat(answer.Possible, answer.Unjudged) {
				t.Errorf("not settled: %+v", r)
			}
			s.Edit(t, func(now *peer.Config) { now.Global = c.lines })
			s.Restart(t)
			capture, stop := peer.Dumpcap(t, s)
			now := visit()
			stop()
			refused := map[string]bool{} // by the server's own answers
			for _, u := range seen(t, capture) {
				if u.Outcome == model.Denied && allowed[asked(u)] {
					refused[u.Client] = true
				}
			}
			for i, c := range clients { // some programs go on without what they were refused; none fails without
				if worked[client(i)] && !now[client(i)] && !refused[client(i)] {
					t.Errorf("%s fails, and the server refused it nothing", c.name)
				}
			}
			if diff := cmp.Diff(names(refused), names(named)); diff != "" {
				t.Errorf("-refused by Samba +named by what-if:\n%s", diff)
				for _, r := range answer.Refused {
					t.Logf("%s %s %s %s %s: %s", r.Use.Client, r.Use.Identity, r.Use.Layer, r.Use.Pipe, r.Use.Call,
						r.Why)
				}
			}
		})
	}
}
