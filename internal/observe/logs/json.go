package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/observe/source"
)

// maxJSONValue is the longest record read from JSON. An event with its message text is some 100 KiB at most.
const maxJSONValue = 4 << 20

var errLong = fmt.Errorf("a JSON record is longer than %d MiB", maxJSONValue>>20)

// readJSON reads one record a line or, if the first line is no record, an array or any sequence of records.
func (l *Reader) readJSON(ctx context.Context, r *bufio.Reader) error {
	head := source.Sniff(r, func(head []byte) bool {
		return bytes.IndexByte(bytes.TrimLeft(head, " \t\r\n"), '\n') >= 0
	})
	first, _, whole := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	if first = bytes.TrimSpace(first); len(first) > 0 {
		// The first line of a record of several lines ends in the middle of it.
		if last := first[len(first)-1]; first[0] == '[' || whole && (last == '{' || last == ',') {
			return l.readJSONValues(ctx, r)
		}
	}
	return l.readLines(ctx, r, func(line []byte) {
		if err := l.jsonRecord(line); err != nil {
			l.cov.CountUnreadable("lines that are not JSON", 1)
		}
	})
}

// readLines calls each for every line that is not empty. A line longer than maxJSONValue is only counted.
func (l *Reader) readLines(ctx context.Context, r *bufio.Reader, each func(line []byte)) error {
	var line []byte
	long := false
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxJSONValue {
			long, line = true, line[:0]
		}
		if !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long {
			l.cov.CountUnreadable("lines too long to be a record", 1)
		} else if text := bytes.TrimSpace(line); len(text) > 0 {
			each(text)
		}
		long, line = false, line[:0]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// readJSONValues reads a sequence of JSON values, or the values of an array.
func (l *Reader) readJSONValues(ctx context.Context, r io.Reader) error {
	src := &boundedReader{r: r}
	d := json.NewDecoder(src)
	src.used = d.InputOffset
	depth := 0
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if depth == 1 && !d.More() || depth == 0 && src.first(d) == '[' {
			token, err := d.Token()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				l.cov.CountUnreadable("the rest of a JSON file after a fault", 1)
				return nil
			case token == json.Delim('['):
				depth = 1
			case token == json.Delim(']'):
				depth = 0
			}
			continue
		}
		var raw json.RawMessage
		err := d.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			l.cov.CountUnreadable("the rest of a JSON file after a fault", 1)
			return nil
		}
		if err := l.jsonRecord(raw); err != nil {
			l.cov.CountUnreadable("JSON values that are not a record", 1)
		}
	}
}

// boundedReader fails when a decoder asks for too much of one value.
type boundedReader struct {
	r    io.Reader
	n    int64
	used func() int64
	head byte
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.used != nil && b.n-b.used() > maxJSONValue {
		return 0, errLong
	}
	n, err := b.r.Read(p)
	if b.head == 0 {
		if text := bytes.TrimLeft(p[:n], " \t\r\n\xef\xbb\xbf"); len(text) > 0 {
			b.head = text[0]
		}
	}
	b.n += int64(n)
	return n, err
}

// first returns the first byte of the stream that is not space, and 0 once the decoder has read it: only that byte may
// open the array of records.
func (b *boundedReader) first(d *json.Decoder) byte {
	if d.InputOffset() > 0 {
		return 0
	}
	d.More() // reads
	return b.head
}

// jsonRecord reads one record of any known form.
func (l *Reader) jsonRecord(raw []byte) error {
	if i := bytes.IndexByte(raw, '{'); i > 0 {
		raw = raw[i:] // a syslog header, or a byte order mark
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return err
	}
	switch {
	case sambaAuth(m):
		l.samba.auth(m, asJSON)
	case isObject(m, "sessions") && isObject(m, "tcons"):
		l.samba.status(m)
	case m["__REALTIME_TIMESTAMP"] != nil:
		l.journalEntry(jsonText(m["MESSAGE"]), jsonText(m["SYSLOG_IDENTIFIER"]), jsonText(m["__REALTIME_TIMESTAMP"]),
			jsonText(m["_HOSTNAME"]))
	default:
		for _, record := range unwrap(m, 0) {
			l.eventRecord(record)
		}
	}
	return nil
}

// eventRecord reads a record of one event in any known form.
func (l *Reader) eventRecord(m map[string]any) {
	var e winEvent
	j := newJSONEvent(m)
	switch raw := rawText(m, j); {
	case raw != "":
		l.rawEvent(m, raw)
		return
	case j.ID() >= 0 && (!j.bare() && !dataless(j) || jsonText(m["Message"]) == ""):
		e = j
	default:
		t, ok := messageRecord(m)
		if !ok {
			l.notUnderstood(m)
			return
		}
		e = t
	}
	l.cov.CountRead("event records", 1)
	l.windows.event(e)
}

// rawText returns an event that a record holds as text: Splunk's _raw or, if the record itself is no event, what
// Logstash, Wazuh or Splunk's collector received.
func rawText(m map[string]any, j *jsonEvent) string {
	if raw := jsonText(m["_raw"]); raw != "" {
		return raw
	}
	if j.ID() >= 0 {
		return ""
	}
	for _, key := range []string{"event", "message", "full_log", "event.original"} {
		text := strings.TrimSpace(jsonText(m[key]))
		if strings.HasPrefix(text, "<Event") || strings.HasPrefix(text, "{") {
			return text
		}
	}
	return ""
}

// rawEvent reads an event that a record holds as text.
func (l *Reader) rawEvent(m map[string]any, raw string) {
	switch text := strings.TrimSpace(raw); {
	case strings.HasPrefix(text, "<Event"):
		l.xmlRecord([]byte(text))
	case strings.HasPrefix(text, "{"):
		if l.jsonRecord([]byte(text)) != nil {
			l.cov.CountUnreadable("JSON records that are damaged", 1)
		}
	default:
		e, ok := splunkEvent(raw)
		if !ok {
			l.notUnderstood(m)
			return
		}
		l.cov.CountRead("event records", 1)
		l.windows.event(e)
	}
}

// notUnderstood counts a record by its form: by the names in it, without values.
func (l *Reader) notUnderstood(m map[string]any) {
	l.cov.CountUnreadable("records that are not understood, with the keys "+form(m), 1)
}

// jsonEvent is a Windows event as a log shipper writes it:
//
//	NXLog, Security-Datasets  {"EventID":…,"Hostname":…,"Channel":…,"SourceName":…, and the data beside them}
//	Winlogbeat                {"@timestamp":…,"winlog":{"event_id":…,"computer_name":…,"event_data":{…}}}
//	event_data at the top     {"event_id":…,"computer_name":…,"event_data":{…}}
//	the event's own tree      {"Event":{"System":{…},"EventData":{…}}}
type jsonEvent struct {
	top, system, data map[string]any
	flat              bool // the data are beside the rest
	at                time.Time
	read              bool // at is its time; several rows and checks ask for it
}

func newJSONEvent(m map[string]any) *jsonEvent {
	e := &jsonEvent{top: m, system: m, data: m}
	if w := object(m, "winlog"); w != nil {
		e.system, e.data = w, nonNil(w, "event_data", "user_data")
	} else if ev := object(m, "Event"); ev != nil {
		e.system, e.data = object(ev, "System"), nonNil(ev, "EventData", "UserData")
	} else if object(m, "event_data") != nil {
		e.data = object(m, "event_data")
	} else if text := jsonText(m["EventData"]); strings.HasPrefix(strings.TrimSpace(text), "<") {
		e.data = sentinelData(text)
	} else if list, ok := m["Properties"].([]any); ok && m["Id"] != nil {
		e.data = properties(e.ID(), list)
	} else if list, ok := m["StringInserts"].([]any); ok {
		e.data = properties(e.ID(), list)
	} else if text := jsonText(m["Payload"]); strings.HasPrefix(text, "{") {
		e.data = payload(text)
	} else {
		e.flat = true
	}
	return e
}

func object(m map[string]any, key string) map[string]any {
	o, _ := m[key].(map[string]any)
	return o
}

func isObject(m map[string]any, key string) bool { return object(m, key) != nil }

func nonNil(m map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		if o := object(m, k); o != nil {
			return o
		}
	}
	return nil
}

// jsonText returns the text of a scalar, or the own text of an object that was made from XML.
func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case map[string]any:
		if t, ok := v["#text"]; ok {
			return jsonText(t)
		}
	}
	return ""
}

func (e *jsonEvent) systemText(keys ...string) string {
	for _, k := range keys {
		if s := jsonText(e.system[k]); s != "" {
			return s
		}
	}
	return ""
}

// attribute returns an attribute of a child of System, in the form of the event's own tree.
func (e *jsonEvent) attribute(child, name string) string {
	o := object(e.system, child)
	if s := jsonText(o[name]); s != "" {
		return s
	}
	return jsonText(object(o, "#attributes")[name])
}

func (e *jsonEvent) ID() int {
	n, err := strconv.Atoi(e.systemText("EventID", "event_id", "EventId", "Id", "eventID", "EventCode"))
	if err != nil {
		return -1
	}
	return n
}

// EventRecordID returns the event's number in its log; 0 if the record does not have it.
func (e *jsonEvent) EventRecordID() uint64 {
	n, _ := strconv.ParseUint(e.systemText("EventRecordID", "record_id", "RecordNumber", "RecordId", "EventRecordId",
		"eventRecordID"), 10, 64)
	return n
}

func (e *jsonEvent) Provider() string {
	s := e.systemText("SourceName", "provider_name", "source_name", "ProviderName", "EventSourceName", "Provider")
	if s != "" {
		return s
	}
	if s := e.attribute("Provider", "Name"); s != "" {
		return s
	}
	if e.Channel() == "Security" { // apart from the log itself, no other provider writes there
		return providerAudit
	}
	return ""
}

// bare reports whether an event has no data of its own.
func (e *jsonEvent) bare() bool {
	if e.flat {
		return jsonText(e.top["SubjectUserSid"]) == "" && jsonText(e.top["TargetUserName"]) == "" &&
			e.top["Id"] != nil
	}
	return len(e.data) == 0
}

func (e *jsonEvent) Channel() string {
	return e.systemText("Channel", "channel", "log_name", "LogName")
}

func (e *jsonEvent) Computer() string {
	return e.systemText("Hostname", "computer_name", "Computer", "MachineName", "ComputerName")
}

func (e *jsonEvent) UserID() string {
	if s := jsonText(object(e.system, "user")["identifier"]); s != "" {
		return s
	}
	if s := e.systemText("UserID"); s != "" {
		return s
	}
	return e.attribute("Security", "UserID")
}

// Time returns the event's own time if it has a zone, else the shipper's. A time without a zone is in that of the host
// that wrote it; if there is no other time, it is read in this machine's zone.
func (e *jsonEvent) Time() time.Time {
	if !e.read {
		e.at, e.read = e.when(), true
	}
	return e.at
}

func (e *jsonEvent) when() time.Time {
	for _, s := range []string{
		e.systemText("TimeCreated"), e.attribute("TimeCreated", "SystemTime"), e.systemText("EventTime"),
		jsonText(e.top["@timestamp"]), jsonText(e.top["TimeGenerated"]), jsonText(e.top["timestamp"]),
		jsonText(e.top["_time"]), e.systemText("UtcTime"), e.systemText("EventReceivedTime"),
	} {
		if s == "" {
			continue
		}
		for _, layout := range zoned {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC()
			}
		}
	}
	for _, s := range []string{e.systemText("TimeCreated"), jsonText(object(e.system, "TimeCreated")["value"])} {
		if t, ok := dateTime(s); ok {
			return t
		}
	}
	if t, ok := seconds(e.top["timestamp"]); ok {
		return t
	}
	for _, s := range []string{
		e.systemText("EventTime"), e.systemText("TimeCreated"), jsonText(e.top["@timestamp"]), jsonText(e.top["_time"]),
	} {
		if t, ok := plainTime(s); ok {
			return t
		}
	}
	return time.Time{}
}

// zoned are the forms of times with a zone. A table that Sentinel exports has the zone in the column's name.
var zoned = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 MST", "1/2/2006, 3:04:05.999999999 PM UTC",
}

// seconds reads GELF's time, in seconds since 1970.
func seconds(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	s, err := n.Float64()
	const latest = 1 << 33 // the year 2242; a time in milliseconds is greater
	if err != nil || s <= 0 || s > latest {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(s * 1000)).UTC(), true
}

func (e *jsonEvent) failed() bool {
	if s := e.systemText("EventType"); strings.EqualFold(s, "AUDIT_FAILURE") {
		return true
	}
	if jsonText(object(e.top, "event")["outcome"]) == "failure" {
		return true
	}
	switch k := e.system["keywords"].(type) {
	case []any:
		for _, v := range k {
			if jsonText(v) == "Audit Failure" {
				return true
			}
		}
	case string:
		n, _ := strconv.ParseUint(k, 0, 64)
		return n&auditFailure != 0
	}
	n, err := strconv.ParseUint(e.systemText("Keywords"), 0, 64)
	return err == nil && n&auditFailure != 0
}

func (e *jsonEvent) Text(name string) string {
	if s := jsonText(e.data[name]); s != "" {
		return s
	}
	if !isObject(e.data, "Data") && e.data["Data"] == nil {
		return ""
	}
	for d := range e.values {
		if d.name == name {
			return d.value
		}
	}
	return ""
}

func (e *jsonEvent) values(yield func(datum) bool) {
	if list, ok := e.data["Data"].([]any); ok { // data without names, or objects made from XML
		for _, v := range list {
			d := datum{value: jsonText(v)}
			if o, ok := v.(map[string]any); ok {
				d.name = jsonText(o["@Name"]) + jsonText(o["Name"])
			}
			if !yield(d) {
				return
			}
		}
		return
	}
	for i := 1; ; i++ { // param1, param2 … keep the order of data without names
		v, ok := e.data["param"+strconv.Itoa(i)]
		if !ok {
			break
		}
		if !yield(datum{"param" + strconv.Itoa(i), jsonText(v)}) {
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.data)) {
		if strings.HasPrefix(name, "param") || e.flat && shipperField(name) {
			continue
		}
		if o, ok := e.data[name].(map[string]any); ok { // UserData has one more element around its data
			for _, inner := range slices.Sorted(maps.Keys(o)) {
				if !yield(datum{inner, jsonText(o[inner])}) {
					return
				}
			}
			continue
		}
		if !yield(datum{name, jsonText(e.data[name])}) {
			return
		}
	}
}

// shipperField reports whether a field beside an event's data is the log shipper's own, such as host and @timestamp:
// the names of the events' own fields begin with a capital letter.
func shipperField(name string) bool {
	switch name {
	case "", "Hostname", "MessageSourceAddress", "Message":
		return true
	}
	return name[0] < 'A' || name[0] > 'Z'
}
