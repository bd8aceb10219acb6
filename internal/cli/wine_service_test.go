package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// services installs the fleet's server as a service, and has Windows' own sc start it. What the service manager gives a
// program, its working directory and its environment, is not what a prompt gives: Wine's has another %ProgramData%.
func (w *wineHost) services(t *testing.T) {
	const program, state = `C:\Program Files\ipcguard\ipcguard.exe`, `C:\ProgramData\ipcguard-serve`
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
	defer func(was string) { w.program = was }(w.program)
	w.program = program
	run := func(want int, args ...string) string {
		t.Helper()
		return w.ipcguard(t, want, append([]string{"service"}, args...)...)
	}
	for _, refused := range [][]string{
		{"--tls-cert", "a.pem", "--tls-key", `C:\b.pem`}, {"--key", `..\fleet.key`}, {"--database", "fleet.db"}, {"--", "--key"},
	} {
		run(2, append([]string{"install", "serve"}, refused...)...)
	}
	run(0, "install", "serve", "--listen", "127.41.4.2:0")
	if out := run(1, "install", "serve"); !strings.Contains(out, "is installed already") {
		t.Errorf("installed twice:\n%s", out)
	}
	// Wine shows an access list as a mode, and has none for the account of a service.
	if err := os.Chmod(w.Path(state), 0o750); err != nil {
		t.Fatal(err)
	}
	if out, code := w.Run(t, "sc", "start", "ipcguard-serve"); code != 0 {
		t.Fatalf("sc start: %d\n%s", code, out)
	}
	until(t, func() error {
		log, err := os.ReadFile(w.Path(state + `\service.log`))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if !strings.Contains(string(log), "https://127.41.4.2:") {
			out, _ := w.Run(t, "sc", "query", "ipcguard-serve")
			return fmt.Errorf("it does not serve: %s\n%s", log, out)
		}
		return nil
	})
	if out, _ := w.Run(t, "sc", "query", "ipcguard-serve"); !strings.Contains(out, "RUNNING") {
		t.Errorf("it serves, and sc says\n%s", out)
	}
	run(0, "uninstall", "serve")
	if out, code := w.Run(t, "sc", "query", "ipcguard-serve"); code == 0 {
		t.Errorf("removed, it is there:\n%s", out)
	}
	if _, err := os.Stat(w.Path(state + `\fleet.key`)); err != nil {
		t.Errorf("its state is gone: %v", err)
	}
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
			w.state:                  {0o777, []string{"it is open to Everyone (S-1-1-0)", "icacls " + w.state + " /inheritance:r /remove:g *S-1-1-0"}},
			w.state + `\ipcguard.db`: {0o666, []string{"Everyone (S-1-1-0) may write to it", "icacls " + w.state + `\ipcguard.db /reset`}},
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
