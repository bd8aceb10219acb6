package peer_test

import (
	"os/exec"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// TestCPU uses processor time until it shows, here and in a child, and sleeps where it must not show.
func TestCPU(t *testing.T) {
	peer.Need(t, "sh", "sleep")
	before := peer.SelfCPU(t)
	deadline := time.Now().Add(time.Minute)
	for spent := time.Duration(0); spent < 20*time.Millisecond; {
		if spent = peer.SelfCPU(t) - before; time.Now().After(deadline) {
			t.Fatalf("a minute of work, and %v of processor time", spent)
		}
	}
	busy := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
	idle := exec.Command("sleep", "0.1")
	if got := peer.CPU(idle); got != 0 {
		t.Errorf("a command that has not run spent %v", got)
	}
	for _, cmd := range []*exec.Cmd{busy, idle} {
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if peer.CPU(busy) <= peer.CPU(idle) {
		t.Errorf("counting to 100000 spent %v, sleeping %v", peer.CPU(busy), peer.CPU(idle))
	}
}
