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
// in the middle over which two connections stay open. What was seen on the wire is what the packets in a file give when
// they are read in one go, row by row; and tshark counts as many.
func TestLiveEverybody(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient", "tshark", "dumpcap", "impacket")
	s := peer.StartSamba(t,
		peer.Config{
			Address: "127.43.1.1", Network: true,
			Global: []string{"map to guest = bad user", "server min protocol = NT1"},
		})
	file, stopDump := peer.Dumpcap(t, s)
	state := t.TempDir()
	stop := watched(t, s.Machine, state)

	nobody := peer.Client{From: s.Machine}
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
	guest := peer.Client{From: s.Machine, User: "ghost", Password: "x", Domain: "LABHOST"}
	old := nobody
	old.MaxProtocol = "NT1"
	probe, err := scan.New(scan.Options{Dial: s.Dial})
	if err != nil {
		t.Fatal(err)
	}
	list, err := targets.Parse(t.Context(), []string{s.Addr()}, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var scanned int64
	half := func(scans bool) {
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
		if !scans {
			return
		}
		for target := range list.All() {
			r := probe.Host(t.Context(), target)
			if r.Verdict != model.Exposed {
				t.Errorf("the scan says %s %s", r.Verdict, r.Reason)
			}
			for _, i := range r.Identities {
				for _, p := range i.Pipes {
					for _, x := range p.Interfaces {
						for _, c := range x.Calls {
							if c.Outcome == model.Allowed && i.Identity == model.Anonymous {
								scanned++
							}
						}
					}
				}
			}
		}
	}
	shell, user := nobody.RPCShell(t, s.Addr()), alice.RPCShell(t, s.Addr())
	shell.Do(t, "lsaquery", "Domain Sid")
	user.Do(t, "lsaquery", "Domain Sid")
	half(true)
	stop()
	stop = watched(t, s.Machine, state)
	shell.Do(t, "lsaquery", "Domain Sid")
	shell.Do(t, "enumdomusers", "user:[alice]")
	user.Do(t, "lsaquery", "Domain Sid")
	half(os.Getenv("IPCGUARD_LONG") != "")
	if err := shell.Close(); err != nil {
		t.Error(err)
	}
	if err := user.Close(); err != nil {
		t.Error(err)
	}
	stop()
	stopDump()

	live, cov := observe.NewAggregator(0), new(observe.Coverage)
	if err := observe.LoadState(state, live, cov); err != nil {
		t.Fatal(err)
	}
	whole, wholeCov := observe.NewAggregator(0), new(observe.Coverage)
	traffic := observe.NewTraffic(whole, wholeCov, observe.TrafficOptions{})
	if err := traffic.ReadPath(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	traffic.Close()
	got, want := sums(live.Rows()), sums(whole.Rows())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the wire's rows are not the file's (-file +wire):\n%s", diff)
	}
	if cov.Read[model.ReadLive] == 0 || cov.Unreadable[model.LostLive] != 0 || cov.Bytes.Lost != 0 ||
		cov.Read["connections known from before a restart"] != 2 {
		t.Errorf("coverage %+v, bytes %+v", cov, cov.Bytes)
	}
	says := observetest.Tshark(func(filter string, names ...string) [][]string {
		return peer.Fields(t, file, filter, names...)
	})
	for _, line := range observetest.Disagree(whole.Rows(), says) {
		t.Error(line)
	}
	counts := map[model.Layer]int64{}
	var answers int64
	seen := map[model.Identity]bool{}
	for _, u := range live.Rows() {
		seen[u.Identity] = true
		if u.Identity != model.Opaque && (u.Layer != model.LayerCall || u.Opnum >= 0) { // a logon; a call of RPC
			counts[u.Layer] += u.Count
		}
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
		t.Errorf("the scans got %d answers as anonymous, the wire has %d", scanned, answers)
	}
	// A frame of the scan has many messages: tshark joins what it tells of each with commas.
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
		// the older form of SMB1 has no NTLMSSP
		if f[4] == "0x00000003" || strings.HasPrefix(f[5], "0x73") && f[6] == "13" {
			tshark[model.LayerSession]++
		}
	}
	for _, layer := range []model.Layer{model.LayerSession, model.LayerTree, model.LayerCall} {
		if counts[layer] != tshark[layer] || tshark[layer] == 0 {
			t.Errorf("%s: %d, tshark %d", layer, counts[layer], tshark[layer])
		}
	}
	t.Logf("%d packets, %v, %d answers to scans", cov.Read[model.ReadLive], counts, scanned)
}
