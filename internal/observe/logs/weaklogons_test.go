package logs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// ways are how callers came, one line each.
func ways(uses []model.Use) []string {
	var out []string
	for _, u := range uses {
		parts := []string{u.Client + ">" + u.Server, string(u.Identity), u.Account, string(u.Layer), string(u.Outcome), u.Package, u.Dialect, u.SPN, u.Signing, strings.TrimPrefix(u.Status, "STATUS_SUCCESS")}
		for name, t := range map[string]model.Tristate{"signed": u.Signed, "encrypted": u.Encrypted, "can-encrypt": u.CanEncrypt} {
			if t != model.NotKnown {
				parts = append(parts, fmt.Sprintf("%s=%t", name, t == model.True))
			}
		}
		slices.Sort(parts[10:])
		out = append(out, strings.Join(strings.Fields(strings.Join(parts, " ")), " "))
	}
	slices.Sort(out)
	return out
}

// TestPackagesOfWindows reads how callers came from Windows' events, with each trap. The events are made: their fields
// are those of the provider manifests.
func TestPackagesOfWindows(t *testing.T) {
	const at = "2026-03-01T10:00:00Z"
	logon := func(id int, user, sid, lm, pkg string) string {
		return beat(id, at, "LogonType", "3", "TargetUserSid", sid, "TargetUserName", user, "TargetDomainName", "CORP", "TargetLogonId", "0x"+fmt.Sprintf("%x", len(user+lm)+id), "IpAddress", "10.0.0.1",
			"LmPackageName", lm, "AuthenticationPackageName", pkg, "Status", "0xc000006d", "SubStatus", "0xc000006a")
	}
	on := func(provider, channel string, id int, data ...string) string {
		return beat(id, at, append([]string{"provider", provider, "channel", channel}, data...)...)
	}
	smb := func(channel string, id int, data ...string) string {
		return on(providerSMBServer, "Microsoft-Windows-SMBServer/"+channel, id, data...)
	}
	ntlm := func(id int, data ...string) string {
		return on(providerNTLM, "Microsoft-Windows-NTLM/Operational", id, data...)
	}
	for _, x := range []struct {
		what, event string
		want        []string
	}{
		{"4624 with NTLMv1", logon(4624, "ann", userSID, "NTLM V1", "NTLM"), []string{`10.0.0.1>FS1 user CORP\ann session allowed ntlmv1`}},
		{"4624 with LM", logon(4624, "ann", userSID, "LM", "NTLM"), []string{`10.0.0.1>FS1 user CORP\ann session allowed lm`}},
		{"an anonymous 4624 says NTLM V1 and is none", logon(4624, "ANONYMOUS LOGON", nullSID, "NTLM V1", "NTLM"), []string{"10.0.0.1>FS1 anonymous session allowed anonymous"}},
		{"4624 with NTLMv2 may be of any service", logon(4624, "ann", userSID, "NTLM V2", "NTLM"), nil},
		{"a guest with Negotiate and a name of LM", logon(4624, "gast", guestSID, "NTLM V2", "Negotiate"), []string{`10.0.0.1>FS1 guest CORP\gast session allowed ntlmv2`}},
		{"a refused NTLMv1 has no version", logon(4625, "ann", "S-1-0-0", "-", "NTLM"), []string{`10.0.0.1>FS1 user CORP\ann session denied ntlm STATUS_WRONG_PASSWORD`}},
		{"8001 alone proves nothing", ntlm(8001, "TargetName", "cifs/nas1", "UserName", "ann", "DomainName", "CORP"), []string{`FS1>nas1 user CORP\ann session inconclusive ntlm cifs/nas1`}},
		{"4001 is refused", ntlm(4001, "TargetName", "cifs/nas1", "UserName", "ann", "DomainName", "CORP"), []string{`FS1>nas1 user CORP\ann session denied ntlm cifs/nas1`}},
		{"8003 names who comes", ntlm(8003, "UserName", "ann", "DomainName", "CORP", "Workstation", "PC7", "LogonType", "3"), []string{`PC7>FS1 user CORP\ann session inconclusive ntlm`}},
		{"4003 is refused", ntlm(4003, "UserName", "ann", "DomainName", "CORP", "Workstation", "PC7"), []string{`PC7>FS1 user CORP\ann session denied ntlm`}},
		{"8002 names nobody", ntlm(8002), []string{">FS1 unknown session inconclusive ntlm"}},
		{"null credentials at a domain controller", on(providerNetlogon, "Microsoft-Windows-NTLM/Operational", 8004, "SChannelName", "NAS1$", "User", "(NULL)", "Workstation", "PC7"), []string{"PC7>NAS1 anonymous session inconclusive anonymous"}},
		{"24H2 tells the version", ntlm(4023, "Field1", "10.9.9.9", "Field2", "NTLMv1"), []string{"10.9.9.9>FS1 unknown session inconclusive ntlmv1"}},
		{"24H2 as a client", ntlm(4020, "Field1", "10.9.9.9", "Field2", "NTLMv2"), []string{"FS1>10.9.9.9 unknown session inconclusive ntlmv2"}},
		{"24H2 as a domain controller does not name the server", ntlm(4033, "Field1", "10.9.9.9", "Field2", "NTLMv1"), []string{"10.9.9.9> unknown session inconclusive ntlmv1"}},
		{"24H2 that is not understood", ntlm(4023, "Field1", "x"), nil},
		{"6033 names a refused stranger", on("LsaSrv", "System", 6033, "param1", "PC9"), []string{"PC9>FS1 anonymous call denied STATUS_ACCESS_DENIED"}},
		{"551", smb("Security", 551, "ClientAddress", "0200C0DE0A000007", "UserName", `CORP\ann`, "Status", "0xc000006d", "SPN", "cifs/fs1"), []string{`10.0.0.7>FS1 user CORP\ann session denied cifs/fs1 STATUS_LOGON_FAILURE`}},
		{"1009 by IPv6", smb("Security", 1009, "ClientAddress", "1700C0DE0000000020010DB8000000000000000000000007"), []string{"2001:db8::7>FS1 anonymous session denied anonymous STATUS_ACCESS_DENIED"}},
		{"1007", smb("Security", 1007, "ShareName", `\\*\IPC$`, "ClientAddress", "0200C0DE0A000007"), []string{"10.0.0.7>FS1 anonymous tree denied STATUS_ACCESS_DENIED"}},
		{"a cut address is none", smb("Security", 1007, "ShareName", `\\*\IPC$`, "ClientAddress", "0200C0"), []string{">FS1 anonymous tree denied STATUS_ACCESS_DENIED"}},
		{"3000", smb("Audit", 3000, "ClientName", "10.0.0.8"), []string{"10.0.0.8>FS1 unknown negotiate allowed NT LM 0.12"}},
		{"1001 before it had fields", smb("Operational", 1001), []string{">FS1 unknown negotiate denied NT LM 0.12"}},
		{"3021", smb("Audit", 3021, "ClientName", "10.0.0.8"), []string{"10.0.0.8>FS1 unknown negotiate allowed none"}},
		{"3022", smb("Audit", 3022, "ClientName", "10.0.0.8"), []string{"10.0.0.8>FS1 unknown negotiate allowed can-encrypt=false"}},
		{"3023 stands in Operational", smb("Operational", 3023, "ClientName", "10.0.0.8"), []string{"10.0.0.8>FS1 guest session allowed"}},
		{"4000", smb("Connectivity", 4000, "ShareName", `\\*\IPC$`, "SigningUsed", "true", "EncyptionUsed", "false", "ClientAddress", "0200C0DE0A000007"), []string{"10.0.0.7>FS1 unknown tree allowed encrypted=false signed=true"}},
		{"4000 of another share", smb("Connectivity", 4000, "ShareName", `\\*\Data`, "SigningUsed", "true"), nil},
	} {
		t.Run(x.what, func(t *testing.T) {
			uses, cov := readLogs(t, Options{}, x.event)
			if got := ways(uses); !slices.Equal(got, x.want) {
				t.Errorf("%q, want %q", got, x.want)
			}
			if strings.HasSuffix(x.what, "not understood") && cov.Unreadable["NTLM events 4023 whose fields are not understood"] != 1 {
				t.Errorf("not counted: %v", cov.Unreadable)
			}
		})
	}
}

// TestAuditsOfNTLM: an event of the audit of NTLM does not claim that the logon succeeded. The events are made.
func TestAuditsOfNTLM(t *testing.T) {
	for id, provider := range map[int]string{8002: providerNTLM, 8003: providerNTLM, 8004: providerNetlogon, 8006: providerNetlogon} {
		uses, _ := readLogs(t, Options{}, beat(id, "2026-03-01T10:00:00Z", "provider", provider,
			"channel", "Microsoft-Windows-NTLM/Operational", "UserName", "ann", "DomainName", "CORP", "SChannelName", "NAS1$"))
		if len(uses) != 1 || !strings.HasSuffix(uses[0].Basis, "whether the logon succeeded is not told") ||
			uses[0].Outcome != model.Inconclusive || !uses[0].Untold() {
			t.Errorf("%d: %+v", id, uses)
		}
	}
}

// TestMissingFields: a field that is not there is unknown, and the event counted; one that is there and empty has a
// meaning. The events are made.
func TestMissingFields(t *testing.T) {
	const at = "2026-03-01T10:00:00Z"
	ntlm := func(provider string, id int, data ...string) string {
		return beat(id, at, append([]string{"provider", provider, "channel", "Microsoft-Windows-NTLM/Operational"}, data...)...)
	}
	smb := func(channel string, id int, data ...string) string {
		return beat(id, at, append([]string{"provider", providerSMBServer, "channel", "Microsoft-Windows-SMBServer/" + channel}, data...)...)
	}
	event := func(id int, data string) string {
		return fmt.Sprintf(`<Event><System><Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>%d</EventID><TimeCreated SystemTime=%q/>`+
			`<Channel>Security</Channel><Computer>FS1</Computer></System><EventData>%s</EventData></Event>`, id, at, data)
	}
	data := func(name, value string) string { return fmt.Sprintf("<Data Name=%q>%s</Data>", name, value) }
	stranger := data("TargetUserSid", nullSID) + data("TargetLogonId", "0x100") + data("LogonType", "3")
	const notUnderstood = "NTLM events %d whose fields are not understood"
	for _, x := range []struct {
		what, event string
		want        []string
		unread      string
	}{
		{"8004 without a user", ntlm(providerNetlogon, 8004, "SChannelName", "NAS1$", "Workstation", "PC7"), []string{"PC7>NAS1 unknown session inconclusive ntlm"}, fmt.Sprintf(notUnderstood, 8004)},
		{"8004 without anything", ntlm(providerNetlogon, 8004), []string{"> unknown session inconclusive ntlm"}, fmt.Sprintf(notUnderstood, 8004)},
		{"8004 by position", ntlm(providerNetlogon, 8004, "param1", "NAS1", "param2", "ann"), []string{"> unknown session inconclusive ntlm"}, fmt.Sprintf(notUnderstood, 8004)},
		{"8001 without a user", ntlm(providerNTLM, 8001, "TargetName", "cifs/nas1"), []string{"FS1>nas1 unknown session inconclusive ntlm cifs/nas1"}, fmt.Sprintf(notUnderstood, 8001)},
		{"8004 with an empty user", ntlm(providerNetlogon, 8004, "SChannelName", "NAS1$", "UserName", ""), []string{">NAS1 anonymous session inconclusive anonymous"}, ""},
		{"8004 with a dash", ntlm(providerNetlogon, 8004, "SChannelName", "NAS1$", "UserName", "-"), []string{">NAS1 unknown session inconclusive ntlm"}, ""},
		{"4624 cut after the type", event(4624, stranger), []string{">FS1 anonymous session allowed anonymous"}, "events 4624 of strangers that do not name the client"},
		{"4624 from the host itself", event(4624, stranger+data("WorkstationName", "-")+data("IpAddress", "-")), nil, ""},
		{"4624 from the host itself by Winlogbeat", beat(4624, at, "TargetUserSid", nullSID, "TargetLogonId", "0x100", "LogonType", "3", "KeyLength", "0", "ProcessId", "0x0"), nil, ""},
		{"4624 from no address", event(4624, stranger+data("IpAddress", "999.1.2.3")), []string{">FS1 anonymous session allowed anonymous"}, "events 4624 whose IpAddress is not an address"},
		{"4624 from a name", event(4624, stranger+data("IpAddress", "pc7.corp.example")), []string{"pc7.corp.example>FS1 anonymous session allowed anonymous"}, ""},
		{"4624 with a type in words", event(4624, data("TargetUserSid", nullSID)+data("LogonType", "three")+data("IpAddress", "10.0.0.1")), nil, "events 4624 whose logon type is not a number"},
		{"4625 with a type in words", event(4625, data("TargetUserName", "ann")+data("LogonType", "three")), nil, "events 4625 whose logon type is not a number"},
		{"5145 that names nothing", event(5145, data("SubjectUserSid", nullSID)+data("IpAddress", "10.0.0.1")+data("ShareName", `\\*\IPC$`)), []string{"10.0.0.1>FS1 anonymous open allowed"}, "events 5145 that do not name what was opened"},
		{"5145 of the root", event(5145, data("SubjectUserSid", nullSID)+data("IpAddress", "10.0.0.1")+data("ShareName", `\\*\IPC$`)+data("RelativeTargetName", `\`)), nil, ""},
		{"5712 without a transport", event(5712, data("SubjectUserSid", nullSID)), nil, "events 5712 that do not name the transport"},
		{"1007 without a share", smb("Security", 1007, "ClientAddress", "0200C0DE0A000007"), nil, "SMBServer events 1007 that do not name the share"},
	} {
		t.Run(x.what, func(t *testing.T) {
			uses, cov := readLogs(t, Options{}, x.event)
			if got := ways(uses); !slices.Equal(got, x.want) {
				t.Errorf("%q, want %q", got, x.want)
			}
			var want map[string]int64
			if x.unread != "" {
				want = map[string]int64{x.unread: 1}
			}
			if !maps.Equal(cov.Unreadable, want) {
				t.Errorf("unreadable %v, want %v", cov.Unreadable, want)
			}
		})
	}
}

// TestNTLMChecks: an event 4776 is told and is no use: it names neither the server nor the version.
func TestNTLMChecks(t *testing.T) {
	check := func(status string) string {
		return beat(4776, "2026-03-01T10:00:00Z", "PackageName", "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName", "ann", "Workstation", "PC7", "Status", status)
	}
	uses, cov := readLogs(t, Options{}, check("0x0")+"\n"+check("0xc000006a"))
	if len(uses) != 0 || !slices.ContainsFunc(cov.Notes, func(n string) bool {
		return strings.HasPrefix(n, "FS1: 2 times event 4776 tells that NTLM was checked here")
	}) {
		t.Errorf("%v, %q", ways(uses), cov.Notes)
	}
	if _, cov := readLogs(t, Options{}, beat(4624, "2026-03-01T10:00:00Z", "LogonType", "3")); slices.ContainsFunc(cov.Notes, func(n string) bool { return strings.Contains(n, "4776") }) {
		t.Errorf("%q", cov.Notes)
	}
}

// TestPackagesOfSamba reads them from Samba's audit, in which the version and the authorization stand in two records.
func TestPackagesOfSamba(t *testing.T) {
	auth := func(service, user, typ, status, port string) string {
		return fmt.Sprintf(`  {"timestamp":"2026-03-01T10:00:00.000000+0000","type":"Authentication","Authentication":{"version":{"major":1,"minor":2},"status":%q,"localAddress":"ipv4:10.0.0.2:445","remoteAddress":"ipv4:10.0.0.1:%s","serviceDescription":%q,"clientDomain":"LAB","clientAccount":%q,"passwordType":%q,"becameSid":"S-1-5-21-1-2-3-1104"}}`,
			status, port, service, user, typ)
	}
	authz := func(service, user, sid, typ, port string) string {
		return fmt.Sprintf(`{"timestamp":"2026-03-01T10:00:00.100000+0000","type":"Authorization","Authorization":{"version":{"major":1,"minor":1},"localAddress":"ipv4:10.0.0.2:445","remoteAddress":"ipv4:10.0.0.1:%s","serviceDescription":%q,"authType":%q,"domain":"LAB","account":%q,"sid":%q,"transportProtection":"SMB"}}`,
			port, service, typ, user, sid)
	}
	const ok, guest = "NT_STATUS_OK", "S-1-5-21-1-2-3-501"
	for _, x := range []struct {
		what  string
		lines []string
		want  []string
	}{
		{"NTLMv2", []string{auth("SMB2", "ann", "NTLMv2", ok, "1"), authz("SMB2", "ann", userSID, "NTLMSSP", "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session allowed ntlmv2`}},
		{"NTLMv1 over SMB1", []string{auth("SMB", "ann", "NTLMv1", ok, "1"), authz("SMB", "ann", userSID, "NTLMSSP", "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session allowed ntlmv1 NT LM 0.12`}},
		{"without an authorization", []string{auth("SMB2", "ann", "LANMan", ok, "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session allowed lm`}},
		{"refused NTLMv1", []string{auth("SMB2", "ann", "NTLMv1", "NT_STATUS_WRONG_PASSWORD", "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session denied ntlmv1 STATUS_WRONG_PASSWORD`}},
		{"another connection's version", []string{auth("SMB2", "bob", "NTLMv1", "NT_STATUS_WRONG_PASSWORD", "2"), authz("SMB2", "ann", userSID, "NTLMSSP", "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session allowed ntlm`, `10.0.0.1>10.0.0.2 user LAB\bob session denied ntlmv1 STATUS_WRONG_PASSWORD`}},
		{"Kerberos", []string{authz("SMB2", "ann", userSID, "krb5", "1")}, []string{`10.0.0.1>10.0.0.2 user LAB\ann session allowed kerberos`}},
		{"anonymous", []string{auth("SMB2", "", "No-Password", ok, "1"), authz("SMB2", "ANONYMOUS LOGON", nullSID, "NTLMSSP", "1")}, []string{"10.0.0.1>10.0.0.2 anonymous session allowed anonymous"}},
		{"an empty password is no null session", []string{auth("SMB2", "root", "No-Password", "NT_STATUS_NO_SUCH_USER", "1"), authz("SMB2", "nobody", guest, "NTLMSSP", "1")}, []string{`10.0.0.1>10.0.0.2 guest LAB\nobody session allowed unknown`, `10.0.0.1>10.0.0.2 unknown-user LAB\root session denied unknown STATUS_NO_SUCH_USER`}},
	} {
		t.Run(x.what, func(t *testing.T) {
			uses, _ := readLogs(t, Options{}, strings.Join(x.lines, "\n"))
			if got := ways(uses); !slices.Equal(got, x.want) {
				t.Errorf("%q, want %q", got, x.want)
			}
		})
	}
}
