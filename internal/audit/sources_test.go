package audit

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// gpreport is the part of gpreport.xml that lists security options, which Microsoft's tool wrote.
type gpreport struct {
	Options []struct {
		KeyName    string `xml:"KeyName"`
		SystemName string `xml:"SystemAccessPolicyName"`
		Number     string `xml:"SettingNumber"`
		Text       string `xml:"SettingString"`
		Strings    struct {
			Value []string `xml:"Value"`
		} `xml:"SettingStrings"`
	} `xml:"Computer>ExtensionData>Extension>SecurityOptions"`
	Rights []struct {
		Name    string   `xml:"Name"`
		Members []string `xml:"Member>SID"`
	} `xml:"Computer>ExtensionData>Extension>UserRightsAssignment"`
}

// TestPolicyAgainstItsReport: a real policy sets exactly the settings of its report, with their values.
func TestPolicyAgainstItsReport(t *testing.T) {
	dir := filepath.Join(peer.Shared(t, "gpo"), "nsacyber-windows")
	b, err := os.ReadFile(filepath.Join(dir, "gpreport.xml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.HasPrefix(text, "\xff\xfe") {
		text = registry.DecodeUTF16(b[2:])
	}
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var report gpreport
	if err := d.Decode(&report); err != nil {
		t.Fatal(err)
	}
	a := source(t, Options{}, dir)
	if a.Partial || a.Source.Kind != "gpo" || a.Platform.Role != model.UnknownRole ||
		!mentions(a.Platform.Why, "does not say which product") {
		t.Errorf("%+v %+v %v", a.Source, a.Platform, a.Problems)
	}
	compared := 0
	seen := map[string]bool{}
	for _, o := range report.Options {
		for _, s := range a.Settings {
			registryName := `MACHINE\` + strings.TrimPrefix(s.Where, `HKLM\`)
			_, policy, _ := strings.Cut(load(t).Setting(s.ID).GptTmpl, "/")
			if !strings.EqualFold(o.KeyName, registryName) && (o.SystemName == "" || o.SystemName != policy) {
				continue
			}
			compared++
			seen[s.ID] = true
			want := o.Number
			if o.Text != "" {
				want = o.Text
			}
			got := fmt.Sprint(s.Configured)
			if text, err := strconv.Unquote(want); err == nil {
				want = text
			}
			if !s.Present || got != want || !strings.Contains(s.Origin, "GptTmpl.inf") {
				t.Errorf("%s: present %v, %q from %q; the report says %q", s.ID, s.Present, got, s.Origin, want)
			}
		}
	}
	for _, r := range report.Rights {
		for _, s := range a.Settings {
			if s.ID != r.Name {
				continue
			}
			compared++
			seen[s.ID] = true
			got, _ := s.Configured.([]string)
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(r.Members))) {
				t.Errorf("%s: %v; the report says %v", s.ID, got, r.Members)
			}
		}
	}
	if compared < 14 {
		t.Errorf("%d settings compared", compared)
	}
	for _, s := range a.Settings {
		if s.Present && strings.Contains(s.Origin, "GptTmpl.inf") && !seen[s.ID] {
			t.Errorf("%s is set and not in the report", s.ID)
		}
		if !s.Present && !s.NotRead {
			t.Errorf("%s: a policy that does not set it leaves it as it is, which is unknown: %+v", s.ID, s)
		}
	}
}

// makeGPO writes a backup with one template.
func makeGPO(t *testing.T, name string, set func(*inf.File), ins ...regpol.Instruction) map[string]string {
	t.Helper()
	f := inf.New()
	set(f)
	pol, err := regpol.Bytes(ins)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		name + "/bkupInfo.xml": "<BackupInst><GPOGuid>{1}</GPOGuid><GPODisplayName>" + name +
			"</GPODisplayName></BackupInst>",
		name + "/DomainSysvol/GPO/Machine/microsoft/windows nt/SecEdit/GptTmpl.inf": string(f.Bytes()),
		name + "/DomainSysvol/GPO/Machine/registry.pol":                             string(pol),
	}
}

// TestPrecedence: several policies, each by itself, or joined with the last one in force, and the .reg file after them.
func TestPrecedence(t *testing.T) {
	set := func(n uint32, lookup string) func(*inf.File) {
		return func(f *inf.File) {
			if err := f.SetRegistryValue(dword(lsaKey, "RestrictAnonymous", n)); err != nil {
				t.Fatal(err)
			}
			f.Set("System Access", "LSAAnonymousNameLookup", lookup)
			f.Set("Group Membership", "*S-1-5-32-554__Members", "*S-1-5-11,*S-1-5-7")
		}
	}
	files := makeGPO(t, "domain", set(0, "1"),
		regpol.Set(dword(`SOFTWARE\Policies\Microsoft\Windows\LanmanWorkstation`, "AllowInsecureGuestAuth", 1)))
	for k, v := range makeGPO(t, "server", set(1, "0")) {
		files[k] = v
	}
	files["last.reg"] = "Windows Registry Editor Version " +
		"5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\Lsa]\r\n\"RestrictAnonymousSAM\"=dword:00000000\r\n\"RestrictAnonymous\"=-\r\n"
	dir := write(t, files)
	all, err := Options{Product: "win2022", Role: model.DomainController}.Source(t.Context(), dir)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d results, %v", len(all), err)
	}
	merge := func(names ...string) *model.Audit {
		var paths []string
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		var got []*model.Audit
		err := Options{Merge: true, Product: "win2022", Role: model.DomainController}.Run(t.Context(), paths,
			func(r Result) error {
				got = append(got, r.Audits...)
				return r.Err
			})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		return got[0]
	}
	a := merge("domain", "server")
	if s := settingOf(t, a, "RestrictAnonymous"); s.Configured != 1 || !strings.HasPrefix(s.Origin, "server") ||
		!strings.Contains(s.Why, "wins over domain") {
		t.Errorf("%+v", s)
	}
	if s := settingOf(t, a, "AllowInsecureGuestAuth"); s.Configured != 1 || !strings.HasPrefix(s.Origin, "domain") {
		t.Errorf("what the first one alone sets stays: %+v", s)
	}
	if f := finding(a, "legacy-group-open"); f == nil || f.Severity != model.Critical {
		t.Errorf("Anonymous Logon in Pre-Windows 2000 Compatible Access: %+v", f)
	}
	if s := settingOf(t, merge("server", "domain"), "RestrictAnonymous"); s.Configured != 0 {
		t.Errorf("the other way round: %+v", s)
	}
	a = merge("domain", "server", "last.reg")
	if s := settingOf(t, a, "RestrictAnonymous"); s.Present || s.NotRead {
		t.Errorf("a deleted value is absent, not unknown: %+v", s)
	}
	if s := settingOf(t, a, "RestrictAnonymousSAM"); s.Configured != 0 || !strings.Contains(s.Origin, "last.reg:4") {
		t.Errorf("%+v", s)
	}
}

func TestRegFile(t *testing.T) {
	text := "Windows Registry Editor Version " +
		"5.00\r\n\r\n[HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters]\r\n\"NullSessionPipes\"=hex(7):73,00,61,00,\\\r\n  6d,00,72,00,00,00,00,00\r\n\"NullSessionShares\"=\"public\"\r\n"
	utf16 := "\xff\xfe" + string(registry.EncodeUTF16(text))
	for name, b := range map[string]string{"utf8.reg": text, "utf16.reg": utf16} {
		a := source(t, Options{Product: "win2019", Role: model.Member},
			filepath.Join(write(t, map[string]string{name: b}), name))
		if s := settingOf(t, a, "NullSessionPipes"); !slices.Equal(s.Configured.([]string), []string{"samr"}) ||
			!strings.HasSuffix(s.Origin, name+":4") {
			t.Errorf("%s: %+v", name, s)
		}
		if f := finding(a, "wrong-type"); f == nil || f.Setting != "NullSessionShares" {
			t.Errorf("%s: a list as text: %+v", name, f)
		}
		if s := settingOf(t, a, "RestrictAnonymous"); !s.NotRead || s.State != model.StateUnknown {
			t.Errorf("%s: what the file does not set is unknown: %+v", name, s)
		}
	}
}

// TestBadSources: a damaged or invalid source gives one clear error with the file, or a partial result with the
// position.
func TestBadSources(t *testing.T) {
	dir := write(t, map[string]string{
		"zeros":              strings.Repeat("\x00", 1<<20),
		"truncated":          "regf" + strings.Repeat("\x01", 100),
		"packed.xz":          "\xfd7zXZ\x00 and then nothing",
		"binary":             "\x7fELF\x00\x01",
		"registry.pol":       "PReg\x01\x00\x00\x00[\x00S\x00\x00",
		"badhex.reg":         "REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa]\r\n\"RestrictAnonymous\"=hex:0g\r\n\"RestrictAnonymousSAM\"=dword:00000001\r\n",
		"self/smb.conf":      "[global]\nrestrict anonymous = 2\ninclude = smb.conf\n",
		"broken/smb.conf":    "[global]\nrestrict anonymous = 2\nguest ok = perhaps\n",
		"gpo/bkupInfo.xml":   "<BackupInst><GPODisplayName>x</GPODisplayName></BackupInst>",
		"empty/readme":       "\x00",
		"registry/smb.conf":  "[global]\ninclude = registry\n",
		"macro/smb.conf":     "[global]\ninclude = /etc/%U.conf\n",
		"folder/a/smb.conf":  "[global]\n",
		"folder/b/x.reg":     "REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n",
		"folder/c/SYSTEM":    "regf and no more",
		"folder/d/notes.txt": "nothing to do with it",
	})
	if err := os.Truncate(filepath.Join(dir, "zeros"), 2<<30); err != nil { // sparse
		t.Fatal(err)
	}
	self := filepath.Join(dir, "self", "smb.conf")
	if err := os.WriteFile(self, []byte("[global]\nrestrict anonymous = 2\ninclude = "+self+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]string{
		"zeros": "zeros", "truncated": "truncated", "packed.xz": "packed.xz", "binary": "none of the files",
		"missing": "no such file", "empty": "nothing in it",
	} {
		list, err := Options{}.Source(t.Context(), filepath.Join(dir, name))
		if err == nil || len(list) != 0 || !strings.Contains(err.Error(), part) ||
			!strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: %d results, %v", name, len(list), err)
		}
	}
	for name, part := range map[string]string{
		"registry.pol": "registry.pol", "badhex.reg": "line 4", "gpo": "no DomainSysvol",
		"broken/smb.conf": "smb.conf:3", "registry/smb.conf": "registry", "macro/smb.conf": "%U",
	} {
		a := source(t, Options{}, filepath.Join(dir, name))
		if !a.Partial || !mentions(a.Problems, part) {
			t.Errorf("%s: partial %v, problems %q", name, a.Partial, a.Problems)
		}
	}
	a := source(t, Options{}, filepath.Join(dir, "badhex.reg"))
	if s := settingOf(t, a, "RestrictAnonymousSAM"); !s.Present || s.Configured != 1 {
		t.Errorf("what stands around a bad line is read: %+v", s)
	}
	if a := source(t, Options{}, self); len(a.Problems) == 0 || settingOf(t, a, "restrict anonymous").Effective != 2 {
		t.Errorf("a file that includes itself: %q", a.Problems)
	}
	list, err := Options{}.Source(t.Context(), filepath.Join(dir, "folder"))
	if err != nil || len(list) != 3 {
		t.Fatalf("a folder: %d results, %v", len(list), err)
	}
	if !slices.ContainsFunc(list, func(a *model.Audit) bool {
		return a.Partial && mentions(a.Problems, "folder/c/SYSTEM")
	}) {
		t.Error("the broken hive in the folder is not told")
	}
}

// TestRun: results come in the order of the sources, however long each takes, and an interrupt ends the run.
func TestRun(t *testing.T) {
	files := map[string]string{}
	var sources []string
	for i := range 40 {
		name := fmt.Sprintf("%02d.conf", i)
		files[name] = fmt.Sprintf("[global]\nnetbios name = H%d\n", i)
	}
	dir := write(t, files)
	for i := range 40 {
		sources = append(sources, filepath.Join(dir, fmt.Sprintf("%02d.conf", i)))
	}
	n := 0
	err := Options{Jobs: 4}.Run(t.Context(), sources, func(r Result) error {
		if r.Err != nil || r.Audits[0].Host != fmt.Sprintf("H%d", n) {
			t.Errorf("result %d is %+v", n, r)
		}
		n++
		return nil
	})
	if err != nil || n != 40 {
		t.Errorf("%d results, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n = 0
	err = Options{Jobs: 2}.Run(ctx, sources, func(Result) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n > 5 {
		t.Errorf("after an interrupt %d results, %v", n, err)
	}
	if err := (Options{Product: "windows 3.11"}).Run(t.Context(), sources,
		func(Result) error { return nil }); err == nil {
		t.Error("an unknown product is taken")
	}
}

// TestPlatform: what the registry says about product, build and role.
func TestPlatform(t *testing.T) {
	text := func(name, v string) registry.Value { return registry.NewText(keyVersion, name, v) }
	kind := func(v string) registry.Value {
		return registry.NewText(keyControl+`\ProductOptions`, "ProductType", v)
	}
	for _, c := range []struct {
		name    string
		values  []registry.Value
		product string
		role    model.Role
	}{
		{"2019", []registry.Value{
			text("CurrentBuildNumber", "17763"), text("InstallationType", "Server Core"),
			kind("LanmanNT"),
		}, "win2019", model.DomainController},
		{"10 1809 shares the build", []registry.Value{
			text("CurrentBuildNumber", "17763"),
			text("InstallationType", "Client"), kind("WinNT"),
		}, "win10-1809", model.Workstation},
		{
			"the role tells the family where InstallationType is missing",
			[]registry.Value{text("CurrentBuildNumber", "7601"), kind("ServerNT")},
			"win2008r2", model.Member,
		},
		{"2003 R2 by its name", []registry.Value{
			text("CurrentBuildNumber", "3790"),
			text("ProductName", "Microsoft Windows Server 2003 R2"), kind("ServerNT"),
		}, "win2003r2", model.Member},
		{
			"a build of tomorrow",
			[]registry.Value{text("CurrentBuildNumber", "99999"), kind("WinNT")},
			"",
			model.Workstation,
		},
		{"nothing", nil, "", model.UnknownRole},
	} {
		a := machine(t, "", "", c.values...)
		if a.Platform.Product != c.product || a.Platform.Role != c.role || len(a.Platform.Why) == 0 {
			t.Errorf("%s: %+v", c.name, a.Platform)
		}
	}
	if a := machine(t, "win2025", model.DomainController, kind("WinNT")); a.Platform.Role != model.DomainController ||
		!mentions(a.Platform.Why, "--role") {
		t.Errorf("what the user says wins: %+v", a.Platform)
	}
}

func TestInventory(t *testing.T) {
	np := keySQL + `\MSSQL15.SALES\MSSQLServer\SuperSocketNetLib\Np`
	a := machine(t, "win2019", model.Member,
		registry.NewText(keySQL+`\Instance Names\SQL`, "SALES", "MSSQL15.SALES"), dword(np, "Enabled", 1),
		registry.NewText(np, "PipeName", `\\.\pipe\MSSQL$SALES\sql\query`),
		dword(keyServices+`\Spooler`, "Start", 4),
		registry.NewStrings(keyServices+`\LanmanServer\Shares`, "data", []string{`Path=C:\data`, "Type=0"}),
		registry.NewStrings(serverKey, "NullSessionShares", []string{"DATA"}),
		dword(serverKey, "AutoShareServer", 0),
	)
	find := func(id string) *model.Service {
		for i := range a.Services {
			if a.Services[i].ID == id {
				return &a.Services[i]
			}
		}
		return nil
	}
	if s := find("sqlserver_named"); s == nil || !slices.Equal(s.Pipes, []string{`MSSQL$SALES\sql\query`}) {
		t.Errorf("SQL Server: %+v", s)
	}
	if s := find("spoolss"); s == nil || s.Running != "disabled" {
		t.Errorf("the spooler: %+v", s)
	}
	want := []model.Share{{Name: "IPC$", Default: true}, {Name: "data", Guest: true, Path: `C:\data`}}
	if !reflect.DeepEqual(a.Shares, want) {
		t.Errorf("shares %+v, want %+v: ADMIN$ is off and IPC$ is not", a.Shares, want)
	}
}

// TestAccounts: the guest account and name lookup, as SAM and SECURITY hold them.
func TestAccounts(t *testing.T) {
	f := make([]byte, 80)
	f[56] = 0x10 // a normal account, not disabled
	policy := func(text string) registry.Value {
		b := mustSDDL(t, text)
		return registry.Value{Key: `HKLM\SECURITY\Policy\SecDesc`, Type: registry.None, Data: b}
	}
	user := registry.Value{
		Key: `HKLM\SAM\SAM\Domains\Account\Users\000001F5`, Name: "F", Type: registry.Binary,
		Data: f,
	}
	a := machine(t, "win10-22H2", model.Workstation, user, policy("O:BAG:SYD:(A;;0x800;;;AN)(A;;0xf1fff;;;BA)"))
	if s := settingOf(t, a, "EnableGuestAccount"); s.Effective != 1 || s.State != model.StateWeak {
		t.Errorf("%+v", s)
	}
	if s := settingOf(t, a, "LSAAnonymousNameLookup"); s.Effective != 1 || s.State != model.StateWeak {
		t.Errorf("%+v", s)
	}
	if !slices.Contains(ids(a), "guest-enabled") {
		t.Errorf("%v", ids(a))
	}
	off := slices.Clone(f)
	off[56] |= 1
	user.Data = off
	a = machine(t, "win10-22H2", model.Workstation, user, policy("O:BAG:SYD:(D;;0x800;;;AN)(A;;0xf1fff;;;BA)"))
	if s := settingOf(t, a, "EnableGuestAccount"); s.Effective != 0 || s.State != model.StateOK {
		t.Errorf("%+v", s)
	}
	if s := settingOf(t, a, "LSAAnonymousNameLookup"); s.Effective != 0 {
		t.Errorf("%+v", s)
	}
	user.Data = f[:10]
	if a = machine(t, "win10-22H2", model.Workstation, user); !a.Partial || !mentions(a.Problems, "000001F5") {
		t.Errorf("a short account record: %v", a.Problems)
	}
}

// TestPolicyRemoves: what a policy removes is absent once it is applied, whichever command it uses; if it is set again
// after that, it is present.
func TestPolicyRemoves(t *testing.T) {
	const lsa, server = `SYSTEM\CurrentControlSet\Control\Lsa`,
		`SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
	b, err := regpol.Bytes([]regpol.Instruction{
		regpol.Delete(lsa, "RestrictAnonymous"),
		regpol.Delete(lsa, "RestrictAnonymousSAM"),
		regpol.Set(registry.NewDWord(lsa, "RestrictAnonymousSAM", 1)),
		regpol.Set(registry.NewDWord(server, "RestrictNullSessAccess", 0)),
		regpol.Delete(server, "RestrictNullSessAccess"),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := source(t, Options{Product: "win2019", Role: model.Member},
		filepath.Join(write(t, map[string]string{"registry.pol": string(b)}), "registry.pol"))
	for id, want := range map[string]model.Value{
		"RestrictAnonymous": {}, "RestrictNullSessAccess": {},
		"RestrictAnonymousSAM": {Present: true, Type: "REG_DWORD", Data: 1},
	} {
		s := settingOf(t, a, id)
		if s.NotRead || !s.Value().Equal(want) || !strings.Contains(s.Origin, "registry.pol") {
			t.Errorf("%s is %+v, want %v", id, s, want)
		}
	}
	if s := settingOf(t, a, "NullSessionPipes"); !s.NotRead {
		t.Errorf("what the policy does not name is %+v", s)
	}
}
