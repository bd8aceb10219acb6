package audit

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestUnreadSamba: what was not read is unknown, neither a default nor a refusal, and the reason is reported.
func TestUnreadSamba(t *testing.T) {
	for _, tt := range []struct {
		name, text, why string
		mapped          any // effective map to guest; nil is unknown
	}{
		{
			"include = registry", "[global]\nrestrict anonymous = 2\ninclude = registry\n",
			"Samba's registry holds more",
			nil,
		},
		{
			"config backend", "[global]\nrestrict anonymous = 2\nconfig backend = registry\n",
			"config backend = registry",
			nil,
		},
		{"the client's name", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/%m.conf\n", "%m.conf", nil},
		{
			"the client's address", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/smb-%I.conf\n", "%I.conf",
			nil,
		},
		{"the client's system", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/smb-%a.conf\n", "%a.conf", nil},
		{"the user", "[global]\nrestrict anonymous = 2\ninclude = /etc/samba/%U.conf\n", "%U.conf", nil},
		{
			"another file by the client's name", "[global]\nrestrict anonymous = 2\nconfig file = /etc/samba/smb.%m\n",
			"config file", nil,
		},
		{
			"another file that did not come along",
			"[global]\nrestrict anonymous = 2\nconfig file = /nowhere/other.conf\n", "/nowhere/other.conf is not here",
			nil,
		},
		{
			"an include that did not come along", "[global]\nrestrict anonymous = 2\ninclude = /nowhere/shares.conf\n",
			"/nowhere/shares.conf is not here", nil,
		},
		{
			"after a value that Samba refuses", "[global]\nrestrict anonymous = 2\nserver signing = wibble\n" +
				"map to guest = Bad User\n", "is no value of this parameter", nil,
		},
		{
			"written after it",
			"[global]\nrestrict anonymous = 2\ninclude = /nowhere/shares.conf\nmap to guest = Bad User\n",
			"/nowhere/shares.conf is not here", "bad user",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := source(t, Options{}, write(t, map[string]string{"smb.conf": tt.text})+"/smb.conf")
			if !a.Partial || !mentions(a.Problems, tt.why) || !strings.Contains(a.Unread, tt.why) {
				t.Errorf("partial %v, unread %q, problems %q", a.Partial, a.Unread, a.Problems)
			}
			if s := settingOf(t, a, "server signing"); !s.NotRead || s.Basis != model.BasisUnknown ||
				!strings.Contains(s.Why, tt.why) {
				t.Errorf("what the file does not say: %+v", s)
			}
			if s := settingOf(t, a, "map to guest"); s.Effective != tt.mapped || s.NotRead != (tt.mapped == nil) ||
				strings.Contains(s.Why, "replace") {
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
	if o := a.Access[model.Anonymous].Discloses[model.DisclosesFiles]; !a.Partial || o == model.Denied ||
		settingOf(t, a, "server signing").NotRead {
		t.Errorf("registry shares: partial %v, files %s", a.Partial, o)
	}
	// A file of the same folder is missing next to the configuration too.
	dir := write(t, map[string]string{"smb.conf": ""})
	path := filepath.Join(dir, "smb.conf")
	a = source(t, Options{}, write(t, map[string]string{"smb.conf": "[global]\n"})+"/smb.conf")
	if s := settingOf(t, a, "server signing"); a.Partial || s.NotRead {
		t.Errorf("%+v", s)
	}
	a = source(t, Options{}, write(t, map[string]string{"x/smb.conf": "[global]\ninclude = " + path + ".local\n"})+
		"/x/smb.conf")
	if s := settingOf(t, a, "server signing"); !s.NotRead {
		t.Errorf("another folder: %+v", s)
	}
	writeTo(t, path, "[global]\ninclude = "+path+".local\n")
	if a := source(t, Options{}, path); a.Partial || settingOf(t, a, "server signing").NotRead {
		t.Errorf("the same folder: %q", a.Problems)
	}
}

// usershareFiles are usershare files, and whether smbd 4.17.12 admits an anonymous caller while usershare allow guests
// is on. TestUsersharesAgainstSamba checks this.
var usershareFiles = map[string]struct {
	text string
	open bool
}{
	"drop":      {"guest_ok=y\nsharename=Drop\n", true},
	"crlf":      {"guest_ok=y\r\nsharename=crlf\r\n", true},
	"closed":    {"guest_ok=n\n", false},
	"capital":   {"guest_ok=Y\n", false},
	"swapped":   {"sharename=swapped\nguest_ok=y\n", false},
	"renamed":   {"guest_ok=y\nsharename=other\n", false},
	"refused":   {"acl S-1-1-0:D\nguest_ok=y\n", false},
	"first":     {"acl S-1-1-0:R,S-1-1-0:D\nguest_ok=y\n", true},
	"anonymous": {"acl S-1-1-0:R,S-1-5-7:D\nguest_ok=y\n", true},
	"nobody":    {"acl \nguest_ok=y\n", true},
	"old":       {"version 1\nguest_ok=y\n", false},
	"new":       {"version 3\nguest_ok=y\n", false},
	"relative":  {"path tmp\nguest_ok=y\n", false},
	"gone":      {"path /nonexistent/x\nguest_ok=y\n", false},
	"short":     {"only\n", false},
}

// usershareFile returns a file with the given lines, and usual values for the rest.
func usershareFile(told string) string {
	version, path, acl := "2", "/tmp", "S-1-1-0:R"
	for _, set := range []struct {
		key string
		to  *string
	}{{"version ", &version}, {"path ", &path}, {"acl ", &acl}} {
		if line, rest, ok := strings.Cut(told, "\n"); ok && strings.HasPrefix(line, set.key) {
			*set.to, told = strings.TrimPrefix(line, set.key), rest
		}
	}
	text := "#VERSION " + version + "\npath=" + path + "\n"
	if told != "only\n" {
		text += "comment=\nusershare_acl=" + acl + "\n" + told
	}
	if strings.Contains(told, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\n", "\r\n")
	}
	return text
}

func TestUsershares(t *testing.T) {
	for name, tt := range usershareFiles {
		s, ok := parseUsershare(name, usershareFile(tt.text))
		// The audit does not look for its folder.
		if open := ok && s.Guest && s.Off == ""; open != tt.open && name != "gone" {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
}

// TestUsersharesAgainstSamba requests usershares from a real server, and compares the audit's result for each with its
// response.
func TestUsersharesAgainstSamba(t *testing.T) {
	peer.Need(t, "smbd", "smbclient", "testparm")
	users := t.TempDir()
	s := peer.StartSamba(t, peer.Config{
		Address: "127.13.5.1",
		Global:  []string{"usershare path = " + users, "usershare max shares = 100", "usershare owner only = no"},
	})
	for name, tt := range usershareFiles {
		writeTo(t, filepath.Join(users, name), usershareFile(tt.text))
	}
	if err := os.Chmod(users, fileMode(0o1770)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(usershareFiles))
	for _, global := range []string{
		"usershare allow guests = yes",
		"usershare allow guests = no",
		"usershare allow guests = no\nguest ok = yes",
		"usershare allow guests = yes\nguest ok = yes",
		"usershare allow guests = no\nguest only = yes",
		"usershare allow guests = yes\ninvalid users = nobody",
		"usershare allow guests = yes\nusershare template share = nosuch",
	} {
		t.Run(global, func(t *testing.T) {
			writeTo(t, s.ConfigFile, strings.Replace(string(b), "[global]", "[global]\n"+global, 1))
			s.Restart(t)
			o := &Options{}
			if err := o.prepare(); err != nil {
				t.Fatal(err)
			}
			f, err := o.liveSamba(t.Context(), s.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			a := judge(o, f)
			if !a.EveryShare {
				t.Fatalf("not every share is known: %q", a.Problems)
			}
			for _, name := range names {
				says := slices.ContainsFunc(a.Shares, func(s model.Share) bool {
					return strings.EqualFold(s.Name, name) && s.OpenToGuests()
				})
				if is := (peer.Client{}).Share(t, s.Addr(), name, "ls"); is.OK() != says {
					t.Errorf("%s: the audit says open %v, smbd %v", name, says, is)
				}
			}
		})
	}
}

// TestKsmbdValues claims nothing of a value that no document has, unless every release makes the same of it.
func TestKsmbdValues(t *testing.T) {
	const text = "[global]\nserver signing = wibble\nsmb3 encryption = mandatory # all\nserver min protocol = SMB9\n" +
		"smb3 encryption = disabled\nmap to guest = sometimes\nrestrict anonymous = 3\n[a]\npath = /a\nguest ok = on\n"
	a := source(t, Options{}, write(t, map[string]string{"ksmbd.conf": text})+"/ksmbd.conf")
	for id, want := range map[string]any{
		"ksmbd:server signing": nil, "ksmbd:server min protocol": nil, "ksmbd:map to guest": "never",
		"ksmbd:smb3 encryption": "mandatory", "ksmbd:restrict anonymous": nil, "ksmbd:guest ok": false,
	} {
		i := slices.IndexFunc(a.Settings, func(s model.Setting) bool { return s.ID == id })
		if i < 0 || a.Settings[i].Effective != want {
			t.Errorf("%s: want %v in %+v", id, want, a.Settings)
		}
	}
	if a.Partial {
		t.Errorf("partial: %v", a.Problems)
	}
}
