package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Syslogd is a running rsyslog daemon that receives messages over UDP, TCP and TLS, each on a port of one address.
type Syslogd struct {
	*Machine
	UDP, TCP, TLS string // host:port

	file   string
	daemon *daemon
}

// Syslog is one message as parsed by rsyslog. Its numbers are strings.
type Syslog struct {
	Input    string `json:"input"`
	PRI      string `json:"pri"`
	Version  string `json:"version"`
	Time     string `json:"time"`
	Host     string `json:"host"`
	App      string `json:"app"`
	Process  string `json:"process"`
	ID       string `json:"id"`
	Data     string `json:"data"`
	Text     string `json:"text"`
	Raw      string `json:"raw"`
	Severity string `json:"severity"`
	Facility string `json:"facility"`
}

// syslogdConfig receives messages and writes each as one line of JSON. %[1]s is the machine's directory, %[2]s the
// address, followed by the ports of UDP, TCP and TLS.
const syslogdConfig = `
global(workDirectory="%[1]s/run" defaultNetstreamDriverCAFile="%[1]s/etc/cert.pem"
  defaultNetstreamDriverCertFile="%[1]s/etc/cert.pem" defaultNetstreamDriverKeyFile="%[1]s/etc/key.pem")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imudp" address="%[2]s" port="%[3]d" name="udp")
input(type="imptcp" address="%[2]s" port="%[4]d" name="tcp")
input(type="imtcp" address="%[2]s" port="%[5]d" name="tls")
template(name="line" type="list" option.jsonf="on") {
  property(outname="input" name="inputname" format="jsonf")
  property(outname="pri" name="pri" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="process" name="procid" format="jsonf")
  property(outname="id" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
  property(outname="raw" name="rawmsg" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
}
action(type="omfile" file="%[1]s/log/messages" template="line")
`

// StartSyslogd starts rsyslog on free ports of a loopback address, with a certificate and key in PEM form for TLS.
func StartSyslogd(t testing.TB, address string, cert, key []byte) *Syslogd {
	t.Helper()
	Need(t, "rsyslogd", "rsyslog-gnutls")
	s := &Syslogd{Machine: NewMachine(t, MachineOptions{})}
	s.file = filepath.Join(s.Dir, "log", "messages")
	udp, tcp, tls := FreePort(t, address), FreePort(t, address), FreePort(t, address)
	at := func(port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
	s.UDP, s.TCP, s.TLS = at(udp), at(tcp), at(tls)
	config := filepath.Join(s.Dir, "etc", "rsyslog.conf")
	for path, content := range map[string][]byte{
		config:                                  fmt.Appendf(nil, syslogdConfig, s.Dir, address, udp, tcp, tls),
		filepath.Join(s.Dir, "etc", "cert.pem"): cert, filepath.Join(s.Dir, "etc", "key.pem"): key,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	cmd := s.Command(context.WithoutCancel(t.Context()), "rsyslogd", "-n", "-f", config, "-i",
		filepath.Join(s.Dir, "run", "pid"))
	if s.daemon, err = startDaemon(cmd); err != nil {
		t.Fatalf("peer: starting rsyslogd: %v", err)
	}
	t.Cleanup(func() {
		_ = s.daemon.leash.Close()
		_ = s.endAll()
		<-s.daemon.ended
		if t.Failed() {
			t.Logf("rsyslogd's last words:\n%s", s.daemon.lastWords())
		}
	})
	err = s.daemon.await(t.Context(), func(ctx context.Context) error {
		for _, addr := range []string{s.TCP, s.TLS} {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			_ = conn.Close()
		}
		return nil
	})
	if err != nil {
		t.Fatalf("peer: starting rsyslogd: %v", err)
	}
	return s
}

// Messages waits until the daemon has written a number of messages, and returns all of them.
func (s *Syslogd) Messages(t testing.TB, atLeast int) []Syslog {
	t.Helper()
	var out []Syslog
	err := eventually(t.Context(), func(context.Context) error {
		b, err := os.ReadFile(s.file)
		if err != nil {
			return err
		}
		out = nil
		for line := range bytes.Lines(b) {
			var m Syslog
			if err := json.Unmarshal(line, &m); err != nil {
				return err
			}
			if m.App == "rsyslogd" { // its own
				continue
			}
			out = append(out, m)
		}
		if len(out) < atLeast {
			return fmt.Errorf("%d messages of %d", len(out), atLeast)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("peer: rsyslogd: %v", err)
	}
	return out
}
