//go:build linux

package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ipcguard/internal/peer"
)

// pairConfig is that of docs/gateway.md, for one of the two.
const pairConfig = `
global_defs {
  enable_script_security
  script_user root
}
vrrp_script gateway {
  script "/usr/bin/pgrep -x ipcguard"
  interval 1
}
vrrp_instance smb {
  state BACKUP
  interface lan
  virtual_router_id 45
  priority %d
  advert_int 1
  virtual_ipaddress { 10.21.3.10/24 dev lan }
  track_script { gateway }
}
`

// TestGatewayPair lets one gateway take over from another by keepalived: one address, which the client never changes.
func TestGatewayPair(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient", "keepalived", "pgrep", "ip")
	s := peer.StartManyHosts(t, peer.Config{})
	o := programOn(t, s)
	net := peer.NewMachine(t, peer.MachineOptions{Network: true})
	net.Do(t, "ip", "link", "add", "br0", "type", "bridge")
	net.Do(t, "ip", "link", "set", "br0", "up")
	plug := func(m *peer.Machine, n int) {
		port := fmt.Sprintf("port%d", n)
		peer.Join(t, m, "lan", fmt.Sprintf("10.21.3.%d/24", n), net, port, fmt.Sprintf("169.254.21.%d/32", n))
		net.Do(t, "ip", "link", "set", port, "master", "br0")
	}
	client := peer.NewMachine(t, peer.MachineOptions{Network: true})
	plug(s.Machine, 2)
	plug(client, 3)
	type half struct {
		machine *peer.Machine
		gateway *gatewayProcess
		log     string
	}
	start := func(n, priority int) *half {
		h := &half{machine: peer.NewMachine(t, peer.MachineOptions{Network: true})}
		plug(h.machine, n)
		// it listens on the address before it has it
		h.machine.Do(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind")
		h.gateway = o.startGatewayOn(t, h.machine, "--listen", "10.21.3.10:445", "--to", "10.21.3.2")
		config := filepath.Join(h.machine.Dir, "keepalived.conf")
		if err := os.WriteFile(config, fmt.Appendf(nil, pairConfig, priority), 0o600); err != nil {
			t.Fatal(err)
		}
		h.log = filepath.Join(h.machine.Dir, "keepalived.log")
		out, err := os.Create(h.log)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := h.machine.Command(t.Context(), "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file",
			config)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Cancel()
			_ = cmd.Wait()
			if t.Failed() {
				b, _ := os.ReadFile(h.log)
				t.Logf("keepalived of %d:\n%s", n, b)
			}
		})
		return h
	}
	has := func(h *half) bool {
		out, err := h.machine.Command(t.Context(), "ip", "-4", "addr", "show", "dev", "lan").Output()
		return err == nil && strings.Contains(string(out), "10.21.3.10/")
	}
	a, b := start(4, 150), start(5, 100)
	becomes := func(yes, no *half) {
		t.Helper()
		until(t, func() error {
			if !has(yes) || has(no) {
				return errors.New("the address is not where it should be")
			}
			return nil
		})
	}
	user := peer.Client{From: client, User: "labadmin", Password: peer.Password}
	serves := func(when string) {
		t.Helper()
		until(t, func() error { // a moment passes until the client's machine has heard of the move
			if a := user.RPC(t, "10.21.3.10", "srvinfo"); !a.OK() {
				return fmt.Errorf("%s, a user: %v", when, a)
			}
			return nil
		})
		if a := (peer.Client{From: client}).RPC(t, "10.21.3.10", "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
			t.Errorf("%s, a null session: %v", when, a)
		}
	}
	becomes(a, b)
	serves("with both")
	a.gateway.signal(t, syscall.SIGKILL)
	var gone *exec.ExitError
	if err := a.gateway.cmd.Wait(); !errors.As(err, &gone) {
		t.Errorf("killed, it ended with %v", err)
	}
	becomes(b, a)
	serves("after the first was killed")
	a.gateway = o.startGatewayOn(t, a.machine, "--listen", "10.21.3.10:445", "--to", "10.21.3.2")
	becomes(a, b)
	serves("after the first came back")
}
