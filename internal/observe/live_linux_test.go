package observe_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/logs"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
)

// watching is a live observation of a machine's loopback.
type watching struct {
	agg  *observe.Aggregator
	cov  *observe.Coverage
	stop func() error
}

func watch(t *testing.T, m *peer.Machine, state string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{agg: observe.NewAggregator(0), cov: new(observe.Coverage)}
	traffic := observe.NewTraffic(w.agg, w.cov, observe.TrafficOptions{})
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- m.InNetwork(func() error {
			return traffic.Live(ctx, observe.LiveOptions{
				Interfaces: []string{"lo"}, State: state,
				Ready: func() { close(ready) },
			})
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	w.stop = func() error {
		cancel()
		return <-done
	}
	return w
}

// sum counts rows by who and what, without clients' accounts.
func sum(rows []model.Use) map[string]int64 {
	m := map[string]int64{}
	for _, u := range rows {
		k := strings.Join([]string{string(u.Identity), string(u.Layer), u.Pipe, u.Call, string(u.Outcome), u.Status},
			" ")
		m[k] += u.Count
	}
	return m
}

func wantSum(t *testing.T, rows []model.Use, want map[string]int64) {
	t.Helper()
	got := sum(rows)
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s: %d, want %d", k, got[k], n)
		}
	}
	if t.Failed() {
		for _, u := range rows {
			t.Logf("%s %q %s %s|%s|%s %s %s x%d (%s)", u.Identity, u.Account, u.Layer, u.Pipe, u.Interface, u.Call,
				u.Outcome, u.Status, u.Count, u.Basis)
		}
	}
}

// TestLive watches a real server while real clients use it: nothing is missed or counted twice, including over a
// restart, and the server's own log of the same time agrees.
func TestLive(t *testing.T) {
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient")
	s := peer.StartSamba(t,
		peer.Config{Address: "127.51.0.2", Network: true, Global: []string{
			"log level = 1 auth_json_audit:5",
			"server min protocol = NT1",
		}})
	state := t.TempDir()
	w := watch(t, s.Machine, state)

	nobody := peer.Client{From: s.Machine}
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
	wrong := alice
	wrong.Password = "wrong"
	sealed := alice
	sealed.Options = []string{"client smb encrypt = required"}
	old := nobody
	old.MaxProtocol = "NT1"
	oldAlice := alice
	oldAlice.MaxProtocol = "NT1"
	half := func() {
		nobody.RPC(t, s.Addr(), "lsaquery", "enumdomusers")
		alice.RPC(t, s.Addr(), "lsaquery")
		wrong.RPC(t, s.Addr(), "lsaquery")
		old.RPC(t, s.Addr(), "lsaquery")
		oldAlice.RPC(t, s.Addr(), "srvinfo")
		sealed.Share(t, s.Addr(), "finance", "ls")
		nobody.RPC(t, s.Addr(), "srvinfo", "netshareenumall", "querydominfo")
	}
	half()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w = watch(t, s.Machine, state)
	half()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}

	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	if err := observe.LoadState(state, agg, cov); err != nil {
		t.Fatal(err)
	}
	rows := agg.Rows()
	wantSum(t, rows, map[string]int64{
		"anonymous session   allowed STATUS_SUCCESS":                            6,
		"user session   allowed STATUS_SUCCESS":                                 6,
		"user session   denied STATUS_LOGON_FAILURE":                            2,
		"anonymous tree   allowed STATUS_SUCCESS":                               6,
		"anonymous open samr  allowed STATUS_SUCCESS":                           4,
		"anonymous call samr SamrEnumerateUsersInDomain allowed STATUS_SUCCESS": 2,
		"anonymous open lsarpc  allowed STATUS_SUCCESS":                         4,
		"user open lsarpc  allowed STATUS_SUCCESS":                              2,
		"user open srvsvc  allowed STATUS_SUCCESS":                              2,
		"user call srvsvc NetrServerGetInfo allowed WERR_OK":                    2,
		"anonymous call srvsvc NetrServerGetInfo allowed WERR_OK":               2,
		"opaque session   inconclusive ":                                        2,
	})
	if n := cov.Unreadable[model.LostLive]; n != 0 {
		t.Errorf("%d packets were lost", n)
	}
	if cov.Bytes.Share() == 0 || cov.Bytes.Lost != 0 {
		t.Errorf("%+v", cov.Bytes)
	}

	// The server's own log of the same time.
	log := readLogs(t, filepath.Join(s.Dir, "log"))
	logons := func(rows []model.Use) map[string]int64 {
		m := map[string]int64{}
		for _, u := range rows {
			if u.Layer == model.LayerSession && u.Identity != model.Opaque {
				_, name, _ := strings.Cut(u.Account, `\`)
				m[fmt.Sprintf("%s %s %s", u.Identity, name, u.Outcome)] += u.Count
			}
		}
		return m
	}
	for k, n := range logons(log) {
		if got := logons(rows)[k]; got != n {
			t.Errorf("the server's log has %s %d times, the wire %d", k, n, got)
		}
	}
	if len(logons(log)) != 3 {
		t.Errorf("the server's log: %v", logons(log))
	}
}

// TestLiveAgainstTshark compares a live observation with what tshark reads of the same packets; calls and opens are
// counted.
func TestLiveAgainstTshark(t *testing.T) {
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient", "tshark", "dumpcap", "impacket")
	s := peer.StartSamba(t, peer.Config{Address: "127.51.0.3", Network: true, Ports: []int{445, 139, 1445}})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	file, stop := peer.Dumpcap(t, s)
	nobody := peer.Client{From: s.Machine}
	w := watch(t, s.Machine, "")
	mark := time.Now()
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST"}
	nobody.RPC(t, s.Addr(), "enumdomusers", "enumdomgroups", "querydispinfo", "lookupnames alice bob", "srvinfo",
		"netshareenumall", "wkssvc_wkstagetinfo")
	alice.RPC(t, s.Addr(), "enumdomusers", "getdompwinfo", "lsaenumsid", "netsharegetinfo finance")
	alice.Share(t, s.Addr(), "finance", "ls", "dir nosuch")
	nobody.List(t, s.Addr())
	nobody.List(t, net.JoinHostPort(s.Address, "1445")) // not watched
	rpcdump := s.Command(ctx, "/usr/bin/python3", "/usr/share/doc/python3-impacket/examples/samrdump.py", "-no-pass",
		s.Address)
	if out, err := rpcdump.CombinedOutput(); err != nil {
		t.Logf("samrdump: %v: %s", err, out)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	stop()

	after := fmt.Sprintf("frame.time_epoch >= %d.%06d && ", mark.Unix(), mark.Nanosecond()/1000)
	count := func(filter string) int64 {
		return int64(strings.Count(peer.Tshark(t, "-r", file, "-Y", after+"("+filter+")"), "\n"))
	}
	var opens, binds, calls, logons, trees int64
	for _, u := range w.agg.Rows() {
		switch u.Layer {
		case model.LayerOpen:
			opens += u.Count
		case model.LayerBind:
			binds += u.Count
		case model.LayerCall:
			if u.Opnum >= 0 {
				calls += u.Count
			}
		case model.LayerSession:
			logons += u.Count
		case model.LayerTree:
			trees += u.Count
		}
	}
	for _, c := range []struct {
		what   string
		got    int64
		filter string
	}{
		{"opens", opens, `smb2.cmd==5 && smb2.flags.response==0 && smb2.tree contains "IPC$"`},
		{"binds", binds, "dcerpc.pkt_type==11"},
		{"calls", calls, "dcerpc.pkt_type==0"},
		{"logons", logons, "ntlmssp.messagetype==3"},
		{"trees", trees, `smb2.cmd==3 && smb2.flags.response==0 && smb2.tree contains "IPC$"`},
	} {
		if want := count(c.filter); c.got != want || want == 0 {
			t.Errorf("%s: %d, tshark %d", c.what, c.got, want)
		}
	}
	if n := w.cov.Unreadable[model.LostLive]; n != 0 {
		t.Errorf("%d packets were lost", n)
	}
	if hint := "SMB on TCP port 1445 was not read: --port 139,445,1445 reads it"; !slices.Contains(w.cov.Notes, hint) {
		t.Errorf("no %q in %q", hint, w.cov.Notes)
	}
	// The file of the same packets gives the same rows, except for earlier ones and their source.
	rows := readPackets(t, file)
	says := observetest.Tshark(func(filter string, names ...string) [][]string {
		return peer.Fields(t, file, filter,
			names...)
	})
	for _, line := range observetest.Disagree(rows, says) {
		t.Error(line)
	}
	rows = slices.DeleteFunc(rows, func(u model.Use) bool { return u.Last.Before(mark) })
	if a, b := len(rows), len(w.agg.Rows()); a < b {
		t.Errorf("%d rows from the file, %d from the wire", a, b)
	}
}

func readLogs(t *testing.T, path string) []model.Use {
	t.Helper()
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	l := logs.New(agg, cov, logs.Options{})
	if err := l.ReadPath(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	return agg.Rows()
}

func readPackets(t *testing.T, path string) []model.Use {
	t.Helper()
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	traffic := observe.NewTraffic(agg, cov, observe.TrafficOptions{})
	if err := traffic.ReadPath(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	traffic.Close()
	return agg.Rows()
}
