package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"slices"
	"strings"
)

// EmailConfig is the part of an e-mail channel's settings that is not secret.
type EmailConfig struct {
	Server string `json:"server"` // HOST:PORT
	// starttls, tls or none. With starttls a server that does not offer it is refused.
	Security string   `json:"security"`
	User     string   `json:"user,omitempty"` // with a password; empty is none
	From     string   `json:"from"`
	To       []string `json:"to"`
	CA       string   `json:"ca,omitempty"` // PEM: the authorities to trust instead of the system's
}

// maxRecipients is what every server accepts according to RFC 5321.
const maxRecipients = 100

type email struct {
	EmailConfig
	password string
	from     *mail.Address
	to       []*mail.Address
	host     string
	trust    *tls.Config
}

func newEmail(config string, s Secrets) (*email, error) {
	var c EmailConfig
	if err := decode(config, &c); err != nil {
		return nil, err
	}
	out := &email{EmailConfig: c, password: s.Password}
	var err error
	if out.host, err = endpoint("server", c.Server); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains([]string{"starttls", "tls", "none"}, c.Security):
		return nil, wrong("security", "want starttls, tls or none")
	case (c.User == "") != (s.Password == ""):
		return nil, wrong("user", "a user and a password belong together")
	case c.User != "" && c.Security == "none":
		return nil, wrong("security", "a password is not sent in the clear: want starttls or tls")
	case len(c.User) > 256 || len(s.Password) > 1024:
		return nil, wrong("user", "too long")
	case len(c.To) == 0 || len(c.To) > maxRecipients:
		return nil, wrong("to", "want 1 to %d addresses", maxRecipients)
	}
	if out.from, err = address("from", c.From); err != nil {
		return nil, err
	}
	for _, s := range c.To {
		a, err := address("to", s)
		if err != nil {
			return nil, err
		}
		out.to = append(out.to, a)
	}
	if out.trust, err = trust(out.host, c.CA); err != nil {
		return nil, err
	}
	return out, nil
}

// address parses one address. Headers and commands contain only the parsed form, never the text itself.
func address(field, s string) (*mail.Address, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || len(s) > 320 {
		return nil, wrong(field, "want addresses such as name@example.net")
	}
	if strings.ContainsFunc(a.Address, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`<>"(),:;[]\`, r)
	}) {
		return nil, wrong(field, "want an address of letters, digits and signs without quotes")
	}
	if line(a.Name, 200) != a.Name {
		return nil, wrong(field, "the name holds control characters, or is too long")
	}
	return a, nil
}

func (c *email) send(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	if err := c.sendIn(ctx, m); err != nil {
		return fmt.Errorf("notify: e-mail: %w", timed(err))
	}
	return nil
}

func (c *email) sendIn(ctx context.Context, m *Message) error {
	body, err := compose(c.from, c.to, m)
	if err != nil {
		return err
	}
	raw, err := dialer(true).DialContext(ctx, "tcp", c.Server)
	if err != nil {
		return err
	}
	conn, done := budget(ctx, raw, 256<<10) // a session with a mail server takes some KiB with certificates
	defer done()
	if c.Security == "tls" {
		conn = tls.Client(conn, c.trust)
	}
	client, err := smtp.NewClient(conn, c.host)
	if err != nil {
		return said(err)
	}
	if err := client.Hello(hello()); err != nil {
		return said(err)
	}
	if c.Security == "starttls" {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return errors.New("the server does not offer STARTTLS, and nothing is sent in the clear")
		}
		if err := client.StartTLS(c.trust); err != nil {
			return said(err)
		}
	}
	if c.User != "" {
		if err := c.auth(client); err != nil {
			return err
		}
	}
	if err := client.Mail(c.from.Address); err != nil {
		return said(err)
	}
	for _, to := range c.to {
		if err := client.Rcpt(to.Address); err != nil {
			return said(err)
		}
	}
	w, err := client.Data()
	if err != nil {
		return said(err)
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return said(err)
	}
	_ = client.Quit() // the message was accepted: later errors do not matter
	return nil
}

// hello returns the name for EHLO.
func hello() string {
	name, err := os.Hostname()
	if err != nil || token(name, 255) != name || name == "-" || net.ParseIP(name) != nil {
		return "localhost"
	}
	return name
}

// auth logs in. The server's response to a login is not passed on: it may repeat what was sent.
func (c *email) auth(client *smtp.Client) error {
	_, offered := client.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	var a smtp.Auth
	switch {
	case slices.Contains(ways, "PLAIN"):
		a = smtp.PlainAuth("", c.User, c.password, c.host)
	case slices.Contains(ways, "LOGIN"):
		a = &loginAuth{c.User, c.password}
	default:
		return errors.New("the server offers neither PLAIN nor LOGIN")
	}
	err := client.Auth(a)
	var of *textproto.Error
	if errors.As(err, &of) {
		return fmt.Errorf("the server refuses user and password (%d)", of.Code)
	}
	if err != nil && !errors.Is(timed(err), errNoAnswer) {
		return errors.New("the login came to nothing")
	}
	return err
}

// loginAuth is the LOGIN mechanism that Exchange requires: the server asks for user and password in turn.
type loginAuth struct{ user, password string }

// Start begins. It requires TLS.
func (l *loginAuth) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !s.TLS {
		return "", nil, errors.New("not encrypted")
	}
	return "LOGIN", nil, nil
}

// Next answers the server's prompt.
func (l *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch q := strings.ToLower(strings.TrimRight(string(asked), ": ")); {
	case strings.HasPrefix(q, "user"):
		return []byte(l.user), nil
	case strings.HasPrefix(q, "pass"):
		return []byte(l.password), nil
	}
	return nil, errors.New("an unknown question")
}

// said returns a mail server's response as one line of bounded length.
func said(err error) error {
	var of *textproto.Error
	if errors.As(err, &of) {
		return fmt.Errorf("the server answers %d %s", of.Code, line(of.Msg, 200))
	}
	return err
}
