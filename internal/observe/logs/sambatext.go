package logs

import (
	"hash/maphash"
	"regexp"
	"strings"
	"time"
)

// Samba also writes its authentication audit in words, log class auth_audit:
//
//	Auth: [SMB2,NTLMSSP] user [DOM]\[ann] at [Wed, 08 Apr 2020 10:30:19.565919 EAT] with [NTLMv2]
//	      status [NT_STATUS_OK] workstation [PC] remote host [ipv4:10.0.0.1:50256]
//	      became [DOM]\[ann] [S-1-5-21-…]. local host [ipv4:10.0.0.2:445]
//	Successful AuthZ: [SMB2,NTLMSSP] user [NT AUTHORITY]\[ANONYMOUS LOGON] [S-1-5-7] at […]
//	      Remote host […] local host […]
//
// See auth/auth_log.c. Names may contain anything but the brackets around them.
var (
	authText = regexp.MustCompile(
		`\bAuth: \[([^,\]]*),([^\]]*)\] user \[(.*?)\]\\\[(.*?)\] at \[([^\]]*)\] with \[([^\]]*)\] ` +
			`status \[([^\]]*)\] workstation \[(.*?)\] remote host \[([^\]]*)\]` +
			`(?: became \[(.*?)\]\\\[(.*?)\] \[([^\]]*)\])?.*? local host \[([^\]]*)\]`)
	authzText = regexp.MustCompile(
		`\bSuccessful AuthZ: \[([^,\]]*),([^\]]*)\] user \[(.*?)\]\\\[(.*?)\] \[([^\]]*)\] at \[([^\]]*)\] ` +
			`Remote host \[([^\]]*)\] local host \[([^\]]*)\]`)
)

// sambaText turns a line into the record that auth_json_audit would have written, or nil if it is none of the two.
func sambaText(line string) map[string]any {
	if m := authText.FindStringSubmatch(line); m != nil {
		return map[string]any{"type": "Authentication", "timestamp": textTime(m[5]), "Authentication": map[string]any{
			"serviceDescription": m[1], "authDescription": m[2], "clientDomain": m[3], "clientAccount": m[4],
			"passwordType": m[6], "status": m[7], "workstation": m[8], "remoteAddress": m[9], "becameDomain": m[10],
			"becameAccount": m[11], "becameSid": m[12], "localAddress": m[13],
		}}
	}
	if m := authzText.FindStringSubmatch(line); m != nil {
		return map[string]any{"type": "Authorization", "timestamp": textTime(m[6]), "Authorization": map[string]any{
			"serviceDescription": m[1], "authType": m[2], "domain": m[3], "account": m[4], "sid": m[5],
			"remoteAddress": m[7], "localAddress": m[8],
		}}
	}
	return nil
}

// textTime reads Wed, 08 Apr 2020 10:30:19.565919 EAT. Letters of a zone are known only for UTC and this machine's own
// zone; any other zone is taken for this machine's, as for Samba's other lines.
func textTime(s string) string {
	t, err := time.ParseInLocation("Mon, 02 Jan 2006 15:04:05.999999 MST", s, time.Local)
	if err != nil {
		return ""
	}
	if name, offset := t.Zone(); offset == 0 && name != "UTC" && name != "GMT" {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.Local)
	}
	return t.Format(time.RFC3339Nano)
}

// isSambaText reports whether a line is one of the audit in words, also of an unknown form.
func isSambaText(line string) bool {
	return strings.Contains(line, "Auth: [") || strings.Contains(line, "AuthZ: [")
}

// twice remembers records of the audit that may come again in the other form: a server with both auth_audit and
// auth_json_audit in its log level writes each in words and as JSON, one right after the other or in two files.
//
// Records of one connection and account may be equal in all but their times, so twice counts how many of a second still
// wait. When young is full it replaces old, and the records of old are forgotten.
type twice struct {
	seed       maphash.Seed
	young, old waiting
	lost       [2]span // of the forgotten records, by form
	doubtful   int64   // records that may be the other form of one of these
}

// waiting are records whose other form has not come: their number by hash, and their times by form.
type waiting struct {
	count map[uint64]uint32
	times [2]span
}

// span is the time from the first record to the last.
type span struct{ first, last time.Time }

func (s *span) take(more span) {
	if s.first.IsZero() || !more.first.IsZero() && more.first.Before(s.first) {
		s.first = more.first
	}
	if more.last.After(s.last) {
		s.last = more.last
	}
}

type twiceKey struct{ kind, remote, local, account, status string }

// record is the part of a record that is the same in both forms.
type record struct {
	twiceKey
	form   int
	second int64 // of a quarter of an hour
}

// The forms of a record.
const (
	asJSON = iota
	inWords
)

const (
	// maxTwice bounds what is remembered, twice this many: some 9 MB, and the logons of a large site in a week.
	maxTwice = 1 << 17

	// quarter of an hour, in seconds: time zones differ by multiples of it. A record in words names its zone by
	// letters, which may be unknown here, and the same record as JSON by its offset.
	quarter = 15 * 60
)

// again reports whether a record is the other form of an earlier one, which is then forgotten. Samba reads the clock
// for each, so their seconds may differ by one.
func (w *twice) again(k twiceKey, form int, at time.Time) bool {
	if k.remote == "" || at.IsZero() {
		return false
	}
	if w.young.count == nil {
		w.seed, w.young.count = maphash.MakeSeed(), make(map[uint64]uint32)
	}
	other := 1 - form
	for _, near := range [...]int64{0, -1, 1} {
		h := w.hash(k, other, at.Unix()+near)
		if w.young.take(h) || w.old.take(h) {
			return true
		}
	}
	const day = 24 * time.Hour // more than zones differ by
	if l := &w.lost[other]; !l.first.IsZero() && at.After(l.first.Add(-day)) && at.Before(l.last.Add(day)) {
		w.doubtful++
	}
	if len(w.young.count) >= maxTwice {
		for form := range w.lost {
			w.lost[form].take(w.old.times[form])
		}
		w.old, w.young = w.young, waiting{count: make(map[uint64]uint32)}
	}
	w.young.count[w.hash(k, form, at.Unix())]++
	w.young.times[form].take(span{at, at})
	return false
}

func (w *twice) hash(k twiceKey, form int, second int64) uint64 {
	return maphash.Comparable(w.seed, record{k, form, (second%quarter + quarter) % quarter})
}

// take removes a waiting record, and reports whether there was one.
func (w *waiting) take(h uint64) bool {
	n := w.count[h]
	if n > 1 {
		w.count[h] = n - 1
	} else if n == 1 {
		delete(w.count, h)
	}
	return n > 0
}
