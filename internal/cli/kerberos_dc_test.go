package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestKerberosFirstOnDomainController scans and verifies a real domain controller with credentials, and reads in its
// log what they were given in: a ticket where the controller was named, NTLM where its address was, and a wrong
// password once.
func TestKerberosFirstOnDomainController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "samba-dc")
	log := filepath.Join(t.TempDir(), "logons")
	program := buildProgram(t, t.TempDir())
	dc := peer.StartDC(t, "restrict anonymous = 2", "log level = 0 auth_json_audit:5@"+log)
	at := func(name string) string { return filepath.Join(dc.Client.Dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("krb5.conf", "[libdefaults]\n default_realm = "+peer.Realm+"\n dns_lookup_kdc = false\n[realms]\n "+
		peer.Realm+" = {\n  kdc = "+peer.DCAddress+"\n }\n")
	write("alice", "username = alice@"+peer.Realm+"\npassword = "+peer.Password+"\n")
	write("wrong", "username = bob@"+peer.Realm+"\npassword = wrong\n")
	run := func(args ...string) (string, int) {
		t.Helper()
		cmd := dc.Client.Command(t.Context(), program, args...)
		cmd.Env = append(os.Environ(), "KRB5_CONFIG="+at("krb5.conf"))
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	scan := func(target, account string) *model.IdentityResult {
		t.Helper()
		file := at("scan.json")
		if out, code := run("scan", target, "--credentials-file", at(account), "--format", "json", "-o",
			file); code == exitFailed || code == exitUsage {
			t.Fatalf("scan %s as %s: exit %d\n%s", target, account, code, out)
		}
		scans, err := readScans(file)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(scans[0].Identities, func(id model.IdentityResult) bool {
			return id.Identity == model.User
		})
		if i < 0 {
			t.Fatalf("%s was not asked as a user: %+v", target, scans[0])
		}
		return &scans[0].Identities[i]
	}

	from := logonsIn(t, log)
	if id := scan(peer.DCName, "alice"); id.Session.Outcome != model.Allowed || id.Tree.Outcome != model.Allowed {
		t.Errorf("by name: %+v", id)
	}
	// Strangers were given nothing before, so nothing was to be closed; the logon is what counts here.
	if out, code := run("verify", peer.DCName, "--scan", at("scan.json"), "--credentials-file",
		at("alice")); code != exitPartial ||
		!strings.Contains(out,
			"passed       control:user: the user logs on and reaches IPC$, and the server's answers are proved by "+
				"the logon's key") {
		t.Errorf("verify: exit %d\n%s", code, out)
	}
	byName := logonsIn(t, log)[len(from):]
	if !slices.Contains(byName, "alice krb5 NT_STATUS_OK") || slices.ContainsFunc(byName, func(s string) bool {
		return strings.HasPrefix(s, "alice NTLM")
	}) {
		t.Errorf("by name the controller saw %q", byName)
	}

	from = logonsIn(t, log)
	scan(peer.DCAddress, "alice")
	byAddress := logonsIn(t, log)[len(from):]
	if !slices.Contains(byAddress, "alice NTLMv2 NT_STATUS_OK") {
		t.Errorf("by address the controller saw %q", byAddress)
	}

	from = logonsIn(t, log)
	if id := scan(peer.DCName, "wrong"); id.Session.Outcome == model.Allowed {
		t.Errorf("a wrong password: %+v", id)
	}
	tries := slices.DeleteFunc(logonsIn(t, log)[len(from):], func(s string) bool {
		return !strings.HasPrefix(s, "bob ")
	})
	if len(tries) != 1 || !strings.HasSuffix(tries[0], "NT_STATUS_WRONG_PASSWORD") {
		t.Errorf("a wrong password was given %d times: %q", len(tries), tries)
	}
}

// logonsIn lists what Samba's log of logons says, in its order: the account, how it proved itself, and the status.
func logonsIn(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		_, text, ok := strings.Cut(s.Text(), "{") // behind what Samba puts before it
		var line struct {
			Authentication struct{ ClientAccount, MappedAccount, PasswordType, Status string }
			Authorization  struct{ Account, AuthType string }
		}
		if !ok || json.Unmarshal([]byte("{"+text), &line) != nil {
			continue
		}
		if a := line.Authentication; a.Status != "" {
			account, _, _ := strings.Cut(a.ClientAccount, "@")
			out = append(out, account+" "+a.PasswordType+" "+a.Status)
		}
		if a := line.Authorization; a.AuthType == "krb5" {
			out = append(out, a.Account+" krb5 NT_STATUS_OK")
		}
	}
	return out
}
