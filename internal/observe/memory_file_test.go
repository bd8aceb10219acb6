package observe

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/conversation"
)

// TestMemory begins a run beside what one before it has left: fresh, old, damaged, or nothing.
func TestMemory(t *testing.T) {
	known := []conversation.Known{{
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:445"),
		Sessions: []conversation.KnownSession{{ID: 7, Identity: model.User, Account: "ann", Basis: "b"}},
	}}
	ticket := conversation.KnownTicket{Hash: strings.Repeat("ab", 16), Name: `R\ann`}
	for _, tt := range []struct {
		name        string
		away        time.Duration
		connections int64
		tickets     int
		note        string
		damage      bool
	}{
		{"fresh", time.Minute, 1, 1, "", false},
		{"old", time.Hour, 0, 1, "was away for more than 5m", false},
		{"very old", 30 * 24 * time.Hour, 0, 0, "was away for more than 5m", false},
		{"of a clock that was set back", -time.Hour, 0, 0, "was away for more than 5m", false},
		{"damaged", time.Minute, 0, 0, "could not be read", true},
	} {
		dir := t.TempDir()
		s, err := OpenState(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.saveMemory(&memory{Saved: time.Now().Add(-tt.away), Connections: known, Tickets: []conversation.KnownTicket{ticket}}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, memoryFile)
		if tt.damage {
			if err := os.Truncate(path, 40); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", tt.name, info.Mode(), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
		k, err := tr.keeper(dir)
		if err != nil {
			t.Fatal(err)
		}
		if n := tr.cov.Read["connections known from before a restart"]; n != tt.connections {
			t.Errorf("%s: %d connections", tt.name, n)
		}
		if n := len(tr.follower.Tickets()); n != tt.tickets {
			t.Errorf("%s: %d tickets", tt.name, n)
		}
		if notes := strings.Join(tr.cov.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
			t.Errorf("%s: %q", tt.name, notes)
		}
		k.memory = tr.known(time.Now())
		tr.Close()
		if err := k.end(tr); err != nil {
			t.Fatal(err)
		}
		if all, err := days(dir); err != nil || len(all) != 1 {
			t.Errorf("%s: days %v, %v", tt.name, all, err)
		}
	}
}
