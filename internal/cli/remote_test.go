package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// run is one command line in this process.
func run(args ...string) (code int, stdout, stderr string) {
	var out, trouble bytes.Buffer
	code = Main(args, strings.NewReader(""), &out, &trouble)
	return code, out.String(), trouble.String()
}

// audited runs audit and reads its JSON.
func audited(t *testing.T, args ...string) (*model.Audit, int) {
	t.Helper()
	code, out, trouble := run(append([]string{"audit", "--format", "jsonl"}, args...)...)
	a := &model.Audit{}
	if err := json.Unmarshal([]byte(out), a); err != nil {
		t.Fatalf("exit %d: %v\n%s%s", code, err, out, trouble)
	}
	return a, code
}

func find(t *testing.T, a *model.Audit, id string) model.Setting {
	t.Helper()
	i := slices.IndexFunc(a.Settings, func(s model.Setting) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("no setting %s", id)
	}
	return a.Settings[i]
}

// storeValues writes values into a Samba server's registry, which takes any type and enforces none.
func storeValues(t *testing.T, address string, values ...registry.Value) {
	t.Helper()
	c, root, done := localMachine(t, address, 0x02000000)
	defer done()
	w := dcerpc.WinregWriter{Client: c}
	for _, v := range values {
		below := strings.TrimPrefix(registry.Canonical(v.Key), `HKLM\`)
		parent := root
		for part := range strings.SplitSeq(below, `\`) { // Samba makes one key at a time
			k, err := w.CreateKey(t.Context(), parent, part, 0x02000000)
			if err != nil {
				t.Fatalf("%s: %v", below, err)
			}
			parent = k.Key
		}
		if err := w.SetValue(t.Context(), parent, v.Name, uint32(v.Type), v.Data); err != nil {
			t.Fatalf("%s\\%s: %v", v.Key, v.Name, err)
		}
	}
}

// localMachine opens a server's registry as root, with this access, until done.
func localMachine(t *testing.T, address string, access uint32) (c *dcerpc.Client, root dcerpc.Handle, done func()) {
	t.Helper()
	list, err := targets.Parse(t.Context(), []string{address}, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var target targets.Target
	for target = range list.All() { // an address is one
	}
	h, err := open(t.Context(), target, func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser("root", "", peer.Password, ntlm.Options{}), nil
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := h.OpenPipe(t.Context(), "winreg")
	if err != nil {
		t.Fatal(err)
	}
	c = dcerpc.NewClient(pipe)
	if _, err := c.Bind(t.Context(), dcerpc.WINREG); err != nil {
		t.Fatal(err)
	}
	opened, err := dcerpc.WinregClient{Client: c}.OpenLocalMachine(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	return c, opened.Handle, func() { h.Close() }
}

const (
	lsa    = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`
	lanman = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
	second = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\DefaultSecurity`
)

// A real server's remote registry: values of every type, read back encrypted, as anonymous where it lets that in, and
// refused where it does not.
func TestRemoteRegistry(t *testing.T) {
	server := peer.StartSamba(t,
		peer.Config{
			Address: "127.52.3.1", Users: []string{"root", "alice"}, Global: []string{"server signing = mandatory"},
		})
	d, err := sddl.Parse("O:SYG:SYD:(A;;0xf0003;;;BA)(A;;0x1;;;AN)")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := d.Binary()
	if err != nil {
		t.Fatal(err)
	}
	long := make([]string, 300)
	for i := range long {
		long[i] = fmt.Sprintf("pipe%d", i)
	}
	storeValues(t, server.Addr(),
		registry.NewDWord(lsa, "RestrictAnonymous", 1),
		registry.NewDWord(lsa, "RestrictAnonymousSAM", 0),
		registry.NewText(lsa, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)"),
		registry.NewStrings(lanman, "NullSessionPipes", append([]string{"samr", "evilpipe"}, long...)),
		registry.NewStrings(lanman, "NullSessionShares", nil),
		registry.NewText(lanman, "AllowedPipes", "wrong type"),
		registry.Value{Key: second, Name: "SrvsvcShareFileInfo", Type: registry.Binary, Data: binary},
		registry.NewDWord(second, "PreviousAnonymousRestriction", 0),
	)
	url := "winreg://" + server.Addr()

	t.Run("as a user", func(t *testing.T) {
		t.Setenv("IPCGUARD_USER", "alice")
		t.Setenv("IPCGUARD_PASSWORD", peer.Password)
		// Samba answers for ProductOptions and CurrentVersion itself, so the product is given
		a, code := audited(t, url, "--product", "win2019", "--role", "member")
		if code != exitExposed || a.Source.Kind != "winreg" || a.Platform.Product != "win2019" ||
			a.Platform.Role != model.Member {
			t.Errorf("exit %d, %+v %+v", code, a.Source, a.Platform)
		}
		if !slices.ContainsFunc(a.Platform.Why, func(s string) bool {
			return strings.Contains(s, "as user, encrypted")
		}) {
			t.Errorf("how it was read: %q", a.Platform.Why)
		}
		for id, want := range map[string]string{
			"RestrictAnonymous": "1", "RestrictAnonymousSAM": "0", "RestrictRemoteSAM": "O:BAG:BAD:(A;;RC;;;BA)",
			"NullSessionShares": "[]", "SrvsvcShareFileInfo": "O:SYG:SYD:(A;;RCSDWDWOCCDC;;;BA)(A;;CC;;;AN)",
		} {
			if s := find(t, a, id); !s.Present || fmt.Sprint(s.Configured) != want {
				t.Errorf("%s: present %v, %v, want %s", id, s.Present, s.Configured, want)
			}
		}
		if s := find(t, a, "NullSessionPipes"); len(s.Configured.([]string)) != 302 {
			t.Errorf("NullSessionPipes: %v", s.Configured)
		}
		if s := find(t, a, "EveryoneIncludesAnonymous"); s.Present || s.NotRead || s.Basis != model.BasisDefault {
			t.Errorf("an absent value: %+v", s)
		}
		var ids []string
		for _, f := range a.Findings {
			ids = append(ids, f.ID)
			if f.ID == "anonymous-reads-registry" && strings.Contains(f.Evidence, "this very audit") {
				t.Errorf("a user's reading is no finding: %+v", f)
			}
		}
		for _, want := range []string{
			"unexpected-anonymous-pipe", "contradictory-settings", "wrong-type", "pending-restart",
			"second-layer-grants-anonymous",
		} {
			if !slices.Contains(ids, want) {
				t.Errorf("no finding %s: %v", want, ids)
			}
		}
	})
	t.Run("as anonymous", func(t *testing.T) {
		a, _ := audited(t, url)
		i := slices.IndexFunc(a.Findings, func(f model.Finding) bool {
			return f.ID == "anonymous-reads-registry" && f.Identity == model.Anonymous &&
				strings.Contains(f.Evidence, "this very audit")
		})
		if i < 0 {
			t.Errorf("that anonymous may read is a finding: %+v", a.Findings)
		}
		if s := find(t, a, "RestrictAnonymous"); fmt.Sprint(s.Configured) != "1" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		t.Setenv("IPCGUARD_USER", "alice")
		t.Setenv("IPCGUARD_PASSWORD", "not the password")
		code, out, trouble := run("audit", url)
		if code != exitFailed || out != "" || !strings.Contains(trouble, "STATUS_LOGON_FAILURE") ||
			strings.Contains(trouble, "not the password") || strings.Count(trouble, "error:") != 1 {
			t.Errorf("exit %d: %s%s", code, out, trouble)
		}
	})
	t.Run("anonymous refused", func(t *testing.T) {
		server.Edit(t, func(c *peer.Config) {
			c.Global = []string{"server signing = mandatory", "restrict anonymous = 2"}
		})
		server.Reload(t)
		code, _, trouble := run("audit", url)
		if code != exitFailed || !strings.Contains(trouble, "STATUS_ACCESS_DENIED") {
			t.Errorf("exit %d: %s", code, trouble)
		}
	})
	t.Run("no winreg pipe", func(t *testing.T) {
		server.Edit(t, func(c *peer.Config) { c.Global = []string{"rpc start on demand helpers = no"} })
		server.Restart(t)
		code, _, trouble := run("audit", url)
		if code != exitFailed || !strings.Contains(trouble, "Remote Registry") ||
			!strings.Contains(trouble, "ipcguard does not do it") {
			t.Errorf("exit %d: %s", code, trouble)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		server.Stop(t)
		code, _, trouble := run("audit", url)
		if code != exitFailed || !strings.Contains(trouble, "connect") {
			t.Errorf("exit %d: %s", code, trouble)
		}
	})
}

// The remote registry of a domain controller, by the ticket of a real kinit: the program itself, in the client's
// network.
func TestRemoteRegistryWithKerberos(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "samba-dc", "kinit")
	program := buildProgram(t, t.TempDir())
	dc := peer.StartDC(t, "restrict anonymous = 2")
	conf, cache := filepath.Join(dc.Client.Dir, "krb5.conf"), filepath.Join(dc.Client.Dir, "alice.cache")
	text := "[libdefaults]\n default_realm = " + peer.Realm + "\n dns_lookup_kdc = false\n[realms]\n " + peer.Realm +
		" = {\n  kdc = " + peer.DCAddress + "\n }\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "KRB5_CONFIG="+conf, "KRB5CCNAME=FILE:"+cache)
	kinit := dc.Client.Command(t.Context(), "kinit", "alice@"+peer.Realm)
	kinit.Env, kinit.Stdin = env, strings.NewReader(peer.Password+"\n")
	if out, err := kinit.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v\n%s", err, out)
	}
	audit := func(args ...string) (string, string) {
		cmd := dc.Client.Command(t.Context(), program,
			append([]string{"audit", "--format", "jsonl", "winreg://" + peer.DCName}, args...)...)
		cmd.Env = env
		var out, trouble bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &trouble
		_ = cmd.Run() // its exit code is the verdict
		return out.String(), trouble.String()
	}
	out, trouble := audit("--kerberos")
	a := &model.Audit{}
	if err := json.Unmarshal([]byte(out), a); err != nil {
		t.Fatalf("%v: %s", err, trouble)
	}
	if a.Partial || !slices.ContainsFunc(a.Platform.Why, func(s string) bool {
		return strings.Contains(s, "as user, encrypted")
	}) {
		t.Errorf("%+v", a.Platform)
	}
	if out, trouble := audit(); out != "" || !strings.Contains(trouble, "STATUS_ACCESS_DENIED") {
		t.Errorf("without the ticket: %s%s", out, trouble)
	}
}
