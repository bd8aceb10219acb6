package audit

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// What the tools of Windows print.
const (
	printedQuery = "\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\r\n    restrictanonymous    " +
		"REG_DWORD    0x1\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions\r\n    ProductType    REG_SZ    LanmanNT\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\r\n    NullSessionPipes    REG_MULTI_SZ    \\0netlogon\\0samr\r\n"
	printedList = "\r\nAutoShareServer                 : True\r\nEncryptData                     : " +
		"False\r\nEnableSMB1Protocol              : False\r\nNullSessionPipes                : ,netlogon,samr,lsarpc\r\n" +
		"NullSessionShares               : \r\nRequireSecuritySignature        : True\r\nSmbServerNameHardeningLevel     : 0\r\n"
	printedJSON   = `{"EncryptData": false, "NullSessionPipes": "", "RequireSecuritySignature": true, "EnableSMB1Protocol": true}`
	printedCSV    = "#TYPE Microsoft.Management.Infrastructure.CimInstance\r\n\"EncryptData\",\"NullSessionPipes\",\"RequireSecuritySignature\"\r\n\"False\",\"netlogon\",\"True\"\r\n"
	printedShares = "\r\nName   ScopeName Path       Description\r\n----   --------- ----       " +
		"-----------\r\nADMIN$ *         C:\\Windows Remote Admin\r\nIPC$   *                    Remote IPC\r\npub    *         C:\\pub\r\n"
	printedSharesList = "\r\nEncryptData           : False\r\nFolderEnumerationMode : Unrestricted\r\nName              " +
		"    : pub\r\nPath                  : C:\\pub\r\nSecurityDescriptor    : O:SYG:SYD:(A;;FA;;;AN)\r\nSpecial               : False\r\n\r\n" +
		"EncryptData           : False\r\nName                  : IPC$\r\nPath                  : \r\nSecurityDescriptor    : O:SYG:SYD:(A;;GA;;;BA)\r\nSpecial               : True\r\n"
	printedSharesJSON = `[{"Name": "pub", "Path": "C:\\pub", "Special": false, "SecurityDescriptor": "O:SYG:SYD:(A;;FA;;;AN)", "EncryptData": false}, {"Name": "IPC$", "Path": "", "Special": true, "SecurityDescriptor": "O:SYG:SYD:(A;;GA;;;BA)"}]`
	printedSharesXML  = `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0"><T>Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/SMB/MSFT_SmbShare</T></TN><Props><S N="Name">pub</S><S N="Path">C:\pub</S><B N="Special">false</B><B N="EncryptData">false</B><S N="SecurityDescriptor">O:SYG:SYD:(A;;FA;;;AN)</S></Props></Obj>` +
		`<Obj RefId="1"><Props><S N="Name">IPC$</S><S N="Path"></S><B N="Special">true</B><S N="SecurityDescriptor">O:SYG:SYD:(A;;GA;;;BA)</S></Props></Obj></Objs>`
	printedSecedit = "[Unicode]\r\nUnicode=yes\r\n[System Access]\r\nLSAAnonymousNameLookup = 0\r\nEnableGuestAccount = " +
		"0\r\n[Registry Values]\r\nMACHINE\\System\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymous=4,1\r\n"
	printedLgpo = "; PARSING Computer " +
		"POLICY\r\n\r\nComputer\r\nSYSTEM\\CurrentControlSet\\Control\\Lsa\r\nRestrictAnonymous\r\nDWORD:1\r\n\r\n; PARSING COMPLETED.\r\n"
	printedRsop = `<?xml version="1.0" encoding="utf-16"?><Rsop xmlns="http://www.microsoft.com/GroupPolicy/Rsop"><ComputerResults><Name>EX\SRV1$</Name><ExtensionData><Extension><q:SecurityOptions xmlns:q="x"><q:KeyName>MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous</q:KeyName><q:SettingNumber>1</q:SettingNumber></q:SecurityOptions><q:SecurityOptions xmlns:q="x"><q:SystemAccessPolicyName>LSAAnonymousNameLookup</q:SystemAccessPolicyName><q:SettingNumber>0</q:SettingNumber></q:SecurityOptions></Extension></ExtensionData></ComputerResults></Rsop>`
	printedPol  = "Systemüberwachungsrichtlinie\r\nKategorie/Unterkategorie                  " +
		"Einstellung\r\nObjektzugriff\r\n  Dateifreigabe                           Erfolg und Fehler\r\n"
	printedFrench = "  Partage de fichiers                     Succès et échec\r\n"
	printedPolCSV = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion " +
		"Setting\r\nSRV1,System,Detailed File Share,{0CCE9244-69AE-11D9-BED3-505054503030},Failure,\r\n"
)

// printed is what a tool of Windows printed, and what its audit knows.
type printed struct {
	name, text string
	want       map[string]any // effective settings
	role       model.Role
	host       string
	problem    string
}

func (p printed) check(t *testing.T) *model.Audit {
	t.Helper()
	a := source(t, Options{Product: "win2022"},
		write(t, map[string]string{"output.txt": p.text})+"/output.txt")
	for id, want := range p.want {
		s := settingOf(t, a, id)
		list, isList := want.([]string)
		got, _ := s.Configured.([]string)
		if !isList && s.Configured != want || isList && !slices.Equal(got, list) || s.Origin == "" {
			t.Errorf("%s: %+v, want %v", id, s, want)
		}
	}
	if s := settingOf(t, a, "RestrictNullSessAccess"); !s.NotRead {
		t.Errorf("what was not printed is unknown: %+v", s)
	}
	if a.Platform.System != "windows" || a.Platform.Role != p.role || a.Host != p.host {
		t.Errorf("%+v, host %q", a.Platform, a.Host)
	}
	if a.Partial != (p.problem != "") || p.problem != "" && !mentions(a.Problems, p.problem) {
		t.Errorf("problems %q, want %q", a.Problems, p.problem)
	}
	return a
}

func checkPrinted(t *testing.T, list []printed) {
	t.Helper()
	for _, p := range list {
		t.Run(p.name, func(t *testing.T) { p.check(t) })
	}
}

// wide is a text in UTF-16, as redirected output of PowerShell is.
func wide(s string) string { return "\xff\xfe" + string(registry.EncodeUTF16(s)) }

// TestRegQueryText: the output of reg query.
func TestRegQueryText(t *testing.T) {
	checkPrinted(t, []printed{
		{
			"reg query", printedQuery,
			map[string]any{"RestrictAnonymous": 1, "NullSessionPipes": []string{"netlogon", "samr"}},
			model.DomainController, "", "",
		},
		{"reg query in UTF-16", wide(printedQuery), map[string]any{"RestrictAnonymous": 1}, model.DomainController, "", ""},
		{
			"reg query with an error", "FEHLER: Zugriff verweigert\r\n" + printedQuery,
			map[string]any{"RestrictAnonymous": 1},
			model.DomainController, "", "line 1",
		},
		{
			"reg query of one that is not looked for", "HKEY_LOCAL_MACHINE\\SOFTWARE\\X\n    Y    REG_SZ    z\n",
			map[string]any{},
			model.UnknownRole, "", "",
		},
	})
}

// TestServerConfigurationText: the output of Get-SmbServerConfiguration in its forms.
func TestServerConfigurationText(t *testing.T) {
	checkPrinted(t, []printed{
		{
			"Get-SmbServerConfiguration", printedList,
			map[string]any{
				"EncryptData": 0, "SMB1": 0, "RequireSecuritySignature": 1,
				"NullSessionPipes": []string{"netlogon", "samr", "lsarpc"}, "NullSessionShares": []string{},
				"AutoShareServer": 1,
			},
			model.UnknownRole, "", "",
		},
		{"the same in UTF-16", wide(printedList), map[string]any{"RequireSecuritySignature": 1}, model.UnknownRole, "", ""},
		{
			"as JSON", printedJSON,
			map[string]any{"EncryptData": 0, "SMB1": 1, "NullSessionPipes": []string{}},
			model.UnknownRole, "", "",
		},
		{
			"as CSV", printedCSV,
			map[string]any{"EncryptData": 0, "NullSessionPipes": []string{"netlogon"}},
			model.UnknownRole,
			"", "",
		},
		{
			"with a value that is none", printedList + "AutoShareWorkstation            : perhaps\r\n",
			map[string]any{"AutoShareServer": 1},
			model.UnknownRole, "", "AutoShareWorkstation",
		},
		{
			"the lowest dialect", printedList + "Smb2DialectMin                  : SMB300\r\n",
			map[string]any{"MinSmb2Dialect": 768},
			model.UnknownRole, "", "",
		},
		{
			"the lowest dialect as JSON", `{"EncryptData": false, "EnableSMB1Protocol": true, "Smb2DialectMin": 785}`,
			map[string]any{"MinSmb2Dialect": 785},
			model.UnknownRole, "", "",
		},
		{
			"no lowest dialect", printedList + "Smb2DialectMin                  : None\r\n",
			map[string]any{"MinSmb2Dialect": 514},
			model.UnknownRole, "", "",
		},
		{
			"a list in braces", "NullSessionPipes : {netlogon, samr}\r\nRequireSecuritySignature : True\r\n",
			map[string]any{"NullSessionPipes": []string{"netlogon", "samr"}},
			model.UnknownRole, "", "",
		},
	})
}

// TestShareText: the output of Get-SmbShare in its forms. A table lacks what the others have: who may use a share.
func TestShareText(t *testing.T) {
	for _, p := range []printed{
		{"Get-SmbShare", printedShares, map[string]any{}, model.UnknownRole, "", ""},
		{"Get-SmbShare | fl *", printedSharesList, map[string]any{}, model.UnknownRole, "", ""},
		{"Get-SmbShare | ConvertTo-Json", printedSharesJSON, map[string]any{}, model.UnknownRole, "", ""},
		{"Get-SmbShare | Export-Clixml", printedSharesXML, map[string]any{}, model.UnknownRole, "", ""},
	} {
		t.Run(p.name, func(t *testing.T) {
			a := p.check(t)
			if p.text == printedShares {
				if len(a.Shares) != 3 || a.Shares[2].Path != `C:\pub` || a.Shares[2].Default || !a.Shares[0].Default {
					t.Errorf("%+v", a.Shares)
				}
				return
			}
			s := settingOf(t, a, "EncryptData")
			if len(a.Shares) != 2 || a.Shares[0].Name != "pub" || a.Shares[0].Default || !a.Shares[1].Default ||
				!s.NotRead || !mentions(a.Platform.Why, "pub (anonymous callers)") {
				t.Errorf("%+v, %q, EncryptData %+v", a.Shares, a.Platform.Why, s)
			}
		})
	}
}

// TestPolicyText: what tools print of policies.
func TestPolicyText(t *testing.T) {
	checkPrinted(t, []printed{
		{"secedit /export", wide(printedSecedit), map[string]any{
			"RestrictAnonymous": 1, "LSAAnonymousNameLookup": 0,
			"EnableGuestAccount": 0,
		}, model.UnknownRole, "", ""},
		{"LGPO", printedLgpo, map[string]any{"RestrictAnonymous": 1}, model.UnknownRole, "", ""},
		{
			"gpresult /x", wide(printedRsop),
			map[string]any{"RestrictAnonymous": 1, "LSAAnonymousNameLookup": 0},
			model.UnknownRole, "SRV1", "",
		},
		{
			"gpresult /x without templates' values",
			strings.Replace(printedRsop, "</Extension>", "<q:Policy xmlns:q='x'><q:Name>X</q:Name></q:Policy></Extension>", 1),
			map[string]any{"RestrictAnonymous": 1},
			model.UnknownRole, "SRV1", "1 administrative templates",
		},
		{"auditpol", printedPol, map[string]any{"AuditFileShare": 3}, model.UnknownRole, "", ""},
		{"auditpol /r", printedPolCSV, map[string]any{"AuditDetailedFileShare": 2}, model.UnknownRole, "SRV1", ""},
		{"auditpol in French", printedFrench, map[string]any{}, model.UnknownRole, "", "not understood"},
	})
}

// TestMergedText joins what several tools printed of one host: the more exact one wins.
func TestMergedText(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": printedList, "b.txt": printedShares, "c.txt": printedQuery})
	var got []*model.Audit
	err := Options{Merge: true}.Run(t.Context(),
		[]string{filepath.Join(dir, "c.txt"), filepath.Join(dir, "b.txt"), filepath.Join(dir, "a.txt")},
		func(r Result) error {
			got = append(got, r.Audits...)
			return r.Err
		})
	if err != nil || len(got) != 1 || len(got[0].Shares) != 3 || got[0].Platform.Role != model.DomainController {
		t.Fatalf("%d results, %v", len(got), err)
	}
	if s := settingOf(t, got[0], "NullSessionPipes"); len(s.Configured.([]string)) != 3 ||
		!strings.Contains(s.Why, "wins over") {
		t.Errorf("%+v", s)
	}
}

// TestRefusedTexts: any other text is refused, with a guess at what it is.
func TestRefusedTexts(t *testing.T) {
	for name, tt := range map[string]struct{ text, part string }{
		"empty":             {"", "it is empty"},
		"notes":             {"buy milk\n", "none of the files"},
		"accounts":          {"root:x:0:0:root:/root:/bin/bash\n", "a list of accounts"},
		"gpresult.html":     {"<html><body></body></html>", "HTML"},
		"other XML":         {"<?xml version=\"1.0\"?><a/>", "XML of another kind"},
		"JSON":              {`{"a": 1}`, "JSON of another kind"},
		"a result":          {`{"schema":"ipcguard.audit/1","source":{}}`, "the result of an audit (ipcguard.audit/1)"},
		"another INI":       {"[Unit]\nDescription=x\nAfter=y\npath=/z\n", "none of the files"},
		"an event log":      {"ElfFile\x00\x00\x00", "an event log"},
		"a key":             {"-----BEGIN CERTIFICATE-----\n", "key or certificate"},
		"a script":          {"#!/bin/sh\n", "a script"},
		"gpresult /r":       {"\r\nRSOP data for X\r\n", "gpresult /r"},
		"a table of others": {"Name Id\n---- --\nx    1\n", "none of the files"},
	} {
		list, err := Options{}.Source(t.Context(), write(t, map[string]string{"f": tt.text})+"/f")
		if err == nil || len(list) != 0 || !strings.Contains(err.Error(), tt.part) ||
			!strings.Contains(err.Error(), "none of the files that can be audited") {
			t.Errorf("%s: %d results, %v", name, len(list), err)
		}
	}
	for _, text := range []string{
		"[global]\n", "# a comment\n\n[GLOBAL]\n", "[pub]\npath = /srv\nguest ok = yes\n",
		"workgroup = X\n", "[printers]\nprintable = yes\nunknown = 1\nbrowseable = no\n",
	} {
		if a := source(t, Options{}, write(t, map[string]string{"f": text})+"/f"); a.Platform.System != "samba" {
			t.Errorf("%q: %+v", text, a.Platform)
		}
	}
	// Of a folder, only its configurations are audited.
	dir := write(t, map[string]string{"nginx.conf": "server {\n  listen 80;\n}\n", "smb.conf": "[global]\n"})
	if list, err := (Options{}).Source(t.Context(), dir); err != nil || len(list) != 1 {
		t.Errorf("%d results, %v", len(list), err)
	}
}
