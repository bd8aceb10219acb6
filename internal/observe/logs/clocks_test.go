package logs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/observe"
)

// sambaLogons are logons in Samba's JSON, one from each port.
func sambaLogons(at time.Time, ports ...int) string {
	var b strings.Builder
	for i, port := range ports {
		fmt.Fprintf(&b,
			`{"timestamp": %q, "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "status": "NT_STATUS_OK", "localAddress": "ipv4:192.0.2.1:445", "remoteAddress": "ipv4:192.0.2.9:%d", "serviceDescription": "SMB2", "clientAccount": "ann", "becameSid": "S-1-5-21-1-2-3-1000", "passwordType": "NTLMv2"}}`+"\n",
			at.Add(time.Duration(i)*time.Hour).Format("2006-01-02T15:04:05.000000-0700"), port)
	}
	return b.String()
}

// windowsLogons returns the same as events 4624.
func windowsLogons(at time.Time, ports ...int) string {
	var b strings.Builder
	for i, port := range ports {
		fmt.Fprintf(&b,
			`<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>4624</EventID><TimeCreated SystemTime="%s"/><Channel>Security</Channel><Computer>srv</Computer></System><EventData><Data Name="TargetUserSid">S-1-5-21-1-2-3-1000</Data><Data Name="TargetUserName">ann</Data><Data Name="TargetLogonId">0x%x</Data><Data Name="LogonType">3</Data><Data Name="IpAddress">::ffff:192.0.2.9</Data><Data Name="IpPort">%d</Data></EventData></Event>`+"\n",
			at.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), 1000+i, port)
	}
	return b.String()
}

// TestClocksDiffer tells of a log whose times are others than the packets' for the same logons, and of nothing else.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	ports := []int{50001, 50002, 50003, 50004}
	for name, x := range map[string]struct{ log, want string }{
		"the same clock": {sambaLogons(day.Add(2*time.Second), ports...), ""},
		"Samba, an hour ahead": {
			sambaLogons(day.Add(time.Hour), ports...),
			"its log is 1h0m0s ahead of the packets",
		},
		"Windows, behind": {
			windowsLogons(day.Add(-7*time.Minute), ports...),
			"its log is 7m0s behind the packets",
		},
		"other connections":       {sambaLogons(day.Add(time.Hour), 1, 2, 3, 4), ""},
		"too few":                 {sambaLogons(day.Add(time.Hour), ports[:2]...), ""},
		"ports used again, alone": {sambaLogons(day.Add(time.Hour), 50003, 50001, 50004, 50002), ""},
		"one used again among": {
			sambaLogons(day.Add(time.Hour), 50001, 50002, 50003, 50001),
			"its log is 1h0m0s ahead",
		},
	} {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		for i, port := range ports {
			cov.LogonOnWire(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), uint16(port)),
				day.Add(time.Duration(i)*time.Hour))
		}
		l := New(agg, cov, Options{})
		if err := l.Read(t.Context(), "log", strings.NewReader(x.log)); err != nil {
			t.Fatal(err)
		}
		l.Close()
		told := ""
		for _, n := range cov.Notices {
			told += n.ID + " " + n.What + " (" + n.Evidence + ")"
		}
		if x.want == "" && told != "" || !strings.Contains(told, x.want) {
			t.Errorf("%s: told %q, want %q", name, told, x.want)
		}
	}
}

// event returns one of Windows' Security log. Made for these tests.
func event(id int, host string, at time.Time, data ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b,
		`<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>%d</EventID><TimeCreated SystemTime="%s"/><Channel>Security</Channel><Computer>%s</Computer></System><EventData>`,
		id, at.Format(time.RFC3339), host)
	for i := 0; i < len(data); i += 2 {
		fmt.Fprintf(&b, `<Data Name=%q>%s</Data>`, data[i], data[i+1])
	}
	return b.String() + "</EventData></Event>\n"
}

// TestClocksOfLogs compares the clocks of a server and its domain controller by the NTLM logons that both logged,
// without packets.
func TestClocksOfLogs(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	server := func(who, computer string, at time.Time) string {
		return event(4624, "fs1", at, "TargetUserSid", "S-1-5-21-1-2-3-1000", "TargetUserName", who, "TargetDomainName",
			"CORP",
			"LogonType", "3", "WorkstationName", computer, "LmPackageName", "NTLM V2")
	}
	samba := func(who, computer string, at time.Time) string {
		return fmt.Sprintf(`{"timestamp": %q, "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "status": "NT_STATUS_OK", "localAddress": "ipv4:192.0.2.1:445", "remoteAddress": "ipv4:192.0.2.9:50000", "serviceDescription": "SMB2", "clientAccount": %q, "workstation": %q, "becameSid": "S-1-5-21-1-2-3-1000", "passwordType": "NTLMv2"}}`+"\n",
			at.Format("2006-01-02T15:04:05.000000-0700"), who, `\\`+computer)
	}
	dc := func(who, computer string, at time.Time) string {
		return event(4776, "dc1", at, "TargetUserName", who, "Workstation", computer, "Status", "0x0")
	}
	irregular := []time.Duration{0, 80 * time.Minute, 125 * time.Minute, 9 * time.Hour}
	hourly := []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour}
	for name, x := range map[string]struct {
		one    func(who, computer string, at time.Time) string
		times  []time.Duration
		ahead  time.Duration // of the controller
		dcUser string
		want   string
	}{
		"one clock": {server, irregular, 2 * time.Second, "Ann", ""},
		"the controller ahead": {
			server, irregular, 7 * time.Minute, "Ann",
			"dc1 clocks-differ its log is 7m0s ahead of that of fs1",
		},
		"the server ahead": {
			server, irregular, -time.Hour, "Ann",
			"fs1 clocks-differ its log is 1h0m0s ahead of that of dc1",
		},
		"Samba's JSON": {
			samba, irregular, time.Hour, "Ann",
			"dc1 clocks-differ its log is 1h0m0s ahead of that of 192.0.2.1",
		},
		"another account":      {server, irregular, time.Hour, "Bob", ""},
		"too few":              {server, irregular[:2], time.Hour, "Ann", ""},
		"each hour, one clock": {server, hourly, time.Second, "Ann", ""},
		"each hour, ahead": {
			server, hourly, time.Hour, "Ann",
			"whether the clocks of dc1 and fs1 agree is not known",
		},
		"each hour, by less": {
			server, hourly, 25 * time.Minute, "Ann",
			"whether the clocks of dc1 and fs1 agree is not known",
		},
	} {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		l := New(agg, cov, Options{})
		var here, there strings.Builder
		for _, d := range x.times {
			here.WriteString(x.one("ann", "PC7", day.Add(d)))
			there.WriteString(dc(x.dcUser, "PC7", day.Add(d+x.ahead)))
		}
		for i, log := range []string{here.String(), there.String()} {
			if err := l.Read(t.Context(), fmt.Sprint(i), strings.NewReader(log)); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		told := ""
		for _, n := range cov.Notices {
			told += n.Host + " " + n.ID + " " + n.What + " (" + n.Evidence + ")"
		}
		for _, n := range cov.Coverage.Notes {
			if strings.Contains(n, "clocks") {
				told += n
			}
		}
		if x.want == "" && told != "" || !strings.Contains(told, x.want) {
			t.Errorf("%s: told %q, want %q", name, told, x.want)
		}
	}
}
