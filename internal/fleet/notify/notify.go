// Package notify reports changes by webhook, e-mail and syslog, and the audit log to programs.
//
//	events ─► channel's filter (kind, severity, not excepted) ─┐
//	acts   ─► channels that get acts                          ─┴─► delivery, at once or as a digest ─► sender ─► peer
//
// The rules of the room:
//
//   - Every event and act is gathered once for each channel, in order, after its transaction has committed. The
//     progress is stored in the transaction that creates the delivery, so that a crash loses none and doubles none. A
//     delivery that was being sent during a crash is sent again, with the same key, by which a receiver can recognize
//     it.
//   - A peer that fails is retried, with growing pauses, and then given up.
//   - Names and texts come from hosts that are not trusted: they become one line of bounded length, escaped for their
//     destination.
//   - Secrets (a webhook's address and key, a password) are sealed in the store. No error contains them; it may name
//     the host of the address, which an administrator needs for a repair.
//   - It connects to any address except those of special use (link-local, multicast, unspecified and reserved ones) and
//     of the metadata services of clouds, which have no receiver; and to a webhook on this machine only if its channel
//     says so. Names are checked after they are resolved, at the connection. It uses no proxy and follows no redirect.
package notify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The kinds of channel.
const (
	KindWebhook = "webhook"
	KindEmail   = "email"
	KindSyslog  = "syslog"
)

// Message is the content of one delivery.
type Message struct {
	Key     string // the delivery's: the same for a retry
	Channel string
	Digest  bool
	Test    bool // a test by an administrator
	At      time.Time
	Events  []store.Event
	Acts    []store.Act
	More    int    // events of this delivery that are not listed
	Base    string // base URL of the page for links; empty is none
	Version string // of this program

	Zone    *time.Location   // for times that people read; nil is UTC
	Systems map[int64]string // the operating systems of hosts by id, as far as looked up
}

// Secrets are the sealed part of a channel's settings.
type Secrets struct {
	URL      string `json:"url,omitempty"`      // webhook: its address
	Key      string `json:"key,omitempty"`      // webhook: the key of the signature
	Password string `json:"password,omitempty"` // e-mail
}

// Moved removes the secrets that must be entered again when a channel's settings change: otherwise whoever redirects a
// channel to another server, or removes its protection, would get its password.
func (s Secrets) Moved(kind, before, after string) Secrets {
	var a, b EmailConfig
	if kind != KindEmail {
		return s
	}
	if json.Unmarshal([]byte(before), &a) != nil || json.Unmarshal([]byte(after), &b) != nil ||
		a.Server != b.Server || a.Security != b.Security || a.User != b.User || a.CA != b.CA {
		s.Password = ""
	}
	return s
}

// sender sends through one kind of channel.
type sender interface {
	send(ctx context.Context, m *Message) error
}

// ConfigError says what is wrong with a channel's settings. It quotes no secret.
type ConfigError struct{ Field, Text string }

// Error implements error.
func (e *ConfigError) Error() string { return "notify: " + e.Field + ": " + e.Text }

func wrong(field, format string, args ...any) error {
	return &ConfigError{field, fmt.Sprintf(format, args...)}
}

// Check returns what is wrong with a channel's settings, or nil. It connects to nothing.
func Check(kind, config string, s Secrets) error {
	_, err := open(kind, config, s)
	return err
}

func open(kind, config string, s Secrets) (sender, error) {
	switch kind {
	case KindWebhook:
		return newWebhook(config, s)
	case KindEmail:
		return newEmail(config, s)
	case KindSyslog:
		return newSyslog(config)
	}
	return nil, wrong("kind", "want webhook, email or syslog")
}

// maxConfig bounds a channel's settings in bytes: a chain of certificates fits.
const maxConfig = 64 << 10

// decode parses settings strictly, so that a mistyped name does not silently use a default.
func decode(config string, into any) error {
	if len(config) > maxConfig {
		return wrong("config", "longer than %d bytes", maxConfig)
	}
	if strings.TrimSpace(config) == "" {
		config = "{}"
	}
	d := json.NewDecoder(strings.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return wrong("config", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return wrong("config", "more than one JSON value")
	}
	return nil
}

// title returns the title of a kind of event.
func title(k store.EventKind) string {
	switch k {
	case store.EventNewHost:
		return "New host"
	case store.EventBecameExposed:
		return "Host became exposed"
	case store.EventBecameClosed:
		return "Host became closed"
	case store.EventPipeOpened:
		return "Pipe opened to strangers"
	case store.EventPipeClosed:
		return "Pipe closed to strangers"
	case store.EventNullPipeGained:
		return "NullSessionPipes gained an entry"
	case store.EventSettingChanged:
		return "Setting changed"
	case store.EventSettingReverted:
		return "Setting changed back"
	case store.EventSMB1Returned:
		return "SMB1 returned"
	case store.EventVanished:
		return "Host vanished"
	case store.EventReturned:
		return "Host returned"
	case store.EventInconclusive:
		return "Verdict turned inconclusive"
	case store.EventNewFinding:
		return "New finding"
	case store.EventFindingEnded:
		return "Finding ended"
	case store.EventRetired:
		return "Host retired"
	case store.EventWorkerSilent:
		return "Worker silent"
	case store.EventChannelFailing:
		return "Channel fails"
	case store.EventRunFailed:
		return "Run failed"
	case store.EventDiskFull:
		return "Disk nearly full"
	case store.EventCertificateEnd:
		return "Certificate about to end"
	case store.EventProblemEnded:
		return "Problem of the server is over"
	case store.EventExceptionEnded:
		return "Exception ended"
	case store.EventWeakLogon:
		return "New client with a weak logon"
	}
	return "Change"
}

// Kinds lists all kinds of events with their titles, in the order in which forms show them.
func Kinds() []struct {
	Kind  store.EventKind
	Title string
} {
	out := make([]struct {
		Kind  store.EventKind
		Title string
	}, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, struct {
			Kind  store.EventKind
			Title string
		}{k, title(k)})
	}
	return out
}

var kinds = []store.EventKind{
	store.EventBecameExposed, store.EventBecameClosed, store.EventPipeOpened, store.EventPipeClosed,
	store.EventNullPipeGained, store.EventSettingChanged, store.EventSettingReverted, store.EventSMB1Returned,
	store.EventNewHost, store.EventVanished, store.EventReturned, store.EventInconclusive, store.EventNewFinding,
	store.EventFindingEnded, store.EventExceptionEnded, store.EventWeakLogon,
	store.EventRetired, store.EventWorkerSilent, store.EventChannelFailing, store.EventRunFailed, store.EventDiskFull,
	store.EventCertificateEnd, store.EventProblemEnded,
}

// subject returns a message's subject line.
func (m *Message) subject() string {
	if m.Test {
		return "ipcguard: test of " + line(m.Channel, 100)
	}
	if n := len(m.Acts); n > 0 {
		if n == 1 {
			return "ipcguard: " + line(m.Acts[0].Action+" "+m.Acts[0].Subject, 150)
		}
		return fmt.Sprintf("ipcguard: %d entries of the audit log, from %s to %s",
			n, m.Acts[0].Action, m.Acts[n-1].Action)
	}
	n := len(m.Events) + m.More
	if n == 0 {
		return "ipcguard"
	}
	if n == 1 {
		return "ipcguard: " + line(m.Events[0].Text, 150)
	}
	worst := slices.MaxFunc(m.Events, func(a, b store.Event) int { return a.Severity.Rank() - b.Severity.Rank() })
	hosts := map[string]bool{}
	for _, e := range m.Events {
		hosts[e.Host] = true
	}
	text := fmt.Sprintf("ipcguard: %d changes", n)
	if m.Digest {
		text = fmt.Sprintf("ipcguard digest: %d changes", n)
	}
	switch {
	case m.More == 0 && len(hosts) == 1 && worst.Host != "": // the worst of them says most
		return fmt.Sprintf("ipcguard: %s And %d more.", line(worst.Text, 150), n-1)
	case m.More == 0:
		text += fmt.Sprintf(" on %d %s", len(hosts), plural(len(hosts), "host", "hosts"))
	}
	return text + ", the worst " + string(worst.Severity)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// line returns s as one line of at most most bytes, without control characters and characters that hide or reorder
// text.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if model.Hidden(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= most {
		return s
	}
	cut := most - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:max(cut, 0)] + "…"
}

// Bounds of an event's texts in messages, in bytes: a syslog message of one event stays below the 2,048 that receivers
// should accept according to RFC 5424, with all texts at their longest and usual escaping.
const (
	maxHostText    = 200
	maxSubjectText = 200
	maxValueText   = 250
	maxEventText   = 400
)

// tidy bounds and cleans texts that a host may have chosen.
func tidy(e store.Event) store.Event {
	e.Host = line(e.Host, maxHostText)
	e.Site = line(e.Site, maxHostText)
	e.Subject = line(e.Subject, maxSubjectText)
	e.Before = line(e.Before, maxValueText)
	e.After = line(e.After, maxValueText)
	e.Text = line(e.Text, maxEventText)
	return e
}

// tidyAct does the same for an entry of the audit log. Entries are stored bounded and clean; a database that others
// wrote to may contain different ones.
func tidyAct(a store.Act) store.Act {
	a.Who = line(a.Who, 2*maxSubjectText)
	a.From = line(a.From, maxSubjectText)
	a.Action = line(a.Action, maxSubjectText)
	a.Subject = line(a.Subject, 2*maxSubjectText)
	a.Detail = line(a.Detail, 2*maxValueText)
	return a
}

// told is an act as programs get it. Chain is its hash in the audit log, where serve check finds it.
type told struct {
	store.Act
	Chain string `json:"chain,omitempty"`
}

func tell(a store.Act) told { return told{tidyAct(a), hex.EncodeToString(a.Hash)} }

// errNoAnswer is the error for a peer that does not answer.
var errNoAnswer = errors.New("no answer in time")

// timed gives all timeouts the same text.
func timed(err error) error {
	var t interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return errNoAnswer
	}
	return err
}
