package audit

import (
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// What was not read is unknown: neither a default nor a refusal, and the reason is told.
func TestUnreadSamba(t *testing.T) {
	for _, tt := range []struct {
		name, text, why string
		mapped          any // map to guest in effect; nil is unknown
	}{
		{"include = registry", "[global]\nrestrict anonymous = 2\ninclude = registry\n", "Samba's registry holds more", nil},
		{"config backend", "[global]\nrestrict anonymous = 2\nconfig backend = registry\n", "config backend = registry", nil},
		{"the client's name", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/%m.conf\n", "%m.conf", nil},
		{"the client's address", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/smb-%I.conf\n", "%I.conf", nil},
		{"the client's system", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/smb-%a.conf\n", "%a.conf", nil},
		{"the user", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/%U.conf\n", "%U.conf", nil},
		{"another file by the client's name", "[global]\nrestrict anonymous = 2\nconfig file = /etc/samba/smb.%m\n", "config file", nil},
		{"another file that did not come along", "[global]\nrestrict anonymous = 2\nconfig file = /nowhere/other.conf\n", "/nowhere/other.conf is not here", nil},
		{"an include that did not come along", "[global]\nrestrict anonymous = 2\ninclude = /nowhere/shares.conf\n", "/nowhere/shares.conf is not here", nil},
		{"written after it", "[global]\nrestrict anonymous = 2\ninclude = /nowhere/shares.conf\nmap to guest = Bad User\n", "/nowhere/shares.conf is not here", "bad user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := source(t, Options{}, write(t, map[string]string{"smb.conf": tt.text})+"/smb.conf")
			if !a.Partial || !mentions(a.Problems, tt.why) || !strings.Contains(a.Unread, tt.why) {
				t.Errorf("partial %v, unread %q, problems %q", a.Partial, a.Unread, a.Problems)
			}
			if s := settingOf(t, a, "server signing"); !s.NotRead || s.Basis != model.BasisUnknown || !strings.Contains(s.Why, tt.why) {
				t.Errorf("what the file does not say: %+v", s)
			}
			if s := settingOf(t, a, "map to guest"); s.Effective != tt.mapped || s.NotRead != (tt.mapped == nil) || strings.Contains(s.Why, "replace") {
				t.Errorf("%+v, want %v", s, tt.mapped)
			}
			s := settingOf(t, a, "restrict anonymous")
			switch backend := strings.Contains(tt.text, "config backend"); {
			case backend && !s.NotRead:
				t.Errorf("the registry decides alone: %+v", s)
			case !backend && (s.Configured != 2 || !strings.Contains(s.Why, "may replace it")):
				t.Errorf("what stands before it: %+v", s)
			}
			for _, id := range model.Strangers() {
				if o := a.Access[id].Discloses[model.DisclosesFiles]; o == model.Denied {
					t.Errorf("files of shares that nobody looked at are %s to %s", o, id)
				}
			}
			again := load(t).Evaluate(catalog.ConfigOf(a))
			if o := again[model.Anonymous].Discloses[model.DisclosesFiles]; o == model.Denied {
				t.Errorf("a plan reads it as %s", o)
			}
		})
	}
	a := source(t, Options{}, write(t, map[string]string{"smb.conf": "[global]\nregistry shares = yes\n"})+"/smb.conf")
	if o := a.Access[model.Anonymous].Discloses[model.DisclosesFiles]; !a.Partial || o == model.Denied || settingOf(t, a, "server signing").NotRead {
		t.Errorf("registry shares: partial %v, files %s", a.Partial, o)
	}
	// a file of the same folder is not there where the configuration lies, either
	dir := write(t, map[string]string{"smb.conf": ""})
	path := filepath.Join(dir, "smb.conf")
	a = source(t, Options{}, write(t, map[string]string{"smb.conf": "[global]\n"})+"/smb.conf")
	if s := settingOf(t, a, "server signing"); a.Partial || s.NotRead {
		t.Errorf("%+v", s)
	}
	a = source(t, Options{}, write(t, map[string]string{"x/smb.conf": "[global]\ninclude = " + path + ".local\n"})+"/x/smb.conf")
	if s := settingOf(t, a, "server signing"); !s.NotRead {
		t.Errorf("another folder: %+v", s)
	}
	writeTo(t, path, "[global]\ninclude = "+path+".local\n")
	if a := source(t, Options{}, path); a.Partial || settingOf(t, a, "server signing").NotRead {
		t.Errorf("the same folder: %q", a.Problems)
	}
}

func TestUsershares(t *testing.T) {
	const head, tail = "#VERSION 2\npath=/srv/drop\ncomment=\n", "sharename=Drop\n"
	for name, tt := range map[string]struct {
		text  string
		guest bool
		none  bool
	}{
		"drop":      {head + "usershare_acl=S-1-1-0:R\nguest_ok=y\n" + tail, true, false},
		"closed":    {head + "usershare_acl=S-1-1-0:R\nguest_ok=n\n", false, false},
		"refused":   {head + "usershare_acl=S-1-1-0:d\nguest_ok=y\n", false, false},
		"old":       {"#VERSION 1\npath=/x\ncomment=\nusershare_acl=\nguest_ok=y\n", true, false},
		"short":     {"#VERSION 2\npath=/x\n", false, true},
		"elsewhere": {"#VERSION 3\npath=/x\ncomment=\nusershare_acl=\n", false, true},
		"none":      {"notes\n\n\n\n", false, true},
	} {
		s, ok := parseUsershare(name, tt.text)
		if ok == tt.none || s.Guest != tt.guest {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
}
