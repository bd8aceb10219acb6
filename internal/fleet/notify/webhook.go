package notify

import (
	"bytes"
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
	"strconv"
	"time"

	"ipcguard/internal/store"
)

// WebhookConfig is what a webhook's channel keeps in the open. Its address is a secret, since for many services whoever
// knows it may post.
type WebhookConfig struct {
	CA       string `json:"ca,omitempty"`       // PEM: the authorities to trust instead of the system's
	Loopback bool   `json:"loopback,omitempty"` // it may be on this machine
	Plain    bool   `json:"plain,omitempty"`    // it may be reached without TLS: whoever is on the way reads what it says
}

// SignatureHeader carries "t=UNIX,v1=HEX": HEX is the HMAC-SHA256, under the channel's key, of UNIX, a full stop and the
// body. A receiver refuses old times, and so what somebody recorded and sends again.
const SignatureHeader = "X-Ipcguard-Signature"

// DeliveryHeader carries the delivery's key. It is the same when a message is sent again.
const DeliveryHeader = "X-Ipcguard-Delivery"

// minKey bounds a key from below: less is guessed by whoever sees one message.
const minKey = 16

type webhook struct {
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
		return nil, wrong("url", "want https://HOST/PATH") // what it is stays a secret
	case u.Scheme == "http" && !c.Plain && !(c.Loopback && thisMachine(u.Hostname())):
		return nil, wrong("url", "want https: without TLS everybody on the way reads it, and that has to be allowed (plain)")
	case u.User != nil:
		return nil, wrong("url", "names and passwords do not belong into the address: the signature says who it is from")
	case u.Fragment != "":
		return nil, wrong("url", "a part after # is never sent")
	case len(s.Key) < minKey || len(s.Key) > 256:
		return nil, wrong("key", "want %d to 256 characters", minKey)
	}
	trusted, err := trust("", c.CA)
	if err != nil {
		return nil, err
	}
	return &webhook{url: s.URL, key: []byte(s.Key), client: &http.Client{
		Timeout:       sendWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer(c.Loopback).DialContext, TLSClientConfig: trusted, TLSHandshakeTimeout: dialWait,
			ResponseHeaderTimeout: sendWait, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
	}}, nil
}

// payload is the body of a webhook. Text is there for chat programs, which show it.
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
	Acts    []told        `json:"acts,omitempty"`
	More    int           `json:"more,omitempty"`
}

func (h *webhook) send(ctx context.Context, m *Message) error {
	p := payload{
		Schema: "ipcguard.events/1", Key: m.Key, Channel: m.Channel, Sent: m.At.UTC(), Digest: m.Digest, Test: m.Test,
		Text: m.subject(), URL: m.Base, Events: make([]store.Event, 0, len(m.Events)), More: m.More,
	}
	for _, e := range m.Events {
		p.Events = append(p.Events, tidy(e))
	}
	for _, a := range m.Acts {
		p.Acts = append(p.Acts, tell(a))
	}
	body, err := json.Marshal(p)
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
	r.Header.Set(SignatureHeader, sign(h.key, m.At, body))
	answer, err := h.client.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // the whole of it names the address
		}
		return fmt.Errorf("notify: webhook: %w", timed(err))
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // what it says is not shown: it could be anything of a network that is not ours
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return nil
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("notify: webhook: it answers %d, and redirects are not followed", answer.StatusCode)
	}
	return fmt.Errorf("notify: webhook: it answers %d", answer.StatusCode)
}

// thisMachine tells of a name or an address that leads nowhere else.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// sign makes the signature's header.
func sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
