package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
)

// TestRegDump: a registry export shows which control set is in force, whose registry it is, and what kind of machine it
// is of.
func TestRegDump(t *testing.T) {
	const role = "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions]\n\"ProductType\"=\"LanmanNT\"\n" +
		"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentBuild\"=\"17763\"\n\"InstallationType\"=\"Server\"\n"
	lsa := func(root, set string, n string) string {
		return "[" + root + "\\" + set + "\\Control\\Lsa]\n\"RestrictAnonymous\"=dword:" + n + "\n"
	}
	current := func(root, n string) string { return "[" + root + "\\Select]\n\"Current\"=dword:" + n + "\n" }
	const system, offline = "HKEY_LOCAL_MACHINE\\SYSTEM", "HKEY_LOCAL_MACHINE\\OFFLINE"
	for _, tt := range []struct {
		name, text string
		want       any    // RestrictAnonymous as written; nil is not read
		told       string // among the reasons for the platform
		problem    string
	}{
		{"Select names the first", lsa(system, "ControlSet001", "0") + lsa(system, "ControlSet002", "1") +
			current(system, "1"), 0, "ControlSet001 is in force", ""},
		{
			"and the second", lsa(system, "ControlSet001", "0") + lsa(system, "ControlSet002", "1") +
				current(system, "2"),
			1, "ControlSet002 is in force", "",
		},
		{"and one that is not there", lsa(system, "ControlSet001", "0") + lsa(system, "ControlSet002", "1") +
			current(system, "9"), nil, "", "Select\\Current names ControlSet009"},
		{
			"two sets and no Select", lsa(system, "ControlSet001", "0") + lsa(system, "ControlSet002", "1"), nil, "",
			"ControlSet001 and ControlSet002 are in the file",
		},
		{"one set and no Select", lsa(system, "ControlSet001", "0"), 0, "", ""},
		{"the current set beside others", lsa(system, "ControlSet002", "1") + lsa(system, "CurrentControlSet", "0") +
			lsa(system, "ControlSet001", "1"), 0, "CurrentControlSet was read", ""},
		{"the current set and Select", lsa(system, "CurrentControlSet", "0") + current(system, "1"), 0, "", ""},
		{"a hive that was loaded", lsa(offline, "ControlSet001", "0") + lsa(offline, "ControlSet002", "1") +
			current(offline, "2"), 1, "HKLM\\OFFLINE was read as a machine's HKLM\\SYSTEM", ""},
		{
			"a hive that was loaded below the users", lsa("HKEY_USERS\\old", "ControlSet001", "1"), 1,
			"HKU\\old was read",
			"",
		},
		{
			"one beside the machine's own", lsa(offline, "ControlSet001", "0") + lsa(system, "CurrentControlSet", "1"),
			1,
			"", "HKLM\\OFFLINE is a hive of another machine",
		},
		{
			"two of them", lsa(offline, "ControlSet001", "0") + lsa("HKEY_LOCAL_MACHINE\\B", "ControlSet001", "1"), 0,
			"HKLM\\OFFLINE was read", "HKLM\\B is a hive of another machine",
		},
		{
			"a user's settings",
			"[HKEY_CURRENT_USER\\Software\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentBuild\"=\"1\"\n", nil,
			"none of the values that are audited", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := source(t, Options{},
				write(t, map[string]string{"x.reg": "Windows Registry Editor Version 5.00\n\n" + tt.text})+"/x.reg")
			s := settingOf(t, a, "RestrictAnonymous")
			if s.Configured != tt.want || s.NotRead != (tt.want == nil) {
				t.Errorf("%+v, want %v", s, tt.want)
			}
			if !mentions(a.Platform.Why, tt.told) {
				t.Errorf("%q does not say %q", a.Platform.Why, tt.told)
			}
			if a.Partial != (tt.problem != "") || tt.problem != "" && !mentions(a.Problems, tt.problem) {
				t.Errorf("partial %v, problems %q, want %q", a.Partial, a.Problems, tt.problem)
			}
		})
	}
	a := source(t, Options{}, write(t, map[string]string{"x.reg": "Windows Registry Editor Version 5.00\n\n" + role})+
		"/x.reg")
	if p := a.Platform; p.Role != model.DomainController || p.Product != "win2019" || p.Version != "17763" {
		t.Errorf("%+v", p)
	}
	// Without a byte order mark, as some tools write UTF-16.
	text := string(registry.EncodeUTF16("Windows Registry Editor Version 5.00\r\n\r\n" + role))
	a = source(t, Options{}, write(t, map[string]string{"x.reg": text, "y": text})+"/x.reg")
	if p := a.Platform; p.Product != "win2019" {
		t.Errorf("UTF-16 without a mark: %+v", p)
	}
}

// TestMissingControlSet: a hive whose Select names a missing control set says nothing below CurrentControlSet.
func TestMissingControlSet(t *testing.T) {
	b, err := os.ReadFile("testdata/select-names-a-missing-set.hive.xz")
	if err != nil {
		t.Fatal(err)
	}
	a := source(t, Options{Product: "win2022", Role: model.Member},
		write(t, map[string]string{"SYSTEM.xz": string(b)})+"/SYSTEM.xz")
	if !a.Partial || !mentions(a.Problems, "Select names ControlSet009") {
		t.Errorf("partial %v, problems %q", a.Partial, a.Problems)
	}
	for _, id := range []string{"RestrictAnonymous", "RestrictNullSessAccess", "EnableGuestAccount"} {
		if s := settingOf(t, a, id); !s.NotRead || s.Basis != model.BasisUnknown {
			t.Errorf("%+v", s)
		}
	}
	if a.Shares != nil || a.Services != nil {
		t.Errorf("shares %v, services %v", a.Shares, a.Services)
	}
}

// TestMergeRemoves: in a merge, policies remove values, and set values only if there are none, as on a machine.
func TestMergeRemoves(t *testing.T) {
	const lsa, services = `SYSTEM\CurrentControlSet\Control\Lsa`, `SYSTEM\CurrentControlSet\Services`
	pol := func(raw, key string, value registry.Value) string {
		v := value
		v.Key, v.Name = key, raw
		b, err := regpol.Bytes([]regpol.Instruction{regpol.Set(v)})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := func(s string) registry.Value { return registry.NewText("", "", s) }
	set := pol("RestrictAnonymous", lsa, dword("", "", 1))
	reg := "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\" + lsa +
		"]\n\"RestrictAnonymous\"=dword:00000001\n"
	gone := "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\" + lsa + "]\n\"RestrictAnonymous\"=-\n"
	for _, tt := range []struct {
		name  string
		files []string // in order; each a registry.pol or a .reg file
		want  any      // nil is absent
		read  bool
	}{
		{"**del.", []string{set, pol("**del.RestrictAnonymous", lsa, text(" "))}, nil, true},
		{"**del. after a .reg file", []string{reg, pol("**del.RestrictAnonymous", lsa, text(" "))}, nil, true},
		{"**delvals.", []string{reg, pol("**delvals.", lsa, text(" "))}, nil, true},
		{
			"**delvals. of the key above",
			[]string{reg, pol("**delvals.", `SYSTEM\CurrentControlSet\Control`, text(" "))},
			1, true,
		},
		{"**DeleteValues", []string{reg, pol("**DeleteValues", lsa, text("Other;RestrictAnonymous"))}, nil, true},
		{
			"**DeleteKeys",
			[]string{reg, pol("**DeleteKeys", `SYSTEM\CurrentControlSet\Control`, text("Lsa"))},
			nil,
			true,
		},
		{
			"**DeleteKeys two above",
			[]string{reg, pol("**DeleteKeys", `SYSTEM\CurrentControlSet`, text("Control"))},
			nil,
			true,
		},
		{
			"**DeleteKeys of another",
			[]string{reg, pol("**DeleteKeys", `SYSTEM\CurrentControlSet`, text("Services"))},
			1,
			true,
		},
		{"set again", []string{reg, pol("**del.RestrictAnonymous", lsa, text(" ")), set}, 1, true},
		{"**soft. over a value", []string{reg, pol("**soft.RestrictAnonymous", lsa, dword("", "", 0))}, 1, true},
		{
			"**soft. where it was taken away",
			[]string{gone, pol("**soft.RestrictAnonymous", lsa, dword("", "", 0))},
			0,
			true,
		},
		{"**soft. where nobody knows", []string{
			pol("**soft.RestrictAnonymous", lsa, dword("", "", 0)),
			pol("Other", services, dword("", "", 0)),
		}, nil, false},
		{"**soft. and then set", []string{pol("**soft.RestrictAnonymous", lsa, dword("", "", 0)), set}, 1, true},
		{
			"**soft. and then set by a .reg file",
			[]string{pol("**soft.RestrictAnonymous", lsa, dword("", "", 0)), reg},
			1, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var paths []string
			for i, b := range tt.files {
				name := "registry.pol"
				if strings.HasPrefix(b, "Windows") {
					name = "x.reg"
				}
				dir := string(rune('a' + i))
				paths = append(paths, filepath.Join(write(t, map[string]string{dir + "/" + name: b}), dir, name))
			}
			var got []*model.Audit
			err := Options{Merge: true, Product: "win2019", Role: model.Member}.Run(t.Context(), paths,
				func(r Result) error {
					got = append(got, r.Audits...)
					return r.Err
				})
			if err != nil || len(got) != 1 {
				t.Fatalf("%d results, %v", len(got), err)
			}
			s := settingOf(t, got[0], "RestrictAnonymous")
			if s.Configured != tt.want || s.NotRead == tt.read {
				t.Errorf("%+v, want %v", s, tt.want)
			}
			if !tt.read && !strings.Contains(s.Why, "unless there is a value already") {
				t.Errorf("%q", s.Why)
			}
		})
	}
}

func TestSpotOf(t *testing.T) {
	for in, want := range map[string]spot{
		`HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Control`: {
			key: `HKLM\SYSTEM\CurrentControlSet\Control`,
			set: "ControlSet001",
		},
		`HKLM\SYSTEM\CurrentControlSet\Control`: {key: `HKLM\SYSTEM\CurrentControlSet\Control`},
		`HKLM\SYSTEM\ControlSet00x\Control`:     {key: `HKLM\SYSTEM\ControlSet00x\Control`},
		`HKLM\X\ControlSet002\Control`: {
			key: `HKLM\SYSTEM\CurrentControlSet\Control`,
			set: "ControlSet002", mount: `HKLM\X`,
		},
		`HKLM\X\Microsoft\Windows NT`: {
			key:   `HKLM\SOFTWARE\Microsoft\Windows NT`,
			mount: `HKLM\X`,
		},
		`HKLM\SOFTWARE\Microsoft\Windows NT`:                {key: `HKLM\SOFTWARE\Microsoft\Windows NT`},
		`HKEY_CURRENT_USER\Software\Microsoft`:              {key: `HKCU\Software\Microsoft`},
		`HKEY_USERS\S-1-5-18\Software\Microsoft\Windows NT`: {key: `HKU\S-1-5-18\Software\Microsoft\Windows NT`},
	} {
		if got := spotOf(in); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}
