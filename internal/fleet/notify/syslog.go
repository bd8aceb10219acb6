package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// SyslogConfig are the settings of a syslog channel. It has no secrets.
type SyslogConfig struct {
	Network  string `json:"network"`            // udp, tcp or tls
	Address  string `json:"address"`            // HOST:PORT
	Format   string `json:"format"`             // cef or json
	Facility string `json:"facility,omitempty"` // user, daemon, auth, or local0 (the default) to local7
	CA       string `json:"ca,omitempty"`       // PEM: the authorities to trust instead of the system's
}

// facilities are the facilities of RFC 5424, table 1, that applications use.
var facilities = map[string]int{
	"user": 1, "daemon": 3, "auth": 4, "local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

type syslog struct {
	SyslogConfig
	facility int
	trust    *tls.Config
	host     string // this machine's host name
}

func newSyslog(config string) (*syslog, error) {
	var c SyslogConfig
	if err := decode(config, &c); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, c.Network) {
		return nil, wrong("network", "want udp, tcp or tls")
	}
	if c.Format != "cef" && c.Format != "json" {
		return nil, wrong("format", "want cef or json")
	}
	host, err := endpoint("address", c.Address)
	if err != nil {
		return nil, err
	}
	if c.Facility == "" {
		c.Facility = "local0"
	}
	facility, ok := facilities[c.Facility]
	if !ok {
		return nil, wrong("facility", "want user, daemon, auth or local0 to local7")
	}
	trusted, err := trust(host, c.CA)
	if err != nil {
		return nil, err
	}
	name, _ := os.Hostname()
	return &syslog{c, facility, trusted, token(name, 255)}, nil
}

// token returns a header field of RFC 5424: printable ASCII without blanks, "-" for none.
func token(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// level returns the syslog severity of an event: RFC 5424, table 2.
func level(s model.Severity) int {
	switch s {
	case model.Critical:
		return 2
	case model.High:
		return 3
	case model.Medium:
		return 4
	case model.Low:
		return 5
	}
	return 6
}

// actLevel returns the syslog severity of an act: warning for a refused login, informational for the rest.
func actLevel(a store.Act) int {
	if a.Action == store.ActLoginFailed {
		return 4
	}
	return 6
}

// frame returns one event or act in the format of RFC 5424:
//
//	<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG
//
// It omits the byte order mark that the RFC recommends before a UTF-8 text: programs that read CEF and JSON take it for
// part of the text.
func (s *syslog) frame(level int, at time.Time, id string, text []byte) []byte {
	return fmt.Appendf(nil, "<%d>1 %s %s ipcguard %d %s - %s", s.facility*8+level,
		at.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, os.Getpid(), token(id, 32), text)
}

// frames returns a message's events and acts, one frame each.
func (s *syslog) frames(m *Message) ([][]byte, error) {
	var out [][]byte
	for _, e := range m.Events {
		e = tidy(e)
		text := []byte(cef(m.Version, e))
		if s.Format == "json" {
			var err error
			if text, err = json.Marshal(struct {
				Product string `json:"product"`
				Schema  string `json:"schema"`
				store.Event
			}{"ipcguard", "ipcguard.event/1", e}); err != nil {
				return nil, err
			}
		}
		out = append(out, s.frame(level(e.Severity), e.At, string(e.Kind), text))
	}
	for _, act := range m.Acts {
		a := tell(act)
		text := []byte(cefAct(m.Version, a))
		if s.Format == "json" {
			var err error
			if text, err = json.Marshal(struct {
				Product string `json:"product"`
				Schema  string `json:"schema"`
				told
			}{"ipcguard", "ipcguard.act/1", a}); err != nil {
				return nil, err
			}
		}
		out = append(out, s.frame(actLevel(act), a.At, a.Action, text))
	}
	return out, nil
}

func (s *syslog) send(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	if err := s.sendIn(ctx, m); err != nil {
		return fmt.Errorf("notify: syslog: %w", timed(err))
	}
	return nil
}

func (s *syslog) sendIn(ctx context.Context, m *Message) error {
	network := "tcp"
	if s.Network == "udp" {
		network = "udp"
	}
	raw, err := dialer(true).DialContext(ctx, network, s.Address)
	if err != nil {
		return err
	}
	conn, done := budget(ctx, raw, 64<<10)
	defer done()
	if s.Network == "tls" {
		secured := tls.Client(conn, s.trust)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secured
	}
	frames, err := s.frames(m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, frame := range frames {
		if network == "udp" { // RFC 5426: one message a datagram
			if _, err := conn.Write(frame); err != nil {
				return err
			}
			continue
		}
		out.WriteString(strconv.Itoa(len(frame))) // RFC 6587 and 5425: octet counting
		out.WriteByte(' ')
		out.Write(frame)
	}
	if network == "udp" {
		return nil
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		return err
	}
	return taken(conn, raw)
}

// taken closes the stream for writing and waits briefly for the peer to close it too. Syslog has no responses: a peer
// that died before it read the last line shows as a reset here, or not at all.
func taken(conn net.Conn, raw net.Conn) error {
	_ = raw.SetReadDeadline(time.Now().Add(3 * time.Second))
	closer, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		closer, ok = raw.(interface{ CloseWrite() error })
	}
	if ok {
		if err := closer.CloseWrite(); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, conn)
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return nil // it keeps the stream open and has not refused it
	}
	return err
}
