package notify

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

func mailTo(t testing.TB, server, security, user, password, ca string) sender {
	t.Helper()
	config, err := json.Marshal(EmailConfig{
		Server: server, Security: security, User: user, From: "ipcguard <guard@example.net>",
		To: []string{"ops@example.net", "\"Müller, Anna\" <anna@example.net>"}, CA: ca,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(KindEmail, string(config), Secrets{Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var headers = []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}

// A real mail server accepts messages with every kind of security, and Python's email package finds no defect.
func TestMailServer(t *testing.T) {
	peer.Need(t, "aiosmtpd")
	cert, key := certificate(t, "127.45.3.1")
	for _, test := range []struct {
		name     string
		o        peer.MailOptions
		security string
	}{
		{"starttls and a password", peer.MailOptions{Security: "starttls", Login: true}, "starttls"},
		{"starttls and LOGIN", peer.MailOptions{Security: "starttls", Login: true, LoginOnly: true}, "starttls"},
		{"tls", peer.MailOptions{Security: "tls"}, "tls"},
		{"in the clear", peer.MailOptions{Security: "none"}, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.o.Cert, test.o.Key = cert, key
			s := peer.StartMailer(t, "127.45.3.1", test.o)
			user, password := "", ""
			if test.o.Login {
				user, password = "alice", peer.Password
			}
			if err := mailTo(t, s.Addr, test.security, user, password, string(cert)).send(t.Context(),
				someMessage()); err != nil {
				t.Fatal(err)
			}
			m := s.Mail(t, 1)[0]
			if m.From != "guard@example.net" || !slices.Equal(m.To, []string{"ops@example.net", "anna@example.net"}) ||
				m.TLS != (test.security != "none") || m.User != user {
				t.Errorf("%+v", m)
			}
			if len(m.Defects) > 0 || !slices.Equal(m.Names, headers) || m.Longest > 998 {
				t.Errorf("defects %v, headers %v, the longest line %d", m.Defects, m.Names, m.Longest)
			}
			if m.Headers["To"] != `ops@example.net, "Müller, Anna" <anna@example.net>` ||
				m.Headers["Subject"] != "ipcguard: 3 changes on 3 hosts, the worst critical" {
				t.Errorf("%v", m.Headers)
			}
			text, page := m.Parts["text/plain"], m.Parts["text/html"]
			if !strings.Contains(text, "Gives accounts to strangers") || !strings.Contains(text, "Ü, 漢字, 🙂") ||
				!strings.Contains(page, "Ü, 漢字, 🙂") {
				t.Errorf("%q\n%q", text, page)
			}
			if strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") ||
				strings.ContainsAny(text+page, "\x1b\x00\u202e") || strings.Contains(text, "\nBcc:") {
				t.Errorf("hostile names pass: %q\n%q", text, page)
			}
			if test.o.Login {
				err := mailTo(t, s.Addr, test.security, "alice", "not the password", string(cert)).send(t.Context(),
					someMessage())
				if err == nil || !strings.Contains(err.Error(), "refuses user and password") ||
					strings.Contains(err.Error(), "not the") {
					t.Errorf("a wrong password: %v", err)
				}
			}
			if test.security != "none" {
				if err := mailTo(t, s.Addr, test.security, user, password, "").send(t.Context(),
					someMessage()); err == nil {
					t.Error("a server with a certificate of an unknown authority is trusted")
				}
			}
			if test.security == "none" {
				if err := mailTo(t, s.Addr, "starttls", "", "", "").send(t.Context(), someMessage()); err == nil ||
					!strings.Contains(err.Error(), "nothing is sent in the clear") {
					t.Errorf("a server without STARTTLS: %v", err)
				}
			}
			if n := len(s.Mail(t, 1)); n != 1 {
				t.Errorf("%d messages were taken", n)
			}
		})
	}
}

// A server's texts come back bounded and clean; an endless response is cut off.
func TestMailServerHostile(t *testing.T) {
	for name, says := range map[string]string{
		"refuses":  "554 go \x1b[31maway " + strings.Repeat("x", 2000) + "\r\n",
		"endless":  strings.Repeat("220-"+strings.Repeat("x", 1000)+"\r\n", 1000),
		"nonsense": "\x00\xff\r\n",
		"cut":      "220",
	} {
		l, err := net.Listen("tcp", "127.45.3.2:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, says)
			time.Sleep(100 * time.Millisecond)
			c.Close()
		}()
		err = mailTo(t, l.Addr().String(), "none", "", "", "").send(t.Context(), someMessage())
		l.Close()
		if err == nil {
			t.Errorf("%s: sent", name)
		} else if s := err.Error(); len(s) > 400 || strings.ContainsAny(s, "\x1b\x00\r\n") {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// FuzzCompose: whatever hosts and channels are called, a message has its own headers and two parts with our text.
func FuzzCompose(f *testing.F) {
	f.Add(hostile, hostile, hostile)
	f.Add("\r\n.\r\n", "=?utf-8?q?x?=", "--ipcguard-\r\n")
	f.Fuzz(func(t *testing.T, channel, host, text string) {
		m := &Message{
			Key: "k", Channel: channel, At: time.Unix(1, 0), Version: "1",
			Events: []store.Event{
				{Host: host, Text: text, Before: text, Severity: model.Low, Kind: store.EventNewHost},
			},
		}
		b, err := compose(&mail.Address{Address: "a@example.net"}, []*mail.Address{
			{Name: "Ü", Address: "b@example.net"},
		}, m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Header) != len(headers) {
			t.Fatalf("%v", got.Header)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n") {
			t.Fatalf("%q, %v", subject, err)
		}
		_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(got.Body, params["boundary"])
		n := 0
		for ; ; n++ {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(p))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 && strings.ReplaceAll(string(body), "\r\n", "\n") != plain(m) {
				t.Fatalf("%q", body)
			}
		}
		if n != 2 {
			t.Fatalf("%d parts", n)
		}
	})
}
