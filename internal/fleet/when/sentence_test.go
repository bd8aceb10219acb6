package when

import (
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	for _, x := range []struct{ text, line, zone, back string }{
		{"every day at 02:00", "0 2 * * *", "", "every day at 02:00"},
		{"Every day at 2:05, Europe/Berlin", "5 2 * * *", "Europe/Berlin", "every day at 02:05"},
		{"every weekday at 07:30, UTC", "30 7 * * 1-5", "UTC", "every weekday at 07:30"},
		{"every Thursday, Mon and mon at 22:00", "0 22 * * 1,4", "", "every Monday and Thursday at 22:00"},
		{"every Sunday at 00:00", "0 0 * * 0", "", "every Sunday at 00:00"},
		{
			"every Mon, Wed and Fri at 02:00, America/New_York", "0 2 * * 1,3,5", "America/New_York",
			"every Monday, Wednesday and Friday at 02:00",
		},
		{"every month on day 31 at 02:00", "0 2 31 * *", "", "every month on day 31 at 02:00"},
		{"every hour", "0 * * * *", "", "every hour"},
		{"hourly", "0 * * * *", "", "every hour"},
		{"daily", "0 0 * * *", "", "every day at 00:00"},
		{"every 6 hours", "0 */6 * * *", "", "every 6 hours"},
		{"every 15 minutes", "*/15 * * * *", "", "every 15 minutes"},
		{"30 2 * * 1-5", "30 2 * * 1-5", "", "every weekday at 02:30"},
		{"@daily", "@daily", "", "every day at 00:00"},
		{"@every 6h", "@every 6h", "", "@every 6h"},
		{"1,31 2 * 3 *", "1,31 2 * 3 *", "", "1,31 2 * 3 *"},
	} {
		line, zone, err := Read(x.text)
		if err != nil || line != x.line || zone != x.zone || Say(line) != x.back {
			t.Errorf("%q: %q in %q, said %q, %v", x.text, line, zone, Say(line), err)
		}
	}
	for _, text := range []string{
		"", "every", "every day", "every day at", "every day at 24:00", "every day at 25:00", "every 7 hours",
		"every 0 hours", "every 300 minutes", "every month on day 32 at 02:00", "every month on day 0 at 02:00",
		"every and at 02:00", "every Blursday at 02:00", "every day at 02:00, Nowhere/Land", "every now and then",
		"whenever",
	} {
		if line, _, err := Read(text); err == nil {
			t.Errorf("%q passes as %q", text, line)
		}
	}
}

// FuzzRead checks that what is read is a schedule, and that its sentence means the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"every day at 02:00, Europe/Berlin", "every Mon, Wed and Fri at 02:00", "every 6 hours", "30 2 * * 1-5",
		"@daily", "every month on day 31 at 02:00",
	} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		line, zone, err := Read(text)
		if err != nil {
			return
		}
		s, err := ParseSchedule(line, zone)
		if err != nil {
			t.Fatalf("%q is read as %q: %v", text, line, err)
		}
		back, _, err := Read(Say(line))
		if err != nil {
			t.Fatalf("%q is said as %q: %v", line, Say(line), err)
		}
		again, err := ParseSchedule(back, zone)
		if err != nil || !again.Next(now).Equal(s.Next(now)) {
			t.Errorf("%q, said as %q, is due at other times: %v", line, Say(line), err)
		}
	})
}

func TestHolds(t *testing.T) {
	now := time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		"":                         true,
		"Mon-Sun":                  true,
		"00:00-12:00; 12:00-24:00": true,
		"22:00-07:00":              false,
		"Sat,Sun":                  false,
	} {
		w, err := ParseWindow(text, "Europe/Berlin")
		if err != nil || w.Holds(now) != want {
			t.Errorf("%q: %v, %v", text, w.Holds(now), err)
		}
	}
}
