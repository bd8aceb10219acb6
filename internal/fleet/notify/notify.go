// Package notify tells people and programs outside what changed, by webhook, e-mail and syslog, and programs what was done.
//
//	events ─► channel's filter (kind, severity, not excepted) ─┐
//	acts   ─► channels that are told of them                  ─┴─► delivery, at once or as a digest ─► sender ─► peer
//
// The rules of the room:
//
//   - Every event and act is gathered once for each channel, in order, after the transaction that wrote it was kept: which
//     ones were is kept in the transaction that makes the delivery, so that a crash loses none and doubles none. A delivery that was sent when the crash came is sent again: it has the
//     same key, by which a receiver can tell.
//   - A peer that fails is asked again, later each time, and then given up: nobody is asked for ever.
//   - Names and texts come from hosts that nobody trusts: they are one line of bounded length, escaped for where they go.
//   - Secrets (a webhook's address and key, a password) come sealed from the store. No error names them; of the address it may
//     tell the host, which whoever mends it has to know.
//   - Where it may connect: everywhere but to link-local, multicast and unspecified addresses, which hold the metadata
//     services of clouds and nothing that takes messages; and a webhook to this machine itself only where its channel
//     says so. Names are checked after they are resolved, at the connection. No proxy is used, no redirect followed.
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

// Message is what one delivery says.
type Message struct {
	Key     string // the delivery's: the same when it is sent again
	Channel string
	Digest  bool
	Test    bool // somebody pressed the button
	At      time.Time
	Events  []store.Event
	Acts    []store.Act
	More    int    // events of this delivery that are not listed
	Base    string // the page's address for links; empty is none
	Version string // of this program

	Zone    *time.Location   // of the times that people read; nil is UTC
	Systems map[int64]string // what hosts run, by their numbers, as far as it was looked up
}

// Secrets are what a channel keeps sealed.
type Secrets struct {
	URL      string `json:"url,omitempty"`      // webhook: where to
	Key      string `json:"key,omitempty"`      // webhook: of the signature
	Password string `json:"password,omitempty"` // e-mail
}

// Moved takes away what must be given again when a channel's settings change: whoever has a stored password sent to
// another server, or without its protection, would be told it.
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

// sender is one kind of channel, ready to send.
type sender interface {
	send(ctx context.Context, m *Message) error
}

// ConfigError says what is wrong with a channel's settings. It quotes no secret.
type ConfigError struct{ Field, Text string }

// Error says it in plain words.
func (e *ConfigError) Error() string { return "notify: " + e.Field + ": " + e.Text }

func wrong(field, format string, args ...any) error {
	return &ConfigError{field, fmt.Sprintf(format, args...)}
}

// Check says what is wrong with a channel's settings, or nothing. It connects to nothing.
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

// decode reads settings strictly, so that a mistyped name does not pass for a default.
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

// title is what an event's kind is called.
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

// Kinds lists every kind of event with what it is called, in the order in which forms show them.
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
	store.EventBecameExposed, store.EventBecameClosed, store.EventPipeOpened, store.EventPipeClosed, store.EventNullPipeGained,
	store.EventSettingChanged, store.EventSettingReverted, store.EventSMB1Returned, store.EventNewHost, store.EventVanished,
	store.EventReturned, store.EventInconclusive, store.EventNewFinding, store.EventFindingEnded, store.EventExceptionEnded,
	store.EventWeakLogon,
	store.EventRetired, store.EventWorkerSilent, store.EventChannelFailing, store.EventRunFailed, store.EventDiskFull,
	store.EventCertificateEnd, store.EventProblemEnded,
}

// subject is a message in one line.
func (m *Message) subject() string {
	if m.Test {
		return "ipcguard: test of " + line(m.Channel, 100)
	}
	if n := len(m.Acts); n > 0 {
		if n == 1 {
			return "ipcguard: " + line(m.Acts[0].Action+" "+m.Acts[0].Subject, 150)
		}
		return fmt.Sprintf("ipcguard: %d entries of the audit log, from %s to %s", n, m.Acts[0].Action, m.Acts[n-1].Action)
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

// line makes one line of at most so many bytes of a text, without control characters and marks that hide or turn text.
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

// Bounds of an event's texts on the way out, in bytes: a syslog message of one event stays below the 2,048 that RFC 5424
// says receivers should take, all texts at their longest and escaped as usual texts are.
const (
	maxHostText    = 200
	maxSubjectText = 200
	maxValueText   = 250
	maxEventText   = 400
)

// tidy bounds and cleans what a host may have chosen.
func tidy(e store.Event) store.Event {
	e.Host = line(e.Host, maxHostText)
	e.Site = line(e.Site, maxHostText)
	e.Subject = line(e.Subject, maxSubjectText)
	e.Before = line(e.Before, maxValueText)
	e.After = line(e.After, maxValueText)
	e.Text = line(e.Text, maxEventText)
	return e
}

// tidyAct is tidy for a line of the audit log. They come bounded and clean from where acts are done; a database that
// somebody else wrote to may hold others.
func tidyAct(a store.Act) store.Act {
	a.Who = line(a.Who, 2*maxSubjectText)
	a.From = line(a.From, maxSubjectText)
	a.Action = line(a.Action, maxSubjectText)
	a.Subject = line(a.Subject, 2*maxSubjectText)
	a.Detail = line(a.Detail, 2*maxValueText)
	return a
}

// told is an act as programs are told of it. Chain is its hash in the audit log, which serve check finds there again.
type told struct {
	store.Act
	Chain string `json:"chain,omitempty"`
}

func tell(a store.Act) told { return told{tidyAct(a), hex.EncodeToString(a.Hash)} }

// errNoAnswer is what a peer's silence is.
var errNoAnswer = errors.New("no answer in time")

// timed says time-outs in the same words wherever they come from.
func timed(err error) error {
	var t interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return errNoAnswer
	}
	return err
}
