package apply

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// machine is Samba's machine: its programs run in it, and its processes have their numbers there.
type machine struct {
	*peer.Samba
	refuse string // a program that fails
}

func (m machine) run(ctx context.Context, name string, args ...string) (string, error) {
	if name == m.refuse {
		return "error: refused", errors.New("exit status 1")
	}
	cmd := m.Command(ctx, name, args...)
	var out, trouble strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		return out.String() + trouble.String(), err
	}
	return out.String(), nil
}

func (m machine) named(pid int) string {
	out, err := m.Command(context.Background(), "cat", fmt.Sprintf("/proc/%d/comm", pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (m machine) reread(pid int) error {
	return m.Command(context.Background(), "kill", "-HUP", strconv.Itoa(pid)).Run()
}

// sambaTarget is the product's target on a test's server.
func sambaTarget(t testing.TB, s *peer.Samba) *Samba {
	t.Helper()
	target := &Samba{config: s.ConfigFile, system: machine{Samba: s}, fault: func(string) {}}
	return target
}

// seen scans as strangers, over the best dialect; as guests only where the server knows any.
func seen(t testing.TB, s *peer.Samba, guests ...bool) *model.Scan {
	t.Helper()
	scanner, err := scan.New(scan.Options{Dial: s.Dial, NoGuest: guests == nil, NoUnknownUser: guests == nil})
	if err != nil {
		t.Fatal(err)
	}
	return scanner.Host(t.Context(), targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())})
}

func value(v any) model.Value { return model.Value{Present: true, Data: v} }

var absent model.Value

func samba(section, name string, from, to model.Value) model.Change {
	return model.Change{ID: "1", Setting: name, Where: "[" + section + "] " + name, From: from, To: to}
}

// verdict is a verification that wants one verdict.
func verdict(t testing.TB, s *peer.Samba, want model.Verdict) func(context.Context) (*Proof, error) {
	return func(context.Context) (*Proof, error) {
		r := seen(t, s)
		p := &Proof{Schema: SchemaProof, Checks: []Check{{Check: "verdict", Result: Passed}}}
		if r.Verdict != want {
			p.Checks[0].Result, p.Checks[0].Detail = Failed, string(r.Verdict)+": "+r.Reason
		}
		p.Judge()
		return p, nil
	}
}

// listsUsers tells whether a stranger is given the list of accounts.
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
			[]model.Change{samba("global", "restrict anonymous", absent, value(2))},
			nil,
			func(r *model.Scan) bool { return r.Verdict == model.Closed },
		},
		{
			"restrict anonymous 1 with live helpers",
			peer.Config{Address: "127.53.1.2", Global: []string{"restrict anonymous = 0"}},
			[]model.Change{samba("global", "restrict anonymous", value(0), value(1))},
			nil,
			func(r *model.Scan) bool { return !listsUsers(r) },
		},
		{
			"guests as well",
			peer.Config{Address: "127.53.1.3", Global: []string{"map to guest = Bad User"}},
			[]model.Change{
				samba("global", "map to guest", value("bad user"), value("never")),
				samba("global", "restrict anonymous", absent, value(2)),
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
			j, err := e.Apply(t.Context(), Request{
				Plan: model.Plan{Changes: c.changes}, Bytes: []byte("{}"), Target: target,
				Verify: func(ctx context.Context) (*Proof, error) {
					r := seen(t, s, c.guests...)
					if proved = c.closes(r); !proved {
						t.Errorf("after: %s %s", r.Verdict, r.Reason)
					}
					return good(ctx)
				},
			})
			if err != nil || !proved {
				t.Fatalf("apply: %v", err)
			}
			if a := (peer.Client{User: "alice", Password: peer.Password, From: s.Machine}).RPC(t, s.Addr(), "lookupnames alice"); !a.OK() {
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

// TestSambaRegistry changes servers whose settings are in Samba's own registry: beside smb.conf, and altogether.
func TestSambaRegistry(t *testing.T) {
	for _, c := range []struct {
		name   string
		config peer.Config
		from   model.Value
	}{
		{"include", peer.Config{Address: "127.41.1.4", Global: []string{"include = registry"}}, absent},
		{"backend", peer.Config{Address: "127.41.1.5", Registry: true, Global: []string{"restrict anonymous = 0"}}, value(0)},
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
			before, file := list(), readAll(t, s.ConfigFile)
			e := engineFor(t, target)
			plan := model.Plan{Changes: []model.Change{
				samba("global", "restrict anonymous", c.from, value(2)),
				samba("IPC$", "invalid users", absent, value([]string{"nobody", "a group"})),
			}}
			j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: target, Verify: verdict(t, s, model.Closed)})
			if err != nil {
				t.Fatal(err)
			}
			if got := list(); !strings.Contains(got, "restrict anonymous = 2") || !strings.Contains(got, `nobody "a group"`) {
				t.Errorf("stored:\n%s", got)
			}
			if a := (peer.Client{User: "alice", Password: peer.Password, From: s.Machine}).RPC(t, s.Addr(), "lookupnames alice"); !a.OK() {
				t.Errorf("a user with a password no longer works: %v", a)
			}
			if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
				t.Fatal(err)
			}
			if got := list(); got != before || readAll(t, s.ConfigFile) != file {
				t.Errorf("rolled back to\n%q\nfrom\n%q", got, before)
			}
			if r := seen(t, s); r.Verdict != model.Exposed {
				t.Errorf("after the rollback: %s", r.Verdict)
			}
			// Killed half way between the two writes, and in the middle of the second: recovery takes both back.
			for _, point := range []string{"netconf:set", "step:settled:before"} {
				second := 0
				target.fault = func(p string) {
					if p == point {
						if second++; second == 2 || point != "netconf:set" {
							panic(killed{})
						}
					}
				}
				e.Fault = target.fault
				if !survive(func() {
					_, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: target, Verify: good})
					t.Errorf("not killed at %s: %v", point, err)
				}) {
					t.Fatalf("%s is no point", point)
				}
				target.fault, e.Fault = func(string) {}, nil
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

// silentSamba is a configuration without a server: files alone.
func silentSamba(t testing.TB, text string) (*Samba, string) {
	t.Helper()
	path := filepath.Join(memoryDir(t), "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Samba{config: path, system: quiet{}, fault: func(string) {}}, path
}

// quiet has no Samba: testparm agrees with everything, smbd does not run.
type quiet struct{}

func (quiet) run(_ context.Context, name string, _ ...string) (string, error) {
	if name == "testparm" {
		return "", nil
	}
	return "", &exec.Error{Name: name, Err: errors.New("no server")}
}
func (quiet) named(int) string { return "" }
func (quiet) reread(int) error { return nil }

const commented = "# my server\r\n[global]\r\n\tworkgroup = X ; not a comment\r\n; restrict anonymous = 0\r\n\r\n[share]\r\n\tpath = /x\r\n"

func TestSambaKeepsEverythingElse(t *testing.T) {
	s, path := silentSamba(t, commented)
	link := filepath.Join(filepath.Dir(path), "link.conf")
	if err := os.Symlink("smb.conf", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	s.config = link
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{samba("global", "restrict anonymous", absent, value(2))}}
	j, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: s, Verify: good})
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
	want := strings.Replace(commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	if err := os.WriteFile(path, append(got, "# by hand\n"...), 0o640); err != nil {
		t.Fatal(err)
	}
	var conflict *ConflictError
	if _, err := e.Rollback(t.Context(), j.ID, false); !errors.As(err, &conflict) || !strings.Contains(conflict.Diffs[0], "+ # by hand") {
		t.Errorf("an edit by hand: %v", err)
	}
	if _, err := e.Rollback(t.Context(), j.ID, true); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != commented {
		t.Errorf("%v\n%q", err, got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".smb*")); left != nil {
		t.Errorf("%v is left", left)
	}
}

func TestSambaRefusals(t *testing.T) {
	plan := []model.Change{samba("global", "restrict anonymous", absent, value(2))}
	var refused *RefusedError
	var stale *StaleError
	s, _ := silentSamba(t, "[global]\n\trestrict anonymous = 1\n")
	if _, err := s.Resolve(t.Context(), plan); !errors.As(err, &stale) {
		t.Errorf("stale: %v", err)
	}
	s, path := silentSamba(t, commented)
	if err := os.Link(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), plan); !errors.As(err, &refused) {
		t.Errorf("two names: %v", err)
	}
	s, path = silentSamba(t, commented)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), plan); !errors.As(err, &refused) {
		t.Errorf("read-only: %v", err)
	}
	s, path = silentSamba(t, "[global]\n\tinclude = "+filepath.Join(t.TempDir(), "more.conf")+"\n")
	_ = path
	if err := os.WriteFile(strings.TrimSpace(strings.SplitN(readAll(t, path), "=", 2)[1]), []byte("restrict anonymous = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Resolve(t.Context(), []model.Change{samba("global", "restrict anonymous", value(0), value(2))}); err != nil {
		if !errors.As(err, &refused) {
			t.Errorf("an include decides: %v", err)
		}
	} else if len(w) != 1 {
		t.Errorf("an include decides: %v", w)
	}
	s, _ = silentSamba(t, "[global]\n= broken\n")
	if _, err := s.Resolve(t.Context(), plan); err == nil {
		t.Error("a configuration that Samba refuses was edited")
	}
	s, _ = silentSamba(t, commented)
	if _, err := s.Resolve(t.Context(), []model.Change{{Where: `HKLM\X\Y`, To: value(1)}}); !errors.As(err, &refused) {
		t.Errorf("a registry value of Windows: %v", err)
	}
}

func readAll(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSambaRefusesItsNewConfiguration lets testparm fail once the change is written: everything goes back.
func TestSambaRefusesItsNewConfiguration(t *testing.T) {
	s, path := silentSamba(t, commented)
	s.system = fussy{path: path}
	e := engineFor(t, s)
	plan := model.Plan{Changes: []model.Change{samba("global", "restrict anonymous", absent, value(2))}}
	var back *RolledBackError
	_, err := e.Apply(t.Context(), Request{Plan: plan, Bytes: []byte("{}"), Target: s, Verify: good})
	if !errors.As(err, &back) || !strings.Contains(err.Error(), "testparm refuses") {
		t.Errorf("%v", err)
	}
	if readAll(t, path) != commented {
		t.Error("not as before")
	}
}

// fussy is a testparm that does not like what is new.
type fussy struct {
	quiet
	path string
}

func (f fussy) run(ctx context.Context, name string, args ...string) (string, error) {
	b, err := os.ReadFile(f.path)
	if err == nil && name == "testparm" && strings.Contains(string(b), "restrict anonymous = 2") {
		return "Error loading services.", errors.New("exit status 1")
	}
	return f.quiet.run(ctx, name, args...)
}

// TestSambaKilledAnywhere is TestKilledAnywhere on a file.
func TestSambaKilledAnywhere(t *testing.T) {
	plan := model.Plan{Changes: []model.Change{samba("global", "restrict anonymous", absent, value(2))}}
	for n := 0; ; n++ {
		s, path := silentSamba(t, commented)
		e := engineFor(t, s)
		var met *[]string
		e.Fault, met = killAt(n)
		s.fault = e.Fault
		dead := survive(func() {
			if _, err := e.Apply(context.Background(), Request{Plan: plan, Bytes: []byte("{}"), Target: s, Verify: bad}); err == nil {
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
		e.Fault, s.fault = nil, func(string) {}
		if _, err := e.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, path); got != commented {
			t.Fatalf("killed at %s: %q", (*met)[n], got)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Fatalf("killed at %s: %v is left, %v", (*met)[n], entries, err)
		}
	}
}
