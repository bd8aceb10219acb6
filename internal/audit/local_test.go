package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestLiveSamba: the file gives the position of a value, testparm gives Samba's reading of it, and smbd gives its
// version.
func TestLiveSamba(t *testing.T) {
	peer.Need(t, "smbd", "testparm")
	dir := write(t, map[string]string{
		"smb.conf": "[global]\n  restrict anonymous = 2\n  map to guest = Bad User\n  include = " +
			"DIR/more.conf\n[IPC$]\n  guest ok = no\n[pub]\n  path = /tmp\n  public = yes\n",
		"more.conf": "[global]\n  restrict anonymous = 1\n",
	})
	path := filepath.Join(dir, "smb.conf")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &Options{}
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	f, err := o.liveSamba(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a := judge(o, f)
	if a.Partial || !strings.HasPrefix(a.Platform.Version, "4.") || a.Source.Name != "local" || a.Host == "" ||
		a.Platform.Role != model.Standalone {
		t.Errorf("partial %v %q, %+v, host %q", a.Partial, a.Problems, a.Platform, a.Host)
	}
	if s := settingOf(t, a, "restrict anonymous"); s.Effective != 1 || !strings.HasSuffix(s.Origin, "more.conf:2") {
		t.Errorf("%+v", s)
	}
	if s := settingOf(t, a, "map to guest"); s.Effective != "bad user" {
		t.Errorf("%+v", s)
	}
	if !slices.ContainsFunc(a.Shares, func(s model.Share) bool { return s.Name == "pub" && s.Guest }) {
		t.Errorf("%+v", a.Shares)
	}
	for _, id := range []string{"ipc-section-ignored", "restrict-anonymous-one", "anonymous-reads-files"} {
		if !slices.Contains(ids(a), id) {
			t.Errorf("no %s: %v", id, ids(a))
		}
	}
	if f, err := o.liveSamba(t.Context(), filepath.Join(dir, "missing.conf")); err == nil {
		t.Errorf("a file that is not there: %+v", f.problems)
	}
}

// TestSambaRegistry: values of Samba's registry are read from it, also one that equals the default, which testparm
// omits.
func TestSambaRegistry(t *testing.T) {
	peer.Need(t, "smbd", "testparm", "net")
	dir := t.TempDir()
	path := filepath.Join(dir, "smb.conf")
	text := "[global]\n  state directory = " + dir + "\n  private dir = " + dir + "\n  lock directory = " + dir +
		"\n  cache directory = " + dir + "\n  include = registry\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"setparm", "global", "restrict anonymous", "2"},
		{"setparm", "global", "map to guest", "Never"},
		{"addshare", "regshare", "/tmp", "writeable=n", "guest_ok=y", ""},
	} {
		if out, err := program(t.Context(), "net", append([]string{"-s", path, "conf"}, args...)...); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	file := source(t, Options{}, path)
	if !file.Partial || settingOf(t, file, "restrict anonymous").Effective == 2 {
		t.Errorf("the file alone does not show the registry: %v", file.Problems)
	}
	o := &Options{}
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	f, err := o.liveSamba(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a := judge(o, f)
	if s := settingOf(t, a, "restrict anonymous"); s.Effective != 2 || !strings.Contains(s.Origin, "registry") {
		t.Errorf("%+v", s)
	}
	if s := settingOf(t, a, "map to guest"); !s.Present || s.Effective != "never" {
		t.Errorf("%+v", s)
	}
	if !slices.ContainsFunc(a.Shares, func(s model.Share) bool { return s.Name == "regshare" && s.Guest }) ||
		!slices.Contains(ids(a), "guest-share-beside-restrict") {
		t.Errorf("%+v %v", a.Shares, ids(a))
	}
}

// TestHiddenShares: usershares and registry shares are read on the host itself, and one that accepts strangers is
// reported.
func TestHiddenShares(t *testing.T) {
	peer.Need(t, "smbd", "testparm", "net")
	dir := t.TempDir()
	path, users := filepath.Join(dir, "smb.conf"), filepath.Join(dir, "usershares")
	text := "[global]\n  state directory = " + dir + "\n  private dir = " + dir + "\n  lock directory = " + dir +
		"\n  cache directory = " + dir +
		"\n  registry shares = yes\n  usershare max shares = 9\n  usershare path = " + users + "\n"
	writeTo(t, path, text)
	if out, err := program(t.Context(), "net", "-s", path, "conf", "addshare", "regshare", "/tmp", "writeable=n",
		"guest_ok=y", ""); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := os.Mkdir(users, 0o700); err != nil {
		t.Fatal(err)
	}
	writeTo(t, filepath.Join(users, "drop"),
		"#VERSION 2\npath=/tmp\ncomment=\nusershare_acl=S-1-1-0:R\nguest_ok=y\nsharename=drop\n")
	look := func(mode os.FileMode) *model.Audit {
		t.Helper()
		if err := os.Chmod(users, fileMode(mode)); err != nil {
			t.Fatal(err)
		}
		o := &Options{}
		if err := o.prepare(); err != nil {
			t.Fatal(err)
		}
		f, err := o.liveSamba(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return judge(o, f)
	}
	share := func(a *model.Audit, name string) *model.Share {
		for i := range a.Shares {
			if a.Shares[i].Name == name {
				return &a.Shares[i]
			}
		}
		return nil
	}
	a := look(0o1770)
	if s := share(a, "regshare"); s == nil || !s.Guest || !a.EveryShare ||
		a.Access[model.Anonymous].Discloses[model.DisclosesFiles] != model.Allowed {
		t.Errorf("the registry: %+v, every share %v, problems %q", s, a.EveryShare, a.Problems)
	}
	if s := share(a, "drop"); s == nil || s.OpenToGuests() {
		t.Errorf("a usershare where guests are not allowed: %+v", s)
	}
	// a share of the registry begins as [global] says, and what the registry says of one of smb.conf counts [M]
	for _, line := range [][]string{{"plain", "path", "/tmp"}, {"both", "guest ok", "yes"}, {"kept", "comment", "x"}} {
		if out, err := program(t.Context(), "net", append([]string{"-s", path, "conf", "setparm"}, line...)...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	writeTo(t, path, text+"  guest ok = yes\n[both]\n  path = /tmp\n  guest ok = no\n[kept]\n  path = /tmp\n  guest ok = no\n")
	a = look(0o1770)
	for name, at := range map[string]string{"plain": "global", "both": ""} {
		if s := share(a, name); s == nil || !s.OpenToGuests() || s.GuestAt != at {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := share(a, "kept"); s == nil || s.OpenToGuests() || s.Path != "/tmp" {
		t.Errorf("kept: %+v", s)
	}
	writeTo(t, path, strings.ReplaceAll(text, "registry shares = yes", "usershare allow guests = yes"))
	if s := share(look(0o1770), "drop"); s == nil || !s.OpenToGuests() {
		t.Errorf("where they are: %+v", s)
	}
	if a := look(0o770); share(a, "drop") != nil || !a.EveryShare ||
		a.Access[model.Anonymous].Discloses[model.DisclosesFiles] != model.Denied {
		t.Errorf("a folder that smbd takes none from: %+v", a.Shares)
	}
}

// fileMode converts chmod's number to Go's mode.
func fileMode(n os.FileMode) os.FileMode {
	m := n & os.ModePerm
	if n&0o1000 != 0 {
		m |= os.ModeSticky
	}
	return m
}

// TestRegistryCopies holds shares of the registry that copy others against a real server: what strangers list there is
// never called closed, and what they are refused is not called open.
func TestRegistryCopies(t *testing.T) {
	peer.Need(t, "smbd", "smbclient", "testparm", "net")
	s := peer.StartSamba(t, peer.Config{
		Address: "127.41.1.8", Global: []string{"registry shares = yes", "map to guest = Bad User"},
		Shares: []peer.Share{
			{Name: "template", Lines: []string{"guest ok = yes", "available = no"}},
			{Name: "both", Lines: []string{"guest ok = yes"}},
			{Name: "closed"},
		},
	})
	conf := func(args ...string) {
		t.Helper()
		cmd := s.Command(t.Context(), "net", append([]string{"--configfile=" + s.ConfigFile, "conf"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("net conf %q: %v: %s", args, err, out)
		}
	}
	for _, line := range [][]string{
		{"secret", "copy", "template"},
		{"secret", "path", s.Dir},
		{"secret", "available", "yes"},
		{"second", "copy", "both"},
		{"off", "copy", "template"},
		{"shut", "copy", "closed"},
	} {
		conf(append([]string{"setparm"}, line...)...)
	}
	s.Restart(t)
	look := func() *model.Audit {
		t.Helper()
		o := &Options{}
		if err := o.prepare(); err != nil {
			t.Fatal(err)
		}
		f, err := o.liveSamba(t.Context(), s.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		return judge(o, f)
	}
	strangers := func(a *model.Audit, name string) model.Outcome {
		for _, s := range a.Shares {
			if s.Name == name {
				return s.Strangers
			}
		}
		return ""
	}
	a := look()
	for name, want := range map[string]model.Outcome{
		"secret": model.Allowed, "second": model.Allowed, "off": model.Absent, "shut": model.Denied,
	} {
		said := strangers(a, name)
		if really := (peer.Client{From: s.Machine}).Share(t, s.Addr(), name, "ls"); said != want ||
			really.OK() != (want == model.Allowed) {
			t.Errorf("%s: strangers are %q, want %q; really %+v", name, said, want, really)
		}
	}
	if files := a.Access[model.Anonymous].Discloses[model.DisclosesFiles]; files != model.Allowed || !a.EveryShare {
		t.Errorf("files are %s, every share %v: %q", files, a.EveryShare, a.Problems)
	}

	// smbd that runs serves what precedes a copy of nothing, which testparm refuses
	for _, line := range [][]string{{"lost", "path", s.Dir}, {"lost", "guest ok", "yes"}, {"lost", "copy", "nowhere"}, {"gone", "copy", "nowhere"}} {
		conf(append([]string{"setparm"}, line...)...)
	}
	a = look()
	if really := (peer.Client{From: s.Machine}).Share(t, s.Addr(), "lost", "ls"); !really.OK() ||
		strangers(a, "lost") != model.Allowed || strangers(a, "secret") != model.Allowed {
		t.Errorf("lost: strangers are %q, really %+v, and secret is %q", strangers(a, "lost"), really,
			strangers(a, "secret"))
	}
	if strangers(a, "gone") != model.OutcomeUnknown || !slices.ContainsFunc(a.Problems, func(p string) bool {
		return strings.Contains(p, "share gone") && strings.Contains(p, `there is no share "nowhere"`)
	}) {
		t.Errorf("gone: strangers are %q: %q", strangers(a, "gone"), a.Problems)
	}
}
