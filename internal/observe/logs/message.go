package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// textEvent is an event as an English message: what Splunk's WinEventLog input writes, and what Get-WinEvent exports as
// CSV. Everything that matters is in the message:
//
//	Subject:
//		Security ID:    S-1-5-7
//		Account Name:   ANONYMOUS LOGON
//	Share Information:
//		Share Name:     \\*\IPC$
type textEvent struct {
	id                          int
	provider, channel, computer string
	at                          time.Time
	failure                     bool
	data                        []datum
}

// messageNames are the names of data by section and label of the message.
var messageNames = map[string]map[string]string{
	"Subject": {
		"Security ID": "SubjectUserSid", "Account Name": "SubjectUserName",
		"Account Domain": "SubjectDomainName", "Logon ID": "SubjectLogonId",
	},
	"New Logon": {
		"Security ID": "TargetUserSid", "Account Name": "TargetUserName",
		"Account Domain": "TargetDomainName", "Logon ID": "TargetLogonId",
	},
	"Logon Information": {"Logon Type": "LogonType"},
	"Account For Which Logon Failed": {
		"Security ID": "TargetUserSid", "Account Name": "TargetUserName",
		"Account Domain": "TargetDomainName",
	},
	"Failure Information": {"Status": "Status", "Sub Status": "SubStatus"},
	"Network Information": {
		"Source Address": "IpAddress", "Source Network Address": "IpAddress",
		"Source Port": "IpPort", "Workstation Name": "WorkstationName", "Object Type": "ObjectType",
	},
	"Share Information": {
		"Share Name": "ShareName", "Share Path": "ShareLocalPath",
		"Relative Target Name": "RelativeTargetName",
	},
	"Share Name":                 {"Share Name": "ShareName"},
	"Access Request Information": {"Access Mask": "AccessMask"},
	"Detailed Authentication Information": {
		"Logon Process":          "LogonProcessName",
		"Authentication Package": "AuthenticationPackageName", "Package Name (NTLM only)": "LmPackageName",
		"Key Length": "KeyLength",
	},
}

// messageData parses the data in a message. "Logon Type" has no section before Windows 10.
func messageData(text string) (out []datum) {
	section := ""
	for line := range strings.Lines(text) {
		label, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if name := messageNames[section][label]; name != "" && (value != "" || messageNames[label] == nil) {
			out = append(out, datum{name, value})
			continue
		}
		if label == "Logon Type" {
			out = append(out, datum{"LogonType", value})
			continue
		}
		if messageNames[label] != nil && value == "" {
			section = label
		}
	}
	return out
}

func (e *textEvent) ID() int          { return e.id }
func (e *textEvent) Provider() string { return e.provider }
func (e *textEvent) Channel() string  { return e.channel }
func (e *textEvent) Computer() string { return e.computer }
func (e *textEvent) Time() time.Time  { return e.at }
func (e *textEvent) UserID() string   { return "" }
func (e *textEvent) failed() bool     { return e.failure }

func (e *textEvent) Text(name string) string {
	for _, d := range e.data {
		if d.name == name {
			return d.value
		}
	}
	return ""
}

func (e *textEvent) values(yield func(datum) bool) {
	for _, d := range e.data {
		if !yield(d) {
			return
		}
	}
}

// splunkEvent parses what Splunk's WinEventLog input writes: a time, names with values, and the message after Message=.
func splunkEvent(text string) (*textEvent, bool) {
	e := &textEvent{id: -1}
	head, message, _ := strings.Cut(text, "Message=")
	for line := range strings.Lines(head) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			if t, ok := plainTime(name); ok {
				e.at = t
			}
			continue
		}
		switch name {
		case "LogName":
			e.channel = value
		case "EventCode":
			if n, err := strconv.Atoi(value); err == nil {
				e.id = n
			}
		case "ComputerName":
			e.computer = value
		case "SourceName":
			e.provider = value
		case "Keywords":
			e.failure = strings.Contains(value, "Audit Failure")
		}
	}
	e.data = messageData(message)
	return e, e.id >= 0
}

// plainTimes are formats of times without a zone, which are assumed to be in our zone.
var plainTimes = []string{
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "01/02/2006 03:04:05.999999999 PM",
	"1/2/2006 3:04:05 PM",
	"1/2/2006, 3:04:05.999999999 PM", "01/02/2006 15:04:05", "02.01.2006 15:04:05", "Jan 2, 2006 @ 15:04:05.999999999",
}

func plainTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for _, layout := range plainTimes {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// dateTime parses PowerShell 5.1's form of a time in JSON: /Date(1772359210123)/, in milliseconds since 1970.
func dateTime(s string) (time.Time, bool) {
	inner, ok := strings.CutPrefix(s, "/Date(")
	if !ok {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(inner, ")/"), 10, 64)
	return time.UnixMilli(n).UTC(), err == nil
}

// messageRecord handles a record whose data are only in its message.
func messageRecord(m map[string]any) (*textEvent, bool) {
	j := newJSONEvent(m)
	message := jsonText(m["Message"])
	if message == "" || j.ID() < 0 {
		return nil, false
	}
	e := &textEvent{
		id: j.ID(), provider: j.Provider(), channel: j.Channel(), computer: j.Computer(), at: j.Time(),
		data: messageData(message),
	}
	for _, word := range []string{jsonText(m["KeywordsDisplayNames"]), jsonText(m["Keywords"])} {
		// 0x8010000000000000
		e.failure = e.failure || strings.Contains(word, "Audit Failure") || word == "-9218868437227405312"
	}
	return e, true
}

// readSplunk reads events of name=value over several lines. An event begins with a line that is a time, or with
// LogName=.
func (l *Reader) readSplunk(ctx context.Context, r *bufio.Reader) error {
	var text strings.Builder
	end := func() {
		if strings.TrimSpace(text.String()) == "" {
			return
		}
		if e, ok := splunkEvent(text.String()); ok {
			l.cov.CountRead("event records", 1)
			l.windows.event(e)
		} else {
			l.cov.CountUnreadable("events of name=value that are not understood", 1)
		}
		text.Reset()
	}
	err := l.readLines(ctx, r, func(line []byte) {
		_, starts := plainTime(string(line))
		if starts || bytes.HasPrefix(line, []byte("LogName=")) && strings.Contains(text.String(), "LogName=") {
			end()
		}
		if text.Len() < maxXMLEvent {
			text.Write(line)
			text.WriteByte('\n')
		}
	})
	end()
	return err
}

// isEventCSV reports whether a text is events as a table: from Get-WinEvent through Export-Csv, the Event Viewer or
// EvtxECmd, or as Sentinel, Splunk, Kibana and Graylog export it.
func isEventCSV(text []byte) bool {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	if bytes.HasPrefix(head, []byte("#TYPE")) {
		head, _, _ = bytes.Cut(rest, []byte("\n"))
	}
	names := map[string]bool{}
	for n := range strings.FieldsFuncSeq(string(head), func(r rune) bool { return r == ',' || r == ';' || r == '\t' }) {
		names[columnName(n)] = true
	}
	switch {
	case len(names) < 3:
		return false
	case names["EventID"], names["EventId"], names["EventCode"], names["_raw"], names["winlog.event_id"],
		names["winlogbeat_winlog_event_id"]:
		return true
	}
	return names["Id"] && names["ProviderName"]
}

// columnName returns the name that records use for a column.
func columnName(s string) string {
	s = strings.Trim(s, "\ufeff\" \r")
	switch s {
	case "Event ID":
		return "EventID"
	case "Date and Time":
		return "TimeCreated"
	case "Source":
		return "ProviderName"
	}
	return strings.TrimSuffix(s, inUTC)
}

// inUTC is what Sentinel appends to the name of a time.
const inUTC = " [UTC]"

// comma returns the separator of a table.
func comma(head []byte) rune {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best := ','
	for _, r := range ";\t" {
		if bytes.Count(line, []byte(string(r))) > bytes.Count(line, []byte(string(best))) {
			best = r
		}
	}
	return best
}

// readCSV reads events by the names in the first line.
func (l *Reader) readCSV(ctx context.Context, r *bufio.Reader) error {
	plain := bufio.NewReader(r)
	if b, _ := plain.Peek(5); string(b) == "#TYPE" {
		_, _ = longLine(plain) // an error would come again
	}
	c := csv.NewReader(plain)
	c.FieldsPerRecord, c.LazyQuotes = -1, true
	head, _ := plain.Peek(1024)
	c.Comma = comma(head)
	var names []string
	utc := map[int]bool{}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && row == nil:
			l.cov.CountUnreadable("the rest of a CSV file after a fault", 1)
			return nil
		case names == nil:
			for i, n := range row {
				names = append(names, columnName(n))
				utc[i] = strings.HasSuffix(n, inUTC)
			}
			continue
		}
		m := map[string]any{}
		for i, v := range row[:min(len(row), len(names))] {
			if utc[i] {
				v += " UTC"
			}
			m[names[i]] = v
		}
		if len(row) == len(names)+1 { // the Event Viewer's column of the message has no name
			m["Message"] = row[len(names)]
		}
		for _, record := range unwrap(m, 0) {
			l.eventRecord(record)
		}
	}
}
