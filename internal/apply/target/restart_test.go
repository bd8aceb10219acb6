package target

import (
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

func TestRestartOf(t *testing.T) {
	for where, want := range map[string]string{
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters\AutoShareServer`:       "LanmanServer",
		`HKLM\SYSTEM\CurrentControlSet\Services\Spooler\Start`:                                 "Spooler",
		`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Printers\RPC\RpcProtocols`:                "Spooler",
		`HKLM\SYSTEM\CurrentControlSet\Control\Lsa\RestrictAnonymous`:                          apply.TheMachine,
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\DefaultSecurity\SrvsvcConnection`: "LanmanServer",
	} {
		p, err := placeAt(where)
		if err != nil {
			t.Fatal(err)
		}
		if got := restartOf(&change.Change{Change: &model.Change{When: "service-restart"}}, p); got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
		if got := restartOf(&change.Change{Change: &model.Change{When: "reboot"}}, p); got != apply.TheMachine {
			t.Errorf("%s: %q", where, got)
		}
		if got := restartOf(&change.Change{Change: &model.Change{When: "now"}}, p); got != "" {
			t.Errorf("%s: %q", where, got)
		}
	}
}
