package view

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The kinds of parameters.
const (
	Text    = "string"
	Number  = "integer"
	Boolean = "boolean"
	Moment  = "date-time" // a day, or a time as in RFC 3339
)

// Param is one parameter of a query.
type Param struct {
	Name, Kind string
	Enum       []string // its valid values; nil is any
	About      string
	Needed     bool
}

// MaxParam bounds a parameter in bytes: longer than any name.
const MaxParam = 500

// Check returns what is wrong with a value, or nothing.
func (p Param) Check(s string) string {
	switch {
	case len(s) > MaxParam || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "longer than 500 bytes, or with control characters"
	case len(p.Enum) > 0 && !slices.Contains(p.Enum, s):
		return "want one of " + strings.Join(p.Enum, ", ")
	}
	switch p.Kind {
	case Number:
		if n, err := strconv.ParseInt(s, 10, 64); err != nil || n < 0 || n > 1<<53 {
			return "want a number from 0"
		}
	case Boolean:
		if s != "true" && s != "false" {
			return "want true or false"
		}
	case Moment:
		if Time(s, false).IsZero() {
			return "want a date such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z"
		}
	}
	return ""
}

// The valid words of filters, in display order.
var (
	Severities    = texts(model.Critical, model.High, model.Medium, model.Low, model.Info)
	Criticalities = texts(store.CriticalityHigh, store.CriticalityNormal, store.CriticalityLow)
	Logons        = texts(model.Strengths()...)
	Audits        = []string{store.AuditOld, store.AuditNone}
	Verdicts      = texts(model.Exposed, model.Limited, model.Closed, model.VerdictInconclusive, model.Unreachable,
		store.VerdictUnknown)
	RolloutStates = texts(
		store.RolloutOpen, store.RolloutClosed, store.RolloutWaiting, store.RolloutUnaudited, store.RolloutUnwatched,
		store.RolloutNothing, store.RolloutQuestion,
		store.RolloutRefused, store.RolloutFailed, store.RolloutGone,
	)
	EventKinds = texts(
		store.EventBecameExposed, store.EventBecameClosed, store.EventNewHost, store.EventVanished, store.EventReturned,
		store.EventPipeOpened,
		store.EventPipeClosed, store.EventNullPipeGained, store.EventSettingChanged, store.EventSettingReverted,
		store.EventSMB1Returned,
		store.EventInconclusive, store.EventNewFinding, store.EventFindingEnded, store.EventExceptionEnded,
		store.EventWeakLogon,
		store.EventRetired, store.EventWorkerSilent, store.EventChannelFailing, store.EventRunFailed,
		store.EventDiskFull,
		store.EventCertificateEnd, store.EventProblemEnded,
	)
)

// The filters, by the names in pages and API.
var (
	HostFilter = []Param{
		{Name: "q", Kind: Text, About: "part of a name or address"},
		{Name: "site", Kind: Text},
		{Name: "tag", Kind: Text},
		{Name: "owner", Kind: Text},
		{Name: "criticality", Kind: Text, Enum: Criticalities},
		{Name: "verdict", Kind: Text, Enum: Verdicts},
		{Name: "discloses", Kind: Text, Enum: texts(model.Disclosures()...), About: "strangers are given it"},
		{Name: "finding", Kind: Text, About: "an open finding's id"},
		{Name: "setting", Kind: Text, About: "a setting that would close an open finding"},
		{Name: "least", Kind: Text, Enum: Severities, About: "minimum severity of the worst open finding"},
		{Name: "unchanged", Kind: Number, About: "days since the last change, at least"},
		{Name: "unseen", Kind: Number, About: "days since the last result, at least"},
		{Name: "smb1", Kind: Boolean},
		{Name: "logon", Kind: Text, Enum: Logons, About: "it is the weakest way in which somebody was let in; with " +
			"client, one of the client's ways"},
		{Name: "client", Kind: Text, About: "it was let in"},
		{Name: "audit", Kind: Text, Enum: Audits, About: "old: the host changed since its last audit; none: it was " +
			"never audited"},
		{Name: "excepted", Kind: Boolean, About: "only hosts with an exception in force"},
		{Name: "retired", Kind: Boolean, About: "hosts that have left the fleet, instead of those in it"},
	}
	EventFilter = []Param{
		{Name: "site", Kind: Text},
		{Name: "host", Kind: Number},
		{Name: "run", Kind: Number},
		{Name: "kind", Kind: Text, Enum: EventKinds},
		{Name: "least", Kind: Text, Enum: Severities, About: "minimum severity"},
		{Name: "since", Kind: Moment},
		{Name: "until", Kind: Moment, About: "a day is meant to its end"},
		{Name: "after", Kind: Number, About: "only events with a higher id"},
		{Name: "open", Kind: Boolean, About: "leave out what an exception covers"},
	}
	TargetFilter = []Param{
		{Name: "q", Kind: Text},
		{Name: "site", Kind: Text},
		{Name: "tag", Kind: Text},
		{Name: "owner", Kind: Text},
		{Name: "kind", Kind: Text, Enum: []string{"host", "range"}},
		{Name: "host", Kind: Number},
		{Name: "enabled", Kind: Boolean},
	}
	TrendFilter = []Param{{Name: "from", Kind: Moment}, {Name: "to", Kind: Moment}, {Name: "site", Kind: Text}}
	Between     = []Param{
		{Name: "from", Kind: Moment, Needed: true, About: "a day is meant to its end"},
		{Name: "to", Kind: Moment, Needed: true, About: "a day is meant to its end"},
	}
)

func texts[T ~string](list ...T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// Known returns s if a list contains it, else nothing.
func Known(s string, list ...string) string {
	if slices.Contains(list, s) {
		return s
	}
	return ""
}

// yes parses a checked box, or true.
func yes(q url.Values, name string) bool { return q.Get(name) != "" && q.Get(name) != "false" }

func number(q url.Values, name string) int64 {
	n, _ := strconv.ParseInt(q.Get(name), 10, 64) // an invalid number selects all
	return n
}

// text returns a parameter without surrounding blanks, and bounded.
func text(q url.Values, name string) string {
	s := q.Get(name)
	return strings.TrimSpace(s[:min(len(s), 4*MaxParam)])
}

// Hosts parses which hosts a query selects. An unknown word selects none.
func Hosts(q url.Values, now time.Time) store.HostFilter {
	f := store.HostFilter{
		Least: model.Severity(text(q, "least")), Unchanged: daysAgo(q, "unchanged", now), Unseen: daysAgo(q, "unseen",
			now),
		Site: text(q, "site"), Tag: strings.ToLower(text(q, "tag")), Owner: text(q, "owner"),
		Criticality: store.Criticality(text(q, "criticality")),
		Verdict:     model.Verdict(text(q, "verdict")), Discloses: model.Disclosure(text(q, "discloses")),
		Finding: text(q, "finding"),
		Setting: text(q, "setting"), Text: text(q, "q"), SMB1: yes(q, "smb1"), Excepted: yes(q, "excepted"),
		Retired: yes(q, "retired"),
		Logon:   model.Strength(text(q, "logon")), Client: text(q, "client"), Audit: text(q, "audit"),
	}
	if Known(string(f.Least), Severities...) != string(f.Least) || Known(string(f.Verdict),
		Verdicts...) != string(f.Verdict) || Known(string(f.Criticality), Criticalities...) != string(f.Criticality) ||
		Known(string(f.Logon), Logons...) != string(f.Logon) || Known(f.Audit, Audits...) != f.Audit {
		return store.HostFilter{IDs: []int64{0}}
	}
	return f
}

// ReadHosts parses which hosts the query of a URL selects, strictly: every parameter must be in [HostFilter] with a
// valid value.
func ReadHosts(query string, now time.Time) (store.HostFilter, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return store.HostFilter{}, errors.New("this is no query of a URL")
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		i := slices.IndexFunc(HostFilter, func(p Param) bool { return p.Name == name })
		switch {
		case i < 0:
			return store.HostFilter{}, fmt.Errorf("the list of hosts has no filter %q", name)
		case len(q[name]) > 1:
			return store.HostFilter{}, fmt.Errorf("the filter %s is given more than once", name)
		case q.Get(name) != "" && HostFilter[i].Check(q.Get(name)) != "":
			return store.HostFilter{}, fmt.Errorf("the filter %s: %s", name, HostFilter[i].Check(q.Get(name)))
		}
	}
	return Hosts(q, now), nil
}

// daysAgo converts an age in days to a time. A century stands for ever.
func daysAgo(q url.Values, name string, now time.Time) time.Time {
	if n := number(q, name); n > 0 {
		return now.AddDate(0, 0, -int(min(n, 36500)))
	}
	return time.Time{}
}

// Events parses which events a query selects. An unknown word selects all.
func Events(q url.Values) store.EventFilter {
	f := store.EventFilter{
		Site: text(q, "site"), HostID: number(q, "host"), RunID: number(q, "run"),
		Least: model.Severity(Known(q.Get("least"), Severities...)),
		Since: Time(q.Get("since"), false), Until: Time(q.Get("until"), true), AfterID: number(q, "after"),
		NotExcepted: yes(q, "open"),
	}
	if k := Known(q.Get("kind"), EventKinds...); k != "" {
		f.Kinds = []store.EventKind{store.EventKind(k)}
	}
	return f
}

// Targets parses which targets a query selects.
func Targets(q url.Values) store.TargetFilter {
	return store.TargetFilter{
		Site: text(q, "site"), Tag: strings.ToLower(text(q, "tag")), Owner: text(q, "owner"), Text: text(q, "q"),
		Kind: store.TargetKind(Known(q.Get("kind"), "host", "range")), HostID: number(q, "host"),
		OnlyEnabled: yes(q, "enabled"),
	}
}

// Time parses a day or a time; the end of a day if it is the end of a period. Anything else is the zero time.
func Time(s string, end bool) time.Time {
	ours := func(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 9999 }
	if t, err := time.Parse(time.RFC3339, s); err == nil && ours(t) {
		return t.UTC()
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || !ours(t) {
		return time.Time{}
	}
	if end {
		t = t.Add(24*time.Hour - time.Microsecond)
	}
	return t
}

// trendDays is the default length of a trend: a quarter.
const trendDays = 91

// Span parses the period of a trend.
func Span(q url.Values, now time.Time) (from, to time.Time) {
	from, to = Time(q.Get("from"), false), Time(q.Get("to"), false)
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -trendDays)
	}
	return from, to
}
