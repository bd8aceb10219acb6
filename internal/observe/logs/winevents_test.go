package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
)

// beat writes an event as Winlogbeat does. These events are made: no real log at hand holds a null session on IPC$.
func beat(id int, at string, data ...string) string {
	provider, channel, outcome := "Microsoft-Windows-Security-Auditing", "Security", "success"
	var fields []string
	for i := 0; i+1 < len(data); i += 2 {
		switch data[i] {
		case "provider":
			provider = data[i+1]
		case "channel":
			channel = data[i+1]
		case "outcome":
			outcome = data[i+1]
		default:
			fields = append(fields, fmt.Sprintf("%q:%q", data[i], data[i+1]))
		}
	}
	return fmt.Sprintf(`{"@timestamp":%q,"event":{"code":"%d","outcome":%q},"winlog":{"event_id":"%d","computer_name":"FS1","channel":%q,"provider_name":%q,"event_data":{%s}}}`,
		at, id, outcome, id, channel, provider, strings.Join(fields, ","))
}

const nullSID, guestSID, userSID = "S-1-5-7", "S-1-5-21-1-2-3-501", "S-1-5-21-1-2-3-1104"

func madeEvents() []string {
	return []string{
		beat(4624, "2026-01-02T10:00:00Z", "LogonType", "3", "TargetUserSid", nullSID, "TargetUserName",
			"ANONYMOUS LOGON", "TargetDomainName", "NT AUTHORITY", "TargetLogonId", "0x100", "IpAddress", "10.0.0.9",
			"LmPackageName", "NTLM V1"),
		beat(5140, "2026-01-02T10:00:01Z", "SubjectUserSid", nullSID, "SubjectLogonId", "0x100", "IpAddress",
			"10.0.0.9", "ShareName", `\\*\IPC$`),
		beat(5145, "2026-01-02T10:00:02Z", "SubjectUserSid", nullSID, "SubjectLogonId", "0x100", "IpAddress",
			"10.0.0.9", "ShareName", `\\*\IPC$`, "RelativeTargetName", "samr"),
		beat(5145, "2026-01-02T10:00:03Z", "SubjectUserSid", nullSID, "SubjectLogonId", "0x100", "IpAddress",
			"10.0.0.9", "ShareName", `\\*\IPC$`, "RelativeTargetName", `\PIPE\SAMR`),
		// The event itself names nobody: the logon does.
		beat(4624, "2026-01-02T11:00:00Z", "LogonType", "3", "TargetUserSid", userSID, "TargetUserName", "alice",
			"TargetDomainName", "CORP", "TargetLogonId", "0x200", "IpAddress", "::ffff:10.0.0.7"),
		beat(5145, "2026-01-02T11:00:02Z", "SubjectUserSid", "S-1-0-0", "SubjectUserName", "-", "SubjectLogonId",
			"0x200", "IpAddress", "-", "ShareName", `\\*\IPC$`, "RelativeTargetName", "srvsvc"),
		// A logon that never uses IPC$ is no use of it.
		beat(4624, "2026-01-02T11:05:00Z", "LogonType", "3", "TargetUserSid", userSID, "TargetUserName", "bob",
			"TargetDomainName", "CORP", "TargetLogonId", "0x300", "IpAddress", "10.0.0.8"),
		beat(5140, "2026-01-02T11:05:01Z", "SubjectUserSid", userSID, "SubjectUserName", "bob", "SubjectLogonId",
			"0x300", "IpAddress", "10.0.0.8", "ShareName", `\\*\Data`),
		// A logon that nobody saw.
		beat(5145, "2026-01-02T11:06:00Z", "SubjectLogonId", "0x400", "IpAddress", "10.0.0.6", "ShareName", `\\*\IPC$`,
			"RelativeTargetName", "lsarpc"),
		// A guest, a machine, and a refusal by the share.
		beat(4624, "2026-01-02T12:00:00Z", "LogonType", "3", "TargetUserSid", guestSID, "TargetUserName", "Gast",
			"TargetDomainName", "FS1", "TargetLogonId", "0x500", "IpAddress", "10.0.0.5"),
		beat(5145, "2026-01-02T12:00:01Z", "SubjectUserSid", guestSID, "SubjectUserName", "Gast", "SubjectDomainName",
			"FS1", "SubjectLogonId", "0x500", "IpAddress", "10.0.0.5", "ShareName", `\\*\IPC$`, "RelativeTargetName",
			"spoolss", "outcome", "failure"),
		beat(5140, "2026-01-02T12:01:00Z", "SubjectUserSid", "S-1-5-21-1-2-3-1200", "SubjectUserName", "PC1$",
			"SubjectDomainName", "CORP", "SubjectLogonId", "0x600", "IpAddress", "10.0.0.4", "ShareName", `\\*\IPC$`),
		// Refused logons, and logons of other types.
		beat(4625, "2026-01-02T13:00:00Z", "LogonType", "3", "TargetUserSid", "S-1-0-0", "TargetUserName", "ghost",
			"Status", "0xc000006d", "SubStatus", "0xc0000064", "IpAddress", "10.0.0.3", "outcome", "failure"),
		beat(4625, "2026-01-02T13:00:00Z", "LogonType", "3", "TargetUserSid", "S-1-0-0", "TargetUserName", "carol",
			"Status", "0xc000006d", "SubStatus", "0xc000006a", "IpAddress", "10.0.0.3", "outcome", "failure"),
		beat(4624, "2026-01-02T13:00:01Z", "LogonType", "2", "TargetUserSid", nullSID, "TargetLogonId", "0x700",
			"IpAddress", "10.0.0.2"),
	}
}

var madeRows = []string{
	`10.0.0.3 > FS1 unknown-user [ghost] session denied STATUS_NO_SUCH_USER x1`,
	`10.0.0.3 > FS1 user [carol] session denied STATUS_WRONG_PASSWORD x1`,
	`10.0.0.4 > FS1 machine [CORP\PC1$] tree IPC$ allowed x1`,
	`10.0.0.5 > FS1 guest [FS1\Gast] session allowed x1`,
	`10.0.0.5 > FS1 guest [FS1\Gast] open IPC$/spoolss denied STATUS_ACCESS_DENIED x1`,
	`10.0.0.6 > FS1 unknown [] open IPC$/lsarpc allowed x1`,
	`10.0.0.7 > FS1 user [CORP\alice] session allowed x1`,
	`10.0.0.7 > FS1 user [CORP\alice] open IPC$/srvsvc allowed x1`,
	`10.0.0.9 > FS1 anonymous [] session allowed x1`,
	`10.0.0.9 > FS1 anonymous [] tree IPC$ allowed x1`,
	`10.0.0.9 > FS1 anonymous [] open IPC$/samr allowed x2`,
}

// Logons and uses are joined in whatever order their events come.
func TestJoinInAnyOrder(t *testing.T) {
	events := madeEvents()
	r := rand.New(rand.NewPCG(1, 2))
	var first []model.Use
	for range 30 {
		rows, cov := readLogs(t, Options{}, strings.Join(events, "\n"))
		wantRows(t, rows, madeRows...)
		if first == nil {
			first = rows
		}
		if diff := cmp.Diff(first, rows); diff != "" {
			t.Fatalf("another order, other rows:\n%s", diff)
		}
		if len(cov.Unreadable) > 0 || !strings.Contains(strings.Join(cov.Notes, "\n"),
			"1 uses name a logon whose event is not in the logs") {
			t.Errorf("coverage %+v", cov)
		}
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for _, u := range first {
		if u.Pipe == "samr" && (u.First.Format(time.RFC3339) != "2026-01-02T10:00:02Z" ||
			u.Last.Format(time.RFC3339) != "2026-01-02T10:00:03Z") {
			t.Errorf("first %v, last %v", u.First, u.Last)
		}
		if u.Client == "10.0.0.9" && u.Layer == model.LayerSession && !strings.Contains(u.Basis, "S-1-5-7, NTLM V1") {
			t.Errorf("basis %q", u.Basis)
		}
	}
}

// A logon older than the window is another logon: ids come again after a restart.
func TestJoinExpires(t *testing.T) {
	use := beat(5145, "2026-01-05T10:00:00Z", "SubjectLogonId", "0x200", "IpAddress", "10.0.0.6", "ShareName",
		`\\*\IPC$`, "RelativeTargetName", "lsarpc")
	old := beat(4624, "2026-01-02T10:00:00Z", "LogonType", "3", "TargetUserSid", userSID, "TargetUserName", "alice",
		"TargetLogonId", "0x200", "IpAddress", "10.0.0.7")
	for _, log := range []string{old + "\n" + use, use + "\n" + old} {
		rows, _ := readLogs(t, Options{}, log)
		wantRows(t, rows, `10.0.0.6 > FS1 unknown [] open IPC$/lsarpc allowed x1`)
	}
}

func TestJoinIsBounded(t *testing.T) {
	n := 0
	j := newLogonJoin(func(model.Use) { n++ })
	at := time.Unix(1e9, 0)
	for i := range 3 * maxLogons {
		j.use(logonKey{"h", uint64(i)}, model.Use{Count: 1, Last: at})
	}
	for range 3 * maxPending {
		j.use(logonKey{"h", 1 << 40}, model.Use{Count: 1, Last: at})
	}
	if len(j.entries) > maxLogons || j.order.Len() != len(j.entries) || j.waiting > maxWaiting {
		t.Errorf("%d entries, %d uses wait", len(j.entries), j.waiting)
	}
	j.close()
	if j.waiting != 0 {
		t.Errorf("%d uses wait after the end", j.waiting)
	}
	if want := 3*maxLogons + 3*maxPending; n != want || j.unjoined != int64(want) {
		t.Errorf("%d uses came out, %d went in", n, want)
	}
}

func TestOtherWindowsEvents(t *testing.T) {
	sam := func(id int, data ...string) string {
		return beat(id, "2026-01-02T10:00:00Z", append(data, "provider", "Microsoft-Windows-Directory-Services-SAM",
			"channel", "System")...)
	}
	smb := func(id int, channel string, data ...string) string {
		return beat(id, "2026-01-02T10:00:00Z", append(data, "provider", "Microsoft-Windows-SMBServer", "channel",
			"Microsoft-Windows-SMBServer/"+channel)...)
	}
	rows, cov := readLogs(t, Options{}, strings.Join([]string{
		sam(16965, "param1", nullSID, "param2", "10.0.0.1"),
		sam(16968, "ClientSid", userSID, "NetworkAddress", "10.0.0.2"),
		sam(16969, "Count", "12"),
		sam(16966), sam(16962),
		smb(3000, "Audit", "ClientName", `\\10.0.0.3`),
		smb(3021, "Audit", "ClientName", "10.0.0.4"),
		smb(3023, "Security", "ClientName", "10.0.0.5", "UserName", "x"),
		smb(1009, "Security", "ClientName", "10.0.0.6"),
		beat(5712, "2026-01-02T10:00:00Z", "SubjectUserSid", nullSID, "RemoteIpAddress", "10.0.0.7", "InterfaceUuid",
			"{12345778-1234-ABCD-EF00-0123456789AC}", "ProtocolSequence", "ncacn_np"),
		beat(5712, "2026-01-02T10:00:00Z", "SubjectUserSid", nullSID, "RemoteIpAddress", "10.0.0.7", "InterfaceUuid",
			"{12345778-1234-ABCD-EF00-0123456789AC}", "ProtocolSequence", "ncacn_ip_tcp"),
		beat(4657, "2026-01-02T10:00:00Z", "ObjectName", `\REGISTRY\MACHINE\SYSTEM\ControlSet001\Control\Lsa`,
			"ObjectValueName", "RestrictAnonymous", "NewValue", "0", "SubjectUserName", "eve"),
		beat(4657, "2026-01-02T10:00:00Z", "ObjectName", `\REGISTRY\MACHINE\SOFTWARE\Other`, "ObjectValueName", "Other",
			"NewValue", "0"),
		// The data of an old log have no names.
		`{"event_id":540,"computer_name":"OLD","log_name":"Security","source_name":"Security","@timestamp":"2010-01-02T10:00:00Z","event_data":{"param1":"","param2":"","param3":"(0x0,0x43F6E)","param4":"3","param5":"NtLmSsp","param6":"NTLM","param7":"PC7","param8":"-"},"user":{"identifier":"S-1-5-7"}}`,
		// An event's own tree, as other tools write EVTX.
		`{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},"EventID":{"#text":5145},"Keywords":"0x8010000000000000","TimeCreated":{"#attributes":{"SystemTime":"2026-01-02T10:00:00.5Z"}},"Channel":"Security","Computer":"FS2"},"EventData":{"SubjectUserSid":"S-1-5-7","SubjectLogonId":"0x1","IpAddress":"10.0.0.8","ShareName":"\\\\*\\IPC$","RelativeTargetName":"browser"}}}`,
		// The same with XML's data as a list.
		`{"Event":{"System":{"Provider":{"@Name":"x","Name":"Microsoft-Windows-Security-Auditing"},"EventID":"5145","TimeCreated":{"SystemTime":"2026-01-02T10:00:00.5Z"},"Computer":"FS3"},"EventData":{"Data":[{"@Name":"SubjectUserSid","#text":"S-1-5-7"},{"@Name":"SubjectLogonId","#text":"0x1"},{"@Name":"IpAddress","#text":"10.0.0.8"},{"@Name":"ShareName","#text":"\\\\*\\IPC$"},{"@Name":"RelativeTargetName","#text":"samr"}]}}}`,
	}, "\n"))
	wantRows(
		t, rows,
		`10.0.0.1 > FS1 anonymous [] call IPC$/samr/samr denied STATUS_ACCESS_DENIED x1`,
		`10.0.0.2 > FS1 user [S-1-5-21-1-2-3-1104] call IPC$/samr/samr allowed x1`,
		`10.0.0.3 > FS1 unknown [] negotiate allowed x1`,
		`10.0.0.4 > FS1 unknown [] negotiate allowed x1`,
		`10.0.0.5 > FS1 guest [] session allowed x1`,
		`10.0.0.6 > FS1 anonymous [] session denied STATUS_ACCESS_DENIED x1`,
		`10.0.0.7 > FS1 anonymous [] bind IPC$/samr inconclusive x1`,
		`10.0.0.8 > FS2 anonymous [] open IPC$/browser denied STATUS_ACCESS_DENIED x1`,
		`10.0.0.8 > FS3 anonymous [] open IPC$/samr allowed x1`,
		`PC7 > OLD anonymous [] session allowed x1`,
	)
	var ids []string
	for _, n := range cov.Notices {
		ids = append(ids, n.ID)
	}
	if got := strings.Join(ids, " "); got != "client-without-signing-or-encryption null-session-setting-changed sam-audit-only sam-restriction" {
		t.Errorf("notices %s", got)
	}
	if n := cov.Unreadable["remote SAM calls that the server denied and did not log one by one (event 16969)"]; n != 12 {
		t.Errorf("unreadable %v", cov.Unreadable)
	}
}

// One record a line, an array, records over several lines, and a line that is damaged.
func TestJSONShapes(t *testing.T) {
	events := madeEvents()
	indented := func(s string) string {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	var pretty []string
	for _, e := range events {
		pretty = append(pretty, indented(e))
	}
	for name, log := range map[string]string{
		"lines":          strings.Join(events, "\n"),
		"Windows lines":  "\ufeff" + strings.Join(events, "\r\n") + "\r\n",
		"array":          "[" + strings.Join(events, ",") + "]",
		"indented array": indented("[" + strings.Join(events, ",") + "]"),
		"several lines":  strings.Join(pretty, "\n"),
		"a damaged line": events[0] + "\n" + events[3][:50] + "\n" + strings.Join(events[1:], "\n"),
		"a line too long": events[0] + "\n" + strings.Repeat("x", maxJSONValue+1) + "\n" + strings.Join(events[1:],
			"\n"),
	} {
		t.Run(name, func(t *testing.T) {
			rows, cov := readLogs(t, Options{}, log)
			wantRows(t, rows, madeRows...)
			if damaged := strings.HasPrefix(name, "a "); damaged != (len(cov.Unreadable) == 1) {
				t.Errorf("unreadable %v", cov.Unreadable)
			}
		})
	}
	// A value that never ends stops the reading, not the program.
	_, cov := readLogs(t, Options{}, "["+events[0]+`,{"x":"`+strings.Repeat("y", 2*maxJSONValue))
	if cov.Read["event records"] != 1 || cov.Unreadable["the rest of a JSON file after a fault"] != 1 {
		t.Errorf("coverage %+v", cov)
	}
}
