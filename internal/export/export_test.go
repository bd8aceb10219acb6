package export

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
)

const (
	lsa = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`
	lms = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
)

// As JSON reads it.
func dword(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: float64(n)} }

func multi(names ...string) model.Value {
	return model.Value{Present: true, Type: "REG_MULTI_SZ", Data: append([]string{}, names...)}
}

// windows returns a plan with every kind of change for Windows.
func windows() *model.Plan {
	return &model.Plan{
		Schema: model.SchemaPlan, Target: "srv1'; Remove-Item C:\\ #\u2019\n",
		Platform: model.Platform{System: "windows"}, Hash: "sha256:0123456789abcdef",
		Changes: []model.Change{
			{
				ID: "1", Setting: "NullSessionPipes", Where: lms + `\NullSessionPipes`,
				From: multi("samr", `sql\query`, "O'Brien", "\u2018curly\u2019", "{{ lookup }}"), To: multi(),
			},
			{
				ID: "2", Setting: "RestrictNullSessAccess", Where: lms + `\RestrictNullSessAccess`,
				From: dword(0), To: dword(1),
			},
			{ID: "3", Setting: "RestrictAnonymous", Where: lsa + `\RestrictAnonymous`, To: dword(1)},
			{
				ID: "4", Setting: "TurnOffAnonymousBlock", Where: lsa + `\TurnOffAnonymousBlock`,
				From: dword(0xffffffff), To: dword(0),
			},
			{
				ID: "5", Setting: "NullSessionShares", Where: lms + `\NullSessionShares`,
				From: model.Value{Present: true, Type: "REG_SZ", Data: "docs"}, To: multi(),
			},
			{
				ID: "6", Setting: "LSAAnonymousNameLookup",
				Where: "[System Access] LSAAnonymousNameLookup",
				From:  model.Value{Present: true, Type: "policy", Data: float64(1)},
				To:    model.Value{Present: true, Type: "policy", Data: float64(0)},
			},
			{
				ID: "7", Setting: "PreWindows2000Members", Where: "the members of S-1-5-32-554",
				From: model.Value{
					Present: true,
					Type:    "members",
					Data:    []string{"S-1-1-0", "S-1-5-7"},
				}, To: model.Value{Present: true, Type: "members", Data: []string{"S-1-5-11"}},
			},
		},
	}
}

// tree returns the registry that a plan starts from, with a value beside it that must not change.
func tree(t testing.TB, p *model.Plan) *registry.Tree {
	t.Helper()
	out := &registry.Tree{}
	out.Set(registry.NewDWord(lsa, "Neighbour", 7))
	out.AddKey(lms)
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	list, err := items(c, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Place.Kind == change.Registry && i.Before.Present {
			out.Set(i.value(i.Before))
		}
	}
	return out
}

// dump returns the whole registry for comparison.
func dump(t testing.TB, r *registry.Tree) string {
	t.Helper()
	var b strings.Builder
	for _, key := range []string{lsa, lms} {
		values, err := r.Values(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&b, "%s\\%s %s %x\n", key, v.Name, v.Type, v.Data)
		}
	}
	return b.String()
}

func export(t testing.TB, p *model.Plan, form string, o Options) map[string][]byte {
	t.Helper()
	r, err := Export(p, form, o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range r.Files {
		out[f.Name] = f.Data
	}
	return out
}

func file(t testing.TB, files map[string][]byte, name string) []byte {
	t.Helper()
	for n, b := range files {
		if n == name || strings.HasPrefix(name, "*") && strings.HasSuffix(n, name[1:]) {
			return b
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

// TestRegFile: the file makes the changes, and its undo restores the same registry, with types and absent values.
func TestRegFile(t *testing.T) {
	p := windows()
	files := export(t, p, "reg", Options{})
	r := tree(t, p)
	before := dump(t, r)
	for _, name := range []string{"apply.reg", "undo.reg"} {
		f, err := regfile.Parse(file(t, files, name))
		if err != nil {
			t.Fatal(err)
		}
		f.Apply(r)
		if name == "apply.reg" {
			for _, want := range []string{
				`NullSessionPipes REG_MULTI_SZ 0000`, `RestrictAnonymous REG_DWORD 01000000`,
				`NullSessionShares REG_MULTI_SZ 0000`,
			} {
				if !strings.Contains(dump(t, r), want) {
					t.Errorf("no %q after it:\n%s", want, dump(t, r))
				}
			}
		}
	}
	if after := dump(t, r); after != before {
		t.Errorf("the undo left\n%s, and there was\n%s", after, before)
	}
}

// TestUndoIsIdentity: on random registries, apply and undo leave every byte unchanged, through .reg files and through
// policies.
func TestUndoIsIdentity(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := windows()
		name := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 _-\\'\",;{}$`\u2019é漢")), 1, 12, -1)
		draw := func(label string) model.Value {
			switch rapid.IntRange(0, 4).Draw(rt, label) {
			case 0:
				return model.Value{}
			case 1:
				return dword(int(rapid.Uint32().Draw(rt, label+" number")))
			case 2:
				return model.Value{Present: true, Type: "REG_SZ", Data: name.Draw(rt, label+" text")}
			}
			return multi(rapid.SliceOfN(name, 0, 4).Draw(rt, label+" list")...)
		}
		for i := range p.Changes[:5] {
			p.Changes[i].From = draw("from")
		}
		for _, form := range []string{"reg", "gpo"} {
			files := export(t, p, form, Options{})
			r := tree(t, p)
			before := dump(t, r)
			for _, word := range []string{"apply", "undo"} {
				if form == "reg" {
					f, err := regfile.Parse(file(t, files, word+".reg"))
					if err != nil {
						rt.Fatal(err)
					}
					f.Apply(r)
					continue
				}
				carryOut(t, r, files, word)
			}
			if after := dump(t, r); after != before {
				rt.Fatalf("%s: the undo left\n%s, and there was\n%s", form, after, before)
			}
		}
	})
}

// carryOut applies a policy backup to a registry as a client would.
func carryOut(t testing.TB, r *registry.Tree, files map[string][]byte, word string) *gpo.Result {
	t.Helper()
	fsys := fstest.MapFS{}
	for n, b := range files {
		fsys[n] = &fstest.MapFile{Data: b}
	}
	list, err := gpo.Read(fsys, word)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || len(list[0].Problems) > 0 {
		t.Fatalf("%d objects, problems %q", len(list), list[0].Problems)
	}
	joined := gpo.Join(list...)
	regpol.Apply(r, "HKLM", list[0].Policy)
	if list[0].Template != nil {
		values, errs := list[0].Template.RegistryValues()
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for _, v := range values {
			v.Key = registry.Canonical(v.Key)
			r.Set(v)
		}
	}
	return joined
}

// TestGroupPolicy reads a backup as a policy console would, with its names, values and security options.
func TestGroupPolicy(t *testing.T) {
	p := windows()
	files := export(t, p, "gpo", Options{Time: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)})
	r := tree(t, p)
	before := dump(t, r)
	g := carryOut(t, r, files, "apply")
	if v, from, ok := g.Get("System Access", "LSAAnonymousNameLookup"); !ok || v != "0" ||
		from.Name != "ipcguard apply 01234567" || from.Backup != "2026-05-04T03:02:01" {
		t.Errorf("LSAAnonymousNameLookup = %q of %+v", v, from)
	}
	if v, _, ok := g.Get("Group Membership", "*S-1-5-32-554__Members"); !ok || v != "*S-1-5-11" {
		t.Errorf("members %q", v)
	}
	for _, want := range []string{
		`NullSessionPipes REG_MULTI_SZ 0000`, `RestrictAnonymous REG_DWORD 01000000`,
		`TurnOffAnonymousBlock REG_DWORD 00000000`,
	} {
		if !strings.Contains(dump(t, r), want) {
			t.Errorf("no %q after it:\n%s", want, dump(t, r))
		}
	}
	if u := carryOut(t, r, files, "undo"); dump(t, r) != before {
		t.Errorf("the undo left\n%s, and there was\n%s", dump(t, r), before)
	} else if v, _, _ := u.Get("System Access", "LSAAnonymousNameLookup"); v != "1" {
		t.Errorf("the undo sets LSAAnonymousNameLookup to %q", v)
	}
}

// TestPowerShellQuotes: whatever a name contains, the expression is plain ASCII, one token, and only the name.
func TestPowerShellQuotes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.StringOf(rapid.OneOf(rapid.Rune(),
			rapid.RuneFrom([]rune("'\"`$();#{}\u2018\u2019\u201a\u201b\n\r ")))).Draw(rt, "text")
		s = strings.ToValidUTF8(s, "")
		got, err := unquotePS(psQuote(s))
		if err != nil || got != s {
			rt.Fatalf("%q became %s, which reads %q: %v", s, psQuote(s), got, err)
		}
	})
}

// unquotePS parses the two forms that psQuote writes, according to PowerShell's grammar.
func unquotePS(expr string) (string, error) {
	for _, c := range expr {
		if c < ' ' || c > '~' {
			return "", fmt.Errorf("%q is outside ASCII", c)
		}
	}
	if body, ok := strings.CutPrefix(expr, "'"); ok {
		var out strings.Builder
		for i := 0; i < len(body); i++ {
			switch {
			case body[i] != '\'':
				out.WriteByte(body[i])
			case i+1 < len(body) && body[i+1] == '\'':
				out.WriteByte('\'')
				i++
			case i+1 == len(body):
				return out.String(), nil
			default:
				return "", errors.New("the text ends early")
			}
		}
		return "", errors.New("the text does not end")
	}
	body, begins := strings.CutPrefix(expr, "(-join [char[]]@(")
	body, ends := strings.CutSuffix(body, "))")
	if !begins || !ends {
		return "", errors.New("neither form")
	}
	var units []uint16
	for _, n := range strings.Split(body, ", ") {
		var u uint16
		if _, err := fmt.Sscanf(n, "%d", &u); err != nil {
			return "", err
		}
		units = append(units, u)
	}
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u), byte(u>>8))
	}
	return registry.DecodeUTF16(b), nil
}

// TestPowerShell checks the scripts: every change and its undo, and no part of a name outside quotes. peers_test.go
// runs parsers on them.
func TestPowerShell(t *testing.T) {
	files := export(t, windows(), "powershell", Options{})
	apply, undo := string(file(t, files, "apply.ps1")), string(file(t, files, "undo.ps1"))
	for _, want := range []string{
		`Set-IpcguardValue -Key 'SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters' -Name 'NullSessionPipes' -Kind MultiString -Data ([string[]]@())`,
		`-Name 'RestrictAnonymous' -Kind DWord -Data ([int]1)`,
		`Set-IpcguardPolicy -Name 'LSAAnonymousNameLookup' -Value '0'`,
		`Set-IpcguardMember -Member 'S-1-5-7' -Present $false`, "Set-StrictMode", "SupportsShouldProcess",
	} {
		if !strings.Contains(apply, want) {
			t.Errorf("apply.ps1 lacks %q", want)
		}
	}
	for _, want := range []string{
		`Remove-IpcguardValue -Key 'SYSTEM\CurrentControlSet\Control\Lsa' -Name 'RestrictAnonymous'`,
		`-Kind MultiString -Data ([string[]]@('samr', 'sql\query', 'O''Brien', (-join [char[]]@(8216, `,
		`-Kind String -Data 'docs'`, `([int]-1)`,
		`Set-IpcguardMember -Member 'S-1-1-0' -Present $true`,
	} {
		if !strings.Contains(undo, want) {
			t.Errorf("undo.ps1 lacks %q", want)
		}
	}
	for name, text := range map[string]string{"apply.ps1": apply, "undo.ps1": undo} {
		for _, l := range strings.Split(text, "\r\n") {
			if strings.ContainsAny(l, "\n\u2018\u2019") {
				t.Errorf("%s: %q", name, l)
			}
		}
	}
}

// TestAnsible: the tasks are YAML with the values of the plan, and the path is the only template in them.
func TestAnsible(t *testing.T) {
	for _, p := range []*model.Plan{windows(), samba()} {
		files := export(t, p, "ansible", Options{})
		for _, name := range []string{"apply.yml", "undo.yml"} {
			var tasks []map[string]any
			if err := yaml.Unmarshal(file(t, files, name), &tasks); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, file(t, files, name))
			}
			all := tasks
			for _, x := range tasks {
				block, _ := x["block"].([]any)
				all = append(all, make([]map[string]any, len(block))...)
			}
			if len(all) < len(p.Changes) {
				t.Errorf("%s has %d tasks for %d changes", name, len(all), len(p.Changes))
			}
		}
	}
	for _, name := range []string{"apply.yml", "undo.yml"} { // ini_file creates a missing section
		text := string(file(t, export(t, samba(), "ansible", Options{}), name))
		found, set := strings.Index(text,
			`[testparm, -s, "--section-name=public", "--parameter-name=path"`),
			strings.Index(text, `"Set guest ok of [public] in a copy"`)
		if found < 0 || set < found || strings.Count(text, "--parameter-name=path") != 1 {
			t.Errorf("%s does not look for the share first:\n%s", name, text)
		}
		seen, replaced := strings.LastIndex(text, "is in force in the copy"), strings.Index(text, `"Put the copy in`)
		if seen < set || replaced < seen || strings.Count(text, "is in force in the copy") != len(samba().Changes) {
			t.Errorf("%s does not ask Samba for every value first:\n%s", name, text)
		}
	}
	text := string(file(t, export(t, windows(), "ansible", Options{}), "undo.yml"))
	for _, want := range []string{`!unsafe "{{ lookup }}"`, `"O'Brien"`, "state: absent", `data: 4294967295`} {
		if !strings.Contains(text, want) {
			t.Errorf("undo.yml lacks %q:\n%s", want, text)
		}
	}
}

func samba() *model.Plan {
	return &model.Plan{
		Schema: model.SchemaPlan, Target: "nas", Platform: model.Platform{System: "samba"}, Hash: "sha256:aa",
		Changes: []model.Change{
			{
				ID:      "1",
				Setting: "restrict anonymous",
				Where:   "[global] restrict anonymous",
				To:      model.Value{Present: true, Type: "int", Data: float64(2)},
			},
			{
				ID: "2", Setting: "map to guest", Where: "[global] map to guest",
				From: model.Value{Present: true, Type: "enum", Data: "bad user"},
				To:   model.Value{Present: true, Type: "enum", Data: "never"},
			},
			{
				ID: "3", Setting: "guest ok", Where: "[public] guest ok",
				From: model.Value{Present: true, Type: "bool", Data: true},
				To:   model.Value{Present: true, Type: "bool", Data: false},
			},
			{
				ID:      "4",
				Setting: "IPC$:hosts deny",
				Where:   "[IPC$] hosts deny",
				To:      model.Value{Present: true, Type: "list", Data: []string{"ALL"}},
			},
		},
	}
}

const conf = `# kept
[global]
	workgroup = LAB
	Map To Guest = Bad User   
	; also kept
	log level = 1

[homes]
	browseable = no
# more
# lines
# in
# between
[public]
	path = /srv
	public = yes
	comment = last line without an end`

// TestSambaConf: the edited file differs only in the lines of the plan, patch turns each file into the other, and the
// undo is the original to the byte.
func TestSambaConf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "smb.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	files := export(t, samba(), "smbconf", Options{Source: path})
	after := string(file(t, files, "smb.conf"))
	if string(file(t, files, "smb.conf.undo")) != conf {
		t.Error("the undo is not the original")
	}
	for _, want := range []string{
		"# kept", "; also kept", "restrict anonymous = 2", "never", "[IPC$]", "hosts deny = ALL", "workgroup = LAB",
	} {
		if !strings.Contains(after, want) {
			t.Errorf("no %q in\n%s", want, after)
		}
	}
	if strings.Contains(after, "Bad User") || strings.Contains(after, "public = yes") {
		t.Errorf("old values are left in\n%s", after)
	}
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("patch is not installed, so nobody else has read the differences")
	}
	for _, step := range []struct{ diff, want string }{{"apply.diff", after}, {"undo.diff", conf}} {
		cmd := exec.Command(patch, "-s", path)
		cmd.Stdin = bytes.NewReader(file(t, files, step.diff))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("patch of %s: %v %s\n%s", step.diff, err, out, file(t, files, step.diff))
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != step.want {
			t.Errorf("after %s: %v\n%s", step.diff, err, got)
		}
	}
	p := samba()
	p.Changes[1].From.Data = "bad password"
	if _, err := Export(p, "smbconf", Options{Source: path}); !errors.Is(err, ErrOther) {
		t.Errorf("a file with another value: %v", err)
	}
	p = samba()
	p.Changes[0].From = model.Value{Present: true, Type: "int", Data: 1}
	if _, err := Export(p, "smbconf", Options{Source: path}); !errors.Is(err, ErrOther) {
		t.Errorf("a file without the value: %v", err)
	}
}

// TestFirewall: a rule is written for the host's system only.
func TestFirewall(t *testing.T) {
	rule := model.Change{
		ID:         "1",
		Setting:    "host-firewall",
		Where:      "inbound TCP 139, 445",
		To:         model.Value{Present: true, Type: "firewall-rule", Data: []string{"139", "445"}},
		ExportOnly: true,
	}
	for system, want := range map[string]string{"windows": "win_firewall_rule", "samba": "ansible.builtin.iptables"} {
		p := &model.Plan{Platform: model.Platform{System: system}, Changes: []model.Change{rule}}
		files := export(t, p, "ansible", Options{})
		if b := string(file(t, files, "apply.yml")); !strings.Contains(b, want) ||
			!strings.Contains(b, "state: present") {
			t.Errorf("%s: %s", system, b)
		}
		if b := string(file(t, files, "undo.yml")); !strings.Contains(b, "state: absent") ||
			strings.Contains(b, "state: present") {
			t.Errorf("%s: %s", system, b)
		}
		for _, family := range []string{"ipv4", "ipv6"} { // after a rule that accepts SMB it would block nothing
			rule := "ip_version: " + family + "\n    chain: INPUT\n    "
			first := rule + "action: insert\n    rule_num: \"1\"\n"
			if linux := system != "windows"; linux != strings.Contains(string(file(t, files, "apply.yml")), first) ||
				linux != strings.Contains(string(file(t, files, "undo.yml")), rule+"in_interface") {
				t.Errorf("%s: the rules for %s are not first, or stay after the undo", system, family)
			}
		}
		_, err := Export(p, "powershell", Options{})
		if windows := err == nil; windows != (system == "windows") {
			t.Errorf("%s as PowerShell: %v", system, err)
		}
	}
}

// TestLeftOut: what a form cannot express is reported and not written.
func TestLeftOut(t *testing.T) {
	r, err := Export(windows(), "reg", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LeftOut) != 2 || !strings.Contains(r.LeftOut[0], "LSAAnonymousNameLookup") {
		t.Errorf("left out %q", r.LeftOut)
	}
	if _, err := Export(samba(), "reg", Options{}); !errors.Is(err, ErrNothing) {
		t.Errorf("a Samba plan as .reg: %v", err)
	}
	if _, err := Export(&model.Plan{}, "reg", Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty plan: %v", err)
	}
	if _, err := Export(windows(), "exe", Options{}); !errors.Is(err, ErrForm) {
		t.Errorf("a form that is none: %v", err)
	}
	bad := windows()
	bad.Changes[1].To.Data = -1
	if _, err := Export(bad, "reg", Options{}); err == nil {
		t.Error("a REG_DWORD of -1 was written")
	}
	if !slices.Contains(Forms(), "ansible") {
		t.Error("no ansible")
	}
}

// TestOldReleases: what a form needs exists in the host's release, or the form reports that it does not.
func TestOldReleases(t *testing.T) {
	rule := model.Change{
		ID:         "9",
		Setting:    "host-firewall",
		Where:      "inbound TCP 139, 445",
		To:         model.Value{Present: true, Type: "firewall-rule", Data: []string{"139", "445"}},
		ExportOnly: true,
	}
	for _, tt := range []struct{ product, note, left string }{
		{"win2000", "this release never had", "has no rules that block"},
		{"win2003", "this release never had", "has no rules that block"},
		{"vista", "this release never had", ""},
		{"win2008", "Windows Management Framework 3.0", ""},
		{"win2008r2", "Windows Management Framework 3.0", ""},
		{"win2012", "", ""},
		{"win2022", "", ""},
		{"", "", ""},
	} {
		p := windows()
		p.Platform.Product = tt.product
		p.Changes = append(p.Changes[:2:2], rule)
		r, err := Export(p, "powershell", Options{})
		if err != nil {
			t.Fatal(err)
		}
		script := string(r.Files[0].Data)
		for _, later := range []string{"Set-SmbServerConfiguration", "NetFirewallRule"} {
			if strings.Contains(script, later) {
				t.Errorf("%s: %s came with 2012", tt.product, later)
			}
		}
		if rule := strings.Contains(script, "advfirewall firewall add rule"); rule != (tt.left == "") {
			t.Errorf("%s: a rule is written: %v", tt.product, rule)
		}
		if left := strings.Join(r.LeftOut, "\n"); tt.left == "" && left != "" || !strings.Contains(left, tt.left) {
			t.Errorf("%s: left out %q", tt.product, left)
		}
		if notes := strings.Join(r.Notes, "\n"); strings.Contains(notes, "PowerShell 3") != (tt.note != "") ||
			!strings.Contains(notes, tt.note) {
			t.Errorf("%s: notes %q", tt.product, notes)
		}
	}
}
