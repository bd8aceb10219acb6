package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/smbtest"
)

// services installs the fleet's server and a worker as services, has Windows' own sc start both, and a host scanned by
// the worker. What the service manager gives a program, its working directory and its environment, is not what a prompt
// gives: Wine's has another %ProgramData%.
func (w *wineHost) services(t *testing.T) {
	open, err := smbtest.NewHost("winxp", "PLANT")
	if err != nil {
		t.Fatal(err)
	}
	target, err := smbtest.Start("127.41.4.3:0", open)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	const program, home, ofWorker = `C:\Program Files\ipcguard\ipcguard.exe`, `C:\ProgramData\ipcguard-serve`,
		`C:\ProgramData\ipcguard-worker`
	b, err := os.ReadFile(w.program)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(w.Path(program)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(w.Path(program), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func(program, state string) { w.program, w.state = program, state }(w.program, w.state)
	w.program, w.state = program, ofWorker
	run := func(want int, args ...string) string {
		t.Helper()
		return w.ipcguard(t, want, append([]string{"service"}, args...)...)
	}
	// Wine's installer takes the key of the log away with the last source in it.
	const log = `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application`
	_ = w.Command(t.Context(), "reg", "delete", log, "/f").Run() // it may be gone already
	source := func() bool {
		return w.Command(t.Context(), "reg", "query", log+`\ipcguard`, "/v", "EventMessageFile").Run() == nil
	}

	for _, refused := range [][]string{
		{"--tls-cert", "a.pem", "--tls-key", `C:\b.pem`},
		{"--key", `..\fleet.key`},
		{"--database", "fleet.db"},
		{"--", "--key"},
		{"--listen", "127.41.4.2"},
		{"--listen", "127.41.4.2:70000"},
		{"--metrics", "nowhere"},
		{"--keep", "1h"},
		{"--log", "xml"},
		{"--trust-proxy", "x"},
		{"--no-tls", "--listen", "0.0.0.0:8443"},
		{"--database", "postgres://u:p@h/d"},
		{"--timeout", "0s"},
		{"--oidc-ca", "ca.pem"},
		{"--oidc-client", "x"},
		{"--keep-audit-log", "1h"},
	} {
		run(2, append([]string{"install", "serve"}, refused...)...)
	}
	run(1, "install", "serve", "--tls-cert", `C:\none.pem`, "--tls-key", `C:\none.key`)
	run(2, "install", "worker", "--log", "xml")
	if out := run(2, "install", "worker"); !strings.Contains(out, "ipcguard worker join") {
		t.Errorf("a worker that has not joined:\n%s", out)
	}
	for _, made := range []string{home, ofWorker} {
		if _, err := os.Stat(w.Path(made)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("refused, %s is there: %v", made, err)
		}
	}
	for _, verb := range []string{"serve", "worker"} {
		if out, code := w.Run(t, "sc", "query", "ipcguard-"+verb); code == 0 {
			t.Errorf("refused, it is installed:\n%s", out)
		}
	}

	run(0, "install", "serve", "--listen", "127.41.4.2:0", "--workers", "127.41.4.2:0")
	if out := run(1, "install", "serve"); !strings.Contains(out, "is installed already") {
		t.Errorf("installed twice:\n%s", out)
	}
	if !source() {
		t.Error("the event source is not registered")
	}
	said := w.startService(t, "serve", home, `/setup\?token=(\S+).*worker join (https://\S+)`)
	page := regexp.MustCompile(`page: (https://\S+)`).FindStringSubmatch(said[0])
	if page == nil {
		t.Fatalf("no page in\n%s", said[0])
	}
	v := newVisitor(t, page[1])
	v.setUp(t, said[1])
	v.post(t, "/sites", url.Values{"name": {"plant"}})
	_, rest, _ := strings.Cut(v.submit(t, "/workers", url.Values{"site": {"plant"}, "name": {"wine"}}), `id="secret">`)
	code, _, _ := strings.Cut(rest, "<")
	if err := os.WriteFile(w.Path(`C:\code`), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ipcguard(t, 0, "worker", "join", said[2], "--code-file", `C:\code`)
	run(0, "install", "worker", "--timeout", "1m") // of a loaded machine
	w.startService(t, "worker", ofWorker, "(at work)")
	v.post(t, "/targets",
		url.Values{"spec": {target.Address()}, "site": {"plant"}, "criticality": {"normal"}, "enabled": {"on"}})
	v.run(t, url.Values{"kind": {"scan"}})
	v.until(t, "the worker's scan", func() bool { return len(v.hosts(t, "?site=plant")) == 1 })
	if h := v.hosts(t, "?site=plant")[0]; h.Verdict != model.Exposed {
		t.Errorf("the worker found %s at %s: %s", h.Address, h.Site, h.Verdict)
	}

	for _, verb := range []string{"worker", "serve"} {
		run(0, "uninstall", verb)
		if out, code := w.Run(t, "sc", "query", "ipcguard-"+verb); code == 0 {
			t.Errorf("removed, it is there:\n%s", out)
		}
		if got := source(); got != (verb == "worker") { // as long as one of them is there
			t.Errorf("%s is removed, and the event source is there: %v", verb, got)
		}
	}
	if log, err := os.ReadFile(w.Path(ofWorker + `\service.log`)); err != nil ||
		!strings.Contains(string(log), "msg=stopped") {
		t.Errorf("the worker did not end in good order: %v\n%s", err, log)
	}
	if _, err := os.Stat(w.Path(home + `\fleet.key`)); err != nil {
		t.Errorf("its state is gone: %v", err)
	}
}

// startService starts one of the two, and gives what a pattern finds in its log.
func (w *wineHost) startService(t *testing.T, verb, home, pattern string) (found []string) {
	t.Helper()
	// Wine shows an access list as a mode, and has none for the account of a service.
	if err := os.Chmod(w.Path(home), 0o750); err != nil {
		t.Fatal(err)
	}
	if out, code := w.Run(t, "sc", "start", "ipcguard-"+verb); code != 0 {
		t.Fatalf("sc start: %d\n%s", code, out)
	}
	until(t, func() error {
		log, err := os.ReadFile(w.Path(home + `\service.log`))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if found = regexp.MustCompile(`(?s)^.*` + pattern).FindStringSubmatch(string(log)); found == nil {
			out, _ := w.Run(t, "sc", "query", "ipcguard-"+verb)
			return fmt.Errorf("it does not work: %s\n%s", log, out)
		}
		return nil
	})
	if out, _ := w.Run(t, "sc", "query", "ipcguard-"+verb); !strings.Contains(out, "RUNNING") {
		t.Errorf("it works, and sc says\n%s", out)
	}
	return found
}

// openHomes has serve and worker use a directory that was there and is open to everybody, as what is made below
// %ProgramData% by hand is.
func (w *wineHost) openHomes(t *testing.T) {
	defer func(was string) { w.state = was }(w.state)
	for verb, args := range map[string][]string{"serve": {"serve", "--listen", "127.41.4.2:0"}, "worker": {"worker"}} {
		w.state = `C:\home-` + verb
		if err := os.Mkdir(w.Path(w.state), 0o700); err != nil {
			t.Fatal(err)
		}
		for path, c := range map[string]struct {
			mode  os.FileMode
			wants []string
		}{
			w.state: {
				0o777, []string{
					"it is open to Everyone (S-1-1-0)", "icacls " + w.state + " /inheritance:r /remove:g *S-1-1-0",
				},
			},
			w.state + `\ipcguard.db`: {
				0o666, []string{"Everyone (S-1-1-0) may write to it", "icacls " + w.state + `\ipcguard.db /reset`},
			},
		} {
			if path != w.state {
				if err := os.WriteFile(w.Path(path), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(w.Path(path), c.mode); err != nil {
				t.Fatal(err)
			}
			out := w.ipcguard(t, 1, args...)
			for _, want := range c.wants {
				if !strings.Contains(out, want) {
					t.Errorf("%s: %s with mode %v: no %q in\n%s", verb, path, c.mode, want, out)
				}
			}
			if err := os.Chmod(w.Path(path), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
}
