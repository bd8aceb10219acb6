package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// event is one record of a Windows log as XML.
func event(provider, channel string, id, version int, day int, hour int, data string) string {
	return fmt.Sprintf(`<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="%s"/><EventID>%d</EventID>`+
		`<Version>%d</Version><TimeCreated SystemTime="2026-03-%02dT%02d:00:12.000Z"/><EventRecordID>1</EventRecordID><Channel>%s</Channel>`+
		`<Computer>HOSTX</Computer></System><EventData>%s</EventData></Event>`+"\n", provider, id, version, day, hour,
		channel, data)
}

// opened is event 5145: a user or a stranger opens samr.
func opened(day int, sid, who string) string {
	var b strings.Builder
	for _, d := range [][2]string{
		{"SubjectUserSid", sid},
		{"SubjectUserName", who},
		{"SubjectDomainName", "CORP"},
		{"SubjectLogonId", "0x101"},
		{"ObjectType", "File"},
		{"IpAddress", "10.1.2.8"},
		{"IpPort", "50001"},
		{"ShareName", `\\*\IPC$`},
		{"RelativeTargetName", "samr"},
	} {
		fmt.Fprintf(&b, `<Data Name="%s">%s</Data>`, d[0], d[1])
	}
	return event("Microsoft-Windows-Security-Auditing", "Security", 5145, 0, day, 10, b.String())
}

// TestWhatIfAndSilence: eleven days of the System log are no silence, eleven days of the very events are; and a setting
// that meets those who sign in does not leave them as before.
func TestWhatIfAndSilence(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("host.reg", "Windows Registry Editor Version 5.00\r\n\r\n"+
		`[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters]`+"\r\n"+
		`"NullSessionPipes"=hex(7):73,00,61,00,6d,00,72,00,00,00,00,00`+"\r\n\r\n"+
		`[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa]`+"\r\n"+
		`"RestrictRemoteSAM"="O:BAG:BAD:(A;;RC;;;WD)"`+"\r\n")
	var system, opens strings.Builder
	for day := 1; day <= 11; day++ {
		system.WriteString(event("Service Control Manager", "System", 7036, 0, day, 3, ""))
		opens.WriteString(opened(day, "S-1-5-21-1-2-3-1104", "alice"))
	}
	for name, text := range map[string]string{"system": system.String(), "opens": opens.String()} {
		write(name+".xml", text)
		run("observe", file(name+".xml"), "--format", "json", "-o", file(name)) // 4: what these logs cannot show
	}
	run("audit", file("host.reg"), "--product", "win2019", "--role", "member", "--format", "json", "-o", file("audit"))
	for _, x := range []struct {
		setting, observed string
		code              int
		says              []string
	}{
		{
			"NullSessionPipes=", "system", exitPartial,
			[]string{"Silence does not count", "no record that shows it was read"},
		},
		{
			"RestrictRemoteSAM=O:BAG:BAD:(A;;RC;;;BA)", "opens", exitPartial,
			[]string{"opens samr as user", "event 5145 since 2026-03-01", "on 11 of 11 days"},
		},
		{
			"RequireSecuritySignature=1", "opens", exitPartial,
			[]string{
				"May be refused", "whether that meets this client was not seen",
				"1 of 1 use that was seen may be refused",
			},
		},
	} {
		out := strings.Join(strings.Fields(command(t, x.code, "what-if", "--setting", x.setting, "--audit",
			file("audit"), "--observe", file(x.observed))), " ")
		for _, want := range x.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s with %s: no %q in\n%s", x.setting, x.observed, want, out)
			}
		}
	}
	out := command(t, exitFailed, "plan", "--audit", file("audit"), "--observe", file("system"), "--strategy", "block",
		"--means", "host-firewall")
	if !strings.Contains(out, "No changes: refused") {
		t.Errorf("another log unlocks blocking:\n%s", out)
	}
}
