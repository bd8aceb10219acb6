package cli

import (
	"encoding/json"
	"fmt"
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

// impacketLogon signs in with impacket, with the NTLM and the dialect that are asked for, lists the shares and opens
// samr.
const impacketLogon = `
import sys
from impacket import ntlm, smb, smbconnection
from impacket.smb3structs import SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30
address, version, dialect, user, password = sys.argv[1:6]
if version != "ntlmv2":
    third = list(ntlm.getNTLMSSPType3.__defaults__)
    third[-1] = False
    ntlm.getNTLMSSPType3.__defaults__ = tuple(third)
if version == "ntlmv1":
    whole = ntlm.getNTLMSSPType1
    def first(*args, **more):
        message = whole(*args, **more)
        message["flags"] &= ~ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY
        return message
    ntlm.getNTLMSSPType1 = first
dialects = {"NT1": smb.SMB_DIALECT, "2.0.2": SMB2_DIALECT_002, "2.1": SMB2_DIALECT_21, "3.0": SMB2_DIALECT_30}
c = smbconnection.SMBConnection(address, address, preferredDialect=dialects[dialect])
if dialect == "NT1":
    c._SMBConnection.login_extended(user, password, "LABHOST", use_ntlmv2=version == "ntlmv2")
else:
    c._SMBConnection.login(user, password, "LABHOST")
print(c.listShares()[0]["shi1_netname"])
`

// caller is a client with an address of its own.
type caller struct {
	name string
	run  func(address string) peer.Answer
}

// callers come to a server of many addresses: the address that a caller asks for tells which one it comes from.
type callers struct {
	s    *peer.Samba
	list []caller
}

func (v *callers) client(i int) string { return fmt.Sprintf("127.18.3.%d", i+1) }
func (v *callers) server(i int) string { return fmt.Sprintf("127.18.2.%d", i+1) }

func (v *callers) route(t *testing.T) {
	t.Helper()
	for i := range v.list {
		args := []string{"route", "replace", "local", v.server(i), "dev", "lo", "table", "local", "src", v.client(i)}
		if out, err := v.s.Command(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip route: %v: %s", err, out)
		}
	}
}

// visit has every client come, and tells by address who got what it came for, and the capture.
func (v *callers) visit(t *testing.T) (worked map[string]bool, capture string) {
	t.Helper()
	capture, stop := peer.Dumpcap(t, v.s)
	worked = map[string]bool{}
	for i, x := range v.list {
		a := x.run(v.server(i))
		worked[v.client(i)] = a.OK()
		t.Logf("%s %s: %t %s", v.client(i), x.name, a.OK(), a.Status)
	}
	stop()
	return worked, capture
}

func (v *callers) names(addresses map[string]bool) (out []string) {
	for i, x := range v.list {
		if addresses[v.client(i)] {
			out = append(out, x.name)
		}
	}
	return out
}

// everyLogon are clients of every kind: each package, dialect, signed and not, encrypted and not, guests and null
// sessions.
func everyLogon(t *testing.T, s *peer.Samba) []caller {
	samba := func(dialect string, options ...string) peer.Client {
		return peer.Client{
			From: s.Machine, User: "alice", Password: peer.Password, Domain: "LABHOST", MaxProtocol: dialect,
			Options: options,
		}
	}
	files := func(c peer.Client) func(string) peer.Answer {
		return func(a string) peer.Answer { return c.Share(t, a, "finance", "ls") }
	}
	shares := func(c peer.Client) func(string) peer.Answer {
		return func(a string) peer.Answer {
			answer := c.List(t, a)
			if answer.OK() && !strings.Contains(answer.Text, "IPC$") {
				answer.Exit = 1 // smbclient says nothing of a list that it was not given
			}
			return answer
		}
	}
	policy := func(c peer.Client) func(string) peer.Answer {
		return func(a string) peer.Answer { return c.RPC(t, a, "lsaquery") }
	}
	impacket := func(version, dialect, user, password string) func(string) peer.Answer {
		return func(a string) peer.Answer {
			answer, err := peer.Run(s.Command(t.Context(), "/usr/bin/python3", "-I", "-c", impacketLogon, a, version,
				dialect, user, password))
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
	}
	const v1, raw, lm = "client ntlmv2 auth = no", "client use spnego = no", "client lanman auth = yes"
	unsigned, free := "client signing = disabled", "client ipc signing = disabled"
	guest, nobody := peer.Client{
		From: s.Machine, User: "ghost", Password: "x", Domain: "LABHOST", Options: []string{free},
	}, peer.Client{From: s.Machine}
	old := nobody
	old.MaxProtocol = "NT1"
	return []caller{
		{"smbclient, 3.1.1, NTLMv2, files", files(samba("SMB3_11"))},
		{"smbclient, 3.1.1, NTLMv2, shares", shares(samba("SMB3_11"))},
		{"smbclient, 3.1.1, NTLMv2, unsigned, shares", shares(samba("SMB3_11", unsigned, free))},
		{"smbclient, 3.1.1, NTLMv2, encrypted, shares", shares(samba("SMB3_11", "client smb encrypt = required"))},
		{"smbclient, 3.0, NTLMv2, shares", shares(samba("SMB3_00"))},
		{"smbclient, 2.1, NTLMv2, shares", shares(samba("SMB2_10"))},
		{"smbclient, 2.0.2, NTLMv2, shares", shares(samba("SMB2_02"))},
		{"smbclient, 3.1.1, NTLMv1, shares", shares(samba("SMB3_11", v1))},
		{"smbclient, 2.0.2, NTLMv1, files", files(samba("SMB2_02", v1))},
		{"rpcclient, 3.1.1, NTLMv2, policy", policy(samba("SMB3_11"))},
		{"rpcclient, 3.1.1, NTLMv1, policy", policy(samba("SMB3_11", v1))},
		{"smbclient, SMB1, NTLMv2, shares", shares(samba("NT1", free))},
		{"smbclient, SMB1, NTLMv1, shares", shares(samba("NT1", v1, free))},
		{"smbclient, SMB1, NTLMv2 raw, shares", shares(samba("NT1", raw, free))},
		{"smbclient, SMB1, NTLMv1 raw, shares", shares(samba("NT1", raw, v1, free))},
		{"smbclient, SMB1, LM and NTLMv1 raw, shares", shares(samba("NT1", raw, v1, lm, free))},
		{
			"smbclient, SMB1, signed, shares",
			shares(samba("NT1", "client signing = required", "client ipc signing = required")),
		},
		{"smbclient, SMB1, anonymous, shares", shares(old)},
		{"impacket, 3.0, NTLMv2", impacket("ntlmv2", "3.0", "alice", peer.Password)},
		{"impacket, 2.1, NTLMv1 with ESS", impacket("ntlmv1-ess", "2.1", "alice", peer.Password)},
		{"impacket, 2.0.2, NTLMv1", impacket("ntlmv1", "2.0.2", "alice", peer.Password)},
		{"impacket, SMB1, NTLMv2", impacket("ntlmv2", "NT1", "alice", peer.Password)},
		{"impacket, SMB1, NTLMv1", impacket("ntlmv1", "NT1", "alice", peer.Password)},
		{"impacket, guest with NTLMv1", impacket("ntlmv1", "2.1", "ghost", "x")},
		{"smbclient, guest, shares", shares(guest)},
		{welcomed, func(a string) peer.Answer { return guest.Share(t, a, "welcome", "ls") }},
		{"smbclient, anonymous, shares", shares(nobody)},
		{"rpcclient, anonymous, policy", policy(nobody)},
	}
}

// older are the programs that heed a server that asks for encryption below SMB3.
var older = []string{
	"impacket, 2.1, NTLMv1 with ESS", "impacket, 2.0.2, NTLMv1", "impacket, guest with NTLMv1",
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// modern are the strangers at SMB3.
var modern = []string{
	"smbclient, guest, shares", welcomed, "smbclient, anonymous, shares", "rpcclient, anonymous, policy",
}

// welcomed is the client that uses a share as a guest.
const welcomed = "smbclient, guest, files"

// welcome is a share that guests may use.
var welcome = []string{"guest ok = yes"}

// weakest is a configuration that takes every logon.
var weakest = []string{
	"map to guest = bad user", "ntlm auth = ntlmv1-permitted", "lanman auth = yes", "raw NTLMv2 auth = yes",
	"server min protocol = NT1", "server signing = auto", "log level = 1 auth_json_audit:5",
}

// TestWeakLogonsOnSamba records how clients of every kind sign in to a real Samba server, asks who would be refused
// under a setting, makes that change on the server, and has all of them come again: those that fail now are exactly
// those that were named.
func TestWeakLogonsOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "rpcclient", "smbclient", "tshark", "dumpcap", "impacket")
	s := peer.StartManyHosts(t, peer.Config{Global: weakest, Shares: []peer.Share{{Name: "welcome", Lines: welcome}}})
	v := &callers{s, everyLogon(t, s)}
	v.route(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	worked, capture := v.visit(t)
	if len(v.names(worked)) != len(v.list) {
		t.Errorf("not all clients work on the server as it is")
	}
	if diff := cmp.Diff(tsharkOf(t, capture).lines(), oursOf(seen(t, capture)).lines()); diff != "" {
		t.Errorf("-tshark +ours:\n%s", diff)
	}
	logged := waysIn(t, filepath.Join(s.Dir, "log"))
	if diff := cmp.Diff(logged, waysIn(t, capture)); diff != "" {
		t.Errorf("-Samba's log +the wire:\n%s", diff)
	}
	if code, _, trouble := run("observe", capture, "--format", "json", "-o", file("uses")); code != exitExposed &&
		code != exitPartial {
		t.Fatalf("observe: exit %d: %s", code, trouble)
	}
	if code, _, trouble := run("audit", s.ConfigFile, "--from", "127.18.3.1", "--format", "json", "-o",
		file("audit")); code != exitExposed {
		t.Fatalf("audit: exit %d: %s", code, trouble)
	}
	out := command(t, exitExposed, "observe", "--logons", capture)
	for _, want := range []string{
		"Clients by the weakest way they come in: 10 broken, 5 none, 4 old, 6 unsigned, 3 ntlm.",
		"NTLMv1 outside NTLMSSP, SMB1", "likely Samba's client",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, c := range []struct {
		setting string
		long    bool
		open    []string // whose fate the wire does not tell
		fails   []string // who fails, if the wire does not tell it of anybody; open then may be left out for a share
	}{
		{"ntlm auth=ntlmv2-only", false, nil, nil},
		{"ntlm auth=disabled", false, nil, nil},
		{"raw NTLMv2 auth=no", true, nil, nil},
		{"lanman auth=no", true, nil, nil},
		{"server min protocol=SMB2_02", true, nil, nil},
		{"server min protocol=SMB2", true, nil, nil},
		{"server min protocol=SMB3_00", true, nil, nil},
		{"server signing=mandatory", false, []string{
			"smbclient, SMB1, NTLMv2, shares", "smbclient, SMB1, NTLMv1, shares", "smbclient, SMB1, NTLMv2 raw, shares",
			"smbclient, SMB1, NTLMv1 raw, shares", "smbclient, SMB1, LM and NTLMv1 raw, shares",
			"impacket, SMB1, NTLMv2", "impacket, SMB1, NTLMv1", "impacket, guest with NTLMv1",
			"smbclient, guest, shares", welcomed,
		}, nil},
		{"server smb encrypt=required", true, nil, nil},
		{
			"server smb encrypt=desired", false, slices.Concat([]string{
				"smbclient, 2.1, NTLMv2, shares", "smbclient, 2.0.2, NTLMv2, shares", "smbclient, 2.0.2, NTLMv1, files",
			}, older, modern), slices.Concat(older, modern),
		},
		{"IPC$:server smb encrypt=desired", true, modern, without(modern, welcomed)},
		{"map to guest=never", true, nil, nil},
		{"IPC$:server smb encrypt=required", true, nil, nil},
		{"welcome:guest ok=no", true, nil, []string{welcomed}},
		{"welcome:server smb encrypt=required", true, nil, []string{welcomed}},
		{"welcome:server smb encrypt=desired", true, modern, []string{welcomed}},
	} {
		t.Run(c.setting, func(t *testing.T) {
			if c.long && os.Getenv("IPCGUARD_LONG") == "" {
				t.Skip("a variant: IPCGUARD_LONG is not set")
			}
			refused, open := v.predict(t, c.setting, file("audit"), file("uses"))
			if diff := cmp.Diff(c.open, v.names(open)); diff != "" && (c.open != nil || c.fails == nil) {
				t.Errorf("-not known by the wire +by what-if:\n%s", diff)
			}
			s.Edit(t, func(now *peer.Config) {
				now.Global, now.IPC, now.Shares = weakest, nil, []peer.Share{{Name: "welcome", Lines: welcome}}
				switch section, line, _ := strings.Cut(c.setting, ":"); section {
				case "IPC$":
					now.IPC = with(nil, line)
				case "welcome":
					now.Shares[0].Lines = with(welcome, line)
				default:
					now.Global = with(weakest, c.setting)
				}
			})
			s.Restart(t)
			now, capture := v.visit(t)
			failed := map[string]bool{}
			if c.fails != nil {
				for a, did := range worked {
					if failed[a] = did && !now[a]; failed[a] && !open[a] {
						t.Errorf("%s fails, and what-if did not say that it may", a)
					}
				}
				if diff := cmp.Diff(c.fails, v.names(failed)); diff != "" || len(refused) > 0 {
					t.Errorf("-want +failed:\n%s; refused %q", diff, v.names(refused))
				}
				return
			}
			for a, did := range worked {
				failed[a] = did && !now[a] && !open[a]
			}
			for _, u := range seen(t, capture) { // a program may go on without IPC$
				if u.Layer == model.LayerTree && u.Outcome == model.Denied && worked[u.Client] && !open[u.Client] {
					failed[u.Client] = true
				}
			}
			if diff := cmp.Diff(v.names(failed), v.names(refused)); diff != "" {
				t.Errorf("-failed +named by what-if:\n%s", diff)
			}
		})
	}
}

// waysIn are the packages that clients came with, and SMB1, by address, as far as Samba's log can tell: it does not
// tell extended session security.
func waysIn(t *testing.T, source string) map[string][]string {
	t.Helper()
	_, out, trouble := run("observe", "--logons", "--format", "json", source)
	var result struct{ Logons []model.Logon }
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v: %s", err, trouble)
	}
	by := map[string][]string{}
	for _, l := range result.Logons {
		how := fmt.Sprintf("%s as %s, SMB1 %t", strings.TrimSuffix(l.Package, "-ess"), l.Identity,
			l.Dialect == "NT LM 0.12")
		if l.Allowed > 0 && !slices.Contains(by[l.Client], how) {
			by[l.Client] = append(by[l.Client], how)
			slices.Sort(by[l.Client])
		}
	}
	return by
}

// predict asks what-if under a setting: who would be refused, and of whom it is not known, by address.
func (v *callers) predict(t *testing.T, setting, audit, uses string) (refused, open map[string]bool) {
	t.Helper()
	args := []string{"what-if", "--audit", audit, "--observe", uses, "--format", "json", "--setting", setting}
	for i := range v.list {
		args = append(args, "--server", v.server(i))
	}
	_, out, trouble := run(args...)
	var answer plan.Answer
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v: %s%s", err, out, trouble)
	}
	clients := func(list ...plan.Replay) map[string]bool {
		out := map[string]bool{}
		for _, r := range list {
			out[r.Use.Client] = true
		}
		return out
	}
	return clients(answer.Refused...), clients(slices.Concat(answer.Possible, answer.Unjudged, answer.NotKnown)...)
}

// with are lines of smb.conf with one parameter as it would be.
func with(lines []string, setting string) []string {
	name, value, _ := strings.Cut(setting, "=")
	out := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, name+" =") })
	return append(out, name+" = "+value)
}
