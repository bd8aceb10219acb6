package audit

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// TestServicesAndSharesOfDump finds the services and shares of a host in a registry export.
func TestServicesAndSharesOfDump(t *testing.T) {
	const services = `[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\`
	data := registry.EncodeUTF16("Path=D:\\Data\x00Type=0\x00\x00")
	hex := make([]string, len(data))
	for i, b := range data {
		hex[i] = string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15])
	}
	dir := write(t, map[string]string{"dump.reg": "Windows Registry Editor Version 5.00\r\n\r\n" +
		services + "LanmanServer\\Shares]\r\n\"Data\"=hex(7):" + strings.Join(hex, ",") + "\r\n\r\n" +
		services + "LanmanServer\\Parameters]\r\n\"RequireSecuritySignature\"=dword:00000001\r\n\r\n" +
		services + "MSSQLSERVER]\r\n\"Start\"=dword:00000002\r\n\r\n" + services +
		"Unheard]\r\n\"Start\"=dword:00000002\r\n"})
	a := source(t, Options{}, filepath.Join(dir, "dump.reg"))
	if len(a.Shares) != 1 || a.Shares[0].Name != "Data" || a.Shares[0].Path != `D:\Data` {
		t.Errorf("shares %+v", a.Shares)
	}
	if !slices.ContainsFunc(a.Services, func(s model.Service) bool {
		return strings.Contains(s.Evidence, "MSSQLSERVER") && strings.Contains(s.Evidence, "automatic")
	}) {
		t.Errorf("services %+v", a.Services)
	}
}

// TestAuditOfPolicy reads the advanced audit policy of a group policy object, which has its own file.
func TestAuditOfPolicy(t *testing.T) {
	dir := write(t, map[string]string{
		"{1}/DomainSysvol/GPO/Machine/Microsoft/Windows NT/Audit/audit.csv": "Machine Name,Policy " +
			"Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n" +
			",System,Partage de fichiers,{0cce9224-69ae-11d9-bed3-505054503030},Succès et échec,,3\r\n",
	})
	a := source(t, Options{}, filepath.Join(dir, "{1}"))
	if s := settingOf(t, a, "AuditFileShare"); s.Configured != 3 || !strings.Contains(s.Origin, "audit.csv") ||
		a.Partial {
		t.Errorf("%+v %q", s, a.Problems)
	}
}
