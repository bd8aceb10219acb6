package web

import (
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/store"
)

// TestChannelShapes: a receiver that checks no signature is asked for no key, and what a channel keeps is shown as it
// was said.
func TestChannelShapes(t *testing.T) {
	s := newTestSite(t)
	p := s.login(store.RoleAdmin)
	const key = `name="key"`
	for path, want := range map[string]bool{
		"/channels/new?kind=webhook": true, "/channels/new?kind=webhook&shape=slack": false,
		"/channels/new?kind=webhook&shape=teams": false,
		"/channels/new?kind=email":               false, "/channels/new?kind=syslog": false,
	} {
		if got := strings.Contains(p.ok(path), key); got != want {
			t.Errorf("%s asks for a key: %v", path, got)
		}
	}
	p.done("/channels", "kind", "webhook", "shape", "teams", "name", "ops", "url", "https://teams.example.org/x",
		"digest", "every weekday at 07:30, Europe/Berlin", "quiet", "Sat,Sun", "enabled", "yes")
	list, err := s.st.Channels(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if c := list[0]; c.Digest != "30 7 * * 1-5" || c.Zone != "Europe/Berlin" || c.Quiet != "Sat,Sun" || !strings.Contains(c.Config, `"shape":"teams"`) {
		t.Errorf("kept as %+v", c)
	}
	p.says("/channels", "Teams", "every weekday at 07:30, Europe/Berlin", "quiet Sat,Sun")
	path := fmt.Sprintf("/channels/%d", list[0].ID)
	p.says(path, "(Teams)", `value="every weekday at 07:30"`, "The next digests", `name="shape" value="teams"`)
	if strings.Contains(p.ok(path), key) {
		t.Error("the channel that is kept shows a key")
	}
}
