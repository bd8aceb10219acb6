package scan

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// weakly returns the options of a scan that probes weak ways in as alice.
func weakly() Options {
	return Options{
		NoAnonymous: true, NoGuest: true, NoUnknownUser: true,
		User: func(targets.Target) (smb.Authenticator, error) {
			return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil
		},
		Weak: &WeakLogons{NTLMv1: func() smb.Authenticator {
			return ntlm.NewUser("alice", "", peer.Password,
				ntlm.Options{V1: true})
		}},
		Host: 5 * time.Minute, Timeouts: smb.Timeouts{
			Negotiate: time.Minute, Session: time.Minute, Tree: time.Minute,
			Open: time.Minute, Call: time.Minute,
		},
	}
}

// waysOf scans, and returns the outcome of each weak way.
func waysOf(t *testing.T, address string, o Options) (ways map[string]string, s *model.Scan) {
	t.Helper()
	scanner, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s = scanner.Host(t.Context(), targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(address)})
	ways = map[string]string{}
	for _, w := range s.WeakWays {
		ways[w.Way] = string(w.Outcome)
		if (w.Looks == nil) != (w.Outcome == model.NotTested) {
			t.Errorf("%s is %s with %d looks: %s", w.Way, w.Outcome, len(w.Looks), w.Detail)
		}
	}
	return ways, s
}

// refusedLogons counts the refused logons of alice in a server's log.
func refusedLogons(t *testing.T, s *peer.Samba) (n int) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(s.Dir, "log", "*log*"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"clientAccount": "alice"`) && !strings.Contains(line,
				`"status": "NT_STATUS_OK"`) {
				n++
			}
		}
	}
	return n
}

// TestWeakWaysOnSamba probes the weak ways under several settings of a real server, whose own log says how many logons
// of the account it refused: at most one a scan, and none if that may lock the account.
func TestWeakWaysOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "pdbedit")
	const logs = "log level = 1 auth_json_audit:3"
	s := peer.StartSamba(t, peer.Config{Address: "127.47.9.1", Global: []string{logs, "server signing = mandatory"}})
	const yes, no, untried = string(model.Allowed), string(model.Denied), string(model.NotTested)
	all := func(smb1, unsigned, clear, v1 string) map[string]string {
		return map[string]string{
			model.WaySMB1: smb1, model.WayUnsigned: unsigned, model.WayClear: clear,
			model.WayNTLMv1: v1,
		}
	}
	for _, c := range []struct {
		name    string
		global  []string
		lockout string
		want    map[string]string
		refused int
		finding string
	}{
		{"signing", []string{"server signing = mandatory"}, "", all(no, no, untried, no), 1, ""},
		{
			"weakest",
			[]string{"ntlm auth = ntlmv1-permitted", "server min protocol = NT1"},
			"",
			all(yes, yes, untried, yes), 0, "ntlmv1-accepted",
		},
		{"encryption", []string{"server smb encrypt = required"}, "", all(no, no, no, no), 1, ""},
		{
			"encryption that nobody needs",
			[]string{"server smb encrypt = desired"},
			"", all(no, yes, yes, no), 1,
			"clear-text-accepted",
		},
		{
			"a guest",
			[]string{"map to guest = bad password"},
			"", all(no, yes, untried, no), 1,
			"unsigned-request-accepted",
		},
		{"SMB1 alone", []string{"server min protocol = NT1", "server max protocol = NT1", "ntlm auth = " +
			"ntlmv1-permitted", "server signing = mandatory"}, "", all(yes, no, untried, yes), 0, "ntlmv1-accepted"},
		{"locked soon", []string{"server signing = mandatory"}, "2", all(no, no, untried, untried), 0, ""},
		{"locked late", []string{"server signing = mandatory"}, "3", all(no, no, untried, no), 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Edit(t, func(now *peer.Config) { now.Global = append([]string{logs}, c.global...) })
			if c.lockout != "" {
				if out, err := s.Command(t.Context(), "pdbedit", "-s", s.ConfigFile, "-P", "bad lockout attempt", "-C", c.lockout).CombinedOutput(); err != nil {
					t.Fatalf("pdbedit: %v: %s", err, out)
				}
			}
			s.Restart(t)
			before := refusedLogons(t, s)
			ways, r := waysOf(t, s.Addr(), weakly())
			if diff := cmp.Diff(c.want, ways); diff != "" {
				t.Errorf("-want +got:\n%s\n%+v", diff, r.WeakWays)
			}
			if required := c.name == "encryption"; r.Server.EncryptionRequired != required || r.MayRequireEncryption() {
				t.Errorf("encryption required: %v, may be: %v", r.Server.EncryptionRequired, r.MayRequireEncryption())
			}
			if n := refusedLogons(t, s) - before; n != c.refused {
				t.Errorf("the server refused %d logons of the account, want %d", n, c.refused)
			}
			found := c.finding == ""
			for _, f := range r.Findings {
				found = found || f.ID == c.finding && len(f.Looks) > 0
			}
			if !found {
				t.Errorf("no finding %s", c.finding)
			}
		})
	}
}

// TestWeakWaysAreHeldBack: what is not known to be harmless is not sent, and the result says why.
func TestWeakWaysAreHeldBack(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t,
		peer.Config{Address: "127.47.9.2", Global: []string{
			"log level = 1 auth_json_audit:3",
			"server signing = mandatory",
		}})
	why := func(o Options, way string) string {
		t.Helper()
		_, r := waysOf(t, s.Addr(), o)
		w := r.Way(way)
		if w.Outcome != model.NotTested {
			t.Errorf("%s is %s", way, w.Outcome)
		}
		return w.Detail
	}
	elsewhere, never := weakly(), 0
	elsewhere.Weak.Domain = "ELSEWHERE"
	wrong := weakly()
	wrong.User = func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser("nobody-here", "", "wrong", ntlm.Options{}), nil
	}
	nobody := weakly()
	nobody.User = nil
	ticket := weakly()
	ticket.Weak = &WeakLogons{Threshold: &never}
	for _, c := range []struct {
		name, way, want string
		o               Options
	}{
		{"another domain", model.WayNTLMv1, "the account is of another domain", elsewhere},
		{"a wrong password", model.WayNTLMv1, "the account's own logon did not succeed: STATUS_LOGON_FAILURE", wrong},
		{"a wrong password", model.WayUnsigned, "the account's own logon did not succeed", wrong},
		{"no account", model.WayNTLMv1, "needs an account", nobody},
		{"a ticket", model.WayNTLMv1, "a ticket was given", ticket},
		{"without being asked", model.WayNTLMv1, "were not probed", Options{}},
	} {
		if got := why(c.o, c.way); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s: %q, want %q", c.name, c.way, got, c.want)
		}
	}
	if n := refusedLogons(t, s); n != 0 {
		t.Errorf("the server refused %d logons of the account", n)
	}

	// The same server under another address is asked once.
	scanner, err := New(weakly())
	if err != nil {
		t.Fatal(err)
	}
	at := targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}
	first, second := scanner.Host(t.Context(), at), scanner.Host(t.Context(), at)
	if o := first.Way(model.WayNTLMv1).Outcome; o != model.Denied {
		t.Errorf("the first is %s", o)
	}
	if w := second.Way(model.WayNTLMv1); !strings.Contains(w.Detail, "was asked at "+s.Addr()) {
		t.Errorf("the second is %s: %s", w.Outcome, w.Detail)
	}
	if n := refusedLogons(t, s); n != 1 {
		t.Errorf("the server refused %d logons of the account", n)
	}
}

// TestWeakWaysAtNetBIOSPort: a server that listens at 139 alone is asked the same, there, and refuses no more logons.
func TestWeakWaysAtNetBIOSPort(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t,
		peer.Config{Address: "127.47.9.4", Global: []string{
			"log level = 1 auth_json_audit:3",
			"server min protocol = NT1",
		}})
	o := weakly()
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, port, _ := net.SplitHostPort(address); port == "139" {
			return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	scanner, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := scanner.Host(t.Context(), targets.Target{Name: "127.47.9.4", Addr: netip.MustParseAddrPort("127.47.9.4:445")})
	got := map[string]string{}
	for _, w := range r.WeakWays {
		got[w.Way] = string(w.Outcome)
	}
	want := map[string]string{
		model.WaySMB1: "allowed", model.WayUnsigned: "allowed", model.WayClear: "not-tested",
		model.WayNTLMv1: "denied",
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Address != "127.47.9.4:139" {
		t.Errorf("at %s (-want +got):\n%s%+v", r.Address, diff, r.WeakWays)
	}
	if n := refusedLogons(t, s); n != 1 {
		t.Errorf("the server refused %d logons of the account", n)
	}
}

// TestWeakWaysLostAnswer: whichever answer is lost, nothing becomes accepted or refused that was not before.
func TestWeakWaysLostAnswer(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t, peer.Config{Address: "127.47.9.3", Global: []string{"server signing = mandatory"}})
	run := func(w *smbtest.Wire) map[string]string {
		o := weakly()
		o.OneConnection, o.Dial = true, w.Dial
		ways, _ := waysOf(t, s.Addr(), o)
		return ways
	}
	whole := &smbtest.Wire{}
	said := run(whole)
	step := max(1, whole.Count()/6)
	if os.Getenv("IPCGUARD_LONG") != "" {
		step = 1
	}
	for n := whole.Count(); n > 0; n -= step {
		for way, now := range run(&smbtest.Wire{Lose: n, With: io.EOF}) {
			if now != said[way] && now != string(model.Inconclusive) && now != string(model.NotTested) {
				t.Errorf("without answer %d of %d: %s is %s, and was %s", n, whole.Count(), way, now, said[way])
			}
		}
	}
}
