package logs

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"ipcguard/internal/observe"

	"golang.org/x/sys/windows"
)

// The functions of the event log. See winevt.h.
var (
	wevtapi   = windows.NewLazySystemDLL("wevtapi.dll")
	evtQuery  = wevtapi.NewProc("EvtQuery")
	evtNext   = wevtapi.NewProc("EvtNext")
	evtRender = wevtapi.NewProc("EvtRender")
	evtClose  = wevtapi.NewProc("EvtClose")
	evtSeek   = wevtapi.NewProc("EvtSeek")

	evtCreateBookmark = wevtapi.NewProc("EvtCreateBookmark")
	evtUpdateBookmark = wevtapi.NewProc("EvtUpdateBookmark")
)

const (
	evtQueryChannelPath      = 0x1
	evtQueryForwardDirection = 0x100
	evtRenderEventXML        = 1
	evtRenderBookmark        = 2
	evtSeekToBookmark        = 4
	evtSeekStrict            = 0x10000

	errEvtChannelNotFound = syscall.Errno(15007) // ERROR_EVT_CHANNEL_NOT_FOUND

	// evtBatch is the number of events in one answer, and evtWait its time limit in milliseconds.
	evtBatch = 64
	evtWait  = 10_000
)

// localChannels are the logs that are read, with their events: a query may name about twenty of them.
var localChannels = []struct {
	name string
	ids  []int
}{
	{"Security", []int{4624, 4625, 4657, 5140, 5145, 5712, 1102}},
	{"System", []int{16962, 16963, 16964, 16965, 16966, 16967, 16968, 16969}},
	{"Microsoft-Windows-SMBServer/Audit", []int{3000, 3021, 3022}},
	{"Microsoft-Windows-SMBServer/Security", []int{3023, 551, 1006, 1009}},
	{"Microsoft-Windows-Sysmon/Operational", []int{12, 13}},
}

// ReadLocal reads the event logs of this host: what follows the marks of an earlier run, or, in a log without a mark,
// what is not older than since (0 is everything). A log that is missing or may not be read is noted in the coverage,
// and keeps its mark.
func (l *Reader) ReadLocal(ctx context.Context, since time.Duration, after observe.Marks) (observe.Marks, error) {
	read := 0
	marks := make(observe.Marks)
	for _, c := range localChannels {
		l.windows.source = c.name
		mark, err := l.readChannel(ctx, c.name, c.ids, since, after[c.name])
		marks[c.name] = mark
		switch {
		case err == nil:
			read++
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, errEvtChannelNotFound):
			l.cov.Note("the log " + c.name + " does not exist on this host")
		case errors.Is(err, windows.ERROR_ACCESS_DENIED):
			l.cov.Note("the log " + c.name +
				" may not be read: run as an administrator or a member of Event Log Readers")
		default:
			return nil, fmt.Errorf("event log %s: %w", c.name, err)
		}
	}
	if read == 0 {
		return nil, errors.New("no event log of this host could be read")
	}
	return marks, nil
}

// localQuery returns the XPath that selects these events.
func localQuery(ids []int, since time.Duration, after time.Time) string {
	var b strings.Builder
	b.WriteString("*[System[(")
	for i, id := range ids {
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "EventID=%d", id)
	}
	b.WriteString(")")
	switch {
	case !after.IsZero():
		fmt.Fprintf(&b, " and TimeCreated[@SystemTime > '%s']", after.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	case since > 0:
		fmt.Fprintf(&b, " and TimeCreated[timediff(@SystemTime) <= %d]", since.Milliseconds())
	}
	b.WriteString("]]")
	return b.String()
}

// readChannel reads a log after a mark. If the marked event is gone, because the log was cleared or has overwritten it,
// reading continues at its time, and the coverage notes that something may be missing.
func (l *Reader) readChannel(ctx context.Context, channel string, ids []int, since time.Duration,
	after observe.Mark,
) (observe.Mark, error) {
	if after.Bookmark != "" {
		since = 0 // the mark says where to begin
	}
	result, err := query(channel, localQuery(ids, since, time.Time{}))
	if err != nil {
		return after, err
	}
	defer func() { _, _, _ = evtClose.Call(result) }()
	bookmark, err := newBookmark(after.Bookmark)
	if err != nil {
		return after, err
	}
	defer evtClose.Call(bookmark)
	if after.Bookmark != "" {
		if ok, _, _ := evtSeek.Call(result, 1, bookmark, 0, evtSeekToBookmark|evtSeekStrict); ok == 0 {
			l.cov.Note("the log " + channel +
				" no longer has the event up to which it was read: it was cleared or has overwritten itself, and events between may be lost")
			_, _, _ = evtClose.Call(result)
			if result, err = query(channel, localQuery(ids, 0, after.Time)); err != nil {
				return after, err
			}
		}
	}
	mark, err := l.readEvents(ctx, result, bookmark, after)
	if err != nil {
		return after, err
	}
	return mark, nil
}

func query(channel, xpath string) (uintptr, error) {
	path, err := windows.UTF16PtrFromString(channel)
	if err != nil {
		return 0, err
	}
	q, err := windows.UTF16PtrFromString(xpath)
	if err != nil {
		return 0, err
	}
	result, _, err := evtQuery.Call(0, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(q)),
		evtQueryChannelPath|evtQueryForwardDirection)
	if result == 0 {
		if errors.Is(err, syscall.Errno(0)) { // Wine's
			err = errors.New("EvtQuery gives nothing and no reason")
		}
		return 0, err
	}
	return result, nil
}

// newBookmark makes a bookmark, from the XML of an earlier one if there is one.
func newBookmark(text string) (uintptr, error) {
	var at *uint16
	if text != "" {
		var err error
		if at, err = windows.UTF16PtrFromString(text); err != nil {
			return 0, err
		}
	}
	h, _, err := evtCreateBookmark.Call(uintptr(unsafe.Pointer(at)))
	if h == 0 {
		return 0, fmt.Errorf("bookmark: %w", err)
	}
	return h, nil
}

// readEvents reads the events of a query to its end. The returned mark is after the last of them.
func (l *Reader) readEvents(ctx context.Context, result, bookmark uintptr, mark observe.Mark) (observe.Mark, error) {
	buf := make([]uint16, 32<<10)
	any := false
	for ctx.Err() == nil {
		var events [evtBatch]uintptr
		var n uint32
		ok, _, err := evtNext.Call(result, evtBatch, uintptr(unsafe.Pointer(&events[0])), evtWait, 0,
			uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			if !errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
				return mark, err
			}
			if !any {
				return mark, nil
			}
			text, _, err := render(bookmark, evtRenderBookmark, buf)
			mark.Bookmark = text
			return mark, err
		}
		for _, h := range events[:min(n, evtBatch)] {
			var at time.Time
			at, buf = l.localEvent(h, buf)
			if at.After(mark.Time) {
				mark.Time = at
			}
			_, _, _ = evtUpdateBookmark.Call(bookmark, h)
			_, _, _ = evtClose.Call(h)
			any = true
		}
	}
	return mark, context.Cause(ctx)
}

// render writes an event or a bookmark as XML; the buffer may grow.
func render(h, how uintptr, buf []uint16) (string, []uint16, error) {
	for {
		var used, properties uint32
		ok, _, err := evtRender.Call(0, h, how, uintptr(2*len(buf)), uintptr(unsafe.Pointer(&buf[0])),
			uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
		switch {
		case ok == 0 && errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) && int(used) > 2*len(buf) &&
			used <= 2*maxXMLEvent:
			buf = make([]uint16, (used+1)/2)
		case ok == 0:
			return "", buf, err
		default:
			return windows.UTF16ToString(buf[:min(int(used)/2, len(buf))]), buf, nil
		}
	}
}

// localEvent renders and handles one event, and returns its time.
func (l *Reader) localEvent(h uintptr, buf []uint16) (time.Time, []uint16) {
	text, buf, err := render(h, evtRenderEventXML, buf)
	if err != nil {
		l.cov.CountUnreadable("local events that could not be rendered", 1)
		return time.Time{}, buf
	}
	var e xmlEvent
	if err := xml.Unmarshal([]byte(text), &e); err != nil || e.ID() < 0 {
		l.cov.CountUnreadable("local events that are not XML", 1)
		return time.Time{}, buf
	}
	l.cov.CountRead("event records", 1)
	l.windows.event(&e)
	return e.Time(), buf
}
