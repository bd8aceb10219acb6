package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// signedNetlogon calls Netlogon as a computer account, over its secure channel, signed and not encrypted, as an old NAS
// does.
const signedNetlogon = `
import sys, time
from impacket.dcerpc.v5 import nrpc, transport
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_NETLOGON
address, account, password = sys.argv[1:4]
computer = account.rstrip("$")
nrpc.NL_SEAL_RC4 = nrpc.NL_SEAL_NOT_ENCRYPTED # which impacket says of every message
def pipe():
    t = transport.SMBTransport(address, 445, r"\netlogon")
    t.set_credentials("alice", password, "LAB", "", "")
    d = t.get_dce_rpc()
    d.connect()
    return d
first = pipe()
first.bind(nrpc.MSRPC_UUID_NRPC)
challenge = nrpc.hNetrServerReqChallenge(first, NULL, computer + "\0", b"12345678")["ServerChallenge"]
key = nrpc.ComputeSessionKeyStrongKey(password, b"12345678", challenge)
credential = nrpc.ComputeNetlogonCredential(b"12345678", key)
nrpc.hNetrServerAuthenticate3(first, NULL, account + "\0", nrpc.NETLOGON_SECURE_CHANNEL_TYPE.WorkstationSecureChannel, computer + "\0", credential, 0x600fffff)
second = pipe()
second.set_credentials(account, "", "LAB", "", "")
second.set_auth_type(RPC_C_AUTHN_NETLOGON)
second.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)
second.bind(nrpc.MSRPC_UUID_NRPC, alter=0)
second.set_session_key(key)
authenticator = nrpc.NETLOGON_AUTHENTICATOR()
now = int(time.time())
stored = ((int.from_bytes(credential[:4], "little") + now) & 0xffffffff).to_bytes(4, "little") + credential[4:]
authenticator["Credential"], authenticator["Timestamp"] = nrpc.ComputeNetlogonCredential(stored, key), now
nrpc.hNetrServerTrustPasswordsGet(second, NULL, account + "\0", nrpc.NETLOGON_SECURE_CHANNEL_TYPE.WorkstationSecureChannel, computer + "\0", authenticator)
print("served")
`

// TestNetlogonExceptionsOnDC has two computers that do not encrypt come to a real domain controller. Its log names
// them; the plan that insists on encryption excepts the one whose log was seen; after apply and a restart that one goes
// on and the other one is refused, and after the rollback both work.
func TestNetlogonExceptionsOnDC(t *testing.T) {
	t.Parallel()
	peer.Long(t, "a domain controller and two restarts of it take a minute")
	peer.Need(t, "samba-dc", "impacket")
	const seal = "server schannel require seal"
	d := peer.StartDC(t, seal+" = no", "reject md5 clients = no", "restrict anonymous = 2")
	for _, name := range []string{"NAS2", "NAS3"} {
		for _, step := range [][]string{
			{"computer", "create", name}, {"user", "setpassword", name + "$", "--newpassword=" + peer.Password},
		} {
			if out, err := d.Command(t.Context(), "samba-tool", step...).CombinedOutput(); err != nil {
				t.Fatalf("samba-tool %s: %v: %s", step, err, out)
			}
		}
	}
	served := func(when string, want map[string]bool) {
		t.Helper()
		for account, ok := range want {
			a, err := peer.Run(d.Client.Command(t.Context(), "/usr/bin/python3", "-I", "-c", signedNetlogon,
				peer.DCAddress, account, peer.Password))
			if err != nil || a.OK() != ok || !ok && a.Status != "STATUS_ACCESS_DENIED" {
				t.Errorf("%s %s is served: %t, want %t: %v %v", when, account, a.OK(), ok, a, err)
			}
		}
	}
	program := buildProgram(t, d.Dir)
	dir := filepath.Join(d.Dir, "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	on := func(want int, args ...string) string {
		t.Helper()
		cmd := d.Command(t.Context(), program, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("ipcguard %s: %v, want %d\n%s", strings.Join(args, " "), err, want, out)
		}
		return string(out)
	}
	before, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	served("before", map[string]bool{"NAS2$": true})
	on(exitPartial, "observe", filepath.Join(d.Dir, "log"), "--format", "json", "-o", at("uses.json"))
	on(exitOK, "audit", "local", "--format", "json", "-o", at("audit.json"))
	on(exitOK, "plan", "--audit", at("audit.json"), "--observe", at("uses.json"), "--want", seal+"=yes", "--format",
		"json", "-o", at("plan.json"))
	b, err := os.ReadFile(at("plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	for _, c := range p.Changes {
		changes = append(changes, fmt.Sprintf("%s: %s to %s", c.Where, c.From, c.To))
	}
	want := []string{"[global] " + seal + ":NAS2$: absent to bool no", "[global] " + seal + ": bool no to bool yes"}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("-want +planned:\n%s", diff)
	}
	state := []string{"--state", at("state")}
	id := applied(t, on(exitPartial, append([]string{"apply", at("plan.json"), "--yes"}, state...)...))
	d.RestartAsIs(t)
	served("after the apply", map[string]bool{"NAS2$": true, "NAS3$": false})
	on(exitOK, append([]string{"rollback", id}, state...)...)
	if now, err := os.ReadFile(d.ConfigFile); err != nil || string(now) != string(before) {
		t.Errorf("rolled back: %v\n%s\nwant\n%s", err, now, before)
	}
	d.RestartAsIs(t)
	served("after the rollback", map[string]bool{"NAS2$": true, "NAS3$": true})
}
