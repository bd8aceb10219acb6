package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// numbered returns a log as wevtutil writes XML, with events of these numbers, a minute apart from a time on.
func numbered(from time.Time, numbers ...int) string {
	var b strings.Builder
	for i, n := range numbers {
		fmt.Fprintf(&b,
			`<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-NTLM"/><EventID>8002</EventID><TimeCreated SystemTime="%s"/><EventRecordID>%d</EventRecordID><Channel>Microsoft-Windows-NTLM/Operational</Channel><Computer>srv</Computer></System><EventData/></Event>`+"\n",
			from.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), n)
	}
	return b.String()
}

// shipped returns a log as a shipper writes it, with events of these numbers, a minute apart from a time on, among
// those of another host.
func shipped(from time.Time, format string, numbers ...int) string {
	var b strings.Builder
	for i, n := range numbers {
		at := from.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		fmt.Fprintf(&b, format+"\n", at, n, "srv")
		fmt.Fprintf(&b, format+"\n", at, 3*i+1, "other")
	}
	return b.String()
}

const (
	winlogbeat = `{"@timestamp":%q,"winlog":{"event_id":8002,"provider_name":"Microsoft-Windows-NTLM","record_id":%d,"channel":"Microsoft-Windows-NTLM/Operational","computer_name":%q,"event_data":{}}}`
	nxlog      = `{"EventTime":%q,"EventID":8002,"SourceName":"Microsoft-Windows-NTLM","RecordNumber":%d,"Channel":"Microsoft-Windows-NTLM/Operational","Hostname":%q}`
	tree       = `{"Event":{"System":{"TimeCreated":{"SystemTime":%q},"EventID":8002,"Provider":{"Name":"Microsoft-Windows-NTLM"},"EventRecordID":%d,"Channel":"Microsoft-Windows-NTLM/Operational","Computer":%q},"EventData":{}}}`
)

// run returns the numbers from one to another.
func run(from, to int) (out []int) {
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// TestGaps tells what is missing between the files of a log, and a clock that was set back, and nothing else.
func TestGaps(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	later := day.AddDate(0, 0, 20)
	back := strings.Replace(numbered(day, 5, 6), "2026-11-01T09:01:00Z", "2026-11-01T06:00:00Z", 1)
	for name, x := range map[string]struct {
		files []string
		want  string
	}{
		"one file":         {[]string{numbered(day, 5, 6, 7)}, ""},
		"one that follows": {[]string{numbered(day, 5, 6, 7), numbered(later, 8, 9)}, ""},
		"one that overlaps": {
			[]string{numbered(day, 5, 6, 7), numbered(day.Add(time.Minute), 6, 7, 8)},
			"",
		},
		"rolled over": {
			[]string{numbered(day, 5, 6, 7), numbered(later, 1000, 1001)},
			"log-gap lacks 992 events from 2026-11-01 09:02:00 to 2026-11-21 09:00:00 UTC",
		},
		"read in another order": {
			[]string{numbered(later, 1000, 1001), numbered(day, 5, 6, 7)},
			"log-gap lacks 992 events",
		},
		"within one that is longer": {[]string{
			numbered(day, 5, 6, 7, 8, 9), numbered(day.Add(time.Minute), 6),
			numbered(day.Add(5*time.Minute), 10),
		}, ""},
		"chosen events":                   {[]string{numbered(day, 5, 900), numbered(later, 2000, 3000)}, ""},
		"cleared, so that it counts anew": {[]string{numbered(day, 500, 501), numbered(later, 1, 2)}, ""},
		"without numbers":                 {[]string{numbered(day, 0, 0), numbered(later, 0)}, ""},
		"a hole in a whole log": {
			[]string{numbered(day, append(run(1, 60), run(90, 130)...)...)},
			"log-gap lacks 29 events from 2026-11-01 09:59:00 to 2026-11-01 10:00:00 UTC",
		},
		"the newest first":      {[]string{numbered(day, 9, 8, 7)}, ""},
		"a little out of order": {[]string{numbered(day, 5, 7, 6, 8, 9)}, ""},
		"Winlogbeat, of two hosts": {[]string{shipped(day, winlogbeat, run(5, 9)...), shipped(later, winlogbeat,
			run(700, 709)...)}, "log-gap lacks 690 events from 2026-11-01 09:04:00 to 2026-11-21 09:00:00 UTC"},
		"Winlogbeat that was away": {
			[]string{shipped(day, winlogbeat, append(run(5, 99), run(700, 709)...)...)},
			"log-gap lacks 600 events",
		},
		"Winlogbeat that chooses": {[]string{shipped(day, winlogbeat, 5, 9, 30, 31, 32, 90)}, ""},
		"NXLog": {[]string{
			shipped(day, nxlog, run(5, 9)...),
			shipped(later, nxlog, run(11, 20)...),
		}, "log-gap lacks 1 events"},
		"the event's own tree": {[]string{
			shipped(day, tree, run(5, 9)...),
			shipped(later, tree, run(11, 20)...),
		}, "log-gap lacks 1 events"},
		"the clock set back": {[]string{back}, "clock-set-back its clock went back by 3h0m0s"},
	} {
		_, cov := readLogs(t, Options{}, x.files...)
		var got []string
		for _, n := range cov.Notices {
			got = append(got, n.ID+" "+n.What+" ("+n.Evidence+")")
		}
		all := strings.Join(got, "; ")
		switch id, what, _ := strings.Cut(x.want, " "); {
		case x.want == "" && all != "":
			t.Errorf("%s: told %s", name, all)
		case !strings.Contains(all, id) || !strings.Contains(all, what) || len(got) > 1:
			t.Errorf("%s: told %q, want %q", name, all, x.want)
		}
	}
}
