package observe

import (
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestOneLogonManyEvents logs one logon at a server and another, half an hour later, at a controller, each in two
// events as Windows does: that is no evidence about clocks. Three logons in both logs are.
func TestOneLogonManyEvents(t *testing.T) {
	begin := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	for logons, want := range map[int]int{1: 0, 2: 0, 3: 1} {
		var c Coverage
		for i := range logons {
			at := begin.Add(time.Duration(i*i) * 83 * time.Minute) // no two gaps are alike
			for event := range 2 {
				late := time.Duration(event) * time.Second
				c.LogonNamed("server", "server.evtx", "anna", "PC1", at.Add(late))
				c.LogonNamed("dc", "dc.evtx", "anna", "PC1", at.Add(30*time.Minute+late))
			}
		}
		c.compareNamed()
		n := 0
		for _, notice := range c.Notices {
			if notice.ID == model.NoticeClocks {
				n++
			}
		}
		if n != want {
			t.Errorf("%d logons give %d notices about clocks, want %d: %v", logons, n, want, c.Notices)
		}
	}
}
