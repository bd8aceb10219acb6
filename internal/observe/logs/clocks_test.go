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
		fmt.Fprintf(&b, `{"timestamp": %q, "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "status": "NT_STATUS_OK", "localAddress": "ipv4:192.0.2.1:445", "remoteAddress": "ipv4:192.0.2.9:%d", "serviceDescription": "SMB2", "clientAccount": "ann", "becameSid": "S-1-5-21-1-2-3-1000", "passwordType": "NTLMv2"}}`+"\n",
			at.Add(time.Duration(i)*time.Hour).Format("2006-01-02T15:04:05.000000-0700"), port)
	}
	return b.String()
}

// windowsLogons are the same as events 4624.
func windowsLogons(at time.Time, ports ...int) string {
	var b strings.Builder
	for i, port := range ports {
		fmt.Fprintf(&b, `<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>4624</EventID><TimeCreated SystemTime="%s"/><Channel>Security</Channel><Computer>srv</Computer></System><EventData><Data Name="TargetUserSid">S-1-5-21-1-2-3-1000</Data><Data Name="TargetUserName">ann</Data><Data Name="TargetLogonId">0x%x</Data><Data Name="LogonType">3</Data><Data Name="IpAddress">::ffff:192.0.2.9</Data><Data Name="IpPort">%d</Data></EventData></Event>`+"\n",
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
		"the same clock":          {sambaLogons(day.Add(2*time.Second), ports...), ""},
		"Samba, an hour ahead":    {sambaLogons(day.Add(time.Hour), ports...), "its log is 1h0m0s ahead of the packets"},
		"Windows, behind":         {windowsLogons(day.Add(-7*time.Minute), ports...), "its log is 7m0s behind the packets"},
		"other connections":       {sambaLogons(day.Add(time.Hour), 1, 2, 3, 4), ""},
		"too few":                 {sambaLogons(day.Add(time.Hour), ports[:2]...), ""},
		"ports used again, alone": {sambaLogons(day.Add(time.Hour), 50003, 50001, 50004, 50002), ""},
		"one used again among":    {sambaLogons(day.Add(time.Hour), 50001, 50002, 50003, 50001), "its log is 1h0m0s ahead"},
	} {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		for i, port := range ports {
			cov.LogonOnWire(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), uint16(port)), day.Add(time.Duration(i)*time.Hour))
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
