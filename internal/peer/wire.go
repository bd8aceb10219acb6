package peer

import (
	"bufio"
	"fmt"
	"os/exec"
	"testing"
)

// Join connects two machines with networks of their own: each end has a name of at most 15 bytes and an address with
// its prefix, such as "10.0.0.1/24".
func Join(t testing.TB, a *Machine, aName, aAddress string, b *Machine, bName, bAddress string) {
	t.Helper()
	Need(t, "namespaces")
	args := []string{
		"link", "add", aName, "netns", inside(t, a), "type", "veth", "peer", "name", bName, "netns", inside(t, b),
	}
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("peer: joining two machines: %v: %s", err, lastLine(out))
	}
	a.Do(t, "ip", "addr", "add", aAddress, "dev", aName)
	b.Do(t, "ip", "addr", "add", bAddress, "dev", bName)
	a.Do(t, "ip", "link", "set", aName, "up")
	b.Do(t, "ip", "link", "set", bName, "up")
}

// Do runs a command in the machine, which must succeed.
func (m *Machine) Do(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := m.Command(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("peer: %s %v: %v: %s", name, args, err, lastLine(out))
	}
}

// inside returns the id of a process in the machine's network that lives as long as the test.
func inside(t testing.TB, m *Machine) string {
	t.Helper()
	cmd := m.Command(t.Context(), "sh", "-c", "echo in; read line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("peer: entering a machine: %v", err)
	}
	return fmt.Sprint(cmd.Process.Pid)
}
