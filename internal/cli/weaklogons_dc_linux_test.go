package cli

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// TestWeakLogonsOnDC has accounts of a domain sign in with Kerberos, NTLMv2 and NTLMv1, asks whom ntlm auth would
// refuse, and makes the change: Kerberos goes on where NTLM ends.
func TestWeakLogonsOnDC(t *testing.T) {
	t.Parallel()
	peer.Need(t, "samba-dc", "smbclient", "dumpcap", "kinit")
	const open = "ntlm auth = ntlmv1-permitted"
	d := peer.StartDC(t, open)
	ntlm := func(user, password string, options ...string) func() peer.Answer {
		c := peer.Client{
			From: d.Client, User: user, Password: password, Domain: peer.Domain,
			Options: append(options, "client use kerberos = off"),
		}
		return func() peer.Answer { return c.List(t, peer.DCName) }
	}
	callers := map[string]func() peer.Answer{
		model.PackageKerberos:  byTicket(t, d, "alice"),
		model.PackageNTLMv2:    ntlm("bob", peer.Password),
		model.PackageNTLMv1ESS: ntlm("Administrator", peer.AdminPassword, "client ntlmv2 auth = no"),
	}
	visit := func() (worked []string, capture string) {
		capture, stop := peer.DumpcapDC(t, d)
		for _, how := range slices.Sorted(maps.Keys(callers)) {
			a := callers[how]()
			if t.Logf("%s: %t %s", how, a.OK(), a.Status); a.OK() {
				worked = append(worked, how)
			}
		}
		stop()
		return worked, capture
	}
	worked, capture := visit()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(callers)), worked); diff != "" {
		t.Fatalf("-all +those that work as it is:\n%s", diff)
	}
	file := func(name string) string { return filepath.Join(d.Dir, name) }
	run("observe", capture, "--format", "json", "-o", file("uses"))
	run("audit", d.ConfigFile, "--role", "domain-controller", "--format", "json", "-o", file("audit"))
	for _, setting := range []string{"ntlm auth=ntlmv2-only", "ntlm auth=disabled"} {
		_, out, trouble := run("what-if", "--audit", file("audit"), "--observe", file("uses"), "--format", "json",
			"--setting", setting)
		var answer plan.Answer
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%s: %v: %s", setting, err, trouble)
		}
		for _, r := range slices.Concat(answer.Possible, answer.Unjudged, answer.NotKnown) {
			t.Errorf("%s: not settled: %+v", setting, r)
		}
		goOn := slices.DeleteFunc(slices.Clone(worked), func(how string) bool {
			return slices.ContainsFunc(answer.Refused, func(r plan.Replay) bool { return r.Use.Package == how })
		})
		d.Restart(t, with([]string{open}, setting)...)
		now, _ := visit()
		if diff := cmp.Diff(now, goOn); diff != "" {
			t.Errorf("%s: -those that work +those that go on by what-if:\n%s", setting, diff)
		}
	}
}

// byTicket is smbclient with the ticket of a real kinit.
func byTicket(t *testing.T, d *peer.DC, user string) func() peer.Answer {
	t.Helper()
	env := append(os.Environ(), "KRB5CCNAME=FILE:"+filepath.Join(d.Client.Dir, "ticket"))
	kinit := d.Client.Command(t.Context(), "kinit", user+"@"+peer.Realm)
	kinit.Env, kinit.Stdin = env, strings.NewReader(peer.Password+"\n")
	if out, err := kinit.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v\n%s", err, out)
	}
	return func() peer.Answer {
		cmd := d.Client.Command(t.Context(), "smbclient", "--use-kerberos=required", "--grepable", "--list",
			peer.DCName)
		cmd.Env = env
		a, err := peer.Run(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}
