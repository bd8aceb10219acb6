package cli

import "testing"

// A plan made for one host and taken for another is told; a file's name, and another spelling of the same host, are
// not.
func TestOther(t *testing.T) {
	for _, tt := range []struct {
		target string
		names  []string
		want   bool
	}{
		{"127.0.0.25:1445", []string{"vm", "127.0.0.26:1445"}, true},
		{"127.0.0.25:1445", []string{"vm", "127.0.0.25:445"}, false},
		{"srv1", []string{"SRV1"}, false},
		{"srv1.example.com:445", []string{"srv1", "10.0.0.1"}, false},
		{"srv1", []string{"srv2", "10.0.0.1"}, true},
		{"[2001:db8::1]:445", []string{"vm", "2001:db8::1"}, false},
		{"/etc/samba/smb.conf", []string{"vm"}, false},
		{"", []string{"vm"}, false},
		{"srv1", nil, false},
	} {
		if got := other(tt.target, tt.names); got != tt.want {
			t.Errorf("%s among %q: %v", tt.target, tt.names, got)
		}
	}
}
