package proxy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"ipcguard/internal/web/proxy"
)

func from(t *testing.T, remote string, headers ...string) string {
	t.Helper()
	proxies, err := proxy.Parse([]string{"127.0.0.1", "10.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	h := proxy.Trust(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	for _, v := range headers {
		r.Header.Add("X-Forwarded-For", v)
	}
	h.ServeHTTP(httptest.NewRecorder(), r)
	host, _, err := net.SplitHostPort(got)
	if err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	return host
}

func TestTrust(t *testing.T) {
	for _, c := range []struct {
		name, remote string
		headers      []string
		want         string
	}{
		{"a stranger says who it is", "192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"},
		{"a proxy tells", "127.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"the client made up the first", "127.0.0.1:1", []string{"1.2.3.4, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "127.0.0.1:1", []string{"1.2.3.4, 198.51.100.1, 10.1.1.1"}, "198.51.100.1"},
		{"two headers", "127.0.0.1:1", []string{"1.2.3.4", "198.51.100.1"}, "198.51.100.1"},
		{"mapped", "[::ffff:127.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"version 6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"nothing said", "127.0.0.1:1", nil, "127.0.0.1"},
		{"nonsense", "127.0.0.1:1", []string{"<script>"}, "127.0.0.1"},
		{"nonsense behind a proxy", "127.0.0.1:1", []string{"unknown, 10.1.1.1"}, "10.1.1.1"},
	} {
		if got := from(t, c.remote, c.headers...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	if _, err := proxy.Parse([]string{"proxy.example"}); err == nil {
		t.Error("a name is taken")
	}
}

// FuzzTrust: whatever the header holds, the address is one, and a stranger is never another than the peer.
func FuzzTrust(f *testing.F) {
	f.Add("198.51.100.1, 10.1.1.1")
	f.Add(" , ,fe80::1%eth0,::ffff:10.0.0.1")
	f.Fuzz(func(t *testing.T, header string) {
		if got := from(t, "127.0.0.1:1", header); net.ParseIP(got) == nil {
			t.Fatalf("%q leads to %q", header, got)
		}
		if got := from(t, "192.0.2.7:1", header); got != "192.0.2.7" {
			t.Fatalf("%q makes a stranger %q", header, got)
		}
	})
}
