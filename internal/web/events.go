package web

import (
	"strconv"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// events is what changed, the newest first.
type events struct {
	Rows            []store.Event
	Pager           pager
	Sites, Kinds    []option
	Least           []option
	Since, Until    string
	Host            *store.Host
	WithoutExcepted bool
	Exports         []export
}

// eventKinds lists every kind of change.
func eventKinds() []store.EventKind {
	return []store.EventKind{
		store.EventBecameExposed, store.EventBecameClosed, store.EventNewHost, store.EventVanished, store.EventReturned, store.EventPipeOpened,
		store.EventPipeClosed, store.EventNullPipeGained, store.EventSettingChanged, store.EventSettingReverted, store.EventSMB1Returned,
		store.EventInconclusive, store.EventNewFinding, store.EventFindingEnded, store.EventExceptionEnded,
	}
}

func eventsPage(v *visit) error {
	q := v.r.URL.Query()
	filter := store.EventFilter{Site: q.Get("site"), Least: model.Severity(known(q.Get("least"), severities...)), NotExcepted: q.Get("open") != ""}
	d := events{WithoutExcepted: filter.NotExcepted, Since: q.Get("since"), Until: q.Get("until")}
	if k := known(q.Get("kind"), texts(eventKinds()...)...); k != "" {
		filter.Kinds = []store.EventKind{store.EventKind(k)}
	}
	if id, err := strconv.ParseInt(q.Get("host"), 10, 64); err == nil {
		h, err := v.store.Host(v.ctx(), id)
		if err != nil {
			return err
		}
		filter.HostID, d.Host = id, &h
	}
	if id, err := strconv.ParseInt(q.Get("run"), 10, 64); err == nil {
		filter.RunID = id
	}
	filter.Since, filter.Until = timeOf(q.Get("since"), false), timeOf(q.Get("until"), true)
	page := v.pageOf("-at", rows)
	page.Sort = "-at"
	list, total, err := v.store.Events(v.ctx(), filter, page)
	if err != nil {
		return err
	}
	d.Rows, d.Pager = list, v.pager(page, len(list), total)
	c, err := v.choices(q)
	if err != nil {
		return err
	}
	d.Sites = c.Sites
	d.Kinds = wordOptions(q.Get("kind"), "every kind", texts(eventKinds()...))
	d.Least = options(q.Get("least"), "any weight", severities)
	for _, format := range []string{"csv", "json"} {
		d.Exports = append(d.Exports, export{format, "/export/events." + format + "?" + q.Encode()})
	}
	return v.render("events", "Changes", d)
}

// timeOf reads a day or a moment; the end of a day where it ends something. What is neither is no time.
func timeOf(s string, end bool) time.Time {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	if t, err := time.Parse("2006-01-02", s); err == nil {
		if end {
			return t.Add(24*time.Hour - time.Microsecond)
		}
		return t
	}
	return time.Time{}
}
