package target

import (
	"testing"

	"ipcguard/internal/change"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// TestMayTravel: a change that the catalog does not call safe is refused, and so is every place that is not a
// setting's.
func TestMayTravel(t *testing.T) {
	const lsa, server = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\`,
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\`
	dword := func(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
	for _, tt := range []struct {
		where   string
		to      model.Value
		dialect smb.Dialect
		want    bool
	}{
		{lsa + "RestrictAnonymous", dword(1), smb.SMB311, true},
		{`hklm\system\currentcontrolset\control\lsa\restrictanonymous`, dword(1), smb.SMB1, true},
		{
			server + `Parameters\NullSessionPipes`,
			model.Value{Present: true, Type: "REG_MULTI_SZ", Data: []string{}},
			smb.SMB311, true,
		},
		{server + `Parameters\SMB1`, dword(0), smb.SMB311, true},
		{server + `Parameters\SMB1`, dword(0), smb.SMB1, false},
		{server + `Parameters\SMB1`, model.Value{}, smb.SMB311, false},
		{lsa + "ForceGuest", dword(0), smb.SMB311, true},
		{lsa + "ForceGuest", dword(1), smb.SMB311, false},
		{server + "Start", dword(4), smb.SMB311, false},
		{server + `Parameters\PipeFirewallActive`, dword(1), smb.SMB311, false},
		{`HKLM\SYSTEM\ControlSet001\Control\Lsa\RestrictAnonymous`, dword(1), smb.SMB311, false},
		{"RestrictAnonymous", dword(1), smb.SMB311, false},
		{`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\Userinit`, dword(1), smb.SMB311, false},
	} {
		r := &Remote{dialect: tt.dialect}
		if err := r.mayTravel(&change.Change{
			Change: &model.Change{Where: tt.where, To: tt.to},
			Place:  located("windows", tt.where),
		}); (err == nil) != tt.want {
			t.Errorf("%s = %v over %s: %v", tt.where, tt.to.Data, tt.dialect, err)
		}
	}
}
