package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

const (
	secretKey  = "0123456789abcdef-the-key"
	secretPath = "/hook/very-secret-part"
	hostile    = "srv\r\nBcc: eve@example.net\r\n\r\n<script>alert(1)</script>|a=b\\|\x1b[31m\u202e\x00=1+1"
)

// someEvents returns changes on hosts with hostile names.
func someEvents() []store.Event {
	at := time.Date(2026, 11, 22, 14, 3, 4, 567_000, time.UTC)
	return []store.Event{
		{
			ID: 7, At: at, Kind: store.EventBecameExposed, HostID: 3, Host: "192.0.2.7:445",
			Site: "main", RunID: 12, Severity: model.Critical, Before: "closed", After: "exposed",
			Text: "192.0.2.7:445 gives accounts to strangers.",
		},
		{
			ID: 8, At: at, Kind: store.EventNullPipeGained, HostID: 4, Host: hostile, Site: "main",
			Severity: model.High, Subject: hostile, Before: hostile, After: hostile, Text: hostile,
		},
		{
			ID: 9, At: at, Kind: store.EventBecameClosed, HostID: 5, Host: "größe.example",
			Severity: model.Info, Text: "größe.example is closed: Ü, 漢字, 🙂.",
		},
	}
}

func someMessage() *Message {
	return &Message{
		Key:     "event:7+3",
		Channel: "ops",
		At:      time.Unix(1_795_000_000, 0),
		Events:  someEvents(),
		Base:    "https://ipcguard.example/",
		Version: "1.2.3",
	}
}

// certificate creates a certificate for an address, as PEM.
func certificate(t testing.TB, address string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.ParseIP(address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{
		Type:  "CERTIFICATE",
		Bytes: der,
	}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// receiver starts a web server on an address of its own.
func receiver(t testing.TB, address string, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handle}}
	t.Cleanup(s.Close)
	return s
}

func hook(t testing.TB, url, config string) sender {
	t.Helper()
	s, err := open(KindWebhook, config, Secrets{URL: url, Key: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openssl computes the same signature from the key, the time and the body.
func TestWebhook(t *testing.T) {
	peer.Need(t, "openssl")
	var got *http.Request
	var body []byte
	s := receiver(t, "127.45.1.1", func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	s.Start()
	m := someMessage()
	if err := hook(t, s.URL+secretPath, `{"loopback":true}`).send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	header := got.Header.Get(SignatureHeader)
	stamp, mac, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	if !ok || stamp != "1795000000" {
		t.Fatalf("signature %q", header)
	}
	digest := exec.Command("openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt",
		"hexkey:"+hex.EncodeToString([]byte(secretKey)), "-r")
	digest.Stdin = bytes.NewReader(append([]byte(stamp+"."), body...))
	out, err := digest.Output()
	if err != nil || !strings.HasPrefix(string(out), mac+" ") {
		t.Errorf("openssl says %q, %v; the header %s", out, err, mac)
	}
	if got.Method != http.MethodPost || got.URL.Path != secretPath ||
		got.Header.Get("Content-Type") != "application/json" || got.Header.Get(DeliveryHeader) != m.Key {
		t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Schema != "ipcguard.events/1" || p.Key != m.Key || len(p.Events) != 3 ||
		p.Events[0].Kind != store.EventBecameExposed || p.Events[2].Host != "größe.example" {
		t.Errorf("%+v", p)
	}
	if strings.ContainsAny(p.Events[1].Text, "\r\n\x1b\x00\u202e") {
		t.Errorf("hostile text passes: %q", p.Events[1].Text)
	}
}

func TestWebhookTLS(t *testing.T) {
	cert, key := certificate(t, "127.45.1.2")
	s := receiver(t, "127.45.1.2", func(w http.ResponseWriter, _ *http.Request) {})
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	config, _ := json.Marshal(WebhookConfig{CA: string(cert), Loopback: true})
	if err := hook(t, s.URL, string(config)).send(t.Context(), someMessage()); err != nil {
		t.Error(err)
	}
	if err := hook(t, s.URL, `{"loopback":true}`).send(t.Context(), someMessage()); err == nil {
		t.Error("a certificate of an unknown authority is trusted")
	}
}

// An error for a misbehaving receiver contains neither its address nor its response, and no second request goes
// elsewhere.
func TestWebhookFails(t *testing.T) {
	var elsewhere atomic.Int64
	other := receiver(t, "127.45.1.3", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	other.Start()
	s := receiver(t, "127.45.1.4", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "the answer of an inner service")
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/endless":
			w.WriteHeader(http.StatusOK)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/slow":
			<-r.Context().Done()
		case "/headers":
			for range 3000 {
				w.Header().Add("X-Long", strings.Repeat("x", 100))
			}
		}
	})
	s.Config.ErrorLog = nil
	s.Start()
	for path, want := range map[string]string{
		"/redirect": "307", "/error": "500", "/cut": "EOF", "/slow": "no answer in time",
		"/headers": "header", "/endless": "",
	} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if path == "/slow" {
			ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
		}
		err := hook(t, s.URL+path+"?token=very-secret-part", `{"loopback":true}`).send(ctx, someMessage())
		cancel()
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, leak := range []string{"secret", "inner service", "127.45.1.4" + path} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("%s: the error tells %q: %v", path, leak, err)
			}
		}
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// A webhook reaches this machine only if its channel allows it, whatever its name resolves to; nothing reaches
// link-local addresses, nor where clouds keep their machines' secrets.
func TestMayReach(t *testing.T) {
	var asked atomic.Int64
	s := receiver(t, "127.45.1.5", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	s.Start()
	if err := hook(t, s.URL, `{"plain":true}`).send(t.Context(), someMessage()); err == nil ||
		!strings.Contains(err.Error(), "allowed by its channel") {
		t.Error(err)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{"localhost", "[::ffff:127.45.1.5]", "[::1]"} {
		if err := hook(t, "http://"+host+":"+port, `{"plain":true}`).send(t.Context(), someMessage()); err == nil {
			t.Errorf("%s is reached", host)
		}
	}
	if asked.Load() > 0 {
		t.Error("this machine was reached")
	}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "192.168.1.1": true, "fd00::1": true, "64:ff9b::a01:203": true,
		"127.0.0.1": false, "::1": false,
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1%eth0": false,
		"100.100.100.200": false, "168.63.129.16": false, "::ffff:100.100.100.200": false,
		"64:ff9b::a83f:8110": false, "100.100.100.201": true, "168.63.129.17": true,
		"fd00:ec2::254": false, "0.0.0.0": false, "::": false,
		"192.0.2.1": false, "198.18.3.4": false, "203.0.113.9": false, "240.0.0.1": false,
		"0.1.2.3": false, "2001:db8::1": false, "64:ff9b::a9fe:a9fe": false,
		"2002:a9fe:a9fe::1": false, "::a9fe:a9fe": false, "100.64.0.1": true, "2606:4700::1": true,
		"224.0.0.1": false, "ff02::1": false, "255.255.255.255": false,
	} {
		if got := mayReach(netip.MustParseAddr(address), false) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if mayReach(netip.MustParseAddr("127.0.0.1"), true) != nil ||
		mayReach(netip.MustParseAddr("169.254.1.1"), true) == nil || mayReach(netip.Addr{}, true) == nil {
		t.Error("loopback allowed")
	}
}

func TestCheck(t *testing.T) {
	good := Secrets{URL: "https://hooks.example/x", Key: secretKey}
	for _, test := range []struct {
		name, kind, config string
		secrets            Secrets
		field              string
	}{
		{"good", KindWebhook, "", good, ""},
		{"no url", KindWebhook, "{}", Secrets{Key: secretKey}, "url"},
		{"file", KindWebhook, "{}", Secrets{URL: "file:///etc/passwd", Key: secretKey}, "url"},
		{"plain", KindWebhook, "{}", Secrets{URL: "http://hooks.example/x", Key: secretKey}, "url"},
		{"plain and said", KindWebhook, `{"plain":true}`, Secrets{URL: "http://hooks.example/x", Key: secretKey}, ""},
		{
			"plain to elsewhere, and loopback said",
			KindWebhook,
			`{"loopback":true}`,
			Secrets{URL: "http://hooks.example/x", Key: secretKey},
			"url",
		},
		{
			"plain to this machine, and loopback said",
			KindWebhook,
			`{"loopback":true}`,
			Secrets{URL: "http://127.0.0.1/x", Key: secretKey},
			"",
		},
		{"password in url", KindWebhook, "{}", Secrets{URL: "https://u:p@hooks.example/", Key: secretKey}, "url"},
		{"line break", KindWebhook, "{}", Secrets{URL: "https://hooks.example/\r\nX: y", Key: secretKey}, "url"},
		{"short key", KindWebhook, "{}", Secrets{URL: good.URL, Key: "short"}, "key"},
		{"unknown field", KindWebhook, `{"loopbock":true}`, good, "config"},
		{"two values", KindWebhook, `{} {}`, good, "config"},
		{"long", KindWebhook, `{"ca":"` + strings.Repeat("x", maxConfig) + `"}`, good, "config"},
		{"bad ca", KindWebhook, `{"ca":"x"}`, good, "ca"},
		{"kind", "pager", "{}", good, "kind"},
		{"syslog", KindSyslog, `{"network":"udp","address":"siem.example:514","format":"cef"}`, Secrets{}, ""},
		{
			"syslog network",
			KindSyslog,
			`{"network":"sctp","address":"siem.example:514","format":"cef"}`,
			Secrets{},
			"network",
		},
		{
			"syslog address",
			KindSyslog,
			`{"network":"udp","address":"siem.example","format":"cef"}`,
			Secrets{},
			"address",
		},
		{
			"syslog port",
			KindSyslog,
			`{"network":"udp","address":"siem.example:0","format":"cef"}`,
			Secrets{},
			"address",
		},
		{
			"syslog format",
			KindSyslog,
			`{"network":"udp","address":"siem.example:514","format":"xml"}`,
			Secrets{},
			"format",
		},
		{
			"syslog facility",
			KindSyslog,
			`{"network":"udp","address":"siem.example:514","format":"json","facility":"kern"}`,
			Secrets{},
			"facility",
		},
		{
			"mail",
			KindEmail,
			`{"server":"mail.example:587","security":"starttls","from":"a@example.net","to":["b@example.net"]}`,
			Secrets{},
			"",
		},
		{
			"mail in the clear",
			KindEmail,
			`{"server":"mail.example:25","security":"none","user":"u","from":"a@example.net","to":["b@example.net"]}`,
			Secrets{Password: "p"},
			"security",
		},
		{
			"mail without password",
			KindEmail,
			`{"server":"mail.example:587","security":"tls","user":"u","from":"a@example.net","to":["b@example.net"]}`,
			Secrets{},
			"user",
		},
		{
			"mail security",
			KindEmail,
			`{"server":"mail.example:587","security":"maybe","from":"a@example.net","to":["b@example.net"]}`,
			Secrets{},
			"security",
		},
		{
			"mail to nobody",
			KindEmail,
			`{"server":"mail.example:587","security":"tls","from":"a@example.net","to":[]}`,
			Secrets{},
			"to",
		},
		{
			"mail injection",
			KindEmail,
			`{"server":"mail.example:587","security":"tls","from":"a@example.net\r\nBcc: x@example.net","to":["b@example.net"]}`,
			Secrets{},
			"from",
		},
		{
			"mail injection in a name",
			KindEmail,
			`{"server":"mail.example:587","security":"tls","from":"a@example.net","to":["\"x\\\r\nBcc: e\" <b@example.net>"]}`,
			Secrets{},
			"to",
		},
		{
			"mail injection in a command",
			KindEmail,
			`{"server":"mail.example:587","security":"tls","from":"a@example.net","to":["\"b> RCPT TO:<e\"@example.net"]}`,
			Secrets{},
			"to",
		},
	} {
		err := Check(test.kind, test.config, test.secrets)
		var of *ConfigError
		switch {
		case test.field == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.field != "" && (!errors.As(err, &of) || of.Field != test.field):
			t.Errorf("%s: %v, want one about %s", test.name, err, test.field)
		case err != nil && (strings.Contains(err.Error(), secretKey) || strings.Contains(err.Error(), "u:p")):
			t.Errorf("%s tells a secret: %v", test.name, err)
		}
	}
}
