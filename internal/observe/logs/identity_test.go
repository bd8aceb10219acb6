package logs

import "testing"

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"-": "", "": "", "::ffff:10.0.0.1": "10.0.0.1", `\\PC1`: "PC1", "ipv4:127.0.0.1:33156": "127.0.0.1",
		"ipv6:fe80::1:445": "fe80::1",
		"[fe80::1]:445":    "fe80::1", "10.0.0.1:445": "10.0.0.1", `\\[fd00::1]`: "fd00::1", "fe80::1%3": "fe80::1%3",
	} {
		if got := cleanAddress(in); got != want {
			t.Errorf("cleanAddress(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]uint64{
		"0x3e7": 0x3e7, "999": 999, "(0x0,0x43F6E)": 0x43f6e,
		"(0x1,0x2)": 1<<32 | 2,
	} {
		if got, ok := logonID(in); got != want || !ok {
			t.Errorf("logonID(%q) = %#x, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-", "0x0", "(", "(0x0", "x"} {
		if got, ok := logonID(in); ok {
			t.Errorf("logonID(%q) = %#x", in, got)
		}
	}
	for in, want := range map[string]string{
		`\`: "", "": "", "NETLOGON": "netlogon", `\PIPE\SamR`: "samr",
		`TsVcPipe-1`: "tsvcpipe-1",
	} {
		if got := cleanPipe(in); got != want {
			t.Errorf("cleanPipe(%q) = %q, want %q", in, got, want)
		}
	}
}
