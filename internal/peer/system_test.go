package peer_test

import (
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

func TestSystem(t *testing.T) {
	s := peer.StartSystem(t, peer.NewMachine(t, peer.MachineOptions{Network: true}), map[string]string{
		"it.service": "[Service]\nExecStart=/bin/sleep infinity\n",
	})
	ask := func(args ...string) string {
		out, _ := s.Command(t.Context(), args[0], args[1:]...).CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	if got := ask("systemctl", "is-active", "it.service"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
	if got := ask("ps", "-o", "comm=", "-p", "1"); got != "systemd" {
		t.Errorf("the first process is %q", got)
	}
	if got := ask("ls", "/tmp"); strings.Contains(got, "w") {
		t.Errorf("it sees this system's /tmp: %s", got)
	}
	boot := ask("cat", "/proc/sys/kernel/random/boot_id")
	s.PowerCut(t)
	s.Boot(t)
	if again := ask("cat", "/proc/sys/kernel/random/boot_id"); again == boot || len(again) != 36 {
		t.Errorf("boot ids %q, %q", boot, again)
	}
	if got := ask("systemctl", "is-active", "it.service"); got != "active" {
		t.Errorf("after a power cut the unit is %s", got)
	}
}
