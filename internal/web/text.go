package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// noneOpen says that no finding of some kind is open, and no more than was looked at: of hosts that no scan settled
// nothing is known.
func noneOpen(c store.Counts, kind string) string {
	switch {
	case c.Hosts == 0:
		return "There is no result of such a host yet: what is open is not known."
	case c.Unknown > 0:
		return "No finding is open" + kind + ", but what strangers get from " + number(c.Unknown) + " of " +
			plural(c.Hosts, "host", "hosts") + " is not known."
	}
	return "No finding is open" + kind + "."
}

// clean replaces characters that hide or reverse the text around them: control characters except line ends and tabs,
// format characters such as direction marks, and bytes that are not UTF-8. It works on a whole page, so that no field
// is forgotten.
func clean(page []byte) []byte {
	bad := -1
	for i, c := range page {
		if c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7F {
			bad = i
			break
		}
	}
	if bad < 0 {
		return page
	}
	out := make([]byte, 0, len(page)+64)
	out = append(out, page[:bad]...)
	for rest := page[bad:]; len(rest) > 0; {
		c := rest[0]
		if c < utf8.RuneSelf {
			rest = rest[1:]
			switch {
			case c == '\r':
			case c < ' ' && c != '\n' && c != '\t', c == 0x7F:
				out = append(out, "\uFFFD"...)
			default:
				out = append(out, c)
			}
			continue
		}
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		if model.Hidden(r) {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// longest is the number of characters that a page shows of one value: a host name has at most 255, an evidence line is
// a sentence.
const longest = 400

// clip shortens a text that is longer than any legitimate one.
func clip(s string) string { return clipTo(longest, s) }

// brief is clip for cells of dense tables.
func brief(s string) string { return clipTo(80, s) }

func clipTo(n int, s string) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n {
			return s[:i] + "…"
		}
		count++
	}
	return s
}

// words makes an identifier readable: became-exposed becomes "became exposed".
func words(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "-", " ") }

// class makes a value from outside safe as a CSS class.
func class(s any) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '-' {
			return r
		}
		return -1
	}, fmt.Sprint(s))
}

// number formats 12345 as 12,345.
func number(n any) string {
	s := fmt.Sprint(n)
	if _, err := strconv.ParseInt(s, 10, 64); err != nil || len(s) <= 4 {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// short formats a number in at most four characters, rounded down: 999, 1.2k, 12k.
func short(n int) string {
	switch {
	case n < 1000:
		return strconv.Itoa(n)
	case n < 10_000:
		return strconv.Itoa(n/1000) + "." + strconv.Itoa(n%1000/100) + "k"
	case n < 1_000_000:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n/1_000_000) + "M"
}

// plural returns "1 host" or "2 hosts".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// day and moment format times in UTC, as every page's footer says.
func day(t time.Time) string    { return t.UTC().Format("2006-01-02") }
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// ago returns how long something is past, in the largest suitable unit.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 0:
		return "in " + span(-d)
	case d < time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(int(d.Seconds()), "second", "seconds")
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute", "minutes")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour", "hours")
	}
	return plural(int(d.Hours()/24), "day", "days")
}
