package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// knob is one line of smb.conf and the values that it is tried with; the first value leaves the line out.
type knob struct {
	section string // global or IPC$
	lines   []string
}

// knobs are what decides about IPC$ on a Samba server, the lines that are ignored among them.
var knobs = []knob{
	{"global", []string{"", "restrict anonymous = 1", "restrict anonymous = 2"}},
	{"global", []string{"", "map to guest = Bad User", "map to guest = Bad Password"}},
	{"IPC$", []string{
		"", "guest ok = no", "guest ok = yes", "available = no", "path = /nonexistent", "hosts deny = ALL",
		"hosts allow = 10.0.0.0/8\nhosts deny = ALL",
		"hosts deny = 10.0.0.0/8", "valid users = bob", "invalid users = nobody", "invalid users = alice",
		"smb encrypt = required",
	}},
	{"global", []string{"", "server smb encrypt = required"}},
	{"global", []string{"", "nt pipe support = no"}},
	{"global", []string{"", "rpc start on demand helpers = no"}},
	{"global", []string{"", "server min protocol = NT1", "server min protocol = SMB3_11"}},
	{"global", []string{"", "invalid users = nobody", "hosts deny = 10.", "server signing = mandatory"}},
}

// configurations generates n of them: first every knob's every value alone, then mixtures, the same ones every time.
func configurations(n int) []peer.Config {
	var out []peer.Config
	add := func(choice []int) {
		var c peer.Config
		for i, v := range choice {
			for _, line := range strings.Split(knobs[i].lines[v], "\n") {
				switch {
				case line == "":
				case knobs[i].section == "global":
					c.Global = append(c.Global, line)
				default:
					c.IPC = append(c.IPC, line)
				}
			}
		}
		out = append(out, c)
	}
	add(make([]int, len(knobs)))
	for i, k := range knobs {
		for v := 1; v < len(k.lines); v++ {
			choice := make([]int, len(knobs))
			choice[i] = v
			add(choice)
		}
	}
	random := rand.New(rand.NewPCG(3, 1))
	for len(out) < n {
		choice := make([]int, len(knobs))
		for i, k := range knobs {
			if i < 3 || random.IntN(4) == 0 {
				choice[i] = random.IntN(len(k.lines))
			}
		}
		add(choice)
	}
	return out
}

// hold audits the configuration file of a running server, scans the server, and says in which cells that the model
// knows the scan saw something else; how many were compared, and how many kinds of data the model left open.
func hold(
	t *testing.T, file, address string, client netip.Addr, o scan.Options,
) (different []string, compared, open int) {
	t.Helper()
	results, err := audit.Options{Client: client}.Source(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	o.User = func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil
	}
	s, err := scan.New(o)
	if err != nil {
		t.Fatal(err)
	}
	list, err := targets.Parse(t.Context(), []string{address}, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var seen *model.Scan
	for target := range list.All() {
		seen = s.Host(context.Background(), target)
	}
	if len(seen.Identities) != 4 {
		t.Errorf("the scan tried %d identities: %s %s", len(seen.Identities), seen.Verdict, seen.Reason)
	}
	access := results[0].Access
	k, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	cells, compared := audit.Compare(k, access, results[0].Shares, seen)
	for _, d := range cells {
		different = append(different,
			fmt.Sprintf("%s %s: predicted %s because %v; the scan saw %s %s", d.Identity, d.What, d.Predicted,
				access[d.Identity].Why[d.What], d.Seen, d.Status))
	}
	for _, a := range access {
		for _, outcome := range a.Discloses {
			if outcome == model.OutcomeUnknown {
				open++
			}
		}
	}
	return different, compared, open
}

// The access model held against real Samba: generated configurations, each loaded into a running server, which is
// scanned and compared cell by cell. Two servers share the work. A server that still answers by the configuration
// before (its helpers take a signal when they come to it) is started anew and asked again: that answer counts.
func TestModelAgainstSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	all := configurations(44)
	switch {
	case testing.Short():
		all = all[:5]
	case os.Getenv("IPCGUARD_LONG") == "":
		half := all[:0]
		for i := 0; i < len(all); i += 2 {
			half = append(half, all[i])
		}
		all = half // knobs alone and mixtures
	}
	var lock sync.Mutex
	cells, left, restarts := 0, 0, 0
	t.Run("servers", func(t *testing.T) {
		for worker := range 2 {
			t.Run(fmt.Sprint(worker+1), func(t *testing.T) {
				t.Parallel()
				client := netip.MustParseAddr("127.0.0.1")
				var server *peer.Samba
				for i := worker; i < len(all); i += 2 {
					if t.Context().Err() != nil {
						return
					}
					c := all[i]
					if server == nil {
						c.Address = fmt.Sprintf("127.52.1.%d", worker+1)
						server = peer.StartSamba(t, c)
					} else {
						server.Edit(t, func(now *peer.Config) { now.Global, now.IPC = c.Global, c.IPC })
						if i >= 2 && (helpless(c) || helpless(all[i-2])) { // read when smbd starts
							server.Restart(t)
						} else {
							server.Reload(t)
							server.ReloadHelpers(t)
						}
					}
					different, compared, open := hold(t, server.ConfigFile, server.Addr(), client, scan.Options{})
					again := 0
					if len(different) > 0 {
						again = 1
						server.Restart(t)
						different, compared, open = hold(t, server.ConfigFile, server.Addr(), client, scan.Options{})
					}
					for _, d := range different {
						t.Errorf("%s: %s", title(c), d)
					}
					if compared < 20 {
						t.Errorf("%s: only %d cells could be compared", title(c), compared)
					}
					lock.Lock()
					cells, left, restarts = cells+compared, left+open, restarts+again
					lock.Unlock()
				}
			})
		}
	})
	t.Logf("%d configurations: %d cells compared, %d kinds of data left open by the model, %d servers started anew "+
		"for a stale answer", len(all), cells, left, restarts)
}

func helpless(c peer.Config) bool {
	return slices.Contains(c.Global, "rpc start on demand helpers = no")
}

func title(c peer.Config) string {
	return orDefaults(strings.Join(append(append([]string{}, c.Global...), prefixed("[IPC$] ", c.IPC)...), "; "))
}

func prefixed(p string, lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, p+l)
	}
	return out
}

// The same on a domain controller, where restrict anonymous means something else.
func TestModelAgainstDomainController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "samba-dc")
	dc := peer.StartDC(t)
	for _, c := range []struct {
		global string // none is a controller as it starts
		long   bool
	}{
		{"", false},
		{"restrict anonymous = 1", true},
		{"restrict anonymous = 2", false},
		{"map to guest = Bad User", false},
		{"map to guest = Bad Password", true},
		{"server smb encrypt = required", false},
	} {
		t.Run(orDefaults(c.global), func(t *testing.T) {
			if c.long {
				peer.Long(t, "a controller's restart and twenty seconds for what lies between two others")
			}
			if c.global != "" {
				dc.Restart(t, c.global)
			}
			different, compared, open := hold(t, dc.ConfigFile, dc.Addr(), netip.MustParseAddr(peer.ClientAddress),
				scan.Options{Dial: dc.Client.Dial})
			for _, d := range different {
				t.Error(d)
			}
			t.Logf("%d cells compared, %d kinds of data left open", compared, open)
			if compared < 20 {
				t.Errorf("only %d cells could be compared", compared)
			}
		})
	}
}

func orDefaults(s string) string {
	if s == "" {
		return "defaults"
	}
	return s
}
