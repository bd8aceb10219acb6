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
	if c.Broken != nil || len(c.Problems) != 4 || !strings.Contains(c.Problems[0].Why, "ksmbd takes the first") {
		t.Errorf("broken %v; problems %v", c.Broken, c.Problems)
	}
	c = mustLoad(t, files{"smb.conf": "[global]\nwibble\n"}, Options{Ksmbd: true})
	if c.Broken == nil || !strings.Contains(c.Problems[0].Why, "ksmbd stops here") {
		t.Errorf("broken %v; problems %v", c.Broken, c.Problems)
	}
}

// TestKsmbdWords: ksmbd has its own words for yes, numbers of base 10 alone, and few of Samba's names.
func TestKsmbdWords(t *testing.T) {
	for _, x := range []struct {
		value     string
		want, hid bool // hid: nothing is said, since ksmbd and Samba agree
	}{
		{"yes", true, true},
		{"Yes", true, true},
		{"1", true, true},
		{"true", true, true},
		{"no", false, true},
		{"off", false, true},
		{"enable", true, false},
		{"enabled", true, false},
		{"10", true, false},
		{"on", false, false},
		{"ja", false, false},
	} {
		c := mustLoad(t, files{"smb.conf": "[global]\n[a]\npath = /a\nguest ok = " + x.value + "\nread only = " + x.value + "\n"}, Options{Ksmbd: true})
		for _, name := range []string{"guest ok", "read only"} {
			p, _ := c.Share("a").Get(name)
			if on, ok := p.Bool(); on != x.want || !ok {
				t.Errorf("%s = %s is %v, %v", name, x.value, on, ok)
			}
		}
		if (len(c.Problems) == 0) != x.hid {
			t.Errorf("%s: %v", x.value, c.Problems)
		}
	}
	c := mustLoad(t, files{"smb.conf": "[global]\nserversigning = mandatory\nrestrict anonymous = 0x2\n[a]\npath = /a\npublic = yes\n" +
		"write ok = yes\n"}, Options{Ksmbd: true})
	if p, ok := c.Global.Get("server signing"); ok {
		t.Errorf("server signing is %q", p.Value)
	}
	if p, ok := c.Share("a").Get("guest ok"); ok {
		t.Errorf("guest ok is %q", p.Value)
	}
	if p, _ := c.Share("a").Get("read only"); p.Value != "yes" || !p.Inverse {
		t.Errorf("read only is %+v", p)
	}
	if p, _ := c.Global.Get("restrict anonymous"); true {
		if n, ok := p.Int(); ok {
			t.Errorf("restrict anonymous is %d", n)
		}
	}
}

// TestKsmbdLines: ksmbd joins no lines, and two spaces in a name are no name that it knows.
func TestKsmbdLines(t *testing.T) {
	const text = "[global]\n \tguest account\t =  nobody  \n[a]\npath = /a\ncomment = x\\\nguest ok = yes\n" +
		"[b]\npath = /b\nguest  ok = yes\ncomment = two  spaces \\ \nread only = no\n#\\\n[c]\npath = /c\n"
	c := mustLoad(t, files{"smb.conf": text}, Options{Ksmbd: true})
	for _, x := range []struct{ share, name, want string }{
		{"a", "comment", `x\`},
		{"a", "guest ok", "yes"},
		{"b", "guest ok", ""},
		{"b", "comment", `two  spaces \`},
		{"b", "read only", "no"},
		{"c", "path", "/c"},
	} {
		s := c.Share(x.share)
		if s == nil {
			t.Fatalf("no share %s", x.share)
		}
		if p, _ := s.Get(x.name); p.Value != x.want {
			t.Errorf("[%s] %s is %q, want %q", x.share, x.name, p.Value, x.want)
		}
	}
	if p, _ := c.Global.Get("guest account"); p.Value != "nobody" {
		t.Errorf("guest account is %q", p.Value)
	}
	if len(c.Problems) != 1 || c.Problems[0].Line != 9 || !strings.Contains(c.Problems[0].Why, "unknown parameter") {
		t.Errorf("problems %v", c.Problems)
	}
	o := Options{Ksmbd: true, ReadFile: files{"smb.conf": text}.read}
	e, err := Set("smb.conf", o, "a", "guest ok", "no")
	if want := strings.Replace(text, "\nguest ok = yes", "\nguest ok = no", 1); err != nil || string(e.After) != want {
		t.Errorf("Set: %v, %+v", err, e)
	}
	long := "[a]\ncomment = " + strings.Repeat("x", maxLine) + "\n"
	if _, err := load("smb.conf", Options{Ksmbd: true, ReadFile: files{"smb.conf": long}.read}); err == nil {
		t.Error("a line without bound")
	}
}

// TestKsmbdEdits changes the line that ksmbd takes, the first.
func TestKsmbdEdits(t *testing.T) {
	const text = "[global]\nrestrict anonymous = 0\nrestrict anonymous = 1\nmap to guest = never\n"
	const want = "[global]\nrestrict anonymous = 2\nrestrict anonymous = 1\nmap to guest = never\n"
	o := Options{Ksmbd: true, ReadFile: files{"ksmbd.conf": text}.read}
	e, err := Set("ksmbd.conf", o, "global", "restrict anonymous", "2")
	if err != nil || string(e.After) != want {
		t.Errorf("Set: %+v, %v", e, err)
	}
	many, _, err := Change("ksmbd.conf", o, []Assign{{Section: "global", Name: "restrict anonymous", Value: "2"}})
	if err != nil || string(many.After) != want {
		t.Errorf("Change: %+v, %v", many, err)
	}
}

// TestKsmbdBeginnings tells of names that begin with a parameter's: tools before 3.5.3 take them for it.
func TestKsmbdBeginnings(t *testing.T) {
	const text = "[global]\nMap To Guests = bad user\nmap to guest 2 = never\nrestrict anonymously = 1\nmap = x\n" +
		"[a]\npath = /a\nguest okay = yes\n"
	c := mustLoad(t, files{"smb.conf": text}, Options{Ksmbd: true})
	var got []string
	for _, p := range c.Beginnings {
		got = append(got, p.Written+" as "+p.Name)
	}
	want := "Map To Guests as map to guest, restrict anonymously as restrict anonymous, guest okay as guest ok"
	if strings.Join(got, ", ") != want || len(c.Problems) != 5 ||
		!strings.Contains(c.Problems[0].Why, `earlier ones take it for "map to guest"`) {
		t.Errorf("%q, problems %v", got, c.Problems)
	}
	if _, ok := c.Global.Get("map to guest"); ok {
		t.Error("a beginning was taken")
	}
	if c := mustLoad(t, files{"smb.conf": text}, Options{}); len(c.Beginnings) > 0 {
		t.Errorf("Samba: %v", c.Beginnings)
	}
}
