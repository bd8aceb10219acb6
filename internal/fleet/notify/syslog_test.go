package notify

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

func syslogTo(t testing.TB, network, address, format, ca string) *syslog {
	t.Helper()
	config, err := json.Marshal(SyslogConfig{
		Network:  network,
		Address:  address,
		Format:   format,
		Facility: "local3",
		CA:       ca,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSyslog(string(config))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A real daemon accepts every message over every transport, and parses every field as intended.
func TestSyslogDaemon(t *testing.T) {
	cert, key := certificate(t, "127.45.2.1")
	d := peer.StartSyslogd(t, "127.45.2.1", cert, key)
	want := 0
	for network, address := range map[string]string{"udp": d.UDP, "tcp": d.TCP, "tls": d.TLS} {
		for _, format := range []string{"cef", "json"} {
			if err := syslogTo(t, network, address, format, string(cert)).send(t.Context(), someMessage()); err != nil {
				t.Errorf("%s %s: %v", network, format, err)
			}
			want += len(someEvents())
		}
	}
	got := d.Messages(t, want)
	if len(got) != want {
		t.Errorf("%d messages of %d", len(got), want)
	}
	inputs := map[string]int{}
	for _, m := range got {
		var sent *store.Event
		for _, e := range someEvents() {
			if string(e.Kind) == m.ID {
				sent = &e
			}
		}
		if sent == nil {
			t.Fatalf("a message of kind %q: %+v", m.ID, m)
		}
		inputs[m.Input]++
		if m.Version != "1" || m.App != "ipcguard" || m.Facility != "local3" || m.Data != "-" || m.Host == "" ||
			m.Process == "-" {
			t.Errorf("%+v", m)
		}
		if level := map[model.Severity]string{
			model.Critical: "crit",
			model.High:     "err",
			model.Info:     "info",
		}[sent.Severity]; m.Severity != level {
			t.Errorf("%s is %s", sent.Severity, m.Severity)
		}
		at, err := time.Parse(time.RFC3339Nano, m.Time)
		if err != nil || !at.Equal(sent.At.Truncate(time.Microsecond)) {
			t.Errorf("time %s, %v", m.Time, err)
		}
		if strings.HasPrefix(m.Text, "CEF:0|") {
			fields, ok := parseCEF(m.Text)
			if !ok || fields["msg"] != line(sent.Text, maxEventText) ||
				fields["dhost"] != line(sent.Host, maxHostText) || fields["cs1"] != line(sent.Subject, maxSubjectText) {
				t.Errorf("%v of %q", fields, m.Text)
			}
			continue
		}
		var e store.Event
		if err := json.Unmarshal([]byte(m.Text), &e); err != nil || e.Kind != sent.Kind ||
			e.Text != line(sent.Text, maxEventText) || e.Before != line(sent.Before, maxValueText) {
			t.Errorf("%v: %q", err, m.Text)
		}
	}
	for _, network := range []string{"udp", "tcp", "tls"} {
		if inputs[network] != 6 {
			t.Errorf("%d messages over %s", inputs[network], network)
		}
	}
	if err := syslogTo(t, "tls", d.TLS, "cef", "").send(t.Context(), someMessage()); err == nil {
		t.Error("a daemon with a certificate of an unknown authority is trusted")
	}
}

// parseCEF parses the format by its description, independently of how it is written here: the header up to seven
// unescaped pipes, then keys and values, where a key is the word before an unescaped equals sign.
func parseCEF(s string) (map[string]string, bool) {
	out := map[string]string{}
	var header []string
	var field strings.Builder
	i := 0
	for ; i < len(s) && len(header) < 7; i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '|' || s[i+1] == '\\'):
			i++
			field.WriteByte(s[i])
		case s[i] == '|':
			header = append(header, field.String())
			field.Reset()
		case s[i] == '\\':
			return nil, false
		default:
			field.WriteByte(s[i])
		}
	}
	if len(header) != 7 || header[0] != "CEF:0" {
		return nil, false
	}
	out["name"], out["severity"], out["class"] = header[5], header[6], header[4]
	rest := s[i:]
	key, value := "", ""
	flush := func() {
		if key != "" {
			out[key] = value
		}
	}
	for len(rest) > 0 {
		c := rest[0]
		switch {
		case c == '\\' && len(rest) > 1:
			switch rest[1] {
			case 'n':
				value += "\n"
			case 'r':
				value += "\r"
			case '=', '\\':
				value += rest[1:2]
			default:
				return nil, false
			}
			rest = rest[2:]
		case c == '=':
			at := strings.LastIndexByte(value, ' ')
			next := value[at+1:]
			if at >= 0 {
				value = value[:at]
			} else {
				value = ""
			}
			flush()
			key, value, rest = next, "", rest[1:]
		default:
			value += rest[:1]
			rest = rest[1:]
		}
	}
	flush()
	return out, true
}

// A daemon that closes in the middle is an error, and so is one that does not answer; one that keeps the stream open is
// not.
func TestSyslogFails(t *testing.T) {
	serve := func(f func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.45.2.2:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go f(c)
			}
		}()
		return l.Addr().String()
	}
	reset := serve(func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	if err := syslogTo(t, "tcp", reset, "cef", "").send(t.Context(), someMessage()); err == nil {
		t.Error("a reset stream passes for taken")
	}
	done := make(chan []byte, 1)
	silent := serve(func(c net.Conn) {
		b, _ := io.ReadAll(c)
		done <- b
		<-t.Context().Done() // longer than the client waits for the end of the stream
		c.Close()
	})
	if err := syslogTo(t, "tcp", silent, "cef", "").send(t.Context(), someMessage()); err != nil {
		t.Error(err)
	}
	// Octet counting: the stream splits into as many frames as there were events, with nothing left.
	rest := <-done
	for range someEvents() {
		n, frame := 0, rest
		for len(frame) > 0 && frame[0] >= '0' && frame[0] <= '9' {
			n, frame = n*10+int(frame[0]-'0'), frame[1:]
		}
		if len(frame) < n+1 || frame[0] != ' ' || frame[1] != '<' {
			t.Fatalf("%q", rest)
		}
		rest = frame[1+n:]
	}
	if len(rest) > 0 {
		t.Errorf("%q is left", rest)
	}
	deaf := serve(func(c net.Conn) {
		<-t.Context().Done() // the garbage collector closes an unreferenced connection
		c.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := syslogTo(t, "tls", deaf, "json", "").send(ctx, someMessage()); err == nil ||
		!strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("a deaf daemon: %v", err)
	}
}

// FuzzFrame: whatever a host calls itself, a message is one line of bounded length, and its content can be parsed back.
func FuzzFrame(f *testing.F) {
	f.Add(hostile, hostile, "a=b|c\\n")
	f.Add("", "=", "\\")
	f.Add("\xff\xfe", strings.Repeat("|", 5000), "\u2028\u2029")
	f.Fuzz(func(t *testing.T, host, subject, text string) {
		e := store.Event{
			ID:       1,
			At:       time.Unix(1, 0),
			Kind:     store.EventPipeOpened,
			Host:     host,
			Subject:  subject,
			Before:   text,
			After:    subject,
			Text:     text,
			Severity: model.High,
		}
		tidied := tidy(e)
		for _, format := range []string{"cef", "json"} {
			s := &syslog{SyslogConfig: SyslogConfig{Format: format}, facility: 16, host: "h"}
			all, err := s.frames(&Message{Version: "1|2", Events: []store.Event{e}})
			if err != nil {
				t.Fatal(err)
			}
			b := all[0]
			if len(b) > 8<<10 || !utf8.Valid(b) ||
				strings.ContainsFunc(string(b), func(r rune) bool { return unicode.IsControl(r) }) {
				t.Fatalf("%d bytes: %q", len(b), b)
			}
			_, payload, _ := strings.Cut(string(b), " - ")
			if format == "json" {
				var back store.Event
				if err := json.Unmarshal([]byte(payload), &back); err != nil || back.Host != tidied.Host ||
					back.Text != tidied.Text {
					t.Fatalf("%v: %q", err, payload)
				}
				continue
			}
			fields, ok := parseCEF(payload)
			if !ok || fields["dhost"] != tidied.Host || fields["cs1"] != tidied.Subject ||
				fields["cs2"] != tidied.Before || fields["msg"] != tidied.Text || fields["class"] != "pipe-opened" {
				t.Fatalf("%v of %q", fields, payload)
			}
		}
	})
}
