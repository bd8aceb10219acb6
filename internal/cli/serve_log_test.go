package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestServerLog: a handshake that fails is seen with -v alone, a handler that panics always.
func TestServerLog(t *testing.T) {
	for _, c := range []struct {
		level slog.Level
		want  []string
	}{
		{slog.LevelInfo, []string{"panic serving"}},
		{slog.LevelDebug, []string{"TLS handshake error", "panic serving"}},
	} {
		var out bytes.Buffer
		log := serverLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: c.level})))
		log.Printf("http: TLS handshake error from 192.0.2.1:1: EOF")
		log.Printf("http: panic serving 192.0.2.1:1: boom\ngoroutine 1")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(c.want) {
			t.Fatalf("level %v: %q", c.level, lines)
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("level %v: %q, want %q", c.level, lines[i], want)
			}
		}
	}
}
