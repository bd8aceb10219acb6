package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// maxXMLEvent is the maximum length of an event in XML. A record has at most 64 KiB in the log, and its XML is shorter
// than this.
const maxXMLEvent = 1 << 20

// xmlEvent is an exported event: what wevtutil and the Event Viewer write.
type xmlEvent struct {
	System struct {
		Provider struct {
			Name   string `xml:"Name,attr"`
			Source string `xml:"EventSourceName,attr"`
		}
		EventID       string
		EventRecordID string
		Keywords      string
		TimeCreated   struct {
			SystemTime string `xml:"SystemTime,attr"`
		}
		Channel, Computer string
		Security          struct {
			UserID string `xml:"UserID,attr"`
		}
	}
	EventData struct {
		Data []struct {
			Name string `xml:"Name,attr"`
			Text string `xml:",chardata"`
		}
	}
	UserData struct {
		Any []struct {
			Fields []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:",any"`
	}
}

func (e *xmlEvent) ID() int {
	n, err := strconv.Atoi(strings.TrimSpace(e.System.EventID))
	if err != nil {
		return -1
	}
	return n
}

// EventRecordID returns the event's number in its log; 0 if unknown.
func (e *xmlEvent) EventRecordID() uint64 {
	n, _ := strconv.ParseUint(strings.TrimSpace(e.System.EventRecordID), 10, 64)
	return n
}

func (e *xmlEvent) Provider() string { return e.System.Provider.Name }
func (e *xmlEvent) Channel() string  { return e.System.Channel }
func (e *xmlEvent) Computer() string { return e.System.Computer }
func (e *xmlEvent) UserID() string   { return e.System.Security.UserID }

func (e *xmlEvent) Time() time.Time {
	t, _ := time.Parse(time.RFC3339Nano, e.System.TimeCreated.SystemTime)
	return t.UTC()
}

func (e *xmlEvent) failed() bool {
	n, _ := strconv.ParseUint(strings.TrimSpace(e.System.Keywords), 0, 64)
	return n&auditFailure != 0
}

func (e *xmlEvent) Text(name string) string {
	for d := range e.values {
		if d.name == name {
			return d.value
		}
	}
	return ""
}

func (e *xmlEvent) values(yield func(datum) bool) {
	for _, d := range e.EventData.Data {
		if !yield(datum{d.Name, strings.TrimSpace(d.Text)}) {
			return
		}
	}
	for _, u := range e.UserData.Any {
		for _, f := range u.Fields {
			if !yield(datum{f.XMLName.Local, strings.TrimSpace(f.Text)}) {
				return
			}
		}
	}
}

// readXML reads events one by one, so that malformed XML affects only its own event.
func (l *Reader) readXML(ctx context.Context, r *bufio.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 2*maxXMLEvent)
	s.Split(splitEvents)
	for s.Scan() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(s.Bytes()) == 0 {
			continue
		}
		l.xmlRecord(s.Bytes())
	}
	return s.Err()
}

// xmlRecord handles one event.
func (l *Reader) xmlRecord(text []byte) {
	var e xmlEvent
	if err := xml.Unmarshal(text, &e); err != nil || e.ID() < 0 {
		l.cov.CountUnreadable("exported events that are not an event's XML", 1)
		return
	}
	l.cov.CountRead("event records", 1)
	l.windows.event(&e)
}

var (
	openEvent  = []byte("<Event")
	closeEvent = []byte("</Event>")
)

// splitEvents is a bufio.SplitFunc that returns <Event …>…</Event>, and empty tokens for what is between them.
func splitEvents(data []byte, atEOF bool) (int, []byte, error) {
	start := 0
	for {
		i := bytes.Index(data[start:], openEvent)
		if i < 0 {
			if atEOF {
				return len(data), nil, nil
			}
			return max(0, len(data)-len(openEvent)), nil, nil
		}
		start += i
		after := start + len(openEvent)
		if after >= len(data) {
			if atEOF {
				return len(data), nil, nil
			}
			return start, nil, nil
		}
		if c := data[after]; c == ' ' || c == '>' || c == '\t' || c == '\r' || c == '\n' {
			break
		}
		start = after // <Events>, <EventData>
	}
	if end := bytes.Index(data[start:], closeEvent); end >= 0 {
		end += start + len(closeEvent)
		return end, data[start:end], nil
	}
	switch {
	case atEOF:
		return len(data), data[start:], nil
	case len(data)-start > maxXMLEvent:
		// too long for an event: counted as unreadable
		return start + len(openEvent), data[start : start+len(openEvent)], nil
	}
	return start, nil, nil
}

// isUTF16 reports whether a text is UTF-16, by its byte order mark.
func isUTF16(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
}

// utf8Reader converts UTF-16 with a byte order mark, as PowerShell writes files, to UTF-8.
func utf8Reader(r *bufio.Reader) io.Reader {
	mark, _ := r.Peek(2)
	switch {
	case bytes.Equal(mark, []byte{0xff, 0xfe}):
		return &utf16Reader{r: r, order: binary.LittleEndian}
	case bytes.Equal(mark, []byte{0xfe, 0xff}):
		return &utf16Reader{r: r, order: binary.BigEndian}
	}
	return r
}

type utf16Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	rest  []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.rest) == 0 {
		var raw [4096]byte
		n, err := io.ReadFull(u.r, raw[:])
		if n < 2 {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return 0, err
		}
		units := make([]uint16, 0, n/2)
		for i := 0; i+1 < n; i += 2 {
			units = append(units, u.order.Uint16(raw[i:]))
		}
		if last := units[len(units)-1]; last >= 0xd800 && last < 0xdc00 { // a surrogate pair split by the buffer
			if b, err := u.r.Peek(2); err == nil {
				units = append(units, u.order.Uint16(b))
				_, _ = u.r.Discard(2)
			}
		}
		u.rest = []byte(strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"))
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}
