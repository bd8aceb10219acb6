package logs

import (
	"context"
	"errors"
	"io"

	"ipcguard/internal/format/evtx"
)

// evtxEvent is an EVTX record as a winEvent.
type evtxEvent struct{ *evtx.Event }

// auditFailure is the keyword of an audit failure. See winmeta.xml, WINEVENT_KEYWORD_AUDIT_FAILURE.
const auditFailure = 1 << 52

func (e evtxEvent) failed() bool { return e.Keywords()&auditFailure != 0 }

// Provider returns the older source's name if there is one, because it identifies the event.
func (e evtxEvent) Provider() string {
	if s := e.EventSource(); s != "" && e.Event.Provider() == "" {
		return s
	}
	return e.Event.Provider()
}

func (e evtxEvent) values(yield func(datum) bool) {
	for _, f := range e.Fields() {
		for item := range f.Value.Items {
			if !yield(datum{f.Name, item.String()}) {
				return
			}
		}
	}
}

// readEVTX reads one EVTX file's bytes.
func (l *Reader) readEVTX(ctx context.Context, r io.Reader) error {
	rd := evtx.NewReader(r)
	defer func() { l.evtxStats(rd.Stats()) }()
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := rd.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		l.windows.event(evtxEvent{e})
		if e.Err() != nil {
			l.cov.CountUnreadable("event records that are damaged inside", 1)
		}
	}
}

func (l *Reader) evtxStats(s evtx.Stats) {
	l.cov.CountRead("event log chunks", int64(s.Chunks))
	l.cov.CountRead("event records", int64(s.Records))
	l.cov.CountUnreadable("damaged event records", int64(s.Damaged))
	l.cov.CountUnreadable("event log chunks with a wrong checksum", int64(s.BadData))
	l.cov.CountUnreadable("event log chunk headers with a wrong checksum", int64(s.BadHeaders))
	l.cov.CountUnreadable("event log chunks cut short", int64(s.Truncated))
	l.cov.CountUnreadable("bytes of event logs that belong to no chunk", s.SkippedBytes)
}
