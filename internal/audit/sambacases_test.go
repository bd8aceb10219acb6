package audit

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

func sambaAudit(t *testing.T, text string) *model.Audit {
	t.Helper()
	path := filepath.Join(write(t, map[string]string{"smb.conf": text}), "smb.conf")
	r, err := Options{}.Source(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

const guests = "[global]\nmap to guest = bad user\n"

// A parameter of later releases is none that Samba does not know: it is a wrong line only in a release before it.
func TestParameterOfItsRelease(t *testing.T) {
	const text = "[global]\nserver smb transports = tcp\n[x]\npath = /srv\nsmb3 unix extensions = yes\n"
	for product, ignored := range map[string]bool{
		"": false, "samba": false, "samba-4.13": true, "samba-4.22.11": true, "samba-4.23": false, "samba-4.25.1": false,
	} {
		path := filepath.Join(write(t, map[string]string{"smb.conf": text}), "smb.conf")
		r, err := Options{Product: product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(r[0].Findings, func(f model.Finding) bool {
			return strings.Contains(f.Evidence, "it is a parameter from 4.23 on")
		})
		if said != ignored || finding(r[0], "misspelt-setting") != nil || len(r[0].Problems) > 0 {
			t.Errorf("%q: said to be ignored %v, problems %q, findings %v", product, said, r[0].Problems, ids(r[0]))
		}
	}
}

// The user says whose configuration a file is. What does not fit is told of, and no release is guessed.
func TestProductOfAFile(t *testing.T) {
	for _, one := range []struct{ file, product, system, problem string }{
		{"smb.conf", "", "samba", ""},
		{"smb.conf", "ksmbd", "ksmbd", ""},
		{"saved.txt", "ksmbd-3.5.3", "ksmbd", ""},
		{"ksmbd.conf", "", "ksmbd", ""},
		{"ksmbd.conf", "samba-4.17", "samba", ""},
		{"smb.conf", "win2022", "samba", "judged without --product"},
	} {
		path := filepath.Join(write(t, map[string]string{one.file: guests}), one.file)
		r, err := Options{Product: one.product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		problems := strings.Join(r[0].Problems, "; ")
		if r[0].Platform.System != one.system || (problems != "") != (one.problem != "") ||
			!strings.Contains(problems, one.problem) {
			t.Errorf("%s as %q: %s, %s", one.file, one.product, r[0].Platform.System, problems)
		}
	}
	path := filepath.Join(write(t, map[string]string{"smb.conf": guests}), "smb.conf")
	for product, known := range map[string]bool{
		"samba-4.13.13-Debian": true, "samba-4.17.12+dfsg-0+deb12u1": true, "samba-4.20.0rc1": true, "ksmbd-3.5.3": true,
		"samba-4": false, "samba-4.13.x": false, "samba-4.13x": false, "samba-4.13 ": false, "samba-4.13,samba-4.17": false,
		"samba-0.0": false, "samba-0.9": false, "ksmbd-0.1": false, "samba-3.6": true, "samba-9.9": true,
		"samba-4.13\n": false, "samba-4.99999999999999999999": false,
	} {
		if _, err := (Options{Product: product}).Source(t.Context(), path); (err == nil) != known {
			t.Errorf("%q is a release %v: %v", product, known, err)
		}
	}
}

// A release that was never measured is judged by those beside it, and the report says so.
func TestReleaseNeverMeasured(t *testing.T) {
	path := filepath.Join(write(t, map[string]string{"smb.conf": guests}), "smb.conf")
	for product, want := range map[string]string{
		"samba": "", "samba-4.13": "", "samba-4.17.5": "", "samba-4.25.1-Debian": "", "ksmbd-3.5.3": "", "ksmbd-3.5.7": "",
		"samba-9.9":       "Samba 9.9 was never measured: it is judged by 4.25, the nearest release that was",
		"samba-4.26.0rc1": "Samba 4.26.0 was never measured: it is judged by 4.25, the nearest release that was",
		"samba-3.6":       "Samba 3.6 was never measured: it is judged by 4.13, the nearest release that was",
		"samba-4.2":       "Samba 4.2 was never measured: it is judged by 4.13, the nearest release that was",
		"samba-4.19.3":    "it is judged by 4.17 and 4.22, the nearest releases that were",
		"ksmbd-3.5.8":     "ksmbd-tools 3.5.8 was never measured: it is judged by 3.5.7, the nearest release that was",
		"ksmbd-3.5.8-1":   "ksmbd-tools 3.5.8 was never measured",
		"ksmbd-3.5.5":     "it is judged by 3.5.3 and 3.5.7, the nearest releases that were",
		"ksmbd-3.4":       "it is judged by 3.5.3, the nearest release that was",
		"ksmbd-6.12.117":  "there are no ksmbd-tools 6.12.117",
	} {
		r, err := Options{Product: product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		why := strings.Join(r[0].Platform.Why, "; ")
		said := strings.Contains(why, "never measured") || strings.Contains(why, "no ksmbd-tools")
		if said != (want != "") || !strings.Contains(why, want) {
			t.Errorf("%s: %q, want %q", product, why, want)
		}
		tree := strings.Join(r[0].Access[model.Anonymous].Why["tree"], "; ")
		if strings.HasPrefix(want, "ksmbd-tools 3.5.8") && !strings.Contains(tree, "if they do as 3.5.7 did") {
			t.Errorf("%s: at the tree %q", product, tree)
		}
	}
}

// The releases of ksmbd are those of its tools, and what they give to strangers is not read from a kernel's number.
func TestKsmbdOfAKernel(t *testing.T) {
	path := filepath.Join(write(t, map[string]string{"ksmbd.conf": "[global]\nrestrict anonymous = 0\n"}), "ksmbd.conf")
	for product, want := range map[string]model.Outcome{
		"ksmbd": model.OutcomeUnknown, "ksmbd-6.12": model.OutcomeUnknown, "ksmbd-3.5.3": model.Allowed,
		"ksmbd-3.5.7": model.Denied,
	} {
		r, err := Options{Product: product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if got := r[0].Access[model.Anonymous].Tree; got != want {
			t.Errorf("%s: IPC$ is %s, want %s", product, got, want)
		}
	}
}

// TestShareNotForStrangers: shares with guest ok that a real server does not give to strangers, and one that it does.
func TestShareNotForStrangers(t *testing.T) {
	for _, tt := range []struct {
		lines string
		open  bool
	}{
		{"path = /srv\nguest ok = yes\n", true},
		{"path = /srv\nguest only = yes\n", true},
		{"path = /srv\nguest ok = yes\nhosts deny = ALL\n", false},
		{"path = /srv\nguest ok = yes\ninvalid users = nobody\n", false},
		{"path = /srv\nguest ok = yes\ninvalid users = LABHOST\\nobody\nvalid users = alice\n", false},
		{"path = /srv\nguest ok = yes\nvalid users = alice\n", false},
		{"guest ok = yes\n", false},
		{"path = /srv\nguest ok = yes\n-valid = no\n", false},
		{"path = /srv\nguest ok = yes\nprintable = yes\n", false},
		{"path = /srv\nguest ok = yes\nsmb encrypt = required\n", false},
		{"path = /srv\nguest ok = yes\nread list = alice\naccess based share enum = yes\n", true},
	} {
		a := sambaAudit(t, guests+"[pub]\n"+tt.lines)
		found := slices.ContainsFunc(a.Findings, func(f model.Finding) bool { return f.ID == "anonymous-reads-files" })
		if open := a.Access[model.Anonymous].Discloses[model.DisclosesFiles] == model.Allowed; open != tt.open ||
			found != tt.open {
			t.Errorf("%q: open %v, found %v", tt.lines, open, found)
		}
	}
}

// TestShareOfItsHost: shares that smbd refuses to everyone if its host lacks something that the configuration does not
// show: neither open nor closed. What every host has leaves a share open.
func TestShareOfItsHost(t *testing.T) {
	const open = "path = /srv\nguest ok = yes\n"
	for _, tt := range []struct {
		lines, why string
		want       model.Outcome
	}{
		{"path = \"/srv\"\nguest ok = yes\nforce user = \"nobody\"\n", "", model.Allowed},
		{"path = \"/s\"rv\"\nguest ok = yes\n", "does not begin with /", model.OutcomeUnknown},
		{open + "force user = media\n", "force user = media", model.OutcomeUnknown},
		{open + "force user = nobody\n", "", model.Allowed},
		{open + "force group = +media\n", "force group = +media", model.OutcomeUnknown},
		{open + "force group = nogroup\n", "", model.Allowed},
		{"path = srv\nguest ok = yes\n", "does not begin with /", model.OutcomeUnknown},
		{"path = /srv/%q\nguest ok = yes\n", "macro", model.OutcomeUnknown},
		{"path = /srv/%U\nguest ok = yes\n", "macro", model.OutcomeUnknown},
		{"path = /srv/%S\nguest ok = yes\n", "", model.Allowed},
		{"path = srv\nguest ok = no\n", "", model.Denied},
	} {
		a := sambaAudit(t, guests+"[pub]\n"+tt.lines)
		got := a.Access[model.Anonymous].Discloses[model.DisclosesFiles]
		i := slices.IndexFunc(a.Shares, func(s model.Share) bool { return s.Name == "pub" })
		if got != tt.want || i < 0 || !strings.Contains(a.Shares[i].Unsure, tt.why) ||
			tt.want == model.Allowed && a.Shares[i].Unsure != "" {
			t.Errorf("%q: %s, want %s; %+v", tt.lines, got, tt.want, a.Shares)
		}
	}
}

// TestDomainsInLists: a name with a domain is not the guest account's own, and its meaning is left open.
func TestDomainsInLists(t *testing.T) {
	a := sambaAudit(t, guests+"[pub]\npath = /srv\nguest ok = yes\ninvalid users = LABHOST\\nobody\n")
	if got := a.Access[model.Anonymous].Discloses[model.DisclosesFiles]; got != model.OutcomeUnknown {
		t.Errorf("strangers: %s", got)
	}
}

// TestSambaStops: lines at which Samba stops are reported as such.
func TestSambaStops(t *testing.T) {
	for _, line := range []string{
		"map to guest = yes", "name resolve order = hosts bcast", "security = share",
		"max log size = 51200 # 50Mb",
	} {
		name, _, _ := strings.Cut(line, " =")
		a := sambaAudit(t, "[global]\n"+line+"\n")
		told := slices.DeleteFunc(slices.Clone(a.Problems), func(p string) bool {
			return !strings.Contains(p, `"`+name+`"`)
		})
		if !a.Partial || len(told) != 1 || !strings.Contains(told[0], "Samba stops here: it does not start") {
			t.Errorf("%s is to be told once: %q", line, a.Problems)
		}
	}
}

// TestSambaNumbers: a number in another base is read as Samba reads it, and reported.
func TestSambaNumbers(t *testing.T) {
	a := sambaAudit(t, "[global]\nrestrict anonymous = 0x2\n")
	if a.Access[model.Anonymous].Tree != model.Denied || !slices.ContainsFunc(a.Problems, func(p string) bool {
		return strings.Contains(p, "is read as 2")
	}) {
		t.Errorf("IPC$ is %s; %q", a.Access[model.Anonymous].Tree, a.Problems)
	}
}

// TestSambaRoles: if server role and security contradict each other, the role is the one that Samba takes.
func TestSambaRoles(t *testing.T) {
	for _, tt := range []struct {
		lines string
		role  model.Role
	}{
		{"security = ads\nrealm = A.B\nserver role = standalone server\n", model.Member},
		{"security = user\nserver role = member server\n", model.Standalone},
		{"security = ads\nrealm = A.B\ndomain logons = yes\n", model.Member},
		{"server role = Active  Directory Domain Controller\n", model.DomainController},
		{"security = user\ndomain logons = yes\n", model.UnknownRole},
	} {
		if a := sambaAudit(t, "[global]\n"+tt.lines); a.Platform.Role != tt.role {
			t.Errorf("%q is %s, want %s", tt.lines, a.Platform.Role, tt.role)
		}
	}
}

// TestClearPasswords: without encrypt passwords only anonymous can log on.
func TestClearPasswords(t *testing.T) {
	a := sambaAudit(t, guests+"encrypt passwords = no\n")
	for id, want := range map[model.Identity]model.Outcome{
		model.Anonymous: model.Allowed, model.Guest: model.Denied,
		model.UnknownUser: model.Denied, model.User: model.Denied,
	} {
		if got := a.Access[id].Session; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// TestInheritedByIPC: what [IPC$] inherits from [global] is there, although no such section is written, and is marked
// as inherited.
func TestInheritedByIPC(t *testing.T) {
	for name, line := range map[string]string{
		"hosts allow": "127. 10.", "invalid users": "root", "server smb encrypt": "off", "hosts deny": "10.66.",
	} {
		a := sambaAudit(t, guests+name+" = "+line+"\n")
		i := slices.IndexFunc(a.Settings, func(s model.Setting) bool { return s.ID == "IPC$:"+name })
		if i < 0 || !a.Settings[i].Present || !a.Settings[i].Inherited {
			t.Fatalf("%s: %+v", name, a.Settings[max(i, 0)])
		}
	}
}

// TestNoDialectLeft: with a maximum dialect below the minimum, smbd 4.17.12 starts and answers no client. The default
// minimum depends on the release.
func TestNoDialectLeft(t *testing.T) {
	for _, tt := range []struct {
		product, lines string
		want           model.Outcome
	}{
		{"samba-4.17", "server max protocol = NT1\n", model.Denied},
		{"samba-4.9", "server max protocol = NT1\n", model.Allowed},
		{"", "server max protocol = NT1\n", model.OutcomeUnknown},
		{"", "server min protocol = SMB3\nmax protocol = SMB2_10\n", model.Denied},
		{"", "server min protocol = NT1\nserver max protocol = NT1\n", model.Allowed},
		{"", "server min protocol = SMB3_11\nserver max protocol = SMB3\n", model.Allowed},
		{"", "server max protocol = default\n", model.Allowed},
	} {
		path := filepath.Join(write(t, map[string]string{"smb.conf": "[global]\n" + tt.lines}), "smb.conf")
		r, err := Options{Product: tt.product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []model.Identity{model.Anonymous, model.User} {
			if got := r[0].Access[id].Session; got != tt.want {
				t.Errorf("%s %q: the session of %s is %s, want %s", tt.product, tt.lines, id, got, tt.want)
			}
		}
		told := slices.ContainsFunc(r[0].Problems, func(p string) bool {
			return strings.Contains(p, "no dialect is left")
		})
		if told != (tt.want == model.Denied) {
			t.Errorf("%s %q: %q", tt.product, tt.lines, r[0].Problems)
		}
	}
}

// TestWhatDecidesAboutFiles: advice does not mention permissions for accounts that they do not stop.
func TestWhatDecidesAboutFiles(t *testing.T) {
	const permissions = "the permissions of its folder decide"
	for lines, want := range map[string]string{
		"[pub]\npath = /srv\nguest ok = yes\n":                                                 permissions,
		"[pub]\npath = /srv\nguest only = yes\nforce user = root\n":                            "force user makes root of them",
		"guest account = root\n[pub]\npath = /srv\nguest ok = yes\n":                           "guest account makes root of them",
		"guest account = root\n[pub]\npath = /srv\nguest ok = yes\nforce user = nobody\n":      permissions,
		"usershare allow guests = yes\nguest account = root\n[a]\npath = /a\nguest ok = yes\n": "guest account makes root of them",
	} {
		a := sambaAudit(t, guests+lines)
		i := slices.IndexFunc(a.Findings, func(f model.Finding) bool { return f.ID == "anonymous-reads-files" })
		if i < 0 || !strings.Contains(a.Findings[i].Evidence, want) ||
			want != permissions && strings.Contains(a.Findings[i].Evidence, permissions) {
			t.Errorf("%q: want %q in %+v", lines, want, a.Findings)
		}
	}
}

// TestUsersharesUnread: a file does not show usershares: if they may accept strangers the audit is partial, and says
// why.
func TestUsersharesUnread(t *testing.T) {
	for lines, want := range map[string]bool{
		"usershare allow guests = yes\n":                              true,
		"usershare allow guests = yes\nusershare max shares = 100\n":  true,
		"usershare allow guests = yes\nusershare max shares = 0\n":    false,
		"usershare max shares = 100\n":                                false,
		"usershare allow guests = no\nusershare path = /var/shares\n": false,
	} {
		a := sambaAudit(t, guests+lines)
		if told := slices.ContainsFunc(a.Problems, func(p string) bool {
			return strings.Contains(p, "users may have made shares")
		}); told != want || a.Partial != want {
			t.Errorf("%q: partial %v, %q", lines, a.Partial, a.Problems)
		}
	}
}

// TestFolderOfThisHost: on the host itself a missing folder is detected; it may come back, so the share is neither open
// nor closed.
func TestFolderOfThisHost(t *testing.T) {
	dir := write(t, map[string]string{"file": ""})
	for path, want := range map[string]string{
		dir: "", filepath.Join(dir, "gone"): "no such folder",
		filepath.Join(dir, "file"): "is a file",
	} {
		f := newFacts("smbconf", "local", "samba")
		if got := f.unsure(&model.Share{Name: "s", Path: path}, ""); got != "" {
			t.Errorf("of a copied file: %q", got)
		}
		f.here = true
		if got := f.unsure(&model.Share{Name: "s", Path: path}, ""); (got == "") != (want == "") ||
			!strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestEncryptionOfShares says from which section's line a share has what it asks for.
func TestEncryptionOfShares(t *testing.T) {
	a := sambaAudit(t, "[global]\nsmb encrypt = desired\n[heir]\npath = /a\n[own]\npath = /b\n"+
		"server smb encrypt = Required\n[copied]\ncopy = own\npath = /c\n[HEIR]\ncomment = the same share\n[a=b: c]\npath = /d\nsmb encrypt = off\n")
	want := map[string][2]string{
		"HEIR": {"desired", "global"}, "own": {"required", ""}, "copied": {"required", "own"}, "a=b: c": {"off", ""},
	}
	for _, s := range a.Shares {
		if x, ok := want[s.Name]; ok && x != [2]string{s.Encrypt, s.EncryptAt} {
			t.Errorf("%s: %q from %q, want %q", s.Name, s.Encrypt, s.EncryptAt, x)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %q", want)
	}
}

// TestKsmbdMapToGuest reads what ksmbd makes of the words of map to guest: what begins with bad user is that, and the
// rest is never, Samba's other words too. A name that only begins so counts for old tools. [S] ksmbd-tools
func TestKsmbdMapToGuest(t *testing.T) {
	for _, x := range []struct {
		line, product string
		want          model.Outcome // of a made-up name
	}{
		{"map to guest = never", "ksmbd-3.5.7", model.Denied},
		{"map to guest = bad password", "ksmbd-3.5.7", model.Denied},
		{"map to guest = Bad Uid", "ksmbd-3.5.3", model.Denied},
		{"map to guest = bad password", "ksmbd-3.4", model.Denied},
		{"map to guest = baduser", "ksmbd-3.5.7", model.Denied},
		{"map to guest = bad  user", "ksmbd-3.5.7", model.Denied},
		{"map to guest = Bad User", "ksmbd-3.5.7", model.Allowed},
		{"map to guest = bad users # all", "ksmbd-3.5.7", model.Allowed},
		{"map to guest = bad users # all", "ksmbd", model.Allowed},
		{"map to guests = bad user", "ksmbd-3.5.7", model.Denied},
		{"map to guests = bad user", "ksmbd-3.5.2", model.OutcomeUnknown},
		{"map to guests = bad user", "ksmbd", model.OutcomeUnknown},
		{"map to guest = bad user\nmap to guests = never", "ksmbd", model.OutcomeUnknown},
	} {
		path := filepath.Join(write(t, map[string]string{"ksmbd.conf": "[global]\n" + x.line + "\n"}), "ksmbd.conf")
		r, err := Options{Product: x.product}.Source(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if got := r[0].Access[model.UnknownUser].Session; got != x.want {
			t.Errorf("%s, %q: %s, want %s: %+v", x.product, x.line, got, x.want, settingOf(t, r[0], "ksmbd:map to guest"))
		}
	}
}
