//go:build linux

package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smbtest"
)

// TestServeUnit runs the fleet's server from its own unit, under a real systemd with all that the unit takes away: it
// scans, keeps its state over a restart, and has no right that it does not need.
func TestServeUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/ipcguard-serve.service")
	if err != nil {
		t.Fatal(err)
	}
	const address = "127.48.4.1:8443"
	system := peer.StartSystem(t, peer.NewMachine(t, peer.MachineOptions{}), nil)
	do := func(name string, args ...string) string {
		t.Helper()
		out, err := system.Command(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	program := buildProgram(t, system.Machine.Dir)
	do("cp", program, "/run/ipcguard") // the unit's own place belongs to the outer system
	unit := string(text)
	// as both belong to the outer system
	for _, other := range []string{"/usr/local/bin/ipcguard", "/etc/ipcguard/serve.env"} {
		if !strings.Contains(unit, other) {
			t.Fatalf("the unit has no %s", other)
		}
		unit = strings.ReplaceAll(unit, other, filepath.Join("/run", filepath.Base(other)))
	}
	do("sh", "-c", `echo IPCGUARD_CONFIG=/run/serve.toml > /run/serve.env; echo 'listen = "`+address+
		`"' > /run/serve.toml`)
	// there is no journal
	unit = strings.Replace(unit, "[Install]", "StandardError=append:/run/serve.log\n[Install]", 1)
	if err := os.WriteFile(filepath.Join(system.Units, "ipcguard-serve.service"), []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	do("systemctl", "daemon-reload")
	show := func(property string) string {
		return do("systemctl", "show", "--value", "-p", property, "ipcguard-serve")
	}
	s := &fleetServer{url: "https://" + address}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := system.Command(t.Context(), "cat", "/run/serve.log").CombinedOutput()
			t.Logf("the server said:\n%s", out)
		}
	})
	ready := func(p *visitor) {
		t.Helper()
		until(t, func() error {
			r, err := p.http.Get(s.url + "/readyz")
			if err != nil {
				return err
			}
			defer r.Body.Close()
			if r.StatusCode != http.StatusOK {
				return errors.New(r.Status)
			}
			return nil
		})
	}
	do("systemctl", "start", "ipcguard-serve")
	p := s.page(t)
	ready(p)
	_, rest, _ := strings.Cut(do("cat", "/run/serve.log"), "/setup?token=")
	s.token, _, _ = strings.Cut(rest, "\n")

	status := do("cat", fmt.Sprintf("/proc/%s/status", show("MainPID")))
	for _, want := range []string{
		"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the process has not %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		t.Error("the process is root's")
	}

	host, err := smbtest.NewHost("winxp", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	practice, err := smbtest.Start("127.48.4.2:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer practice.Close()
	p.setUp(t, s.token)
	p.post(t, "/targets",
		url.Values{"spec": {practice.Address()}, "site": {"default"}, "criticality": {"normal"}, "enabled": {"on"}})
	run := p.run(t, url.Values{"kind": {"scan"}})
	p.until(t, "the scan", func() bool { return runEnded(p.get(t, run)) })

	do("systemctl", "restart", "ipcguard-serve")
	ready(p)
	if list := p.hosts(t, ""); len(list) != 1 || list[0].Verdict != model.Exposed { // its session is kept, too
		t.Errorf("after a restart: %+v", list)
	}
	do("systemctl", "stop", "ipcguard-serve")
	if got := show("Result"); got != "success" {
		t.Errorf("told to stop, it ended with %s", got)
	}
}

// TestWorkerUnit runs a worker from its own unit, under a real systemd: it joins as the unit's comments say, scans,
// goes on after kill -9 without joining again, gives back what it has when told to stop, and has no right that it does
// not need.
func TestWorkerUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/ipcguard-worker@.service")
	if err != nil {
		t.Fatal(err)
	}
	system := peer.StartSystem(t, peer.NewMachine(t, peer.MachineOptions{}), nil)
	do := func(name string, args ...string) string {
		t.Helper()
		out, err := system.Command(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	program := buildProgram(t, system.Machine.Dir)
	do("cp", program, "/run/ipcguard") // the unit's own place belongs to the outer system
	const own = "/usr/local/bin/ipcguard"
	unit := strings.Replace(string(text), "ExecStart="+own, "ExecStart=/run/ipcguard", 1)
	// there is no journal
	unit = strings.Replace(unit, "[Install]", "StandardError=append:/run/worker.log\n[Install]", 1)
	if !strings.Contains(unit, "ExecStart=/run/ipcguard") || !strings.Contains(unit, "/run/worker.log") {
		t.Fatal("the unit is not as this test knows it")
	}
	if err := os.WriteFile(filepath.Join(system.Units, "ipcguard-worker@.service"), []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	do("systemctl", "daemon-reload")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := system.Command(t.Context(), "cat", "/run/worker.log").CombinedOutput()
			t.Logf("the worker said:\n%s", out)
		}
	})
	dir := t.TempDir()
	s := startServer(t, program, dir, filepath.Join(dir, "fleet.db"))
	p := s.page(t)
	p.setUp(t, s.token)
	p.post(t, "/sites", url.Values{"name": {"branch"}})
	host, err := smbtest.NewHost("winxp", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	practice, err := smbtest.Start("127.48.6.2:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer practice.Close()
	p.post(t, "/targets",
		url.Values{"spec": {practice.Address()}, "site": {"branch"}, "criticality": {"normal"}, "enabled": {"on"}})

	const state, service = "/var/lib/ipcguard-worker/branch", "ipcguard-worker@branch"
	if !strings.Contains(unit, "worker join https://fleet.example:8444 --state "+state) {
		t.Error("the unit's comments do not say how it joins")
	}
	do("sh", "-c", "echo "+p.joinCode(t, "branch", "branch-1")+" | /run/ipcguard worker join "+s.workers+" --state "+
		state+" --code-file -")
	do("systemctl", "start", service)
	show := func(property string) string { return do("systemctl", "show", "--value", "-p", property, service) }
	scanned := func() {
		t.Helper()
		run := p.run(t, url.Values{"kind": {"scan"}})
		p.until(t, "the scan", func() bool { return runEnded(p.get(t, run)) })
		if page := p.get(t, run); !strings.Contains(page, "1 of 1") {
			t.Errorf("the worker did not scan:\n%s", page)
		}
	}
	scanned()
	status := do("cat", fmt.Sprintf("/proc/%s/status", show("MainPID")))
	for _, want := range []string{
		"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the process has not %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		t.Error("the process is root's")
	}
	before := show("MainPID")
	do("systemctl", "kill", "--signal=KILL", service)
	p.until(t, "it is started again", func() bool { now := show("MainPID"); return now != before && now != "0" })
	scanned()
	do("systemctl", "stop", service)
	if got := show("Result"); got != "success" {
		t.Errorf("told to stop, it ended with %s", got)
	}
	if log := do("cat", "/run/worker.log"); !strings.Contains(log, "stopped") || strings.Count(log, "at work") != 2 {
		t.Errorf("the worker said:\n%s", log)
	}
}
