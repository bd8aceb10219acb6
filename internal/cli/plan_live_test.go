package cli

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/audit"
	"ipcguard/internal/export"
	"ipcguard/internal/format/gpo"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// command runs a command line that has to end with this exit code, and gives its output.
func command(t *testing.T, want int, args ...string) string {
	t.Helper()
	code, out, trouble := run(args...)
	if code != want {
		if args[0] == "plan" {
			_, told, _ := run(slices.Concat([]string{"plan"}, args[1:len(args)-4])...)
			out += told
		}
		t.Fatalf("ipcguard %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, trouble)
	}
	return out
}

// verdict scans a server and says how it looks from outside.
func verdict(t *testing.T, address string) model.Verdict {
	t.Helper()
	_, out, trouble := run("scan", "--format", "jsonl", address)
	s := &model.Scan{}
	if err := json.Unmarshal([]byte(out), s); err != nil {
		t.Fatalf("%v\n%s%s", err, out, trouble)
	}
	return s.Verdict
}

// On real Samba: from each weak configuration the plan closes everything, a signed-in user still works, and the undo
// brings back the bytes, which are open again.
func TestPlanClosesSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	server := peer.StartSamba(t, peer.Config{Address: "127.53.1.1"})
	user := peer.Client{User: "alice", Password: peer.Password}
	for _, c := range []struct {
		name     string
		globals  []string
		ipc      []string
		settings []string // that the plan changes
	}{
		{"by default", nil, nil, []string{"guest ok", "restrict anonymous"}},
		{"restrict anonymous 1", []string{"restrict anonymous = 1"}, nil, []string{"guest ok", "restrict anonymous"}},
		{
			"guests",
			[]string{"map to guest = Bad User"},
			[]string{"guest ok = no"},
			[]string{"guest ok", "restrict anonymous"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "restrict anonymous 1" {
				peer.Long(t, "a third weak configuration")
			}
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			server.Edit(t, func(now *peer.Config) { now.Global, now.IPC = c.globals, c.ipc })
			server.Restart(t)
			original, err := os.ReadFile(server.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			command(t, exitExposed, "scan", "--format", "jsonl", "-o", file("scan"), server.Addr())
			command(t, exitExposed, "audit", server.ConfigFile, "--from", "127.0.0.1", "--format", "json", "-o",
				file("audit"))
			command(t, exitOK, "plan", "--audit", file("audit"), "--scan", file("scan"), "--format", "json", "-o",
				file("plan"))
			b, err := os.ReadFile(file("plan"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			var settings []string
			for _, ch := range p.Changes {
				settings = append(settings, ch.Setting)
			}
			slices.Sort(settings)
			if !slices.Equal(settings, c.settings) {
				t.Errorf("the plan changes %q, want %q", settings, c.settings)
			}
			command(t, exitOK, "export", file("plan"), "--as", "smbconf", "--source", server.ConfigFile, "-o",
				file("out"))
			edited, err := os.ReadFile(filepath.Join(file("out"), filepath.Base(server.ConfigFile)))
			if err != nil {
				t.Fatal(err)
			}
			put := func(b []byte) {
				if err := os.WriteFile(server.ConfigFile, b, 0o644); err != nil {
					t.Fatal(err)
				}
				server.Restart(t)
			}
			put(edited)
			if v := verdict(t, server.Addr()); v != model.Closed {
				t.Errorf("after the plan the host is %s", v)
			}
			if a := user.RPC(t, server.Addr(), "netshareenum", "lsaquery", "enumdomusers"); !a.OK() {
				t.Errorf("alice no longer works: %s", a)
			}
			undo, err := os.ReadFile(filepath.Join(file("out"), filepath.Base(server.ConfigFile)+".undo"))
			if err != nil || string(undo) != string(original) {
				t.Errorf("the undo is not the original: %v", err)
			}
			put(undo)
			if v := verdict(t, server.Addr()); v != model.Exposed {
				t.Errorf("after the undo the host is %s, so nothing was proved", v)
			}
		})
	}
}

// On a real domain controller: restrict anonymous 1 leaves samr open and the plan goes to 2; a policy backup is taken
// by samba-tool and lies in SYSVOL as it was exported.
func TestPlanOnDomainController(t *testing.T) {
	t.Parallel()
	peer.Need(t, "samba-dc")
	dc := peer.StartDC(t, "restrict anonymous = 1")
	look := func() *model.Scan {
		s, err := scan.New(scan.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dc.Client.Dial(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		list, err := targets.Parse(t.Context(), []string{dc.Addr()}, targets.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var seen *model.Scan
		for target := range list.All() {
			seen = s.Host(t.Context(), target)
		}
		return seen
	}
	t.Run("closes", func(t *testing.T) {
		seen := look()
		if seen.Verdict != model.Exposed {
			t.Fatalf("before: %s %s", seen.Verdict, seen.Reason)
		}
		results, err := audit.Options{}.Source(t.Context(), dc.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Make(plan.Evidence{Audit: results[0], Scans: []*model.Scan{seen}})
		if err != nil {
			t.Fatal(err)
		}
		if p.Question != "" || len(p.Changes) != 1 || p.Changes[0].Setting != "restrict anonymous" ||
			model.Text(p.Changes[0].To.Data) != "2" {
			t.Fatalf("question %q, changes %+v", p.Question, p.Changes)
		}
		dc.Restart(t, "restrict anonymous = "+model.Text(p.Changes[0].To.Data))
		if after := look(); after.Verdict != model.Closed {
			t.Errorf("after: %s %s", after.Verdict, after.Reason)
		}
		user := peer.Client{From: dc.Client, User: "alice", Password: peer.Password, Domain: peer.Domain}
		if a := user.RPC(t, dc.Addr(), "lsaquery", "enumdomusers"); !a.OK() {
			t.Errorf("alice no longer works: %s", a)
		}
	})
	t.Run("restores a policy", func(t *testing.T) {
		lms := `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters\`
		p := &model.Plan{
			Target: "srv", Platform: model.Platform{System: "windows"}, Hash: "sha256:5eed5eed",
			Changes: []model.Change{
				{
					ID: "1", Setting: "NullSessionPipes", Where: lms + "NullSessionPipes",
					From: model.Value{Present: true, Type: "REG_MULTI_SZ", Data: []string{"samr", "evil"}},
					To:   model.Value{Present: true, Type: "REG_MULTI_SZ", Data: []string{}},
				},
				{
					ID: "2", Setting: "AutoShareServer", Where: lms + "AutoShareServer",
					To: model.Value{Present: true, Type: "REG_DWORD", Data: 0},
				},
				{
					ID: "3", Setting: "LSAAnonymousNameLookup", Where: "[System Access] LSAAnonymousNameLookup",
					From: model.Value{Present: true, Type: "policy", Data: 1},
					To:   model.Value{Present: true, Type: "policy", Data: 0},
				},
			},
		}
		r, err := export.Export(p, "gpo", export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(dc.Dir, "exported")
		for _, f := range r.Files {
			path := filepath.Join(root, filepath.FromSlash(f.Name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, word := range []string{"apply", "undo"} {
			cmd := dc.Command(t.Context(), "samba-tool", "gpo", "restore", "ipcguard "+word,
				filepath.Join(root, word, "samba"), "--tmpdir", t.TempDir(), "-H", "ldap://"+peer.DCName, "-s",
				dc.ConfigFile, "-U", "Administrator")
			cmd.Env = append(os.Environ(), "PASSWD="+peer.AdminPassword)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "WARNING") {
				t.Fatalf("samba-tool gpo restore: %v\n%s", err, out)
			}
			_, rest, ok := strings.Cut(string(out), "{")
			id, _, ok2 := strings.Cut(rest, "}")
			if !ok || !ok2 {
				t.Fatalf("no GUID in %s", out)
			}
			list, err := gpo.Read(os.DirFS(policies(t, dc.Dir)), "{"+id+"}")
			if err != nil || len(list) != 1 || len(list[0].Problems) > 0 {
				t.Fatalf("SYSVOL has %d objects: %v", len(list), err)
			}
			g := gpo.Join(list...)
			want := map[string]string{"apply": "0", "undo": "1"}[word]
			if v, _, ok := g.Get("System Access", "LSAAnonymousNameLookup"); !ok || v != want {
				t.Errorf("%s: LSAAnonymousNameLookup %q, want %s", word, v, want)
			}
			v, err := g.Registry.Value(`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`,
				"NullSessionPipes")
			names, err2 := v.Strings()
			if err != nil || err2 != nil || len(names) != map[string]int{"apply": 0, "undo": 2}[word] {
				t.Errorf("%s: NullSessionPipes %q: %v %v", word, names, err, err2)
			}
			n, err := g.Registry.Value(`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`,
				"AutoShareServer")
			if present := err == nil; present != (word == "apply") {
				t.Errorf("%s: AutoShareServer %+v: %v", word, n, err)
			}
		}
	})
}

// policies finds the Policies folder of a domain controller's SYSVOL.
func policies(t *testing.T, dir string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "Policies" {
			found = path
			return filepath.SkipAll
		}
		return nil
	})
	if err != nil || found == "" {
		t.Fatalf("no Policies below %s: %v", dir, err)
	}
	return found
}
