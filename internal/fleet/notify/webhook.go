package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ipcguard/internal/store"
)

// WebhookConfig is the part of a webhook's settings that is not secret. Its address is a secret, since with many
// services whoever knows it may post.
type WebhookConfig struct {
	CA       string `json:"ca,omitempty"`       // PEM: the authorities to trust instead of the system's
	Loopback bool   `json:"loopback,omitempty"` // allow this machine
	// Allow a connection without TLS, which others on the path can read.
	Plain bool   `json:"plain,omitempty"`
	Shape string `json:"shape,omitempty"` // of the body: json (the default), slack or teams
}

// The shapes of a webhook's body. Slack and Teams show messages to people; they check no signature, so none is sent.
const (
	ShapeJSON  = "json"
	ShapeSlack = "slack"
	ShapeTeams = "teams"
)

// Shape returns the shape of a channel's messages; empty if it is no webhook or its settings are invalid.
func Shape(kind, config string) string {
	var c WebhookConfig
	if kind != KindWebhook || json.Unmarshal([]byte(config), &c) != nil {
		return ""
	}
	return cmp.Or(c.Shape, ShapeJSON)
}

// TakesActs reports whether a channel may get acts: programs may, people may not.
func TakesActs(kind, config string) bool {
	return kind == KindSyslog || kind == KindWebhook && Shape(kind, cmp.Or(config, "{}")) == ShapeJSON
}

// SignatureHeader contains "t=UNIX,v1=HEX": HEX is the HMAC-SHA256, under the channel's key, of UNIX, a full stop and
// the body. A receiver refuses old times, and thereby replays.
const SignatureHeader = "X-Ipcguard-Signature"

// DeliveryHeader contains the delivery's key. It is the same for a retry.
const DeliveryHeader = "X-Ipcguard-Delivery"

// minKey is the minimum length of a key: a shorter one can be guessed from one message.
const minKey = 16

type webhook struct {
	shape  string
	url    string
	key    []byte
	client *http.Client
}

func newWebhook(config string, s Secrets) (*webhook, error) {
	var c WebhookConfig
	if err := decode(config, &c); err != nil {
		return nil, err
	}
	if len(s.URL) > 2048 {
		return nil, wrong("url", "longer than 2048 characters")
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, wrong("url", "want https://HOST/PATH") // the address is a secret
	case u.Scheme == "http" && !c.Plain && !(c.Loopback && thisMachine(u.Hostname())):
		return nil, wrong("url",
			"want https: without TLS everybody on the way reads it, and that has to be allowed (plain)")
	case u.User != nil:
		return nil, wrong("url",
			"names and passwords do not belong into the address: the signature says who it is from")
	case u.Fragment != "":
		return nil, wrong("url", "a part after # is never sent")
	case !slices.Contains([]string{"", ShapeJSON, ShapeSlack, ShapeTeams}, c.Shape):
		return nil, wrong("shape", "want json, slack or teams")
	case (c.Shape == "" || c.Shape == ShapeJSON) && (len(s.Key) < minKey || len(s.Key) > 256):
		return nil, wrong("key", "want %d to 256 characters", minKey)
	}
	trusted, err := trust("", c.CA)
	if err != nil {
		return nil, err
	}
	return &webhook{shape: cmp.Or(c.Shape, ShapeJSON), url: s.URL, key: []byte(s.Key), client: &http.Client{
		Timeout:       sendWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer(c.Loopback).DialContext, TLSClientConfig: trusted, TLSHandshakeTimeout: dialWait,
			ResponseHeaderTimeout: sendWait, MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
	}}, nil
}

// payload is the body of a webhook. Chat programs show Text.
type payload struct {
	Schema  string        `json:"schema"`
	Key     string        `json:"key"`
	Channel string        `json:"channel"`
	Sent    time.Time     `json:"sent"`
	Digest  bool          `json:"digest"`
	Test    bool          `json:"test"`
	Text    string        `json:"text"`
	URL     string        `json:"url,omitempty"`
	Events  []store.Event `json:"events"`
	Hosts   []change      `json:"hosts,omitempty"` // the same by host and run, as text
	Acts    []told        `json:"acts,omitempty"`
	More    int           `json:"more,omitempty"`
}

// body returns a message in the shape of its receiver.
func (h *webhook) body(m *Message) ([]byte, error) {
	switch h.shape {
	case ShapeSlack:
		return json.Marshal(m.slack())
	case ShapeTeams:
		return json.Marshal(m.teams())
	}
	p := payload{
		Schema: "ipcguard.events/1", Key: m.Key, Channel: m.Channel, Sent: m.At.UTC(), Digest: m.Digest, Test: m.Test,
		Text: m.subject(), URL: m.Base, Events: make([]store.Event, 0, len(m.Events)), More: m.More, Hosts: m.changes(),
	}
	for _, e := range m.Events {
		p.Events = append(p.Events, tidy(e))
	}
	for _, a := range m.Acts {
		p.Acts = append(p.Acts, tell(a))
	}
	return json.Marshal(p)
}

func (h *webhook) send(ctx context.Context, m *Message) error {
	body, err := h.body(m)
	if err != nil {
		return fmt.Errorf("notify: webhook: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("notify: webhook: the address cannot be used")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "ipcguard/"+m.Version)
	r.Header.Set(DeliveryHeader, m.Key)
	if h.shape == ShapeJSON {
		r.Header.Set(SignatureHeader, sign(h.key, m.At, body))
	}
	answer, err := h.client.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // the outer error contains the address
		}
		return fmt.Errorf("notify: webhook: %w", timed(err))
	}
	defer answer.Body.Close()
	// The response is not shown: it could come from a foreign network.
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	switch {
	// Older webhooks of Teams refuse with status 200.
	case h.shape == ShapeTeams && bytes.Contains(said, []byte("endpoint returned HTTP error")):
		return errors.New("notify: webhook: Teams refuses the message, or asks for a pause")
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return nil
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("notify: webhook: it answers %d, and redirects are not followed", answer.StatusCode)
	}
	return fmt.Errorf("notify: webhook: it answers %d", answer.StatusCode)
}

// thisMachine reports whether a name or an address can only be this machine.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// sign returns the value of the signature's header.
func sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
