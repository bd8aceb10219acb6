//go:build linux

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestGatewayUnit runs the gateway from its own unit, under a real systemd with all that the unit takes away: it
// listens on port 445 with one capability, keeps rows, reads its policy again, hands over to a new process that systemd
// takes for the service, and stops.
func TestGatewayUnit(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "systemd", "rpcclient")
	text, err := os.ReadFile("../../docs/ipcguard-gateway.service")
	if err != nil {
		t.Fatal(err)
	}
	const server, way = "127.21.7.1", "127.21.7.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server})
	system := peer.StartSystem(t, s.Machine, nil)
	do := func(name string, args ...string) string {
		t.Helper()
		out, err := system.Command(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	program := buildProgram(t, s.Dir)
	do("mkdir", "/run/gateway")
	do("cp", program, "/run/gateway/ipcguard") // the unit's own places belong to the outer system
	policy := func(text string) {
		t.Helper()
		do("sh", "-c", "printf '"+text+"' > /run/gateway/policy.yaml")
	}
	policy("")
	do("sh", "-c", fmt.Sprintf("printf '[[listener]]\\nlisten = \"%s:445\"\\nto = \"%s\"\\npolicy = "+
		"\"policy.yaml\"\\n' > /run/gateway/gateway.toml", way, server))
	unit := strings.NewReplacer("/usr/local/bin/ipcguard", "/run/gateway/ipcguard", "/etc/ipcguard/gateway.toml",
		"/run/gateway/gateway.toml",
		"[Install]", "StandardError=append:/run/gateway/log\n[Install]").Replace(string(text)) // there is no journal
	if err := os.WriteFile(filepath.Join(system.Units, "ipcguard-gateway.service"), []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	do("systemctl", "daemon-reload")
	show := func(property string) string {
		return do("systemctl", "show", "--value", "-p", property, "ipcguard-gateway")
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := system.Command(context.Background(), "cat", "/run/gateway/log").CombinedOutput()
			t.Logf("the gateway said:\n%s", out)
		}
	})
	do("systemctl", "start", "ipcguard-gateway") // returns when it says that it listens
	if got := show("ActiveState"); got != "active" {
		t.Fatalf("started, it is %s", got)
	}
	null := peer.Client{From: s.Machine}
	user := peer.Client{From: s.Machine, User: "labadmin", Password: peer.Password}
	serves := func(when string) {
		t.Helper()
		if a := null.RPC(t, way, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
			t.Errorf("%s, a null session: %v", when, a)
		}
		if a := user.RPC(t, way, "srvinfo"); !a.OK() {
			t.Errorf("%s, a user: %v", when, a)
		}
	}
	serves("at first")
	status := do("cat", fmt.Sprintf("/proc/%s/status", show("MainPID")))
	// CAP_NET_BIND_SERVICE
	for _, want := range []string{
		"CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the process has not %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		t.Error("the process is root's")
	}

	policy(`strangers:\n- allow: everything\n`)
	do("systemctl", "reload", "ipcguard-gateway")
	until(t, func() error {
		if a := null.RPC(t, way, "srvinfo"); !a.OK() {
			return fmt.Errorf("a null session after the reload: %v", a)
		}
		return nil
	})
	policy("")
	held := user.RPCShell(t, way) // the old process goes on for it
	held.Do(t, "srvinfo", "LABHOST")
	takeOver := func() (before string) {
		t.Helper()
		before = show("MainPID")
		do("systemctl", "kill", "-s", "USR2", "--kill-whom=main", "ipcguard-gateway")
		until(t, func() error {
			if show("MainPID") == before {
				return fmt.Errorf("the main process is still %s", before)
			}
			return nil
		})
		return before
	}
	before := takeOver()
	if got := show("ActiveState") + " " + show("NRestarts"); got != "active 0" {
		t.Errorf("after a new version took over, it is %s", got)
	}
	serves("after a new version took over")
	held.Do(t, "srvinfo", "LABHOST")
	if err := held.Close(); err != nil {
		t.Errorf("the user's connection: %v", err)
	}
	until(t, func() error {
		if system.Command(t.Context(), "test", "-e", "/proc/"+before).Run() == nil {
			return errors.New("the old process goes on")
		}
		return nil
	})
	// A process that systemd takes for none of its own is killed at a stop, in about every second case.
	for range 4 {
		do("systemctl", "stop", "ipcguard-gateway")
		if got := show("Result"); got != "success" {
			t.Errorf("told to stop, it ended with %s, status %s", got, show("ExecMainStatus"))
		}
		do("systemctl", "start", "ipcguard-gateway")
		takeOver()
	}
	do("systemctl", "stop", "ipcguard-gateway")
	if a := user.RPC(t, way, "srvinfo"); a.OK() {
		t.Errorf("stopped, it lets a user through: %v", a)
	}
}
