package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"time"
)

// Samba's lines arrive through syslog in several formats:
//
//	RFC 3164   Sep 23 19:52:21 host smbd_audit[5841]: nobody|10.0.0.1|connect|ok|IPC$      <PRI> in front if it was forwarded
//	ISO        2026-10-05T10:15:32-06:00 host smbd_audit[3412]: …
//	RFC 5424   <PRI>1 2026-10-05T10:15:32Z host smbd_audit 3412 - - …
//	journald   __REALTIME_TIMESTAMP=1569268341000000, _HOSTNAME=host, SYSLOG_IDENTIFIER=smbd_audit, MESSAGE=…   export or JSON

// auditName is the program name of full_audit.
const auditName = "smbd_audit"

// syslogLine is the header of a message.
type syslogLine struct {
	at      time.Time
	host    string
	program string
	rest    string // the message
}

// parseSyslog parses a line. Times of RFC 3164 have no year: it is year, or the last one in which the time is in the
// past.
func parseSyslog(line string, year int, now time.Time) (s syslogLine, ok bool) {
	if after, found := strings.CutPrefix(line, "<"); found {
		if _, rest, ok := strings.Cut(after, ">"); ok {
			line = rest
		}
	}
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return s, false
	}
	if fields[0] == "1" { // RFC 5424 6
		if len(fields) < 7 {
			return s, false
		}
		s.at, _ = time.Parse(time.RFC3339Nano, fields[1])
		s.host, s.program = fields[2], fields[3]
		s.rest = strings.TrimLeft(structured(afterFields(line, 6)), " \ufeff")
		return s, true
	}
	skip := 1
	if t, err := time.Parse(time.RFC3339Nano, fields[0]); err == nil {
		s.at = t.UTC()
	} else if t, ok := oldTime(strings.Join(fields[:3], " "), year, now); ok {
		s.at, skip = t, 3
	} else {
		return s, false
	}
	if len(fields) < skip+2 {
		return s, false
	}
	s.host = fields[skip]
	rest := afterFields(line, skip+1)
	program, message, found := strings.Cut(rest, ": ")
	if !found {
		return s, false
	}
	s.program, _, _ = strings.Cut(program, "[")
	s.rest = strings.TrimSpace(message)
	return s, true
}

// afterFields returns what follows the first n words.
func afterFields(s string, n int) string {
	for range n {
		s = strings.TrimLeft(s, " ")
		_, s, _ = strings.Cut(s, " ")
	}
	return strings.TrimLeft(s, " ")
}

// structured skips the structured data of RFC 5424 6.3.
func structured(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return rest
	}
	quoted, escaped := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted && (i+1 == len(s) || s[i+1] != '['):
			return s[i+1:]
		}
	}
	return s
}

// oldTime parses Sep 23 19:52:21, in the host's local time, which is assumed to be ours.
func oldTime(s string, year int, now time.Time) (time.Time, bool) {
	t, err := time.ParseInLocation("Jan 2 15:04:05", s, time.Local)
	if err != nil {
		return t, false
	}
	const clocks = 24 * time.Hour // a host whose clock is ahead
	if year != 0 {
		return t.AddDate(year, 0, 0).UTC(), true
	}
	if t = t.AddDate(now.Year(), 0, 0); t.After(now.Add(clocks)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t.UTC(), true
}

// journalEntry is the relevant part of an entry of systemd's journal: of full_audit, or any of Samba's.
func (l *Reader) journalEntry(message, identifier, micros, host string) {
	var at time.Time
	if n, err := strconv.ParseInt(micros, 10, 64); err == nil {
		at = time.UnixMicro(n).UTC()
	}
	l.cov.CountRead("journal entries", 1)
	if identifier == auditName {
		l.samba.fullAuditLine(message, at, host)
		return
	}
	l.samba.line(l, []byte(message), at, host)
}

// isJournal reports whether a text begins as journalctl -o export writes.
func isJournal(text []byte) bool { return bytes.HasPrefix(text, []byte("__CURSOR=")) }

// readJournal reads the journal's export: name=value, or a name, a length in eight bytes and a value of any bytes; an
// empty line ends an entry. See systemd's Journal Export Formats.
func (l *Reader) readJournal(ctx context.Context, r *bufio.Reader) error {
	fields := map[string]string{}
	end := func() {
		if len(fields) > 0 {
			l.journalEntry(fields["MESSAGE"], fields["SYSLOG_IDENTIFIER"], fields["__REALTIME_TIMESTAMP"],
				fields["_HOSTNAME"])
		}
		clear(fields)
	}
	wanted := map[string]bool{
		"MESSAGE": true, "SYSLOG_IDENTIFIER": true, "__REALTIME_TIMESTAMP": true,
		"_HOSTNAME": true,
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := longLine(r)
		if err != nil && len(line) == 0 {
			end()
			if err == io.EOF {
				return nil
			}
			return err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, text := strings.Cut(line, "=")
		switch {
		case line == "":
			end()
			continue
		case !text:
			var size [8]byte
			if _, err := io.ReadFull(r, size[:]); err != nil {
				end()
				l.cov.CountUnreadable("journals that are cut", 1)
				return nil
			}
			n := binary.LittleEndian.Uint64(size[:])
			if n > maxJSONValue {
				l.cov.CountUnreadable("the rest of a journal after a fault", 1)
				return nil
			}
			b := make([]byte, n+1)
			if _, err := io.ReadFull(r, b); err != nil {
				end()
				l.cov.CountUnreadable("journals that are cut", 1)
				return nil
			}
			value = string(b[:n])
		}
		if wanted[name] {
			fields[name] = value
		}
	}
}

// longLine reads a line and keeps at most maxJSONValue bytes of it.
func longLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) <= maxJSONValue {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return string(line), err
		}
	}
}
