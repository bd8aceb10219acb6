package smbconf

import (
	"strings"
	"testing"
)

// TestKsmbd reads what the kernel's server reads otherwise than Samba.
func TestKsmbd(t *testing.T) {
	const text = "[global]\nserver signing = mandatory # all\nserver signing = disabled\nsmb3 encryption = maybe ; x\n" +
		"map to guest = #\nmap to guest = bad user\nguest ok = wibble\ninclude = other\n[a]\npath = /a\ncopy = b\n"
	c := mustLoad(t, files{"smb.conf": text, "other": "restrict anonymous = 2\n"}, Options{Ksmbd: true})
	for name, want := range map[string]string{
		"server signing": "mandatory", "smb3 encryption": "maybe", "map to guest": "bad user", "restrict anonymous": "",
	} {
		if p, _ := c.Global.Get(name); p.Value != want {
			t.Errorf("%s is %q, want %q", name, p.Value, want)
		}
	}
	if c.Broken != nil || len(c.Problems) != 3 || !strings.Contains(c.Problems[0].Why, "ksmbd takes the first") {
		t.Errorf("broken %v; problems %v", c.Broken, c.Problems)
	}
	c = mustLoad(t, files{"smb.conf": "[global]\nwibble\n"}, Options{Ksmbd: true})
	if c.Broken == nil || !strings.Contains(c.Problems[0].Why, "ksmbd stops here") {
		t.Errorf("broken %v; problems %v", c.Broken, c.Problems)
	}
}
