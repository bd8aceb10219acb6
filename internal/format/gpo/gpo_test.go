package gpo

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
)

const lsa = `HKLM\System\CurrentControlSet\Control\Lsa`

func policy(t *testing.T, ins ...regpol.Instruction) *fstest.MapFile {
	t.Helper()
	b, err := regpol.Bytes(ins)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b}
}

func template(t *testing.T, anonymous uint32, lookup string) *fstest.MapFile {
	t.Helper()
	f := inf.New()
	if err := f.SetRegistryValue(registry.NewDWord(lsa, "RestrictAnonymous", anonymous)); err != nil {
		t.Fatal(err)
	}
	f.Set("System Access", "LSAAnonymousNameLookup", lookup)
	return &fstest.MapFile{Data: f.Bytes()}
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestBackupsWithPrecedence(t *testing.T) {
	fsys := fstest.MapFS{
		"b/manifest.xml": text(
			`<Backups xmlns="x"><BackupInst><ID><![CDATA[{B}]]></ID></BackupInst><BackupInst><ID>{A}</ID></BackupInst></Backups>`),
		"b/{A}/bkupInfo.xml": text(
			`<BackupInst xmlns="x"><GPOGuid>{1}</GPOGuid><GPODomain>d</GPODomain><BackupTime>2020-01-01T00:00:00</BackupTime><GPODisplayName><![CDATA[First & only]]></GPODisplayName></BackupInst>`),
		"b/{A}/domainsysvol/gpo/MACHINE/microsoft/windows nt/secedit/gpttmpl.INF": template(t, 1, "0"),
		"b/{A}/domainsysvol/gpo/MACHINE/Registry.POL": policy(t,
			regpol.Set(registry.NewDWord(`Software\P`, "x", 1)), regpol.Set(registry.NewDWord(`Software\P`, "y", 1))),
		"b/{B}/Backup.xml": text(
			`<GroupPolicyBackupScheme xmlns="y"><GroupPolicyObject><GroupPolicyCoreSettings><ID>{2}</ID><Domain>e</Domain><DisplayName>Second</DisplayName></GroupPolicyCoreSettings></GroupPolicyObject></GroupPolicyBackupScheme>`),
		"b/{B}/DomainSysvol/GPO/Machine/microsoft/windows nt/SecEdit/GptTmpl.inf": template(t, 0, "1"),
		"b/{B}/DomainSysvol/GPO/Machine/registry.pol": policy(t,
			regpol.Delete(`Software\P`, "x"),
			regpol.Instruction{Kind: regpol.SetValue, Value: registry.NewDWord(`Software\P`, "", 2)}),
		"b/readme.txt": text("x"),
	}
	gs, err := Read(fsys, "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(gs) != 2 || gs[0].Name != "Second" || gs[1].Name != "First & only" || gs[1].ID != "{1}" ||
		gs[0].Domain != "e" || gs[1].Backup == "" {
		t.Fatalf("%+v %+v", gs[0], gs[1])
	}
	for _, g := range gs {
		if len(g.Problems) != 0 {
			t.Errorf("%s: %v", g.Name, g.Problems)
		}
	}
	for _, c := range []struct {
		order  []*GPO
		value  uint32
		lookup string
		x      bool
	}{{gs, 1, "0", true}, {[]*GPO{gs[1], gs[0]}, 0, "1", false}} {
		r := Join(c.order...)
		s, ok := r.Origin[Key(lsa, "restrictanonymous")]
		n, _ := s.Value.DWord()
		if !ok || n != c.value || s.GPO != c.order[1] || len(r.Lost[Key(lsa, "RestrictAnonymous")]) != 1 {
			t.Errorf("%+v", s)
		}
		if v, from, ok := r.Get("system access", "lsaanonymousnamelookup"); v != c.lookup || from != c.order[1] || !ok {
			t.Errorf("%q from %+v", v, from)
		}
		if _, ok := r.Origin[Key(`HKLM\Software\P`, "x")]; ok != c.x {
			t.Errorf("x is set: %v", ok)
		}
		if !c.x && len(r.Lost[Key(`HKLM\Software\P`, "x")]) != 1 {
			t.Error("what was deleted is not among the lost")
		}
		if _, err := r.Registry.Value(`HKLM\SOFTWARE\P`, "y"); err != nil {
			t.Error(err)
		}
	}
}

func TestSysvol(t *testing.T) {
	fsys := fstest.MapFS{
		"Policies/{1}/GPT.INI":              text("[General]\r\nVersion=3\r\ndisplayName=Named\r\n"),
		"Policies/{1}/USER/Registry.pol":    policy(t, regpol.Set(registry.NewDWord("Software", "u", 1))),
		"Policies/{2}/gpt.ini":              text("[General]\r\nVersion=3\r\n"),
		"Policies/{2}/Machine/Registry.pol": text("PReg\x01\x00\x00\x00[\x00"),
		"Policies/PolicyDefinitions/x":      text(""),
	}
	gs, err := Read(fsys, "Policies")
	if err != nil || len(gs) != 2 {
		t.Fatalf("%v, %v", gs, err)
	}
	if gs[0].Name != "Named" || gs[0].ID != "{1}" || len(gs[0].User) != 1 || gs[1].Name != "{2}" {
		t.Errorf("%+v %+v", gs[0], gs[1])
	}
	if len(gs[1].Problems) != 1 || !strings.Contains(gs[1].Problems[0],
		"Policies/{2}/Machine/Registry.pol: registry.pol: at offset") {
		t.Errorf("problems %q", gs[1].Problems)
	}
	if one, err := Read(fsys, "Policies/{1}"); err != nil || len(one) != 1 {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := Join(gs...).Registry.Value(`HKCU\Software`, "u"); err != nil {
		t.Error(err)
	}
}

func TestFoldersWithoutTheirParts(t *testing.T) {
	fsys := fstest.MapFS{
		"empty/x/y":         text(""),
		"bare/bkupInfo.xml": text("<BackupInst/>"),
		"bad/Backup.xml":    text("<a><b>"),
		"bad/DomainSysvol/GPO/Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf": text(
			"[Registry Values]\nMACHINE\\x\\y=4,z\n"),
	}
	if _, err := Read(fsys, "empty"); !errors.Is(err, ErrNone) {
		t.Errorf("empty: %v", err)
	}
	if _, err := Read(fsys, "none"); err == nil {
		t.Error("a folder that is not there was read")
	}
	g, err := Read(fsys, "bare")
	if err != nil || len(g[0].Problems) != 1 {
		t.Errorf("bare: %v, %v", g, err)
	}
	g, err = Read(fsys, "bad")
	if err != nil || len(g[0].Problems) != 2 || g[0].Template == nil {
		t.Errorf("bad: %+v, %v", g, err)
	}
}

// report is the report of Microsoft's tool about the backup in the shared folder.
type report struct {
	Extensions []struct {
		Accounts []struct {
			Name    string
			Number  string `xml:"SettingNumber"`
			Boolean string `xml:"SettingBoolean"`
		} `xml:"Account"`
		Options []struct {
			Key    string `xml:"KeyName"`
			System string `xml:"SystemAccessPolicyName"`
			Number string `xml:"SettingNumber"`
			Text   string `xml:"SettingString"`
		} `xml:"SecurityOptions"`
		Rights []struct {
			Name    string
			Members []struct {
				SID string
			} `xml:"Member"`
		} `xml:"UserRightsAssignment"`
		Policies []struct {
			Name     string
			Numerics []struct {
				Value string
			} `xml:"Numeric"`
			Elements []struct {
				Name, Data string
			} `xml:"ListBox>Value>Element"`
		} `xml:"Policy"`
	} `xml:"Computer>ExtensionData>Extension"`
}

// TestEqualsItsReport compares every setting of a real backup with its report. The report names policies of
// registry.pol only by their titles, so for those it looks for the numbers and list elements.
func TestEqualsItsReport(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "gpo", "nsacyber-windows")
	b, err := os.ReadFile(filepath.Join(dir, "gpreport.xml"))
	if err != nil {
		t.Skipf("the real backup is not present: %v", err)
	}
	var rep report
	if err := newDecoder(b).Decode(&rep); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	gs, err := Read(os.DirFS(dir), ".")
	if err != nil || len(gs) != 1 {
		t.Fatalf("%v, %v", gs, err)
	}
	g := gs[0]
	if g.Name != "DoD Windows 10 STIG - Computer (SHB v10.1.0)" || g.ID != "{356FB116-26CD-4FBF-830B-6D736B802FD7}" ||
		g.Domain != "idl.local" || len(g.Problems) != 0 || len(g.Parts) != 5 {
		t.Errorf("%q %q %q %v %q", g.Name, g.ID, g.Domain, g.Problems, g.Parts)
	}
	r := Join(g)
	accounts, options, rights, numbers := 0, 0, 0, 0
	for _, e := range rep.Extensions {
		for _, a := range e.Accounts {
			accounts++
			want := map[string]string{"true": "1", "false": "0", "": a.Number}[a.Boolean]
			got, _, ok := r.Get("System Access", a.Name)
			if n, err := strconv.Atoi(got); err == nil && n < 0 {
				got = strconv.FormatUint(uint64(uint32(n)), 10)
			}
			if !ok || got != want {
				t.Errorf("%s = %q, the report says %q", a.Name, got, want)
			}
		}
		for _, o := range e.Options {
			options++
			if o.System != "" {
				got, _, _ := r.Get("System Access", o.System)
				if want := strings.Trim(o.Text+o.Number, `"`); got != want {
					t.Errorf("%s = %q, the report says %q", o.System, got, want)
				}
				continue
			}
			at := strings.LastIndexByte(o.Key, '\\')
			v, err := r.Registry.Value(o.Key[:at], o.Key[at+1:])
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := v.Text()
			if n, err2 := v.DWord(); err2 == nil {
				got, err = strconv.FormatUint(uint64(n), 10), nil
			}
			if want := strings.Trim(o.Text+o.Number, `"`); err != nil || got != want {
				t.Errorf("%s = %q, %v; the report says %q", o.Key, got, err, want)
			}
			if s := r.Origin[Key(o.Key[:at], o.Key[at+1:])]; s.GPO != g || s.Part != "GptTmpl.inf" {
				t.Errorf("%s comes from %+v", o.Key, s)
			}
		}
		for _, u := range e.Rights {
			rights++
			var want, got []string
			for _, m := range u.Members {
				want = append(want, "*"+m.SID)
			}
			if s, _, _ := r.Get("Privilege Rights", u.Name); s != "" {
				got = strings.Split(s, ",")
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s = %q, the report says %q", u.Name, got, want)
			}
		}
		for _, p := range e.Policies {
			for _, n := range p.Numerics {
				numbers++
				if !slices.ContainsFunc(g.Policy, func(in regpol.Instruction) bool {
					d, err := in.Value.DWord()
					return err == nil && strconv.FormatUint(uint64(d), 10) == n.Value
				}) {
					t.Errorf("%s: no value is %s", p.Name, n.Value)
				}
			}
			for _, el := range p.Elements {
				numbers++
				if !slices.ContainsFunc(g.Policy, func(in regpol.Instruction) bool {
					s, err := in.Value.Text()
					return err == nil && in.Value.Name == el.Name && s == el.Data
				}) {
					t.Errorf("%s: no value %s = %s", p.Name, el.Name, el.Data)
				}
			}
		}
	}
	if accounts != 9 || options != 45 || rights != 27 || numbers != 7 {
		t.Errorf("compared %d accounts, %d options, %d rights, %d registry policies", accounts, options, rights,
			numbers)
	}
	// Conversely: what the template sets is in the report.
	vs, _ := g.Template.RegistryValues()
	if len(vs) != 41 {
		t.Errorf("the template has %d registry values, the report 41", len(vs))
	}
}

func FuzzBackupInfo(f *testing.F) {
	f.Add([]byte(`<BackupInst><GPOGuid>{1}</GPOGuid></BackupInst>`))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{"g/Backup.xml": {Data: b}, "g/GPT.INI": {Data: b}, "manifest.xml": {Data: b}}
		if g, err := Read(fsys, "."); err != nil || len(g) != 1 {
			t.Fatalf("%v, %v", g, err)
		}
	})
}

// TestManyDeletions joins a policy that sets and deletes values in turn, which once took quadratic time.
func TestManyDeletions(t *testing.T) {
	var ins []regpol.Instruction
	for i := range 40_000 {
		ins = append(ins, regpol.Set(registry.NewDWord(`HKLM\K`, strconv.Itoa(i), 1)),
			regpol.Delete(`HKLM\K`, strconv.Itoa(i-1)))
	}
	r := Join(&GPO{Name: "g", Policy: ins})
	if len(r.Origin) != 1 || len(r.Lost) != 39_999 {
		t.Errorf("%d in force, %d lost", len(r.Origin), len(r.Lost))
	}
}

// TestLargeFolder: a folder of policies is read only up to its bound.
func TestLargeFolder(t *testing.T) {
	fsys := fstest.MapFS{}
	part := append([]byte("PReg\x01\x00\x00\x00"), make([]byte, 50<<20)...)
	for _, id := range []string{"{1}", "{2}", "{3}"} {
		fsys[id+"/GPT.INI"] = &fstest.MapFile{}
		fsys[id+"/Machine/registry.pol"] = &fstest.MapFile{Data: part}
	}
	list, err := Read(fsys, ".")
	if err != nil || len(list) != 3 || !strings.Contains(strings.Join(list[2].Problems, " "), "more than 128 MiB") {
		t.Errorf("%v, %+v", err, list)
	}
}
