package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// watched runs a live observation of a machine's loopback into a state directory.
func watched(t *testing.T, m *peer.Machine, state string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	traffic := observe.NewTraffic(observe.NewAggregator(0), new(observe.Coverage), observe.TrafficOptions{})
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- m.InNetwork(func() error {
			return traffic.Live(ctx, observe.LiveOptions{Interfaces: []string{"lo"}, State: state, Ready: func() {
				close(ready)
			}})
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// sums counts uses by all that makes a row but its times.
func sums(uses []model.Use) map[string]int64 {
	m := map[string]int64{}
	for _, u := range uses {
		m[fmt.Sprintf("%s %q %s %s|%s|%s %s %s", u.Identity, u.Account, u.Layer, u.Pipe, u.Interface, u.Call, u.Outcome,
			u.Status)] += u.Count
	}
	return m
}

// TestLiveEverybody watches a real server while rpcclient, smbclient, impacket and our own scan use it, with a restart
// in the middle over which two connections stay open. The rows of the live observation are those of the same packets
// read from a file in one go, and tshark counts as many.
func TestLiveEverybody(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient", "tshark", "dumpcap", "impacket")
	s := peer.StartSamba(t, peer.Config{
		Address: "127.43.1.1", Network: true,
		Global: []string{"map to guest = bad user", "server min protocol = NT1"},
	})
	file, stopDump := peer.Dumpcap(t, s)
	state := t.TempDir()
	scanned := useAcrossRestart(t, s, state)
	stopDump()

	live, cov := observe.NewAggregator(0), new(observe.Coverage)
	if err := observe.LoadState(state, live, cov); err != nil {
		t.Fatal(err)
	}
	if cov.Read[model.ReadLive] == 0 || cov.Unreadable[model.LostLive] != 0 || cov.Bytes.Lost != 0 ||
		cov.Read["connections known from before a restart"] != 2 {
		t.Errorf("coverage %+v, bytes %+v", cov, cov.Bytes)
	}
	rows, whole := live.Rows(), rowsOf(t, file)
	if diff := cmp.Diff(sums(whole), sums(rows)); diff != "" {
		t.Errorf("the live rows are not the file's (-file +live):\n%s", diff)
	}
	says := observetest.Tshark(func(filter string, names ...string) [][]string {
		return peer.Fields(t, file, filter, names...)
	})
	for _, line := range observetest.Disagree(whole, says) {
		t.Error(line)
	}
	sawEverybody(t, rows, scanned)
	counts := layers(rows)
	sameAsTshark(t, file, counts)
	t.Logf("%d packets, %v, %d answers to scans", cov.Read[model.ReadLive], counts, scanned)
}

// useAcrossRestart has every client use a server while it is observed, restarts the observation, and has them use it
// again. Two connections stay open meanwhile. It returns how many calls of scans were answered for anonymous callers.
func useAcrossRestart(t *testing.T, s *peer.Samba, state string) (scanned int64) {
	t.Helper()
	stop := watched(t, s.Machine, state)
	shell := peer.Client{From: s.Machine}.RPCShell(t, s.Addr())
	user := aliceFrom(s).RPCShell(t, s.Addr())
	shell.Do(t, "lsaquery", "Domain Sid")
	user.Do(t, "lsaquery", "Domain Sid")
	useByTools(t, s)
	scanned = useByScan(t, s)
	stop()
	stop = watched(t, s.Machine, state)
	shell.Do(t, "lsaquery", "Domain Sid")
	shell.Do(t, "enumdomusers", "user:[alice]")
	user.Do(t, "lsaquery", "Domain Sid")
	useByTools(t, s)
	if os.Getenv("IPCGUARD_LONG") != "" {
		scanned += useByScan(t, s)
	}
	if err := shell.Close(); err != nil {
		t.Error(err)
	}
	if err := user.Close(); err != nil {
		t.Error(err)
	}
	stop()
	return scanned
}

func aliceFrom(s *peer.Samba) peer.Client {
	return peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
}

// useByTools uses a server with rpcclient, smbclient and impacket, as nobody, guest and user, and with SMB1.
func useByTools(t *testing.T, s *peer.Samba) {
	t.Helper()
	nobody, alice := peer.Client{From: s.Machine}, aliceFrom(s)
	guest := peer.Client{From: s.Machine, User: "ghost", Password: "x", Domain: "LABHOST"}
	old := nobody
	old.MaxProtocol = "NT1"
	nobody.RPC(t, s.Addr(), "lsaquery", "enumdomusers", "srvinfo")
	alice.RPC(t, s.Addr(), "netshareenumall", "querydispinfo")
	guest.Share(t, s.Addr(), "public", "ls")
	alice.Share(t, s.Addr(), "finance", "ls")
	old.RPC(t, s.Addr(), "lsaquery")
	for _, who := range [][]string{{"-no-pass", s.Address}, {"alice:" + peer.Password + "@" + s.Address}} {
		cmd := s.Command(t.Context(), "/usr/bin/python3",
			append([]string{"/usr/share/doc/python3-impacket/examples/samrdump.py"}, who...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("samrdump: %v: %s", err, out)
		}
	}
}

// useByScan scans a server and returns how many calls were answered for anonymous callers.
func useByScan(t *testing.T, s *peer.Samba) (answered int64) {
	t.Helper()
	probe, err := scan.New(scan.Options{Dial: s.Dial})
	if err != nil {
		t.Fatal(err)
	}
	list, err := targets.Parse(t.Context(), []string{s.Addr()}, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for target := range list.All() {
		r := probe.Host(t.Context(), target)
		if r.Verdict != model.Exposed {
			t.Errorf("the scan says %s %s", r.Verdict, r.Reason)
		}
		for _, i := range r.Identities {
			if i.Identity != model.Anonymous {
				continue
			}
			for _, p := range i.Pipes {
				for _, x := range p.Interfaces {
					for _, c := range x.Calls {
						if c.Outcome == model.Allowed {
							answered++
						}
					}
				}
			}
		}
	}
	return answered
}

// rowsOf reads a capture.
func rowsOf(t *testing.T, file string) []model.Use {
	t.Helper()
	whole := observe.NewAggregator(0)
	traffic := observe.NewTraffic(whole, new(observe.Coverage), observe.TrafficOptions{})
	if err := traffic.ReadPath(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	traffic.Close()
	return whole.Rows()
}

// sawEverybody checks that rows have each identity, no unknown one, and the answers that scans got.
func sawEverybody(t *testing.T, rows []model.Use, scanned int64) {
	t.Helper()
	var answers int64
	seen := map[model.Identity]bool{}
	for _, u := range rows {
		seen[u.Identity] = true
		if u.Layer == model.LayerCall && u.Outcome == model.Allowed && u.Identity == model.Anonymous {
			answers += u.Count
		}
	}
	for _, id := range []model.Identity{model.Anonymous, model.Guest, model.User} {
		if !seen[id] {
			t.Errorf("no %s was seen", id)
		}
	}
	if seen[model.Unknown] {
		t.Error("a session became unknown")
	}
	if answers < scanned || scanned == 0 {
		t.Errorf("the scans got %d answers as anonymous, the rows have %d", scanned, answers)
	}
}

// layers counts logons, tree connects and calls of RPC.
func layers(rows []model.Use) map[model.Layer]int64 {
	counts := map[model.Layer]int64{}
	for _, u := range rows {
		if u.Identity != model.Opaque && (u.Layer != model.LayerCall || u.Opnum >= 0) {
			counts[u.Layer] += u.Count
		}
	}
	return counts
}

// sameAsTshark compares counts with the logons, tree connects and calls that tshark finds in a capture.
func sameAsTshark(t *testing.T, file string, counts map[model.Layer]int64) {
	t.Helper()
	// A frame of the scan has many messages: tshark joins the values of each with commas.
	tshark := map[model.Layer]int64{}
	for _, f := range peer.Fields(t, file,
		"(smb2.flags.response==0 || smb.flags.response==0) && (smb2.cmd==3 || smb.cmd==0x75 || dcerpc.pkt_type==0 "+
			"|| ntlmssp.messagetype==3 || smb.cmd==0x73)",
		"smb2.cmd", "smb2.tree", "smb.path", "dcerpc.pkt_type", "ntlmssp.messagetype", "smb.cmd", "smb.wct") {
		trees := strings.Split(f[1], ",")
		for i, command := range strings.Split(f[0], ",") {
			if command == "3" && i < len(trees) && strings.HasSuffix(trees[i], "IPC$") {
				tshark[model.LayerTree]++
			}
		}
		if strings.HasPrefix(f[5], "0x75") && strings.HasSuffix(f[2], "IPC$") {
			tshark[model.LayerTree]++
		}
		for kind := range strings.SplitSeq(f[3], ",") {
			if kind == "0" {
				tshark[model.LayerCall]++
			}
		}
		// The older form of SMB1 has no NTLMSSP.
		if f[4] == "0x00000003" || strings.HasPrefix(f[5], "0x73") && f[6] == "13" {
			tshark[model.LayerSession]++
		}
	}
	for _, layer := range []model.Layer{model.LayerSession, model.LayerTree, model.LayerCall} {
		if counts[layer] != tshark[layer] || tshark[layer] == 0 {
			t.Errorf("%s: %d, tshark %d", layer, counts[layer], tshark[layer])
		}
	}
}
