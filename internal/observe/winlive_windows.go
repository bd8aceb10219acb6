package observe

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The event log's functions, see winevt.h.
var (
	wevtapi   = windows.NewLazySystemDLL("wevtapi.dll")
	evtQuery  = wevtapi.NewProc("EvtQuery")
	evtNext   = wevtapi.NewProc("EvtNext")
	evtRender = wevtapi.NewProc("EvtRender")
	evtClose  = wevtapi.NewProc("EvtClose")
)

const (
	evtQueryChannelPath      = 0x1
	evtQueryForwardDirection = 0x100
	evtRenderEventXML        = 1

	errEvtChannelNotFound = syscall.Errno(15007) // ERROR_EVT_CHANNEL_NOT_FOUND

	// evtBatch is how many events are asked for at a time, and evtWait how long one answer may take, in milliseconds.
	evtBatch = 64
	evtWait  = 10_000
)

// localChannels are the logs of which events tell something, with the events: the query may name some twenty of them.
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

// ReadLocal reads the event logs of this host, no further back than since (0 is everything). A log that is missing or may
// not be read is noted in the coverage.
func (l *Logs) ReadLocal(ctx context.Context, since time.Duration) error {
	read := 0
	for _, c := range localChannels {
		l.windows.source = c.name
		switch err := l.readChannel(ctx, c.name, localQuery(c.ids, since)); {
		case err == nil:
			read++
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errEvtChannelNotFound):
			l.cov.Note("the log " + c.name + " does not exist on this host")
		case errors.Is(err, windows.ERROR_ACCESS_DENIED):
			l.cov.Note("the log " + c.name + " may not be read: run as an administrator or a member of Event Log Readers")
		default:
			return fmt.Errorf("event log %s: %w", c.name, err)
		}
	}
	if read == 0 {
		return errors.New("no event log of this host could be read")
	}
	return nil
}

// localQuery is the XPath of these events.
func localQuery(ids []int, since time.Duration) string {
	var b strings.Builder
	b.WriteString("*[System[(")
	for i, id := range ids {
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "EventID=%d", id)
	}
	b.WriteString(")")
	if since > 0 {
		fmt.Fprintf(&b, " and TimeCreated[timediff(@SystemTime) <= %d]", since.Milliseconds())
	}
	b.WriteString("]]")
	return b.String()
}

func (l *Logs) readChannel(ctx context.Context, channel, query string) error {
	path, err := windows.UTF16PtrFromString(channel)
	if err != nil {
		return err
	}
	xpath, err := windows.UTF16PtrFromString(query)
	if err != nil {
		return err
	}
	result, _, err := evtQuery.Call(0, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(xpath)), evtQueryChannelPath|evtQueryForwardDirection)
	if result == 0 {
		return err
	}
	defer evtClose.Call(result)
	buf := make([]uint16, 32<<10)
	for ctx.Err() == nil {
		var events [evtBatch]uintptr
		var n uint32
		ok, _, err := evtNext.Call(result, evtBatch, uintptr(unsafe.Pointer(&events[0])), evtWait, 0, uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
				return nil
			}
			return err
		}
		for _, h := range events[:min(n, evtBatch)] {
			buf = l.localEvent(h, buf)
			_, _, _ = evtClose.Call(h)
		}
	}
	return context.Cause(ctx)
}

// localEvent renders one event and takes it; the buffer may have grown.
func (l *Logs) localEvent(h uintptr, buf []uint16) []uint16 {
	for {
		var used, properties uint32
		ok, _, err := evtRender.Call(0, h, evtRenderEventXML, uintptr(2*len(buf)), uintptr(unsafe.Pointer(&buf[0])),
			uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
		switch {
		case ok == 0 && errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) && int(used) > 2*len(buf) && used <= 2*maxXMLEvent:
			buf = make([]uint16, (used+1)/2)
			continue
		case ok == 0:
			l.cov.CountUnreadable("local events that could not be rendered", 1)
			return buf
		}
		var e xmlEvent
		if err := xml.Unmarshal([]byte(windows.UTF16ToString(buf[:min(int(used)/2, len(buf))])), &e); err != nil || e.ID() < 0 {
			l.cov.CountUnreadable("local events that are not XML", 1)
			return buf
		}
		l.cov.CountRead("event records", 1)
		l.windows.event(&e)
		return buf
	}
}
