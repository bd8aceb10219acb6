package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// teamCallers use the share team and others: as users who can encrypt and who cannot, and as strangers.
func teamCallers(t *testing.T, s *peer.Samba) (out []caller) {
	for _, x := range []struct{ user, share, dialect string }{
		{"alice", "team", "SMB3_11"},
		{"alice", "team", "SMB2_10"},
		{"alice", "finance", "SMB3_11"},
		{"ghost", "team", "SMB3_11"},
		{"", "team", "SMB3_11"},
	} {
		c := peer.Client{
			From: s.Machine, User: x.user, Password: peer.Password, Domain: "LABHOST", MaxProtocol: x.dialect,
			Options: []string{"client ipc signing = disabled"},
		}
		out = append(out, caller{
			fmt.Sprintf("%q at %s, %s", x.user, x.share, x.dialect),
			func(a string) peer.Answer { return c.Share(t, a, x.share, "ls") },
		})
	}
	return out
}

// TestShareLinesOnSamba goes the whole way with a line of one share on a real server: clients come, what-if and the
// plan name those that the share would refuse, the change is made, exactly those fail, and the way back leaves every
// byte.
func TestShareLinesOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "smbclient", "dumpcap")
	s := peer.StartManyHosts(t, peer.Config{
		Global: []string{"map to guest = Bad User"},
		Shares: []peer.Share{{Name: "team", Lines: []string{"public = yes"}}, {Name: "other", Lines: welcome}},
	})
	v := &callers{s, teamCallers(t, s)}
	v.route(t)
	here := programOn(t, s)
	at, secret := here.at, here.credentials(t, "alice")
	worked, capture := v.visit(t)
	if len(v.names(worked)) != len(v.list) {
		t.Fatalf("only %q work on the server as it is", v.names(worked))
	}
	before, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, trouble := run("observe", capture, "--format", "json", "-o", at("uses.json")); code != exitExposed &&
		code != exitPartial {
		t.Fatalf("observe: exit %d: %s", code, trouble)
	}
	const first = "team:server smb encrypt=required"
	for _, c := range []struct {
		wish  string
		fails []string
		avoid string // what else would refuse strangers
		check string
	}{
		{
			first,
			[]string{`"alice" at team, SMB2_10`, `"ghost" at team, SMB3_11`, `"" at team, SMB3_11`},
			"guest ok", "passed       weak:clear:team",
		},
		{
			"team:server smb encrypt=desired",
			[]string{`"ghost" at team, SMB3_11`, `"" at team, SMB3_11`},
			"guest ok", "[team] server smb encrypt",
		},
		{
			"TEAM:public=no",
			[]string{`"ghost" at team, SMB3_11`, `"" at team, SMB3_11`},
			"server smb encrypt", "passed       closed:anonymous-reads-files",
		},
	} {
		t.Run(c.wish, func(t *testing.T) {
			if c.wish != first {
				peer.Long(t, "another line of the same share")
			}
			command := append([]string{"plan"}, v.evidence(at)...)
			here.run(t, 3, "audit", s.ConfigFile, "--from", "127.18.3.1", "--format", "json", "-o", at("audit.json"))
			named := v.possible(t, c.wish, at)
			command = append(command, "--want", c.wish, "--avoid", "restrict anonymous,IPC$:invalid users,"+
				"IPC$:server smb encrypt,map to guest,usershare allow guests,"+c.avoid)
			t.Log(here.run(t, 0, command...))
			here.run(t, 0, append(command, "--format", "json", "-o", at("plan.json"))...)
			if diff := cmp.Diff(v.names(named), v.names(v.breaks(t, at("plan.json")))); diff != "" {
				t.Errorf("-named by what-if +by the plan:\n%s", diff)
			}
			out := here.run(t, 0, "apply", at("plan.json"), "--yes", "--target", "samba:"+s.ConfigFile, "--state",
				at("state"), "--credentials-file", secret, "--allow-unsigned-ntlm", "--probe-weak-logons")
			if !strings.Contains(out, c.check) {
				t.Errorf("no %q in\n%s", c.check, out)
			}
			now, _ := v.visit(t)
			failed := map[string]bool{}
			for a, did := range worked {
				if failed[a] = did && !now[a]; failed[a] && !named[a] {
					t.Errorf("%s fails, and nobody said that it may", a)
				}
			}
			if diff := cmp.Diff(c.fails, v.names(failed)); diff != "" {
				t.Errorf("-want +failed:\n%s", diff)
			}
			t.Log(here.run(t, 0, "verify", "127.18.2.1", "--plan", at("plan.json"), "--credentials-file", secret,
				"--allow-unsigned-ntlm", "--probe-weak-logons"))
			here.run(t, 0, "rollback", applied(t, out), "--state", at("state"))
			after, err := os.ReadFile(s.ConfigFile)
			if err != nil || string(after) != string(before) {
				t.Errorf("rolled back to\n%s\nfrom\n%s (%v)", after, before, err)
			}
			if again, _ := v.visit(t); len(v.names(again)) != len(v.list) {
				t.Errorf("after the rollback only %q work", v.names(again))
			}
		})
	}
}

// evidence are the flags with what is known of the server, by all its addresses.
func (v *callers) evidence(at func(string) string) []string {
	args := []string{"--audit", at("audit.json"), "--observe", at("uses.json")}
	for i := range v.list {
		args = append(args, "--server", v.server(i))
	}
	return args
}

// possible are the clients that what-if names.
func (v *callers) possible(t *testing.T, setting string, at func(string) string) map[string]bool {
	t.Helper()
	refused, open := v.predict(t, setting, at("audit.json"), at("uses.json"))
	if len(refused) > 0 {
		t.Errorf("nobody is seen to use a share, and %q are refused", v.names(refused))
	}
	return open
}

// breaks are the clients that a plan names.
func (v *callers) breaks(t *testing.T, file string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for i := range v.list {
		out[v.client(i)] = slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
			return strings.HasPrefix(b.Who+" ", v.client(i)+" ")
		})
	}
	return out
}

// oddShares are names that a section of smb.conf may have.
var oddShares = []string{"two words", "a=b", "x:y", "Straße", "homes", "twice"}

// TestOddShareNames plans, applies and takes back lines of shares with unusual names on a real server.
func TestOddShareNames(t *testing.T) {
	t.Parallel()
	peer.Need(t, "namespaces", "smbd", "smbclient", "testparm")
	peer.Long(t, "names that TestSectionsWithSigns and TestWantedShareLines have, on a server")
	config := peer.Config{Address: "127.18.4.1"}
	for _, name := range oddShares {
		config.Shares = append(config.Shares, peer.Share{Name: name, Lines: []string{"path = /tmp"}})
	}
	config.Shares = append(config.Shares, peer.Share{Name: "TWICE", Lines: []string{"path = /tmp", "comment = the same"}})
	s := peer.StartSamba(t, config)
	here := programOn(t, s)
	at, secret := here.at, here.credentials(t, "alice")
	before, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	here.run(t, 3, "audit", s.ConfigFile, "--format", "json", "-o", at("audit.json"))
	command := []string{"plan", "--audit", at("audit.json"), "--format", "json", "-o", at("plan.json")}
	for _, name := range oddShares {
		command = append(command, "--want", name+":server smb encrypt=required")
	}
	here.run(t, 0, command...)
	out := here.run(t, 0, "apply", at("plan.json"), "--yes", "--target", "samba:"+s.ConfigFile, "--state", at("state"),
		"--credentials-file", secret, "--allow-unsigned-ntlm", "--probe-weak-logons")
	t.Log(out)
	alice := peer.Client{From: s.Machine, User: "alice", Password: peer.Password, MaxProtocol: "SMB2_10"}
	for _, name := range oddShares {
		text, err := s.Command(t.Context(), "testparm", "-s", "--section-name="+name,
			"--parameter-name=server smb encrypt", s.ConfigFile).Output()
		if err != nil || strings.TrimSpace(string(text)) != "required" {
			t.Errorf("[%s] has %q, %v", name, text, err)
		}
		if a := alice.Share(t, s.Addr(), name, "ls"); a.OK() {
			t.Errorf("[%s] still takes who cannot encrypt", name)
		}
	}
	here.run(t, 0, "rollback", applied(t, out), "--state", at("state"))
	after, err := os.ReadFile(s.ConfigFile)
	if err != nil || string(after) != string(before) {
		t.Errorf("rolled back to\n%s\nfrom\n%s (%v)", after, before, err)
	}
}
