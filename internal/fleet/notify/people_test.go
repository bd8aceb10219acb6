package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// on adds an event of a host in a run.
func (c *scene) on(host int64, run int64, text string) {
	c.t.Helper()
	e := store.Event{
		At:       c.now,
		Kind:     store.EventPipeOpened,
		HostID:   host,
		Host:     fmt.Sprintf("srv%d", host),
		RunID:    run,
		Severity: model.High,
		Text:     text,
	}
	if err := c.st.AddEvents(c.t.Context(), []store.Event{e}); err != nil {
		c.t.Fatal(err)
	}
}

// Events of quiet hours are reported once when they end, though the service is restarted between any two rounds and the
// receiver was down when they began; acts are reported at once.
func TestQuietHours(t *testing.T) { onBoth(t, testQuietHours) }

func testQuietHours(t *testing.T, c *scene) {
	c.channel("ops", func(ch *store.Channel) { ch.Quiet, ch.Zone = "22:00-07:00", "Europe/Berlin" })
	c.channel("siem", nil)
	c.channel("morning", func(ch *store.Channel) {
		ch.Digest, ch.Quiet, ch.Zone = "0 6 * * *", "22:00-07:00", "Europe/Berlin"
	})
	round := func(after time.Duration) map[string][]int {
		c.now = c.now.Add(after)
		c.s = New(c.st, c.s.Options) // as after a restart
		c.round()
		return c.taken()
	}
	round(0)
	c.now = time.Date(2026, 11, 22, 20, 59, 0, 0, time.UTC) // 21:59 in Berlin
	c.events(1, store.EventNewHost, model.Info)
	c.fail = true
	round(0)
	c.fail = false
	c.events(2, store.EventNewHost, model.Info)
	if got := round(2 * time.Minute); !same(got, map[string][]int{"siem": {1}}) { // the rest comes with the next round
		t.Errorf("at 22:01: %v", got)
	}
	c.events(3, store.EventNewHost, model.Info)
	if got := round(7 * time.Hour); !same(got, map[string][]int{"siem": {5}}) {
		t.Errorf("at 05:01: %v", got)
	}
	if got := round(time.Hour); len(got) > 0 { // the digest is due, but the hours are quiet
		t.Errorf("at 06:01: %v", got)
	}
	got := round(time.Hour) // 07:01
	for name, sizes := range round(time.Hour) {
		got[name] = append(got[name], sizes...)
	}
	if !same(got, map[string][]int{"ops": {1, 5}, "morning": {6}}) {
		t.Errorf("from 07:01: %v", got)
	}
	if got := round(24 * time.Hour); len(got) > 0 {
		t.Errorf("told again: %v", got)
	}
}

// A host and run get one message; many hosts at once share one, and so does a digest.
func TestMessageAHost(t *testing.T) { onBoth(t, testMessageAHost) }

func testMessageAHost(t *testing.T, c *scene) {
	c.channel("ops", nil)
	c.round()
	c.on(1, 10, "srv1 opened a.")
	c.on(2, 10, "srv2 opened a.")
	c.on(1, 10, "srv1 opened b.")
	c.on(1, 11, "srv1 opened c.")
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"ops": {2, 1, 1}}) {
		t.Errorf("three changes: %v", got)
	}
	for host := range int64(maxAlone + 1) {
		c.on(host+1, 12, "x")
	}
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"ops": {maxAlone + 1}}) {
		t.Errorf("many hosts: %v", got)
	}
}

// A change says what opened, since when, where it is shown and how to fix it.
func TestChanges(t *testing.T) {
	at := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	m := &Message{Base: "https://guard.example/", Systems: map[int64]string{3: "samba"}, Events: []store.Event{
		{
			At: at.Add(time.Minute), HostID: 3, Host: "srv", RunID: 1, Kind: store.EventNewFinding,
			Subject: "anonymous-lists-accounts", Severity: model.Critical,
			Text: "srv has a new finding: A stranger lists accounts.",
		},
		{
			At: at, HostID: 3, Host: "srv", RunID: 1, Kind: store.EventPipeOpened,
			Severity: model.Medium, Text: "srv öffnet.",
		},
		{
			At: at, HostID: 3, Host: "srv", RunID: 1, Kind: store.EventSettingChanged,
			Severity: model.Low, Text: "über alles",
		},
		{
			At: at, HostID: 3, Host: "srv", RunID: 1, Kind: store.EventPipeClosed,
			Severity: model.Info, Text: "srv closed x.",
		},
	}}
	all := m.changes()
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	c := all[0]
	if !slices.Equal(c.Opened, []string{"Has a new finding: A stranger lists accounts.", "Öffnet."}) ||
		!slices.Equal(c.Other, []string{"Über alles"}) || !slices.Equal(c.Closed, []string{"Closed x."}) {
		t.Errorf("%+v", c)
	}
	if !c.Since.Equal(at) || c.URL != "https://guard.example/hosts/3" || c.Severity != model.Critical ||
		len(c.Fix) != 1 || !strings.Contains(c.Fix[0], "restrict anonymous") {
		t.Errorf("%+v", c)
	}
}

// The message about a new host that is exposed says how to mend what is worst, as one about a new finding does.
func TestNewHostHasAFix(t *testing.T) {
	m := &Message{Systems: map[int64]string{3: "samba"}, Events: []store.Event{{
		HostID: 3, Host: "srv", RunID: 1, Kind: store.EventNewHost, Subject: "anonymous-lists-accounts",
		Severity: model.Critical, After: string(model.Exposed), Text: "srv is new and exposed.",
	}}}
	if c := m.changes()[0]; len(c.Fix) != 1 || !strings.Contains(c.Fix[0], "restrict anonymous") ||
		!slices.Equal(c.Opened, []string{"Is new and exposed."}) {
		t.Errorf("%+v", c)
	}
}

// chatBody sends a message in a shape and returns what arrived.
func chatBody(t *testing.T, shape string, m *Message) (string, http.Header) {
	t.Helper()
	var body []byte
	var header http.Header
	s := receiver(t, "127.45.1.1", func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	})
	s.Start()
	to, err := open(KindWebhook, `{"loopback":true,"shape":"`+shape+`"}`, Secrets{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return string(body), header
}

// crowd returns a message of many hosts with the longest and worst texts.
func crowd() *Message {
	m := someMessage()
	m.Events = nil
	for host := range int64(40) {
		for n := range 20 {
			bad := strings.Repeat("<!channel> & [x](javascript:1) *a* _b_ 漢\x00\u202e", 40)
			m.Events = append(m.Events, store.Event{
				At:       m.At,
				Kind:     store.EventNullPipeGained,
				HostID:   host + 1,
				Host:     bad,
				Site:     bad,
				Severity: model.High,
				Subject:  fmt.Sprint(n) + bad,
				Text:     fmt.Sprint(n) + bad,
			})
		}
	}
	return m
}

// Slack's limits are kept, and nothing that a host chose is a link or a mention.
func TestSlack(t *testing.T) {
	for name, m := range map[string]*Message{
		"some": someMessage(),
		"many": crowd(),
		"test": {Test: true, Channel: "x", At: time.Now(), Events: someEvents()[:1]},
	} {
		body, header := chatBody(t, ShapeSlack, m)
		var p struct {
			Text   string
			Blocks []struct {
				Type     string
				Text     *struct{ Type, Text string }
				Elements []struct{ Type, Text string }
			}
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil || !utf8.ValidString(body) {
			t.Fatal(name, err)
		}
		if header.Get(SignatureHeader) != "" || p.Text == "" || len(p.Blocks) == 0 || len(p.Blocks) > 50 {
			t.Errorf("%s: signature %q, text %q, %d blocks", name, header.Get(SignatureHeader), p.Text, len(p.Blocks))
		}
		total := 0
		for _, b := range p.Blocks {
			if b.Text != nil {
				n := utf8.RuneCountInString(b.Text.Text)
				total += n
				if n == 0 || n > 3000 || b.Type == "header" && n > 150 || b.Text.Type != "plain_text" ||
					strings.ContainsAny(b.Text.Text, "<>&\x00\u202e") {
					t.Errorf("%s: a block of %d: %q", name, n, b.Text.Text)
				}
			}
			for _, e := range b.Elements {
				total += len(e.Text)
				if !strings.HasPrefix(e.Text, "<https://ipcguard.example/hosts/") {
					t.Errorf("%s: %q", name, e.Text)
				}
			}
		}
		if total > 13_000 {
			t.Errorf("%s: %d characters in all", name, total)
		}
	}
}

// The card stays within Teams' size limit, and shows what a host chose only where markup has no meaning.
func TestTeams(t *testing.T) {
	for name, m := range map[string]*Message{"some": someMessage(), "many": crowd()} {
		body, header := chatBody(t, ShapeTeams, m)
		var p struct {
			Type        string
			Attachments []struct {
				ContentType string
				Content     struct {
					Type, Version string
					Body          []map[string]any
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(name, err)
		}
		if len(body) > 21_000 || header.Get(SignatureHeader) != "" || p.Type != "message" || len(p.Attachments) != 1 ||
			p.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" ||
			p.Attachments[0].Content.Type != "AdaptiveCard" || p.Attachments[0].Content.Version != "1.2" {
			t.Errorf("%s: %d bytes: %+v", name, len(body), p)
		}
		if strings.Contains(body, `"TextBlock"`) || strings.Contains(body, `"FactSet"`) ||
			!strings.Contains(body, `"url":"https://ipcguard.example/hosts/`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	s := receiver(t, "127.45.1.1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w,
			"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429")
	})
	s.Start()
	to, err := open(KindWebhook, `{"loopback":true,"shape":"teams"}`, Secrets{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.send(t.Context(), someMessage()); err == nil {
		t.Error("what Teams refuses with 200 counts as sent")
	}
}

// Only programs check signatures and get acts.
func TestShapes(t *testing.T) {
	at := Secrets{URL: "https://hooks.example/x"}
	for config, want := range map[string]bool{
		`{}`:                false,
		`{"shape":"json"}`:  false,
		`{"shape":"slack"}`: true,
		`{"shape":"teams"}`: true,
		`{"shape":"irc"}`:   false,
	} {
		if err := Check(KindWebhook, config, at); (err == nil) != want {
			t.Errorf("%s without a key: %v", config, err)
		}
	}
	for _, x := range []struct {
		kind, config string
		want         bool
	}{
		{KindWebhook, "", true},
		{KindWebhook, `{"shape":"slack"}`, false},
		{KindWebhook, `{"shape":"teams"}`, false},
		{KindSyslog, "{}", true},
		{KindEmail, "{}", false},
	} {
		if TakesActs(x.kind, x.config) != x.want {
			t.Errorf("%s %s: %v", x.kind, x.config, !x.want)
		}
	}
}
