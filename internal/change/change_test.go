package change

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func value(typ string, data any) model.Value {
	return model.Value{Present: true, Type: typ, Data: data}
}

const (
	lsa = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\`
	lms = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters\`
)

// gate is a change that a plan brings.
type gate struct {
	name, system, setting, where string
	to                           model.Value
	edit                         func(*model.Change)
	refused                      string // empty: accepted
}

// check asks whether a plan with the change is accepted, or refused for the reason that is wanted.
func (g gate) check(t *testing.T) {
	p := &model.Plan{
		Platform: model.Platform{System: g.system},
		Changes:  []model.Change{{ID: "7", Setting: g.setting, Where: g.where, To: g.to}},
	}
	if g.edit != nil {
		g.edit(&p.Changes[0])
	}
	list, err := All(load(t), p)
	if g.refused == "" {
		if err != nil || len(list) != 1 || list[0].After.Present != g.to.Present {
			t.Errorf("%+v, %v", list, err)
		}
		return
	}
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.ID != "7" || refused.Setting != g.setting ||
		!strings.Contains(err.Error(), g.refused) {
		t.Errorf("%v, want a refusal with %q", err, g.refused)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("text of the plan went into the error as it was: %q", err)
	}
}

func checkGates(t *testing.T, gates []gate) {
	t.Helper()
	for _, g := range gates {
		t.Run(g.name, g.check)
	}
}

// TestGateTakes: settings of the catalog, at their places and with their values, are accepted.
func TestGateTakes(t *testing.T) {
	one := value("REG_DWORD", 1)
	checkGates(t, []gate{
		{name: "a number", system: "windows", setting: "RestrictAnonymous", where: lsa + "RestrictAnonymous", to: one},
		{
			name: "another case", system: "windows", setting: "RestrictAnonymous",
			where: strings.ToLower(lsa) + "restrictanonymous", to: one,
		},
		{
			name: "its default", system: "windows", setting: "TurnOffAnonymousBlock",
			where: lsa + "TurnOffAnonymousBlock",
		},
		{
			name: "a list", system: "windows", setting: "NullSessionPipes", where: lms + "NullSessionPipes",
			to: value("REG_MULTI_SZ", []string{`sql\query`, "grün"}),
		},
		{
			name: "a line of the policy", system: "windows", setting: "LSAAnonymousNameLookup",
			where: "[System Access] LSAAnonymousNameLookup", to: value("policy", 0),
		},
		{
			name: "a group", system: "windows", setting: "PreWindows2000Members", where: "the members of S-1-5-32-554",
			to: value("members", []string{"S-1-5-11"}),
		},
		{
			name: "a parameter", system: "samba", setting: "restrict anonymous", where: "[global] restrict anonymous",
			to: value("int", 2),
		},
		{
			name: "a share", system: "samba", setting: "guest ok", where: "[Kleine Dateien] guest ok",
			to: value("bool", false),
		},
		{
			name: "a share in Persian", system: "samba", setting: "guest ok", where: "[پرونده\u200cها] guest ok",
			to: value("bool", false),
		},
		{
			name: "a way to block", system: "samba", setting: "IPC$:hosts deny", where: "[IPC$] hosts deny",
			to: value("list", []string{"ALL"}),
		},
		{
			name: "a user kept out", system: "samba", setting: "IPC$:invalid users", where: "[IPC$] invalid users",
			to: value("list", []string{"nobody"}),
		},
		{
			name: "ksmbd", system: "ksmbd", setting: "ksmbd:restrict anonymous",
			where: "ksmbd.conf [global] restrict anonymous", to: value("int", 1),
		},
		{
			name: "a share that is called so", system: "samba", setting: "guest ok", where: "[share] guest ok",
			to: value("bool", false),
		},
		{
			name: "a share of 80 letters", system: "samba", setting: "guest ok",
			where: "[" + strings.Repeat("ß", 80) + "] guest ok", to: value("bool", false),
		},
		{
			name: "encryption of the server", system: "samba", setting: "server smb encrypt",
			where: "[global] server smb encrypt", to: value("enum", "required"),
		},
		{
			name: "encryption of a share", system: "samba", setting: "server smb encrypt",
			where: "[a=b] server smb encrypt", to: value("enum", "required"),
		},
	})
}

// TestGateAccounts: a line of an account is accepted for its own setting, in [global], with the name of one account.
func TestGateAccounts(t *testing.T) {
	checkGates(t, []gate{
		{
			name: "an account", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[global] server schannel require seal:NAS2$", to: value("bool", false),
		},
		{
			name: "an account of another setting", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[global] server require schannel:NAS2$", to: value("bool", false),
			refused: "no line of this setting",
		},
		{
			name: "no account", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[global] server schannel require seal", to: value("bool", false),
			refused: "no line of this setting",
		},
		{
			name: "the account of the catalog", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[global] server schannel require seal:ACCOUNT", to: value("bool", false),
			refused: "no line of this setting",
		},
		{
			name: "an account in a share", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[x] server schannel require seal:NAS2$", to: value("bool", false),
			refused: "the place of this setting is",
		},
		{
			name: "a line smuggled into an account", system: "samba", setting: "server schannel require seal:ACCOUNT",
			where: "[global] server schannel require seal:N;x$", to: value("bool", false),
			refused: "no line of this setting",
		},
	})
}

// TestGateSettings: a setting that the catalog does not have for this system is refused.
func TestGateSettings(t *testing.T) {
	one := value("REG_DWORD", 1)
	checkGates(t, []gate{
		{
			name: "no such setting", system: "windows", setting: "Userinit", where: lsa + "Userinit", to: one,
			refused: "no setting",
		},
		{
			name: "a setting by another name", system: "samba", setting: "public", where: "[x] guest ok",
			to: value("bool", false), refused: "no setting",
		},
		{
			name: "of another system", system: "samba", setting: "RestrictAnonymous", where: lsa + "RestrictAnonymous",
			to: one, refused: "no setting",
		},
	})
}

// TestGatePlaces: another place than that of the setting is refused, and one that is more than a place.
func TestGatePlaces(t *testing.T) {
	one := value("REG_DWORD", 1)
	checkGates(t, []gate{
		{
			name: "a key beside", system: "windows", setting: "RestrictAnonymous",
			where: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\Userinit`, to: one,
			refused: "the place of this setting is",
		},
		{
			name: "another root", system: "windows", setting: "RestrictAnonymous",
			where: strings.Replace(lsa, "HKLM", "HKCU", 1) + "RestrictAnonymous", to: one,
			refused: "no registry value",
		},
		{
			name: "a share from right to left", system: "samba", setting: "guest ok", where: "[a\u202e] guest ok",
			to: value("bool", false), refused: "no parameter",
		},
		{
			name: "the other name of global", system: "samba", setting: "guest ok", where: "[Globals] guest ok",
			to: value("bool", false), refused: "no disk share",
		},
		{
			name: "global with white space", system: "samba", setting: "guest ok", where: "[ glo bal ] guest ok",
			to: value("bool", false), refused: "no disk share",
		},
		{
			name: "global of ksmbd", system: "ksmbd", setting: "ksmbd:guest ok", where: "ksmbd.conf [globals] guest ok",
			to: value("bool", false), refused: "no disk share",
		},
		{
			name: "root preexec", system: "samba", setting: "guest account", where: "[public] root preexec",
			to: value("string", "/bin/sh"), refused: "the place of this setting is",
		},
		{
			name: "include", system: "samba", setting: "restrict anonymous", where: "[global] include",
			to: value("int", 2), refused: "the place of this setting is",
		},
		{
			name: "a line smuggled into the place", system: "samba", setting: "guest ok",
			where: "[a]\nroot preexec = x\n[b] guest ok", to: value("bool", false), refused: "no parameter",
		},
		{
			name: "a line smuggled into a name", system: "samba", setting: "guest ok", where: "[a\x1b] guest ok",
			to: value("bool", false), refused: "no parameter",
		},
		{
			name: "encryption of IPC$ as of a share", system: "samba", setting: "server smb encrypt",
			where: "[IPC$] server smb encrypt", to: value("enum", "required"), refused: "no disk share",
		},
		{
			name: "a setting of the server in a share", system: "samba", setting: "map to guest",
			where: "[a] map to guest", to: value("enum", "never"), refused: "the place of this setting is",
		},
		{
			name: "a share of 81 letters", system: "samba", setting: "server smb encrypt",
			where: "[" + strings.Repeat("ß", 81) + "] server smb encrypt", to: value("enum", "required"),
			refused: "no name of this length",
		},
		{
			name: "IPC$ as a share", system: "samba", setting: "guest ok", where: "[ipc$] guest ok",
			to: value("bool", false), refused: "no disk share",
		},
		{
			name: "another group", system: "windows", setting: "PreWindows2000Members",
			where: "the members of S-1-5-32-544", to: value("members", []string{"S-1-5-11"}),
			refused: "the place of this setting is",
		},
	})
}

// TestGateValues: values that the catalog does not know are refused, and those that are more than a value.
func TestGateValues(t *testing.T) {
	checkGates(t, []gate{
		{
			name: "a line that goes on", system: "samba", setting: "IPC$:hosts deny", where: "[IPC$] hosts deny",
			to: value("list", []string{`ALL\`}), refused: "would join the next line",
		},
		{
			name: "text from right to left", system: "samba", setting: "IPC$:hosts deny", where: "[IPC$] hosts deny",
			to: value("list", []string{"ALL\u202e"}), refused: "no name",
		},
		{
			name: "two members in one", system: "windows", setting: "PreWindows2000Members",
			where: "the members of S-1-5-32-554", to: value("members", []string{"a,*S-1-1-0"}),
			edit: func(c *model.Change) {
				c.From = value("members", []string{"a,*S-1-1-0"})
			}, refused: "no name",
		},
		{
			name: "a line smuggled into a list", system: "samba", setting: "IPC$:hosts deny",
			where: "[IPC$] hosts deny",
			to:    value("list", []string{"ALL\nroot preexec = x"}), refused: "no name for its list",
		},
		{
			name: "a program in a list", system: "samba", setting: "IPC$:invalid users", where: "[IPC$] invalid users",
			to: value("list", []string{"%$(id)"}), refused: "no name for its list",
		},
		{
			name: "a text that nobody knows", system: "samba", setting: "guest account",
			where: "[global] guest account",
			to:    value("string", "root"), refused: "none of the values",
		},
		{
			name: "a number that nobody knows", system: "windows", setting: "RestrictAnonymous",
			where: lsa + "RestrictAnonymous", to: value("REG_DWORD", 7), refused: "none of the values",
		},
		{
			name: "a descriptor that nobody knows", system: "windows", setting: "RestrictRemoteSAM",
			where: lsa + "RestrictRemoteSAM", to: value("REG_SZ", "O:BAG:BAD:(A;;RC;;;WD)"),
			refused: "none of the values",
		},
		{
			name: "another type", system: "windows", setting: "RestrictAnonymous", where: lsa + "RestrictAnonymous",
			to: value("REG_SZ", "1"), refused: "of type REG_DWORD",
		},
		{
			name: "no type", system: "windows", setting: "RestrictAnonymous", where: lsa + "RestrictAnonymous",
			to: value("", 1), refused: "of type REG_DWORD",
		},
		{
			name: "bytes of its own", system: "windows", setting: "RestrictAnonymous", where: lsa + "RestrictAnonymous",
			to:      model.Value{Present: true, Type: "REG_DWORD", Data: 1, Raw: model.Hex{9, 9, 9, 9}},
			refused: "which bytes",
		},
		{
			name: "a member of the group", system: "windows", setting: "PreWindows2000Members",
			where: "the members of S-1-5-32-554", to: value("members", []string{"S-1-1-0"}),
			refused: "no name for its list",
		},
		{
			name: "the way back as a line", system: "samba", setting: "restrict anonymous",
			where: "[global] restrict anonymous", to: value("int", 2), edit: func(m *model.Change) {
				m.From = model.Value{Present: true, Type: "int", Data: 0, Raw: model.Hex("0\nroot preexec = x")}
			}, refused: "its value before",
		},
	})
}

// TestGateNeverApplied: what a plan holds for an export alone is never applied.
func TestGateNeverApplied(t *testing.T) {
	one := value("REG_DWORD", 1)
	checkGates(t, []gate{
		{
			name: "a trial that is to be applied", system: "windows", setting: "PipeFirewallActive",
			where: lms + "PipeFirewallActive", to: one, refused: "never applied",
		},
		{
			name: "a trial", system: "windows", setting: "PipeFirewallActive", where: lms + "PipeFirewallActive",
			to:   one,
			edit: func(m *model.Change) { m.ExportOnly = true },
		},
		{
			name: "the firewall", system: "samba", setting: HostFirewall, where: "inbound TCP 139, 445",
			to: value("firewall-rule", []string{"139", "445"}), edit: func(m *model.Change) { m.ExportOnly = true },
		},
		{
			name: "the firewall applied", system: "samba", setting: HostFirewall, where: "inbound TCP 139, 445",
			to: value("firewall-rule", []string{"139", "445"}), refused: "never applied",
		},
		{
			name: "other ports", system: "windows", setting: HostFirewall, where: "inbound TCP 22",
			to: value("firewall-rule", []string{"22"}), edit: func(m *model.Change) { m.ExportOnly = true },
			refused: "not the rule",
		},
		{
			name: "the firewall elsewhere", system: "samba", setting: HostFirewall, where: "[global] panic action",
			to: value("string", "/bin/sleep 1"), refused: "not the rule",
		},
	})
}

// TestGateTwice: one place is changed once.
func TestGateTwice(t *testing.T) {
	twice := &model.Plan{Platform: model.Platform{System: "windows"}, Changes: []model.Change{
		{ID: "1", Setting: "RestrictAnonymous", Where: lsa + "RestrictAnonymous", To: value("REG_DWORD", 1)},
		{
			ID: "2", Setting: "RestrictAnonymous", Where: strings.ToUpper(lsa) + "RESTRICTANONYMOUS",
			To: value("REG_DWORD", 2),
		},
	}}
	if _, err := All(load(t), twice); err == nil || !strings.Contains(err.Error(), `"2"`) {
		t.Errorf("one place changed twice: %v", err)
	}
}

// TestHostilePlans: every crafted plan is refused because of the change that was injected into it, and the honest plan
// beside them is accepted.
func TestHostilePlans(t *testing.T) {
	root := peer.Shared(t, "cases/hostile")
	for _, c := range []struct{ file, refused string }{
		{"01-crafted-plan-root-exec/plan.json", ""},
		{"01-crafted-plan-root-exec/evil-preexec.json", `"[public] root preexec"`},
		{"01-crafted-plan-root-exec/evil-include.json", `"[global] include"`},
		{"01-crafted-plan-root-exec/evil-newshare.json", `"[owned] path"`},
		{"01-crafted-plan-root-exec/evil-fw.json", `"[global] panic action"`},
		{"02-terminal-escapes-from-plan/evil-escape.json", `"[public] comment"`},
		{"02-terminal-escapes-from-plan/evil-where.json", `"[pub\x1b]0;T\alic]`},
		{"02-terminal-escapes-from-plan/evil-question.json", ""}, // has a question and no changes
	} {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.file)))
		if err != nil {
			t.Fatal(err)
		}
		p := &model.Plan{}
		if err := json.Unmarshal(b, p); err != nil {
			t.Fatal(err)
		}
		_, err = All(load(t), p)
		if (err != nil) != (c.refused != "") || err != nil &&
			!strings.Contains(err.Error(), c.refused[:len(c.refused)-1]) {
			t.Errorf("%s: %v, want %s", c.file, err, c.refused)
		}
	}
}

// TestPlacesOfCatalog: the place of every setting is parsed, or refused as one that is never changed.
func TestPlacesOfCatalog(t *testing.T) {
	places := map[Kind]int{}
	for _, s := range load(t).Settings {
		p, err := Locate(s.System, s.Where)
		if err != nil {
			if s.ID != "dSHeuristics" && s.AuditPolicy == "" && !strings.HasPrefix(s.Where, "[Privilege Rights] ") {
				t.Errorf("%s: %v", s.ID, err)
			}
			continue
		}
		places[p.Kind]++
		if again, err := Locate(s.System, p.String()); err != nil || !again.Equal(p) {
			t.Errorf("%s is written %s and read %v, %v", s.ID, p, again, err)
		}
	}
	for _, k := range []Kind{Registry, Parameter, KsmbdParameter, Policy, Group} {
		if places[k] == 0 {
			t.Errorf("no setting of kind %d: %v", k, places)
		}
	}
}

// FuzzChange: a change never panics the gate, and an accepted change lies at the place of its setting.
func FuzzChange(f *testing.F) {
	f.Add(`{"id":"1","setting":"RestrictAnonymous","where":"HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymous","from":{"present":false},"to":{"present":true,"type":"REG_DWORD","data":1}}`, "windows")
	f.Add(`{"id":"1","setting":"guest ok","where":"[x] guest ok","from":{"present":true,"type":"bool","data":true},"to":{"present":true,"type":"bool","data":false}}`, "samba")
	f.Fuzz(func(t *testing.T, text, system string) {
		m := &model.Change{}
		if json.Unmarshal([]byte(text), m) != nil {
			return
		}
		ch, err := Of(load(t), model.Platform{System: system}, m)
		if err != nil {
			return
		}
		if ch.Place.Kind == Parameter && (strings.ContainsAny(ch.After.Text+ch.Before.Text+ch.Place.Key, "\n\r\x00") ||
			strings.Contains(ch.Place.Name, "=")) {
			t.Errorf("%s: more than one line: %q", text, ch.After.Text)
		}
		if ch.Known != nil && !ch.OfShare() {
			if own, err := Locate(ch.Known.System, ch.Known.Where); err != nil || !own.Equal(ch.Place) {
				t.Errorf("%s is written at %s", ch.Known.ID, ch.Place)
			}
		}
	})
}
