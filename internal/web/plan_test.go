package web

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Every line that a page shows names its target, and nothing that another wrote gets into it unless a shell reads it as
// text.
func TestCommands(t *testing.T) {
	lines := func(target string) []string {
		apply := "ipcguard apply p.json --target " + target
		return []string{apply + " --dry-run", apply + " --confirm-within 10m", "ipcguard confirm ID"}
	}
	audited := func(kind string, parts ...string) *auditView {
		return &auditView{Audit: &model.Audit{Source: model.Source{Kind: kind, Parts: parts}}}
	}
	const standard, administrator = "samba:/etc/samba/smb.conf", ` --user "DOMAIN\ADMINISTRATOR"`
	for _, c := range []struct {
		name, system, address string
		audit                 *auditView
		want                  [][]string
	}{
		{"samba, never audited", "samba", "10.0.0.1:445", nil, [][]string{lines(standard)}},
		{
			"samba elsewhere", "samba", "10.0.0.1:445", audited("smbconf", "/opt/samba-4.9/etc/smb.conf"),
			[][]string{lines("samba:/opt/samba-4.9/etc/smb.conf")},
		},
		{"a relative path", "samba", "10.0.0.1:445", audited("smbconf", "smb.conf"), [][]string{lines(standard)}},
		{
			"a path for the shell", "samba", "10.0.0.1:445", audited("smbconf", "/etc/$(reboot)"),
			[][]string{lines(standard)},
		},
		{
			"a path of two lines", "samba", "10.0.0.1:445", audited("smbconf", "/etc/x\nreboot"),
			[][]string{lines(standard)},
		},
		{
			"windows", "windows", "10.0.0.1:445", nil,
			[][]string{lines("windows:"), lines("winreg://10.0.0.1" + administrator)},
		},
		{
			"windows at another port", "windows", "[fd00::1]:4450", audited("hive", "/mnt/SYSTEM"),
			[][]string{lines("windows:"), lines("winreg://[fd00::1]:4450" + administrator)},
		},
		{"windows without an address", "windows", "", nil, [][]string{lines("windows:")}},
		{"an address for the shell", "windows", "a;reboot:445", nil, [][]string{lines("windows:")}},
		{"a port for the shell", "windows", "10.0.0.1:$(reboot)", nil, [][]string{lines("windows:")}},
		{"what apply does not write", "ksmbd", "10.0.0.1:445", nil, nil},
	} {
		var got [][]string
		for _, l := range commands(&model.Plan{Platform: model.Platform{System: c.system}},
			store.Host{Address: c.address}, c.audit, "p.json") {
			got = append(got, l.Lines)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}
