package audit

import (
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// TestExceptionsStand: an exception from a rule against weak logons is a finding that names who is exempt and from
// what. It is of low weight, and only informs while the rule refuses nobody.
func TestExceptionsStand(t *testing.T) {
	const (
		msv = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0`
		nl  = `HKLM\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters`
	)
	names := func(key, name string, list ...string) registry.Value { return registry.NewStrings(key, name, list) }
	many := make([]string, maxNamed+2)
	for i := range many {
		many[i] = fmt.Sprintf("NAS%d", i)
	}
	for name, c := range map[string]struct {
		audit    *model.Audit
		severity model.Severity // empty: none
		says     []string
	}{
		"servers of a client": {
			machine(t, "win10-1607", model.Member, dword(msv, "RestrictSendingNTLMTraffic", 2),
				names(msv, "ClientAllowedNTLMServers", "NAS1", "nas2.corp.example")),
			model.Low,
			[]string{"exempt from RestrictSendingNTLMTraffic by ClientAllowedNTLMServers: NAS1, nas2.corp.example"},
		},
		"before the rule": {
			machine(t, "win10-1607", model.Member, dword(msv, "RestrictSendingNTLMTraffic", 1),
				names(msv, "ClientAllowedNTLMServers", "NAS1")),
			model.Info,
			[]string{"NAS1; RestrictSendingNTLMTraffic is 1 and refuses none of them yet"},
		},
		"servers of a domain": {
			machine(t, "win2022", model.DomainController, dword(nl, "RestrictNTLMInDomain", 7),
				names(nl, "DCAllowedNTLMServers", many...)),
			model.Low,
			[]string{"exempt from RestrictNTLMInDomain by DCAllowedNTLMServers: NAS0, ", "NAS9 and 2 more"},
		},
		"an empty list": {
			machine(t, "win2022", model.DomainController, dword(nl, "RestrictNTLMInDomain", 7),
				names(nl, "DCAllowedNTLMServers")), "", nil,
		},
		"accounts of Samba": {
			sambaAudit(t, "[global]\nserver role = active directory domain controller\n"+
				"server schannel require seal:NAS2$ = no\nserver schannel require seal:NAS3$ = yes\nserver schannel require seal:OLD$ = no\n"),
			model.Low,
			[]string{"exempt from server schannel require seal by a line of its own: NAS2$, OLD$"},
		},
		"an old cipher": {
			sambaAudit(t, "[global]\nserver role = active directory domain controller\nallow nt4 crypto:OLD$ = yes\n"+
				"allow nt4 crypto:NEW$ = no\n"),
			model.Low,
			[]string{"exempt from allow nt4 crypto by a line of its own: OLD$"},
		},
		"no AES": {
			sambaAudit(t, "[global]\nserver role = active directory domain controller\n"+
				"server reject md5 schannel:OLD$ = no\n"),
			model.Low,
			[]string{"exempt from reject md5 clients by a line of its own: OLD$"},
		},
		"of a rule that is off": {
			sambaAudit(t, "[global]\nserver role = active directory domain controller\nserver schannel require seal "+
				"= no\n"+
				"server schannel require seal:NAS2$ = no\n"),
			model.Info,
			[]string{"NAS2$; server schannel require seal is no and refuses none of them yet"},
		},
		"no line": {sambaAudit(t, "[global]\nserver role = active directory domain controller\n"), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := finding(c.audit, "exception-stands")
			if c.severity == "" {
				if f != nil {
					t.Errorf("there should be none: %+v", *f)
				}
				return
			}
			if f == nil || f.Severity != c.severity {
				t.Fatalf("want one of severity %s: %v, %+v", c.severity, ids(c.audit), f)
			}
			for _, s := range c.says {
				if !strings.Contains(f.Evidence, s) {
					t.Errorf("%q lacks %q", f.Evidence, s)
				}
			}
			if strings.Contains(f.Evidence, "NAS3$") || len(f.Looks) == 0 {
				t.Errorf("%+v", *f)
			}
		})
	}
}
