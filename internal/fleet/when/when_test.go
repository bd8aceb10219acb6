package when

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNext(t *testing.T) {
	for _, test := range []struct{ name, line, zone, from, want string }{
		{"plain", "30 2 * * *", "", "2026-11-22T13:00:00Z", "2026-11-23T02:30:00Z"},
		{"never at the moment itself", "30 2 * * *", "", "2026-11-23T02:30:00Z", "2026-11-24T02:30:00Z"},
		{"zone", "30 2 * * *", "Asia/Tokyo", "2026-11-22T13:00:00Z", "2026-11-22T17:30:00Z"},
		{"descriptor", "@daily", "Europe/Berlin", "2026-11-22T13:00:00Z", "2026-11-22T23:00:00Z"},
		{"before the hour left out", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		{"the day after it", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		{"repeated hour, first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"repeated hour, not again", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{
			"hourly through the repeated hour", "0 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
			"2026-10-25T01:00:00Z",
		},
		{"hourly over the hour left out", "0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
		{"half an hour of change", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:45:00Z"},
		{"every", "@every 6h", "", "2026-11-22T13:00:00Z", "2026-11-22T19:00:00Z"},
		{"leap day", "0 0 29 2 *", "", "2026-11-22T13:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		s, err := ParseSchedule(test.line, test.zone)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := s.Next(at(t, test.from)); !got.Equal(at(t, test.want)) {
			t.Errorf("%s: next %s, want %s", test.name, got.UTC().Format(time.RFC3339), test.want)
		}
	}
}

func TestBadSchedules(t *testing.T) {
	for _, line := range []string{
		"", "* * * *", "61 * * * *", "TZ=UTC 0 0 * * *", "CRON_TZ=UTC", "TZ=0", "0 0 30 2 *", "@every 1s", "@every -1h",
		"@never", strings.Repeat("1,", 1000) + "1 * * * *",
	} {
		if _, err := ParseSchedule(line, ""); err == nil {
			t.Errorf("%q is taken", short(line))
		}
	}
	for _, zone := range []string{"Mars/Base", "Local", "../../etc/passwd"} {
		if _, err := ParseSchedule("@daily", zone); err == nil {
			t.Errorf("zone %q is taken", zone)
		}
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "America/Sao_Paulo",
	"Africa/Casablanca",
}

// TestOncePerWall checks schedules of fixed hours: due times increase, and no wall clock time is due twice.
func TestOncePerWall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		line := rapid.SampledFrom([]string{
			"30 2 * * *", "0,15,45 0-3 * * *", "59 23 * * *", "0 0 * * 0", "5 1 1 * *", "*/20 2 * * *",
		}).Draw(t, "line")
		s, err := ParseSchedule(line, zone)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Unix(rapid.Int64Range(1_500_000_000, 1_900_000_000).Draw(t, "from"), 0)
		seen := map[time.Time]bool{}
		last := from
		for range 200 {
			next := s.Next(last)
			if !next.After(last) {
				t.Fatalf("%s after %s", next, last)
			}
			w := wall(next.In(s.zone))
			if seen[w] {
				t.Fatalf("%s is due twice", w)
			}
			seen[w] = true
			// The answer depends only on the moment: asking in between gives the same.
			if between := last.Add(next.Sub(last) / 2); !s.Next(between).Equal(next) {
				t.Fatalf("from %s next is %s, from %s it is %s", last, next, between, s.Next(between))
			}
			last = next
		}
	})
}

func TestLast(t *testing.T) {
	s, err := ParseSchedule("0 3 * * *", "")
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "2026-11-22T13:00:00Z")
	if got := s.Last(now.AddDate(0, 0, -10), now); !got.Equal(at(t, "2026-11-22T03:00:00Z")) {
		t.Errorf("ten missed days are %s", got)
	}
	if got := s.Last(now.Add(-time.Hour), now); !got.IsZero() {
		t.Errorf("nothing was due, and %s is", got)
	}
	minutely, err := ParseSchedule("* * * * *", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if got := minutely.Last(now.AddDate(-3, 0, 0), now); !got.Equal(now) {
		t.Errorf("three years of minutes end at %s", got)
	}
}

func TestWindow(t *testing.T) {
	for _, test := range []struct {
		text, zone, when string
		open             bool
		next             string
	}{
		{"", "", "2026-11-22T13:00:00Z", true, "2026-11-22T13:00:00Z"},
		{"Mon-Fri 22:00-06:00", "", "2026-11-22T13:00:00Z", false, "2026-11-23T22:00:00Z"}, // a Sunday
		{"Mon-Fri 22:00-06:00", "", "2026-11-21T05:59:00Z", true, "2026-11-21T05:59:00Z"},  // Friday's, on Saturday
		{"Mon-Fri 22:00-06:00", "", "2026-11-21T06:00:00Z", false, "2026-11-23T22:00:00Z"},
		// Sunday night is not Friday night.
		{"Mon-Fri 22:00-06:00", "", "2026-11-23T05:00:00Z", false, "2026-11-23T22:00:00Z"},
		{"Fri-Mon", "", "2026-11-24T00:00:00Z", false, "2026-11-27T00:00:00Z"},
		{"Sat,Sun; 20:00-24:00", "", "2026-11-24T21:00:00Z", true, "2026-11-24T21:00:00Z"},
		{"Sat,Sun; 20:00-24:00", "", "2026-11-24T01:00:00Z", false, "2026-11-24T20:00:00Z"},
		{"22:00-06:00", "Europe/Berlin", "2026-07-01T20:30:00Z", true, "2026-07-01T20:30:00Z"},
		{"02:15-02:45", "Europe/Berlin", "2026-03-29T00:00:00Z", false, "2026-03-30T00:15:00Z"}, // never shown that day
	} {
		w, err := ParseWindow(test.text, test.zone)
		if err != nil {
			t.Fatalf("%q: %v", test.text, err)
		}
		now := at(t, test.when)
		if got := w.Open(now); got != test.open {
			t.Errorf("%q at %s: open %v", test.text, test.when, got)
		}
		if got := w.Next(now); !got.Equal(at(t, test.next)) {
			t.Errorf("%q at %s: next %s, want %s", test.text, test.when, got.UTC().Format(time.RFC3339), test.next)
		}
	}
	for _, text := range []string{
		"22:00", "Mon", "x", "Mo 25:00-26:00", "Mon 10:00-10:00", ";", "Mon Tue 10:00-11:00", "24:00-02:00",
		"10:0-11:00",
	} {
		w, err := ParseWindow(text, "")
		if (err == nil) != (text == "Mon") {
			t.Errorf("%q: %v %v", text, w, err)
		}
	}
}

// TestWindowEdges: the window is closed between now and Next, open at Next, and closed again at End.
func TestWindowEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		text := rapid.SampledFrom([]string{
			"Mon-Fri 22:00-06:00", "Sat", "01:30-02:30", "Tue 23:00-03:00; Wed 01:00-05:00", "Sun 00:00-00:01",
		}).Draw(t, "text")
		w, err := ParseWindow(text, zone)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(rapid.Int64Range(1_500_000_000, 1_900_000_000).Draw(t, "now"), 0)
		next := w.Next(now)
		if next.Before(now) || !w.Open(next) {
			t.Fatalf("next is %s", next)
		}
		if !next.Equal(now) && w.Open(now.Add(next.Sub(now)/2)) {
			t.Fatalf("open between %s and %s", now, next)
		}
		if end := w.End(next); !end.After(next) || w.Open(end) {
			t.Fatalf("open from %s to %s", next, end)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("30 2 * * *", "Mon-Fri 22:00-06:00")
	f.Add("@every 5m", "Sat,Sun; 20:00-24:00")
	f.Fuzz(func(t *testing.T, line, window string) {
		now := time.Unix(1_800_000_000, 0)
		if s, err := ParseSchedule(line, "Europe/Berlin"); err == nil {
			if next := s.Next(now); !next.IsZero() && !next.After(now) {
				t.Errorf("%q: %s", line, next)
			}
		}
		if w, err := ParseWindow(window, "Europe/Berlin"); err == nil {
			w.Next(now)
		}
	})
}
