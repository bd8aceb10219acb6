//go:build linux

package cli

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sealing "ipcguard/internal/fleet/secret"
	"ipcguard/internal/smbtest"
)

// TestServeRestored: a worker that is never restarted works on when the server's machine is lost and its backup is put
// in place, with the key file that was kept beside it, and when everything is sealed with a new key. With another key
// it says what does not open.
func TestServeRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := buildProgram(t, dir)
	state := filepath.Join(dir, "serve")
	database, key := filepath.Join(state, databaseFile), filepath.Join(state, keyFile)
	do := func(want string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	begin := func() *fleetServer {
		return startServer(t, program, dir, database, "--listen", "127.48.5.1:8443", "--workers", "127.48.5.1:8444")
	}
	host, err := smbtest.NewHost("winxp", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	practice, err := smbtest.Start("127.48.5.2:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer practice.Close()

	s := begin()
	p := s.page(t)
	p.setUp(t, s.token)
	p.post(t, "/sites", url.Values{"name": {"branch"}})
	p.post(t, "/targets",
		url.Values{"spec": {practice.Address()}, "site": {"branch"}, "criticality": {"normal"}, "enabled": {"on"}})
	place := filepath.Join(dir, "worker")
	code := filepath.Join(dir, "code")
	if err := os.WriteFile(code, []byte(p.joinCode(t, "branch", "branch-1")), 0o600); err != nil {
		t.Fatal(err)
	}
	do("joined as branch-1 for the site branch", "worker", "join", s.workers, "--state", place, "--code-file", code)
	start(t, exec.CommandContext(t.Context(), program, "worker", "--state", place, "--no-unknown-user"))
	scanned := func(when string) {
		t.Helper()
		run := p.run(t, url.Values{"kind": {"scan"}})
		p.until(t, when, func() bool { return runEnded(p.get(t, run)) })
		if page := p.get(t, run); !strings.Contains(page, "1 of 1") {
			t.Errorf("%s: the worker did not scan:\n%s", when, page)
		}
	}
	scanned("before")
	backup, kept := filepath.Join(dir, "backup.db"), filepath.Join(dir, "kept.key")
	do(backup, "serve", "backup", backup, "--state", state)
	b, err := os.ReadFile(key)
	if err == nil {
		err = os.WriteFile(kept, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	scanned("while it was saved")
	s.stop(t)

	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	do("does not open what is sealed in it: the authority of workers", "serve", "restore", backup, "--state", state)
	if err := os.Rename(kept, key); err != nil {
		t.Fatal(err)
	}
	s = begin()
	scanned("restored") // its session is in the backup, too
	s.stop(t)

	do("", "serve", "rekey", "--state", state)
	s = begin()
	scanned("sealed anew")
	if page := p.get(t, "/sites"); strings.Count(page, "Revoke branch-1") != 1 || !strings.Contains(page, "alive") {
		t.Errorf("the workers:\n%s", page)
	}
	s.stop(t)

	if _, _, err := sealing.Create(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, key); err != nil {
		t.Fatal(err)
	}
	s = begin()
	p.until(t, "what is not opened", func() bool { return strings.Contains(p.get(t, "/readyz"), "wrong-key") })
	if !strings.Contains(s.log(), "does not open what is sealed in the database") {
		t.Errorf("its log:\n%s", s.log())
	}
	r, err := p.http.PostForm(p.base+"/workers", url.Values{"site": {"branch"}, "name": {"branch-2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(page), "key file") {
		t.Errorf("a code without the key: %s, %v\n%s", r.Status, err, page)
	}
	s.stop(t)
}
