package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/model"
)

// kernelSystem stands in for ksmbd's programs and processes. What a real one does with a reload is in docs/measured.
type kernelSystem struct {
	ran    []string
	refuse bool
	daemon map[string]time.Time // by process
}

func (k *kernelSystem) Run(_ context.Context, name string, args ...string) (string, error) {
	k.ran = append(k.ran, name+" "+strings.Join(args, " "))
	if k.refuse {
		return "ERROR: Can't open lock file", errors.New("exit status 1")
	}
	return "", nil
}

func (k *kernelSystem) Named(pid int) string {
	if pid == 7 {
		return "bash"
	}
	return "ksmbd.mountd"
}

func (k *kernelSystem) Began(pid int) (time.Time, error) {
	return k.daemon[map[int]string{20: "20", 21: "21"}[pid]], nil
}
func (k *kernelSystem) Reread(int) error { return errors.New("nobody is told by a signal") }

func (k *kernelSystem) List(string) ([]string, error) {
	names := []string{"7", "self", "uptime"}
	for pid := range k.daemon {
		names = append(names, pid)
	}
	return names, nil
}

const kernelConfig = "; mine\n[global]\n\tworkgroup = X\n\n[public]\n\tpath = /pub\n\tguest ok = yes\n"

func kernelServer(t *testing.T) (*Ksmbd, *kernelSystem, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ksmbd.conf")
	if err := os.WriteFile(file, []byte(kernelConfig), 0o640); err != nil {
		t.Fatal(err)
	}
	s := &kernelSystem{daemon: map[string]time.Time{"20": time.Unix(100, 0), "21": time.Unix(101, 0)}}
	return OpenKsmbdOn(file, s), s, file
}

// ksmbd.conf is changed in one write, read again by the server's own tool, and taken back to the byte.
func TestKsmbd(t *testing.T) {
	k, s, file := kernelServer(t)
	plan := model.Plan{Changes: []model.Change{
		{
			ID: "1", Where: "ksmbd.conf [global] restrict anonymous", When: "service-restart",
			To: model.Value{Present: true, Type: "int", Data: 1},
		},
		{
			ID: "2", Where: "ksmbd.conf [public] guest ok", When: "new-connections",
			From: model.Value{Present: true, Type: "bool", Data: true},
			To:   model.Value{Present: true, Type: "bool", Data: false},
		},
	}}
	e := engineFor(t, k)
	j, err := e.Apply(t.Context(),
		engine.Request{
			Plan: plan, Changes: applytest.Changes("ksmbd", plan.Changes), Bytes: []byte("{}"), Target: k,
			Verify: applytest.Good,
		})
	if err != nil {
		t.Fatal(err)
	}
	const want = "; mine\n[global]\n\tworkgroup = X\n\trestrict anonymous = 1\n\n[public]\n\tpath = /pub\n\tguest " +
		"ok = no\n"
	if b, err := os.ReadFile(file); err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
	if !slices.Equal(s.ran, []string{"ksmbd.control --reload"}) {
		t.Errorf("ran %q", s.ran)
	}
	if len(j.Writes) != 1 || j.Writes[0].Restart != "ksmbd" || len(j.Writes[0].Needs) != 1 {
		t.Errorf("%+v", j.Writes)
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != kernelConfig {
		t.Errorf("rolled back to %q, %v", b, err)
	}
	if len(s.ran) != 2 {
		t.Errorf("ran %q", s.ran)
	}
}

// A share's parameter needs no restart; a host that changed, a share that is not there and another server's parameter
// are refused; a reload that fails is told, and fails nothing: the file is what the server reads when it starts.
func TestKsmbdRefuses(t *testing.T) {
	k, s, _ := kernelServer(t)
	resolve := func(c model.Change, system string) ([]apply.Write, error) {
		return k.Resolve(t.Context(), applytest.Changes(system, []model.Change{c}))
	}
	open := model.Change{
		ID: "1", Where: "ksmbd.conf [public] guest ok", When: "new-connections",
		From: model.Value{Present: true, Type: "bool", Data: true},
		To:   model.Value{Present: true, Type: "bool", Data: false},
	}
	w, err := resolve(open, "ksmbd")
	if err != nil || len(w) != 1 || w[0].Restart != "" || len(w[0].Needs) != 0 {
		t.Fatalf("%+v, %v", w, err)
	}
	var stale *apply.StaleError
	var refused *apply.RefusedError
	changed := open
	changed.From.Data = false
	if _, err := resolve(changed, "ksmbd"); !errors.As(err, &stale) {
		t.Errorf("changed: %v", err)
	}
	missing := open
	missing.Where = "ksmbd.conf [gone] guest ok"
	if _, err := resolve(missing, "ksmbd"); !errors.As(err, &stale) {
		t.Errorf("missing: %v", err)
	}
	other := model.Change{
		ID: "1", Where: "[global] restrict anonymous", To: model.Value{Present: true, Type: "int", Data: 1},
	}
	if _, err := resolve(other, "samba"); !errors.As(err, &refused) {
		t.Errorf("Samba's: %v", err)
	}
	for _, p := range []apply.Place{
		{Kind: apply.Parameter, Path: "global", Name: "restrict anonymous"}, {Kind: apply.File, Path: "/etc/passwd"},
	} {
		if err := k.Owns(p); !errors.As(err, &refused) {
			t.Errorf("%v: %v", p, err)
		}
	}
	if err := k.StillTrue(t.Context(),
		model.Fact{
			Where: "ksmbd.conf [global] map to guest", Value: model.Value{Present: true, Type: "enum", Data: "never"},
		}); !errors.As(err, &stale) {
		t.Errorf("fact: %v", err)
	}
	s.refuse = true
	notes, err := k.Settle(t.Context(), w)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "nothing was reloaded") {
		t.Errorf("%q, %v", notes, err)
	}
}

// The daemon runs since its first process does.
func TestKsmbdStarted(t *testing.T) {
	k, s, _ := kernelServer(t)
	if got, err := k.Started(t.Context(), "ksmbd"); err != nil || !got.Running || !got.At.Equal(time.Unix(100, 0)) {
		t.Errorf("%+v, %v", got, err)
	}
	s.daemon = nil
	if got, err := k.Started(t.Context(), "ksmbd"); err != nil || got.Running {
		t.Errorf("%+v, %v", got, err)
	}
	began, err := local{}.Began(os.Getpid())
	if os.Getpid() > 0 && (err != nil || began.After(time.Now().Add(time.Second)) || time.Since(began) > 24*time.Hour) {
		if _, missing := os.Stat("/proc/uptime"); missing == nil {
			t.Errorf("%s, %v", began, err)
		}
	}
}

// The address to probe is that of the configuration.
func TestKsmbdAddress(t *testing.T) {
	for config, want := range map[string]string{
		"[global]\n": "127.0.0.1:445",
		"[global]\n\ttcp port = 1445\n\tbind interfaces only = no\n\tinterfaces = lo\n": "127.0.0.1:1445",
		"[global]\n\ttcp port = x\n":                                     "",
		"[global]\n\tbind interfaces only = yes\n\tinterfaces = none0\n": "",
	} {
		k, _, file := kernelServer(t)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Address(t.Context()); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s, %v; want %s", config, got, err, want)
		}
	}
}
