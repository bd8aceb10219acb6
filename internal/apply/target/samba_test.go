package target

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// sambaTarget opens a test's server as the product does.
func sambaTarget(t testing.TB, s *peer.Samba) *Samba {
	t.Helper()
	return OpenSambaOn(s.ConfigFile, applytest.Machine{Samba: s})
}

// seen scans as strangers, over the best dialect; as guests only if the server allows any.
func seen(t testing.TB, s *peer.Samba, guests ...bool) *model.Scan {
	t.Helper()
	scanner, err := scan.New(scan.Options{Dial: s.Dial, NoGuest: guests == nil, NoUnknownUser: guests == nil})
	if err != nil {
		t.Fatal(err)
	}
	return scanner.Host(t.Context(), targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())})
}

// verdict is a verification that expects one verdict.
func verdict(t testing.TB, s *peer.Samba, want model.Verdict) func(context.Context) (apply.Evidence, error) {
	return func(context.Context) (apply.Evidence, error) {
		r := seen(t, s)
		p := &verify.Proof{
			Schema: verify.SchemaProof,
			Checks: []verify.Check{{Check: "verdict", Result: verify.Passed}},
		}
		if r.Verdict != want {
			p.Checks[0].Result, p.Checks[0].Detail = verify.Failed, string(r.Verdict)+": "+r.Reason
		}
		p.Judge()
		return p, nil
	}
}

// listsUsers reports whether a stranger is given the list of accounts.
func listsUsers(r *model.Scan) bool {
	for _, f := range r.Findings {
		if f.ID == "anonymous-lists-accounts" {
			return true
		}
	}
	return false
}

func TestSambaFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		config  peer.Config
		changes []model.Change
		guests  []bool
		closes  func(*model.Scan) bool
	}{
		{
			"restrict anonymous 2",
			peer.Config{Address: "127.53.1.1"},
			[]model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2))},
			nil,
			func(r *model.Scan) bool { return r.Verdict == model.Closed },
		},
		{
			"restrict anonymous 1 with live helpers",
			peer.Config{Address: "127.53.1.2", Global: []string{"restrict anonymous = 0"}},
			[]model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Value(0), applytest.Value(1))},
			nil,
			func(r *model.Scan) bool { return !listsUsers(r) },
		},
		{
			"guests as well",
			peer.Config{Address: "127.53.1.3", Global: []string{"map to guest = Bad User"}},
			[]model.Change{
				applytest.Parameter("global", "map to guest", applytest.Value("bad user"), applytest.Value("never")),
				applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
			},
			[]bool{true},
			func(r *model.Scan) bool { return r.Verdict == model.Closed },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := peer.StartSamba(t, c.config)
			if r := seen(t, s); r.Verdict != model.Exposed || !listsUsers(r) {
				t.Fatalf("before: %s", r.Verdict)
			}
			before, err := os.ReadFile(s.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			target := sambaTarget(t, s)
			e := engineFor(t, target)
			proved := false
			j, err := e.Apply(t.Context(), engine.Request{
				Plan: model.Plan{Changes: c.changes}, Changes: applytest.Changes("samba", c.changes),
				Bytes: []byte("{}"), Target: target,
				Verify: func(ctx context.Context) (apply.Evidence, error) {
					r := seen(t, s, c.guests...)
					if proved = c.closes(r); !proved {
						t.Errorf("after: %s %s", r.Verdict, r.Reason)
					}
					return applytest.Good(ctx)
				},
			})
			if err != nil || !proved {
				t.Fatalf("apply: %v", err)
			}
			if a := (peer.Client{User: "alice", Password: peer.Password, From: s.Machine}).RPC(t, s.Addr(),
				"lookupnames alice"); !a.OK() {
				t.Errorf("a user with a password no longer works: %v", a)
			}
			if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(s.ConfigFile)
			if err != nil || string(after) != string(before) {
				t.Errorf("rolled back to\n%s\nfrom\n%s", after, before)
			}
			if r := seen(t, s); !listsUsers(r) {
				t.Errorf("after the rollback strangers do not see what they saw: %s", r.Verdict)
			}
		})
	}
}

// TestSambaRegistry changes servers whose settings are partly or entirely in Samba's registry.
func TestSambaRegistry(t *testing.T) {
	for _, c := range []struct {
		name   string
		config peer.Config
		from   model.Value
	}{
		{"include", peer.Config{Address: "127.41.1.4", Global: []string{"include = registry"}}, applytest.Absent},
		{
			"backend",
			peer.Config{Address: "127.41.1.5", Registry: true, Global: []string{"restrict anonymous = 0"}},
			applytest.Value(0),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := peer.StartSamba(t, c.config)
			target := sambaTarget(t, s)
			list := func() string {
				out, err := s.Command(t.Context(), "net", "--configfile="+s.ConfigFile, "conf", "list").Output()
				if err != nil {
					t.Fatal(err)
				}
				return string(out)
			}
			before, file := list(), applytest.Read(t, s.ConfigFile)
			e := engineFor(t, target)
			plan := model.Plan{Changes: []model.Change{
				applytest.Parameter("global", "restrict anonymous", c.from, applytest.Value(2)),
				applytest.Parameter("IPC$", "invalid users", applytest.Absent,
					applytest.Value([]string{"nobody", "a group"})),
			}}
			j, err := e.Apply(t.Context(), engine.Request{
				Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
				Bytes: []byte("{}"), Target: target, Verify: verdict(t, s, model.Closed),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := list(); !strings.Contains(got, "restrict anonymous = 2") ||
				!strings.Contains(got, `nobody "a group"`) {
				t.Errorf("stored:\n%s", got)
			}
			if a := (peer.Client{User: "alice", Password: peer.Password, From: s.Machine}).RPC(t, s.Addr(),
				"lookupnames alice"); !a.OK() {
				t.Errorf("a user with a password no longer works: %v", a)
			}
			if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
				t.Fatal(err)
			}
			if got := list(); got != before || applytest.Read(t, s.ConfigFile) != file {
				t.Errorf("rolled back to\n%q\nfrom\n%q", got, before)
			}
			if r := seen(t, s); r.Verdict != model.Exposed {
				t.Errorf("after the rollback: %s", r.Verdict)
			}
			// Killed between the two writes, and in the middle of the second: recovery undoes both.
			for _, point := range []string{"netconf:set", "step:settled:before"} {
				second := 0
				target.Fault = func(p string) {
					if p == point {
						if second++; second == 2 || point != "netconf:set" {
							panic(applytest.Killed{})
						}
					}
				}
				e.Fault = target.Fault
				if !applytest.Survive(func() {
					_, err := e.Apply(t.Context(),
						engine.Request{
							Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
							Bytes: []byte("{}"), Target: target, Verify: applytest.Good,
						})
					t.Errorf("not killed at %s: %v", point, err)
				}) {
					t.Fatalf("%s is no point", point)
				}
				target.Fault, e.Fault = func(string) {}, nil
				if got := list(); got == before {
					t.Errorf("killed at %s, and nothing was written", point)
				}
				found, err := e.Recover(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if last := found[0]; last.Host != "before" || last.Err != nil || list() != before {
					t.Errorf("killed at %s: %+v\n%s", point, last, list())
				}
			}
		})
	}
}

// silentSamba is a configuration without a server: only files.
func silentSamba(t testing.TB, text string) (*Samba, string) {
	t.Helper()
	path := filepath.Join(applytest.MemoryDir(t), "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return OpenSambaOn(path, applytest.Quiet{}), path
}

func TestSambaKeepsEverythingElse(t *testing.T) {
	s, path := silentSamba(t, applytest.Commented)
	link := filepath.Join(filepath.Dir(path), "link.conf")
	if err := os.Symlink("smb.conf", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	s.config = link
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{
		applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
	}}
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
		Bytes: []byte("{}"), Target: s, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the symbolic link is gone: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := os.ReadFile(path)
	want := strings.Replace(applytest.Commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	if err := os.WriteFile(path, append(got, "# by hand\n"...), 0o640); err != nil {
		t.Fatal(err)
	}
	var conflict *apply.ConflictError
	if _, err := e.Rollback(t.Context(), j.ID, false); !errors.As(err, &conflict) ||
		!strings.Contains(conflict.Diffs[0], "+ # by hand") {
		t.Errorf("an edit by hand: %v", err)
	}
	if _, err := e.Rollback(t.Context(), j.ID, true); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != applytest.Commented {
		t.Errorf("%v\n%q", err, got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".smb*")); left != nil {
		t.Errorf("%v is left", left)
	}
}

func TestSambaRefusals(t *testing.T) {
	plan := []model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2))}
	var refused *apply.RefusedError
	var stale *apply.StaleError
	s, _ := silentSamba(t, "[global]\n\trestrict anonymous = 1\n")
	if _, err := s.Resolve(t.Context(), applytest.Changes("samba", plan)); !errors.As(err, &stale) {
		t.Errorf("stale: %v", err)
	}
	s, path := silentSamba(t, applytest.Commented)
	if err := os.Link(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), applytest.Changes("samba", plan)); !errors.As(err, &refused) {
		t.Errorf("two names: %v", err)
	}
	s, path = silentSamba(t, applytest.Commented)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), applytest.Changes("samba", plan)); !errors.As(err, &refused) {
		t.Errorf("read-only: %v", err)
	}
	s, path = silentSamba(t, "[global]\n\tinclude = "+filepath.Join(t.TempDir(), "more.conf")+"\n")
	_ = path
	if err := os.WriteFile(strings.TrimSpace(strings.SplitN(applytest.Read(t, path), "=", 2)[1]),
		[]byte("restrict anonymous = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Resolve(t.Context(),
		applytest.Changes("samba",
			[]model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Value(0),
				applytest.Value(2))})); err != nil {
		if !errors.As(err, &refused) {
			t.Errorf("an include decides: %v", err)
		}
	} else if len(w) != 1 {
		t.Errorf("an include decides: %v", w)
	}
	s, _ = silentSamba(t, "[global]\n= broken\n")
	if _, err := s.Resolve(t.Context(), applytest.Changes("samba", plan)); err == nil {
		t.Error("a configuration that Samba refuses was edited")
	}
	s, _ = silentSamba(t, applytest.Commented)
	if _, err := s.Resolve(t.Context(),
		applytest.Changes("samba", []model.Change{{Where: `HKLM\X\Y`, To: applytest.Value(1)}})); !errors.As(err,
		&refused) {
		t.Errorf("a registry value of Windows: %v", err)
	}
}

// TestSambaRefusesItsNewConfiguration lets testparm fail after the write: everything is undone.
func TestSambaRefusesItsNewConfiguration(t *testing.T) {
	s, path := silentSamba(t, applytest.Commented)
	s.system = fussy{path: path}
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{
		applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
	}}
	var back *engine.RolledBackError
	_, err := e.Apply(t.Context(), engine.Request{
		Plan: plan, Changes: applytest.Changes("samba", plan.Changes),
		Bytes: []byte("{}"), Target: s, Verify: applytest.Good,
	})
	if !errors.As(err, &back) || !strings.Contains(err.Error(), "testparm refuses") {
		t.Errorf("%v", err)
	}
	if applytest.Read(t, path) != applytest.Commented {
		t.Error("not as before")
	}
}

// fussy is a testparm that rejects the new configuration.
type fussy struct {
	applytest.Quiet
	path string
}

func (f fussy) Run(ctx context.Context, name string, args ...string) (string, error) {
	b, err := os.ReadFile(f.path)
	if err == nil && name == "testparm" && strings.Contains(string(b), "restrict anonymous = 2") {
		return "Error loading services.", errors.New("exit status 1")
	}
	return f.Quiet.Run(ctx, name, args...)
}

// TestSambaKilledAnywhere is TestKilledAnywhere on a file.
func TestSambaKilledAnywhere(t *testing.T) {
	plan := model.Plan{Changes: []model.Change{
		applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2)),
	}}
	for n := 0; ; n++ {
		s, path := silentSamba(t, applytest.Commented)
		e := engineFor(t, s)
		var met *[]string
		e.Fault, met = applytest.KillAt(n)
		s.Fault = e.Fault
		dead := applytest.Survive(func() {
			if _, err := e.Apply(context.Background(),
				engine.Request{
					Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"),
					Target: s, Verify: applytest.Bad,
				}); err == nil {
				t.Fatal("applied in spite of its proof")
			}
		})
		if !dead {
			if n < 30 {
				t.Errorf("only %d points", n)
			}
			t.Logf("%d points", n)
			return
		}
		e.Fault, s.Fault = nil, nil
		if _, err := e.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := applytest.Read(t, path); got != applytest.Commented {
			t.Fatalf("killed at %s: %q", (*met)[n], got)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Fatalf("killed at %s: %v is left, %v", (*met)[n], entries, err)
		}
	}
}

// slow is a testparm that returns when it is interrupted, as a killed process does.
type slow struct {
	applytest.Quiet
	stop context.CancelFunc
}

func (s slow) Run(ctx context.Context, name string, args ...string) (string, error) {
	if name != "testparm" {
		return s.Quiet.Run(ctx, name, args...)
	}
	s.stop()
	<-ctx.Done()
	return "", ctx.Err()
}

// TestInterruptedIsNotRefused: an interrupt says nothing about the configuration.
func TestInterruptedIsNotRefused(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := OpenSambaOn(applytest.WriteConf(t, applytest.Commented), slow{stop: stop})
	plan := restrict()
	_, err := s.Resolve(ctx, applytest.Changes("samba", plan.Changes))
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "refuses") ||
		strings.Contains(err.Error(), "mend") {
		t.Errorf("%v", err)
	}
}

// TestRegistryShares changes shares of a server whose smb.conf has some of them and whose registry has others.
func TestRegistryShares(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{
		Address: "127.41.1.6", Global: []string{"registry shares = yes"},
		Shares: []peer.Share{
			{Name: "inboth", Lines: welcomeAll},
			{Name: "template", Lines: append([]string{"available = no"}, welcomeAll...)},
		},
	})
	net := func(args ...string) string {
		out, err := s.Command(t.Context(), "net", append([]string{"--configfile=" + s.ConfigFile, "conf"},
			args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("net conf %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	for _, name := range []string{"inboth", "stored share"} {
		net("addshare", name, s.Dir, "writeable=n", "guest_ok=y", "from the registry")
	}
	net("setparm", "a copy", "copy", "template") // of a share that only smb.conf has
	net("setparm", "a copy", "available", "yes")
	target := sambaTarget(t, s)
	e := engineFor(t, target)
	before, file := net("list"), applytest.Read(t, s.ConfigFile)
	list := []model.Change{
		applytest.Parameter("stored share", "guest ok", applytest.Value(true), applytest.Value(false)),
		applytest.Parameter("stored share", "server smb encrypt", applytest.Absent, applytest.Value("required")),
		applytest.Parameter("inboth", "guest ok", applytest.Value(true), applytest.Value(false)),
		applytest.Parameter("inboth", "server smb encrypt", applytest.Absent, applytest.Value("desired")),
		applytest.Parameter("a copy", "guest ok", applytest.Value(true), applytest.Value(false)),
	}
	for i := range list {
		list[i].ID = fmt.Sprint(i + 1)
	}
	fact := model.Fact{Setting: "guest ok", Where: "[stored share] guest ok", Value: applytest.Value(true)}
	if err := target.StillTrue(t.Context(), fact); err != nil {
		t.Errorf("a fact of the registry: %v", err)
	}
	j, err := e.Apply(t.Context(), engine.Request{
		Plan: model.Plan{Changes: list}, Changes: applytest.Changes("samba", list), Bytes: []byte("{}"),
		Target: target, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := net("list")
	if strings.Count(got, "guest ok = no") != 3 || !strings.Contains(got, "server smb encrypt = required") ||
		!strings.Contains(applytest.Read(t, s.ConfigFile), "server smb encrypt = desired") {
		t.Errorf("stored:\n%s\nand the file:\n%s", got, applytest.Read(t, s.ConfigFile))
	}
	for _, share := range []string{"inboth", "stored share", "a copy"} {
		if a := (peer.Client{From: s.Machine}).Share(t, s.Addr(), share, "ls"); a.OK() {
			t.Errorf("strangers still come into %s", share)
		}
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	lines := func(text string) string { // the registry keeps no order
		all := strings.Split(text, "\n")
		slices.Sort(all)
		return strings.Join(all, "\n")
	}
	if now := net("list"); lines(now) != lines(before) || applytest.Read(t, s.ConfigFile) != file {
		t.Errorf("rolled back to\n%s\nfrom\n%s", now, before)
	}
	for _, share := range []string{"inboth", "stored share", "a copy"} {
		if a := (peer.Client{From: s.Machine}).Share(t, s.Addr(), share, "ls"); !a.OK() {
			t.Errorf("after the rollback strangers do not come into %s: %v", share, a)
		}
	}
	lost := applytest.Parameter("nowhere", "guest ok", applytest.Absent, applytest.Value(false))
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	ch := applytest.Changes("samba", []model.Change{lost})
	ch[0].Known = known.Setting("guest ok")
	if _, err := target.Resolve(t.Context(), ch); err == nil || !strings.Contains(err.Error(), "no share of this name") {
		t.Errorf("a share that is nowhere: %v", err)
	}
}

// welcomeAll are the lines of a share that strangers may use.
var welcomeAll = []string{"guest ok = yes"}
