package gateway

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// suites are smbtorture's suites for what a gateway may break: sequence numbers, credits, compounds, several sessions,
// and state that outlives a connection. CI runs the quick ones.
var (
	quickSuites = []string{"smb2.connect", "smb2.credits", "smb2.compound"}
	longSuites  = []string{
		"smb2.session", "smb2.multichannel", "smb2.durable-open", "smb2.durable-v2-open", "smb2.lease",
		"smb2.compound_async", "smb2.compound_find",
	}
)

// refusedTests are tests whose clients do what the gateway refuses.
var refusedTests = map[string]string{
	"smb2.session.reauth2":           "a user becomes a null session",
	"smb2.session.reauth3":           "a user becomes a null session",
	"smb2.session.bind_invalid_auth": "a session is bound by another name; the server refuses it, too",
}

// TestTorture runs Samba's own torture tests directly and through a gateway that refuses strangers: each must have the
// same result, except those of refusedTests, which must fail.
func TestTorture(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "smbtorture")
	l := startLabWith(t, peer.Config{
		Global: []string{"kernel oplocks = no", "durable handles = yes"},
		Shares: []peer.Share{
			{Name: "torture", Lines: []string{"read only = no", "kernel share modes = no", "posix locking = no"}},
		},
	}, Route{}, Limits{Logon: time.Hour}) // some tests keep connections without a user for longer than a minute
	suites := quickSuites
	if os.Getenv("IPCGUARD_LONG") != "" {
		suites = append(suites, longSuites...)
	}
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			direct := torture(t, l.samba, labAddress, suite)
			through := torture(t, l.samba, labGateway, suite)
			if len(direct) == 0 {
				t.Fatal("smbtorture ran nothing")
			}
			passed := 0
			for _, name := range slices.Sorted(maps.Keys(direct)) {
				again := func(address string) func() map[string]string {
					return func() map[string]string { return torture(t, l.samba, address, suite+"."+name) }
				}
				if why := refusedTests[suite+"."+name]; why != "" {
					if through[name] != "failure" {
						t.Errorf("%s: %q through the gateway, which refuses it: %s", name, through[name], why)
					}
				} else if direct[name] != through[name] && !agree(t, name, again(labAddress), again(labGateway)) {
					t.Errorf("%s: %q directly, %q through the gateway", name, direct[name], through[name])
				}
				if direct[name] == "success" {
					passed++
				}
			}
			if len(through) != len(direct) {
				t.Errorf("%d tests ran directly, %d through the gateway", len(direct), len(through))
			}
			t.Logf("%d of %d pass directly", passed, len(direct))
		})
	}
	if l.Stats().Connections == 0 {
		t.Error("nothing went through the gateway")
	}
}

// agree repeats one test both ways: the result of some of Samba's tests depends on the speed of the machine.
func agree(t *testing.T, name string, directly, throughIt func() map[string]string) bool {
	t.Helper()
	direct, through := map[string]bool{}, map[string]bool{}
	for range 3 {
		for _, result := range directly() {
			direct[result] = true
		}
		for _, result := range throughIt() {
			through[result] = true
		}
		for result := range direct {
			if through[result] {
				t.Logf("%s does not always end in the same way: %v directly, %v through the gateway",
					name, direct, through)
				return true
			}
		}
	}
	return false
}

// TestAgree: a test with a different result through the gateway every time is a difference, and one whose results vary
// both ways is not.
func TestAgree(t *testing.T) {
	always := func(results ...string) func() map[string]string {
		n := 0
		return func() map[string]string {
			n++
			return map[string]string{"test": results[(n-1)%len(results)]}
		}
	}
	if agree(t, "a real difference", always("success"), always("failure", "error")) {
		t.Error("a test that never succeeds through the gateway agrees")
	}
	if !agree(t, "a slow machine", always("failure", "success"), always("success", "failure")) {
		t.Error("a test that ends in either way on both does not agree")
	}
	if agree(t, "nothing ran", always("success"), func() map[string]string { return nil }) {
		t.Error("a test that does not run through the gateway agrees")
	}
}

var tortureResult = regexp.MustCompile(`(?m)^(success|failure|error|skip): (\S+)`)

// torture runs a suite and returns the result of each of its tests.
func torture(t *testing.T, s *peer.Samba, address, suite string) map[string]string {
	t.Helper()
	cmd := s.Command(t.Context(), "smbtorture", "//"+address+"/torture", "-U", "labadmin%"+peer.Password,
		"--option=torture:progress=no", suite)
	out, err := cmd.CombinedOutput()
	found := map[string]string{}
	for _, m := range tortureResult.FindAllStringSubmatch(string(out), -1) {
		found[m[2]] = m[1]
	}
	if len(found) == 0 {
		t.Fatalf("smbtorture %s: %v: %s", suite, err, strings.TrimSpace(string(out)))
	}
	return found
}
