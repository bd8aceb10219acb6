package gateway

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// space matches smbclient's lines about the disk and its speed, which vary.
var space = regexp.MustCompile(`(?m)\d+ blocks available|\([0-9.]+ KiloBytes/sec\)|\(average .*\)`)

// TestDomain uses a domain controller, which requires signing: its users log on by NTLM and by the ticket of a real
// kinit and get the same as directly, and null sessions are refused.
func TestDomain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "samba-dc", "rpcclient", "smbclient", "kinit")
	d := peer.StartDC(t)
	const at = "127.21.6.2"
	rows := new(rows)
	g := New(Options{Dial: d.Client.Dial, Use: rows.add, Log: testLog(t)})
	l, err := d.Client.Listen("tcp", at+":445")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, g, l, Route{To: d.Addr()})

	null := peer.Client{From: d.Client}
	for _, command := range []string{"enumdomusers", "lsaquery", "dsroledominfo", "getdompwinfo"} {
		if a := null.RPC(t, d.Addr(), command); !a.OK() {
			t.Fatalf("the control failed: %s directly: %v", command, a)
		}
		if a := null.RPC(t, at, command); a.Status != "STATUS_ACCESS_DENIED" {
			t.Errorf("%s of a null session: %v", command, a)
		}
	}
	user := peer.Client{From: d.Client, User: "alice", Password: peer.Password, Domain: peer.Domain}
	for _, command := range []string{"enumdomusers", "lsaquery", "netshareenum 1", "getusername", "lookupnames bob"} {
		if want, got := user.RPC(t, d.Addr(), command), user.RPC(t, at, command); !want.OK() || got.Text != want.Text {
			t.Errorf("%s directly: %v\nthrough the gateway: %v", command, want, got)
		}
	}
	made := peer.Client{From: d.Client, User: "nosuchuser", Password: "x", Domain: peer.Domain}
	if want, got := made.RPC(t, d.Addr(), "lsaquery"), made.RPC(t, at, "lsaquery"); got.OK() ||
		got.Status != want.Status {
		t.Errorf("a made-up user directly: %v\nthrough the gateway: %v", want, got)
	}

	env := append(os.Environ(), "KRB5CCNAME=FILE:"+filepath.Join(d.Client.Dir, "ticket"))
	kinit := d.Client.Command(t.Context(), "kinit", "alice@"+peer.Realm)
	kinit.Env, kinit.Stdin = env, strings.NewReader(peer.Password+"\n")
	if out, err := kinit.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v\n%s", err, out)
	}
	// The ticket is for the server's name, which now resolves to the gateway, as docs/gateway.md says.
	byTicket := func(options ...string) peer.Answer {
		args := append(options, "--use-kerberos=required", "//"+peer.DCName+"/sysvol", "-c",
			"recurse on; ls; get lab.example/Policies/{31B2F340-016D-11D2-945F-00C04FB984F9}/GPT.INI -")
		cmd := d.Client.Command(t.Context(), "smbclient", args...)
		cmd.Env = env
		a, err := peer.Run(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, more := range []string{"--client-protection=sign", "--client-protection=encrypt"} {
		want, got := byTicket(more), byTicket(more, "-I", at)
		if !want.OK() || space.ReplaceAllString(got.Text, "") != space.ReplaceAllString(want.Text, "") ||
			!strings.Contains(got.Text, "[General]") {
			t.Errorf("by a ticket, %s, directly: %v\nthrough the gateway: %v", more, want, got)
		}
	}
	tickets := 0
	for _, u := range rows.list {
		if u.Package == model.PackageKerberos && u.Identity == model.User && u.Outcome == model.Allowed {
			tickets++
		}
	}
	if tickets < 2 {
		t.Errorf("%d logons by Kerberos were told of", tickets)
	}
}
