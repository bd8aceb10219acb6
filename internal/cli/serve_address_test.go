package cli

import (
	"net"
	"testing"
)

// TestPageURL says what the set-up link leads to.
func TestPageURL(t *testing.T) {
	every := &net.TCPAddr{IP: net.IPv4zero, Port: 8443}
	if got := pageURL(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8443}, false); got != "https://192.0.2.7:8443" {
		t.Error(got)
	}
	got := pageURL(every, false)
	host := reachable()
	if want := "https://" + net.JoinHostPort(host, "8443"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || ip.IsUnspecified() || ip.IsLoopback()) {
		t.Errorf("nobody reaches %s", host)
	}
	f := &serveFlags{url: "https://fleet.example"}
	if got := f.hosts(every); len(got) != 2 || got[0] != "fleet.example" || got[1] != host {
		t.Errorf("the certificate is for %q", got)
	}
}
