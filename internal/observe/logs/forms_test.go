package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
)

// openedSamr is the row of the event in all of these forms: 5145, an anonymous open of samr.
const openedSamr = "10.1.2.3 > %s anonymous [] open IPC$/samr allowed x1"

// message is that event in Windows' words.
const message = `A network share object was checked to see whether client can be granted desired access.

Subject:
	Security ID:		S-1-5-7
	Account Name:		ANONYMOUS LOGON
	Account Domain:		NT AUTHORITY
	Logon ID:		0x3E7ABC

Network Information:
	Object Type:		File
	Source Address:		10.1.2.3
	Source Port:		50123

Share Information:
	Share Name:		\\*\IPC$
	Share Path:
	Relative Target Name:	samr

Access Request Information:
	Access Mask:		0x12019F
	Accesses:		READ_CONTROL
`

const splunkText = `03/01/2026 10:00:10 AM
LogName=Security
EventCode=5145
EventType=0
ComputerName=DC1
SourceName=Microsoft Windows security auditing.
Type=Information
Keywords=Audit Success
TaskCategory=Detailed File Share
OpCode=Info
Message=` + message

const eventXML = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>5145</EventID><TimeCreated SystemTime='2026-03-01T10:00:10.1Z'/><Channel>Security</Channel><Computer>DC1</Computer></System><EventData><Data Name='SubjectUserSid'>S-1-5-7</Data><Data Name='IpAddress'>10.1.2.3</Data><Data Name='ShareName'>\\*\IPC$</Data><Data Name='RelativeTargetName'>samr</Data></EventData></Event>`

// forwarded returns the forms in which logs are forwarded, as their programs write them.
func forwarded() map[string]string {
	quoted := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(fmt.Sprintf("%q", s), `\x00`, ""), "\n", `\n`)
	}
	utf16 := func(s string) string { // little endian, as PowerShell 5.1 writes files
		out := []byte{0xff, 0xfe}
		for _, unit := range utf16.Encode([]rune(s)) {
			out = append(out, byte(unit), byte(unit>>8))
		}
		return string(out)
	}
	const data = `"SubjectUserSid":"S-1-5-7","IpAddress":"10.1.2.3","ShareName":"\\\\*\\IPC$","RelativeTargetName":"samr"`
	const nxlog = `{"EventTime":"2026-03-01 10:00:10","Hostname":"DC1","Channel":"Security","SourceName":"Microsoft-Windows-Security-Auditing","EventID":5145,` + data + `}`
	exported := `"Message","Id","ProviderName","LogName","MachineName","TimeCreated"` + "\r\n" +
		`"` + message + `","5145","Microsoft-Windows-Security-Auditing","Security","DC1","3/1/2026 10:00:10 AM"` +
		"\r\n"
	return map[string]string{
		"PowerShell's UTF-16, JSON": utf16(nxlog),
		"PowerShell's UTF-16, CSV":  utf16(exported),
		"Splunk as a table":         "_raw,_time,host\r\n\"" + splunkText + "\",2026-03-01T10:00:10.000+0000,DC1\r\n",
		"Splunk's XML as a table": "\"_raw\",\"_time\",\"host\"\n\"" + eventXML +
			"\",2026-03-01T10:00:10.000+0000,DC1\n",
		"Splunk's fields": `{"result":{"EventCode":"5145","ComputerName":"DC1","LogName":"Security","SourceName":"Microsoft Windows security auditing.","_time":"2026-03-01T10:00:10.000+00:00","Message":` + quoted(message) + `}}`,
		"Splunk's collector": `{"time":1772359210.1,"host":"DC1","sourcetype":"XmlWinEventLog","event":` +
			quoted(eventXML) + `}`,
		"Logstash": `{"@timestamp":"2026-03-01T10:00:10Z","message":` + quoted(eventXML) +
			`,"host":"DC1"}`,
		"Wazuh's agent": `{"timestamp":"2026-03-01T10:00:10.000+0000","agent":{"name":"DC1"},"full_log":"{\"win\":{\"system\":{\"providerName\":\"Microsoft-Windows-Security-Auditing\",\"eventID\":\"5145\",\"systemTime\":\"2026-03-01T10:00:10Z\",\"computer\":\"DC1\"},\"eventdata\":{\"subjectUserSid\":\"S-1-5-7\",\"ipAddress\":\"10.1.2.3\",\"shareName\":\"\\\\\\\\*\\\\IPC$\",\"relativeTargetName\":\"samr\"}}}"}`,
		"NXLog over syslog": "<14>1 2026-03-01T10:00:10.000000+00:00 DC1 Microsoft-Windows-Security-Auditing " +
			"4 - - " + nxlog + "\n",
		"NXLog over old syslog": "<14>Mar  1 10:00:10 DC1 nxlog: " + nxlog + "\n",
		"GELF":                  `{"version":"1.1","host":"DC1","timestamp":1772359210.5,"_EventID":5145,"_SourceName":"Microsoft-Windows-Security-Auditing","_Channel":"Security","_SubjectUserSid":"S-1-5-7","_IpAddress":"10.1.2.3","_ShareName":"\\\\*\\IPC$","_RelativeTargetName":"samr"}`,
		"Graylog's search":      `{"messages":[{"message":{"timestamp":"2026-03-01T10:00:10.000Z","source":"DC1","winlogbeat_winlog_event_id":5145,"winlogbeat_winlog_computer_name":"DC1","winlogbeat_winlog_provider_name":"Microsoft-Windows-Security-Auditing","winlogbeat_winlog_event_data_SubjectUserSid":"S-1-5-7","winlogbeat_winlog_event_data_IpAddress":"10.1.2.3","winlogbeat_winlog_event_data_ShareName":"\\\\*\\IPC$","winlogbeat_winlog_event_data_RelativeTargetName":"samr"}}]}`,
		"Fluent Bit":            `{"ProviderName":"Microsoft-Windows-Security-Auditing","EventID":5145,"TimeCreated":"2026-03-01 10:00:10 +0000","Channel":"Security","Computer":"DC1","StringInserts":["S-1-5-7","ANONYMOUS LOGON","NT AUTHORITY","0x3e4a1","File","10.1.2.3","50123","\\\\*\\IPC$","","samr","0x3","%%4416","-"]}`,
		"Fluent Bit's message":  `{"ProviderName":"Microsoft-Windows-Security-Auditing","EventID":5145,"TimeCreated":"2026-03-01 10:00:10 +0000","Channel":"Security","Computer":"DC1","Message":` + quoted(message) + `}`,
		"Sentinel as a table": `TenantId,"TimeGenerated [UTC]",Computer,EventSourceName,Channel,EventID,SubjectUserSid,IpAddress,ShareName,RelativeTargetName` + "\n" +
			`x,"3/1/2026, 10:00:10.123 AM",DC1,Microsoft-Windows-Security-Auditing,Security,5145,S-1-5-7,10.1.2.3,\\*\IPC$,samr` + "\n",
		"Kibana as a table": `"@timestamp","winlog.event_id","winlog.provider_name","winlog.computer_name","winlog.event_data.SubjectUserSid","winlog.event_data.IpAddress","winlog.event_data.ShareName","winlog.event_data.RelativeTargetName"` + "\n" +
			`"Mar 1, 2026 @ 10:00:10.000",5145,"Microsoft-Windows-Security-Auditing",DC1,"S-1-5-7","10.1.2.3","\\*\IPC$",samr` + "\n",
		"EvtxECmd": `RecordNumber,EventRecordId,TimeCreated,EventId,Level,Provider,Channel,Computer,Payload` + "\n" +
			`7,7,2026-03-01 10:00:10.1234567,5145,LogAlways,Microsoft-Windows-Security-Auditing,Security,DC1,"{""EventData"":{""Data"":[{""@Name"":""SubjectUserSid"",""#text"":""S-1-5-7""},{""@Name"":""IpAddress"",""#text"":""10.1.2.3""},{""@Name"":""ShareName"",""#text"":""\\\\*\\IPC$""},{""@Name"":""RelativeTargetName"",""#text"":""samr""}]}}"` + "\n",
		"Splunk's XML":        `{"preview":false,"offset":0,"result":{"_time":"2026-03-01T10:00:10","host":"DC1","_raw":` + quoted(eventXML) + `}}`,
		"Splunk's text":       `{"preview":false,"result":{"_raw":` + quoted(splunkText) + `}}`,
		"Splunk's raw export": splunkText + "\n" + strings.Replace(splunkText, "EventCode=5145", "EventCode=4688", 1),
		"PowerShell 5 as JSON": `[{"Id":5145,"Version":0,"ProviderName":"Microsoft-Windows-Security-Auditing","LogName":"Security","MachineName":"DC1","TimeCreated":"\/Date(1772359210123)\/","Message":"…",
			"Properties":[{"Value":{"BinaryLength":12,"AccountDomainSid":null,"Value":"S-1-5-7"}},{"Value":"ANONYMOUS LOGON"},{"Value":"NT AUTHORITY"},{"Value":4094652},{"Value":"File"},{"Value":"10.1.2.3"},{"Value":"50123"},{"Value":"\\\\*\\IPC$"},{"Value":""},{"Value":"samr"},{"Value":1180063},{"Value":"%%1538"},{"Value":"-"}]}]`,
		"PowerShell 7 as JSON": `{"Id":5145,"ProviderName":"Microsoft-Windows-Security-Auditing","LogName":"Security","MachineName":"DC1","TimeCreated":"2026-03-01T10:00:10.123Z","Message":` + quoted(message) + `}`,
		"Export-Csv": "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n" +
			`"Message","Id","Version","ProviderName","LogName","MachineName","TimeCreated","Properties"` + "\r\n" +
			`"` + message +
			`","5145","0","Microsoft-Windows-Security-Auditing","Security","DC1","3/1/2026 10:00:10 AM","System.Collections.Generic.List"` + "\r\n",
		"Export-Csv with semicolons": `"Message";"Id";"ProviderName";"LogName";"MachineName";"TimeCreated"` + "\n" +
			`"` + message + `";"5145";"Microsoft-Windows-Security-Auditing";"Security";"DC1";"2026-03-01 10:00:10"` +
			"\n",
		"Graylog":                `{"timestamp":"2026-03-01T10:00:10.000Z","source":"DC1","winlogbeat_winlog_event_id":5145,"winlogbeat_winlog_channel":"Security","winlogbeat_winlog_computer_name":"DC1","winlogbeat_winlog_provider_name":"Microsoft-Windows-Security-Auditing","winlogbeat_winlog_event_data_SubjectUserSid":"S-1-5-7","winlogbeat_winlog_event_data_IpAddress":"10.1.2.3","winlogbeat_winlog_event_data_ShareName":"\\\\*\\IPC$","winlogbeat_winlog_event_data_RelativeTargetName":"samr"}`,
		"an answer of a search":  `{"took":3,"hits":{"total":{"value":1},"hits":[{"_index":"w","_source":{"@timestamp":"2026-03-01T10:00:10Z","winlog":{"event_id":"5145","provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"DC1","event_data":{"SubjectUserSid":"S-1-5-7","IpAddress":"10.1.2.3","ShareName":"\\\\*\\IPC$","RelativeTargetName":"samr"}}}}]}}`,
		"Wazuh in a search":      `{"_source":{"timestamp":"2026-03-01T10:00:09.000+0000","data":{"win":{"system":{"providerName":"Microsoft-Windows-Security-Auditing","eventID":"5145","computer":"DC1","channel":"Security"},"eventdata":{"subjectUserSid":"S-1-5-7","ipAddress":"10.1.2.3","shareName":"\\\\\\\\*\\\\IPC$","relativeTargetName":"samr"}}}}}`,
		"NXLog without provider": `{"EventTime":"2026-03-01 10:00:10","Hostname":"DC1","Channel":"Security","EventID":5145,"SubjectUserSid":"S-1-5-7","IpAddress":"10.1.2.3","ShareName":"\\\\*\\IPC$","RelativeTargetName":"samr"}`,
	}
}

// TestForwarded reads one event in every form.
func TestForwarded(t *testing.T) {
	for name, log := range forwarded() {
		t.Run(name, func(t *testing.T) {
			rows, cov := readLogs(t, Options{}, log)
			wantRows(t, rows, fmt.Sprintf(openedSamr, "DC1"))
			if cov.From.IsZero() || len(cov.Unreadable) > 0 {
				t.Errorf("%+v", cov)
			}
			if !Is([]byte(log)) {
				t.Error("it is not told as a log")
			}
		})
	}
}

// TestShippedCases reads the files of the reports.
func TestShippedCases(t *testing.T) {
	dir := filepath.Join(peer.Shared(t, "cases"), "reports", "18-shipped-logs-not-read")
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) != 6 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			rows, cov := readLogs(t, Options{}, "@"+name)
			got := strings.ReplaceAll(strings.Join(observetest.Short(rows), "\n"), "DC1.corp.example", "DC1")
			if want := fmt.Sprintf(openedSamr, "DC1"); got != want || cov.From.IsZero() || cov.From.Day() != 1 || len(cov.Unreadable) > 0 {
				t.Errorf("%s, want %s; %+v", got, want, cov)
			}
		})
	}
}

// TestNotUnderstood counts records by their form, and tells no value of them.
func TestNotUnderstood(t *testing.T) {
	rows, cov := readLogs(t, Options{}, `{"when":"today","secret":"hunter2","n":1}`+"\n"+
		`{"when":"now","secret":"x","n":2}`+"\n"+`{"EventID":5145,"SubjectUserSid":"S-1-5-7"}`)
	want := map[string]int64{
		"records that are not understood, with the keys n, secret, when": 2,
		"events 5145 that do not say who wrote them":                     1,
	}
	if diff := cmp.Diff(want, cov.Unreadable); diff != "" || len(rows) != 0 {
		t.Errorf("%v (-want +got):\n%s", rows, diff)
	}
}

// TestEventViewerTable reads what the Event Viewer saves, which does not name the host.
func TestEventViewerTable(t *testing.T) {
	const head = "Keywords,Date and Time,Source,Event ID,Task Category\r\n"
	for _, mark := range []string{"", "\xef\xbb\xbf"} {
		rows, cov := readLogs(t, Options{},
			mark+head+
				`Audit Success,3/1/2026 10:00:11 AM,Microsoft-Windows-Security-Auditing,5145,Detailed File Share,"`+
				message+
				"\"\r\n")
		wantRows(t, rows, "10.1.2.3 > anonymous [] open IPC$/samr allowed x1")
		if cov.From.IsZero() || len(cov.Unreadable) > 0 {
			t.Errorf("%+v", cov)
		}
	}
}

// TestDataless counts events whose data are not there as unread, and makes nothing of them: neither a use nor a day on
// which something would have been seen.
func TestDataless(t *testing.T) {
	for _, id := range []int{4624, 4625, 5140, 5145} {
		rows, cov := readLogs(t, Options{},
			fmt.Sprintf(`{"EventTime":"2026-03-01 10:00:10","Hostname":"DC1","Channel":"Security","EventID":%d,"SubjectUserSid":"S-1-5-7"}`, id))
		want := map[string]int64{fmt.Sprintf("events %d whose data could not be found", id): 1}
		if diff := cmp.Diff(want, cov.Unreadable); diff != "" || len(rows) != 0 || len(cov.Heard) != 0 || cov.Read["accesses to shares other than IPC$"] != 0 {
			t.Errorf("%v, heard %v (-want +got):\n%s", rows, cov.Heard, diff)
		}
	}
}

// TestSambaCoats reads full_audit's lines in every coat of syslog.
func TestSambaCoats(t *testing.T) {
	const line = "nobody|192.168.11.151|connect|ok|IPC$"
	for name, c := range map[string]struct{ log, server string }{
		"RFC 3164":           {"Sep 23 19:52:21 fs smbd_audit: " + line, "fs"},
		"with a PID":         {"Sep 23 19:52:21 fs smbd_audit[5841]: " + line, "fs"},
		"a day of one digit": {"Sep  3 19:52:21 fs smbd_audit[5841]: " + line, "fs"},
		"forwarded":          {"<164>Sep 23 19:52:21 fs smbd_audit[5841]: " + line, "fs"},
		"ISO":                {"2026-10-05T10:15:32-06:00 fs smbd_audit[3412]: " + line, "fs"},
		"RFC 5424":           {"<164>1 2026-10-05T10:15:32.5Z fs smbd_audit 3412 - - " + line, "fs"},
		"structured data": {`<164>1 2026-10-05T10:15:32.5Z fs smbd_audit 3412 ID47 [a@1 b="]\" x"][c@2 d="e"] ` +
			line, "fs"},
		"the journal":         {"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1569268341000000\n_HOSTNAME=fs\nSYSLOG_IDENTIFIER=smbd_audit\nMESSAGE=" + line + "\n\n", "fs"},
		"the journal, binary": {"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1569268341000000\n_HOSTNAME=fs\nSYSLOG_IDENTIFIER=smbd_audit\nMESSAGE\n" + string([]byte{byte(len(line)), 0, 0, 0, 0, 0, 0, 0}) + line + "\n\n", "fs"},
		"the journal as JSON": {`{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1569268341000000","_HOSTNAME":"fs","SYSLOG_IDENTIFIER":"smbd_audit","MESSAGE":"` + line + `"}`, "fs"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, cov := readLogs(t, Options{}, c.log+"\n")
			wantRows(t, rows, "192.168.11.151 > "+c.server+" unknown [nobody] tree IPC$ allowed x1")
			if cov.From.IsZero() {
				t.Error("no time")
			}
		})
	}
}

// TestSambaCases reads the lines of the cases.
func TestSambaCases(t *testing.T) {
	dir := filepath.Join(peer.Shared(t, "cases"), "observe")
	for name, want := range map[string][]string{
		"07-smbd_audit-with-pid/control-without-pid.log": {"192.168.11.151 > fileServer unknown [nobody] tree IPC$ " +
			"allowed x1"},
		"07-smbd_audit-with-pid/journal.log": {"192.168.11.151 > fileServer unknown [nobody] tree IPC$ " +
			"allowed x1"},
		"07-smbd_audit-with-pid/iso.log": {"10.10.1.250 > srv-nas user [sistemas] tree IPC$ allowed " +
			"x1"},
		"07-smbd_audit-with-pid/prefix.log":    {`10.0.100.14 > fs1a user [HPAB\anders] tree IPC$ allowed x1`},
		"07-smbd_audit-with-pid/noconnect.log": nil,
		"08-samba-human-auth-lines-unsaid/log.smbd": {
			"10.1.1.13 > 10.1.2.7 user [someUser] session inconclusive STATUS_NO_LOGON_SERVERS x1",
			"192.168.0.18 > 192.168.0.250 anonymous [] session allowed STATUS_SUCCESS x1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rows, cov := readLogs(t, Options{}, "@"+filepath.Join(dir, name))
			wantRows(t, rows, want...)
			if cov.From.IsZero() {
				t.Error("no time")
			}
		})
	}
	// The year is that of Samba's own line before it.
	rows, _ := readLogs(t, Options{}, "@"+filepath.Join(dir, "07-smbd_audit-with-pid/journal.log"))
	if len(rows) != 1 || rows[0].First.In(time.Local).Year() != 2019 {
		t.Errorf("%v", rows)
	}
}

// TestSambaWords reads Samba's audit in words as its JSON of the same logon.
func TestSambaWords(t *testing.T) {
	rows, cov := readLogs(t, Options{}, strings.Join([]string{
		"[2020/04/08 10:30:19.565944,  3] ../auth/auth_log.c:760(log_authentication_event_human_readable)",
		`  Auth: [SMB2,NTLMSSP] user [DOM]\[a] b] at [Wed, 08 Apr 2020 10:30:19.565919 UTC] with [NTLMv2] status [NT_STATUS_OK] workstation [PC] remote host [ipv4:10.0.0.1:50256] became [DOM]\[a] b] [S-1-5-21-1-2-3-1104]. local host [ipv4:10.0.0.2:445]`,
		"[2020/04/08 10:30:19.565944,  4] ../auth/auth_log.c:860(log_successful_authz_event_human_readable)",
		`  Successful AuthZ: [SMB2,NTLMSSP] user [DOM]\[nobody] [S-1-5-21-1-2-3-501] at [Wed, 08 Apr 2020 10:30:20.565919 UTC] Remote host [ipv4:10.0.0.3:50256] local host [ipv4:10.0.0.2:445]`,
		"  Auth: [in a form that nobody knows]",
	}, "\n"))
	wantRows(t, rows,
		`10.0.0.1 > 10.0.0.2 user [DOM\a] b] session allowed STATUS_SUCCESS x1`,
		`10.0.0.3 > 10.0.0.2 guest [DOM\nobody] session allowed STATUS_SUCCESS x1`)
	if cov.Unreadable["lines of Samba's audit in words that are not understood"] != 1 || cov.From.Second() != 19 {
		t.Errorf("%+v", cov)
	}
}

// TestUnreadFiles names the files of a folder that are no log, and why.
func TestUnreadFiles(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"a.etl": "snoop\x00\x00\x00", "b": "hello", "c.log": "",
		"d.json": eventXML,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, cov := readLogs(t, Options{}, "@"+dir)
	all := strings.Join(cov.Notes, "\n")
	for _, want := range []string{
		"a.etl: it is a snoop capture", "b: not a log of a known kind",
		"c.log: it is empty",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
	if cov.Unreadable["files that are no log"] != 3 {
		t.Errorf("%v", cov.Unreadable)
	}
}
