package when

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedules can be written as sentences, with these meanings as cron lines:
//
//	every hour                          0 * * * *
//	every 15 minutes                    */15 * * * *
//	every 6 hours                       0 */6 * * *
//	every day at 02:00                  0 2 * * *
//	every weekday at 07:30              30 7 * * 1-5
//	every Monday and Thursday at 02:00  0 2 * * 1,4
//	every month on day 1 at 02:00       0 2 1 * *

// Read parses a schedule, a sentence or a cron line, and returns the cron line. A zone may follow a sentence after a
// comma; otherwise zone is empty.
func Read(text string) (line, zone string, err error) {
	text = strings.TrimSpace(text)
	first := strings.ToLower(text)
	if !strings.HasPrefix(first, "every ") && first != "hourly" && first != "daily" {
		return text, "", check(text)
	}
	if len(text) > maxText {
		return "", "", fmt.Errorf("when: %q is too long for a schedule", short(text))
	}
	sentence := text
	// Of several commas only the last may precede a zone; the others are between days.
	if at := strings.LastIndexByte(text, ','); at >= 0 {
		if after := strings.TrimSpace(text[at+1:]); after == "UTC" || strings.Contains(after, "/") {
			if _, err := Zone(after); err != nil {
				return "", "", err
			}
			sentence, zone = text[:at], after
		}
	}
	line, ok := lineOf(strings.Fields(strings.ToLower(strings.ReplaceAll(sentence, ",", " "))))
	if !ok {
		return "", "",
			fmt.Errorf("when: %q is no schedule such as every day at 02:00, every weekday at 07:30, every Monday and "+
				"Thursday at 02:00, every month on day 1 at 02:00 or every 6 hours", short(text))
	}
	return line, zone, check(line)
}

func check(line string) error {
	_, err := ParseSchedule(line, "")
	return err
}

// lineOf returns the cron line of a sentence.
func lineOf(w []string) (string, bool) {
	switch {
	case slices.Equal(w, []string{"hourly"}), slices.Equal(w, []string{"every", "hour"}):
		return "0 * * * *", true
	case slices.Equal(w, []string{"daily"}):
		return "0 0 * * *", true
	case len(w) < 3 || w[0] != "every":
		return "", false
	case len(w) == 3:
		n, err := strconv.ParseUint(w[1], 10, 8)
		switch {
		case err != nil || n == 0:
		case (w[2] == "hours" || w[2] == "hour") && 24%n == 0:
			return fmt.Sprintf("0 */%d * * *", n), true
		case (w[2] == "minutes" || w[2] == "minute") && 60%n == 0:
			return fmt.Sprintf("*/%d * * * *", n), true
		}
		return "", false
	case w[len(w)-2] != "at":
		return "", false
	}
	minutes, err := clock(w[len(w)-1])
	if err != nil || minutes == day {
		return "", false
	}
	at := fmt.Sprintf("%d %d", minutes%60, minutes/60)
	switch days := w[1 : len(w)-2]; {
	case slices.Equal(days, []string{"day"}):
		return at + " * * *", true
	case slices.Equal(days, []string{"weekday"}):
		return at + " * * 1-5", true
	case len(days) == 4 && days[0] == "month" && days[1] == "on" && days[2] == "day":
		n, err := strconv.ParseUint(days[3], 10, 8)
		return fmt.Sprintf("%s %d * *", at, n), err == nil && n >= 1 && n <= 31
	default:
		var on []string
		for _, name := range days {
			if name == "and" {
				continue
			}
			d, err := weekday(name)
			if err != nil {
				return "", false
			}
			if s := strconv.Itoa(d); !slices.Contains(on, s) {
				on = append(on, s)
			}
		}
		slices.Sort(on)
		return at + " * * " + strings.Join(on, ","), len(on) > 0
	}
}

// Say returns the sentence for a cron line, or the line itself if there is none.
func Say(line string) string {
	switch strings.TrimSpace(line) {
	case "@hourly":
		return "every hour"
	case "@daily", "@midnight":
		return "every day at 00:00"
	}
	for _, sentence := range sentences(strings.Fields(line)) {
		if back, _, err := Read(sentence); err == nil && back == strings.Join(strings.Fields(line), " ") {
			return sentence
		}
	}
	return line
}

// sentences returns candidate sentences for a cron line of five fields.
func sentences(f []string) []string {
	if len(f) != 5 {
		return nil
	}
	out := []string{
		"every hour",
		"every " + strings.TrimPrefix(f[0], "*/") + " minutes",
		"every " + strings.TrimPrefix(f[1], "*/") + " hours",
	}
	hour, err1 := strconv.ParseUint(f[1], 10, 8)
	minute, err2 := strconv.ParseUint(f[0], 10, 8)
	if err1 != nil || err2 != nil {
		return out
	}
	at := fmt.Sprintf(" at %02d:%02d", hour, minute)
	var names []string
	for d := range strings.SplitSeq(f[4], ",") {
		if n, err := strconv.ParseUint(d, 10, 8); err == nil && n < 7 {
			names = append(names, time.Weekday(n).String())
		}
	}
	return append(out, "every day"+at, "every weekday"+at, "every month on day "+f[2]+at, "every "+list(names)+at)
}

func list(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// Coming returns the next n due times after t, or fewer if there are fewer.
func (s *Schedule) Coming(t time.Time, n int) []time.Time {
	var out []time.Time
	for range n {
		if t = s.Next(t); t.IsZero() {
			break
		}
		out = append(out, t.In(s.zone))
	}
	return out
}

// Holds reports whether a window stays open for ever once it opens: waiting for its end would never end.
func (w Window) Holds(t time.Time) bool {
	if w.Always() {
		return true
	}
	at := w.Next(t)
	return at.IsZero() || w.End(at).IsZero()
}
