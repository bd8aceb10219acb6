package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// subject is the topic of one message: a host in a run, or the server itself.
type subject struct {
	host int64
	name string // if the host has no id
	run  int64
}

func subjectOf(e *store.Event) subject {
	if e.HostID != 0 {
		return subject{e.HostID, "", e.RunID}
	}
	return subject{0, e.Host, e.RunID}
}

// change is what a message says about one host and run, in a form for people.
type change struct {
	Host     string         `json:"host,omitempty"`
	HostID   int64          `json:"host_id,omitempty"`
	Site     string         `json:"site,omitempty"`
	RunID    int64          `json:"run_id,omitempty"`
	Severity model.Severity `json:"severity"`
	Since    time.Time      `json:"since"`
	Opened   []string       `json:"opened,omitempty"` // to strangers, or weaker than before: one sentence each
	Closed   []string       `json:"closed,omitempty"`
	Other    []string       `json:"other,omitempty"`
	Fix      []string       `json:"fix,omitempty"`
	URL      string         `json:"url,omitempty"` // of the host's page
}

// Bounds of what a message says about one host: what a person reads before opening its page.
const (
	maxSentences = 12
	maxFixes     = 3
)

// changes groups a message's events by host and run, in the order in which they began.
func (m *Message) changes() []change {
	known, _ := catalog.Load() // the built-in catalog never fails
	var out []change
	at := map[subject]int{}
	for _, e := range m.Events {
		of := subjectOf(&e)
		n, there := at[of]
		if !there {
			n, at[of] = len(out), len(out)
			t := tidy(e)
			out = append(out, change{
				Host:   t.Host,
				HostID: e.HostID,
				Site:   t.Site,
				RunID:  e.RunID,
				Since:  e.At.UTC(),
				URL:    m.page(e.HostID),
			})
		}
		c := &out[n]
		if e.Severity.Rank() > c.Severity.Rank() || c.Severity == "" {
			c.Severity = e.Severity
		}
		if e.At.Before(c.Since) {
			c.Since = e.At.UTC()
		}
		c.add(e)
		if fix := m.fix(known, e); fix != "" && len(c.Fix) < maxFixes && !slices.Contains(c.Fix, fix) {
			c.Fix = append(c.Fix, fix)
		}
	}
	for i := range out {
		for _, list := range []*[]string{&out[i].Opened, &out[i].Closed, &out[i].Other} {
			if n := len(*list); n > maxSentences {
				*list = append((*list)[:maxSentences:maxSentences], fmt.Sprintf("And %d more.", n-maxSentences))
			}
		}
	}
	return out
}

// add adds an event's sentence without the host's name, which the message gives once.
func (c *change) add(e store.Event) {
	text := line(strings.TrimPrefix(e.Text, e.Host+" "), maxEventText)
	if text == "" {
		text = title(e.Kind)
	}
	if first, size := utf8.DecodeRuneInString(text); first != utf8.RuneError {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	list := &c.Other
	switch e.Kind {
	case store.EventBecameExposed, store.EventPipeOpened, store.EventNullPipeGained, store.EventSettingReverted,
		store.EventSMB1Returned, store.EventNewFinding, store.EventWeakLogon:
		list = &c.Opened
	case store.EventSettingChanged:
		if e.Severity.Rank() >= model.Medium.Rank() { // to a weak value
			list = &c.Opened
		}
	case store.EventNewHost:
		if e.After == string(model.Exposed) {
			list = &c.Opened
		}
	case store.EventBecameClosed, store.EventPipeClosed, store.EventFindingEnded, store.EventProblemEnded:
		list = &c.Closed
	}
	*list = append(*list, text)
}

// fix returns the remedy of an event; empty if there is none, or if a finding of the same change gives it.
func (m *Message) fix(c *catalog.Catalog, e store.Event) string {
	switch e.Kind {
	case store.EventNewFinding, store.EventNewHost: // a new host's subject is its gravest finding
		if f := c.Finding(e.Subject); f != nil {
			return c.Fix(f, model.Platform{System: m.Systems[e.HostID], Role: model.UnknownRole})
		}
	case store.EventSettingReverted:
		return line("Set "+e.Subject+" to "+e.Before+" again, and find what took it back: a policy, or a hand.",
			maxEventText)
	case store.EventNullPipeGained:
		return line("Remove "+e.Subject+" from NullSessionPipes.", maxEventText)
	}
	return ""
}

// page returns the address of a host's page, or of the page of all changes without a host. It is empty if the server
// has no base URL.
func (m *Message) page(host int64) string {
	switch base := strings.TrimSuffix(m.Base, "/"); {
	case base == "":
		return ""
	case host == 0:
		return base + "/events"
	default:
		return base + "/hosts/" + strconv.FormatInt(host, 10)
	}
}

// clock formats a time in the channel's zone.
func (m *Message) clock(t time.Time) string {
	if m.Zone != nil {
		return t.In(m.Zone).Format("2006-01-02 15:04 MST")
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}

// head names the topic of a change.
func (c *change) head() string {
	switch {
	case c.Host == "":
		return "ipcguard"
	case c.Site == "":
		return c.Host
	}
	return c.Host + " (site " + c.Site + ")"
}

// section is a labelled part of a host's message.
type section struct {
	Label string
	Lines []string
}

// sections returns the parts below the host's name, the most important first.
func (c *change) sections(m *Message) []section {
	var out []section
	for _, s := range []section{
		{"Opened", c.Opened},
		{"Closed", c.Closed},
		{"Changed", c.Other},
		{"Since", []string{m.clock(c.Since)}},
		{"Fix", c.Fix},
	} {
		if len(s.Lines) > 0 {
			out = append(out, s)
		}
	}
	return out
}
