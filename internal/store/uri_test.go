package store

import "testing"

func TestURIPath(t *testing.T) {
	for path, want := range map[string]string{
		"/var/lib/x.db":       "/var/lib/x.db",
		"C:/fleet/x.db":       "/C:/fleet/x.db",
		"//server/share/x.db": "//server/share/x.db",
	} {
		if got := uriPath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
