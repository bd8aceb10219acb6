package peer_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// verdictTB records how a test would end.
type verdictTB struct {
	testing.TB
	verdict string
}

func (v *verdictTB) Helper() {}
func (v *verdictTB) end(how, f string, args []any) {
	v.verdict = how + ": " + fmt.Sprintf(f, args...)
	runtime.Goexit()
}
func (v *verdictTB) Fatalf(f string, args ...any) { v.end("fatal", f, args) }
func (v *verdictTB) Skipf(f string, args ...any)  { v.end("skip", f, args) }

func verdict(names ...string) string {
	v := &verdictTB{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		peer.Need(v, names...)
	}()
	<-done
	return v.verdict
}

func TestNeed(t *testing.T) {
	const missing = "no-such-program-anywhere"
	if runtime.GOOS != "linux" {
		t.Skip("everything is missing on other systems")
	}
	t.Setenv("CI", "")
	if got := verdict("go", missing); !strings.HasPrefix(got, "skip: ") || !strings.Contains(got, missing) {
		t.Errorf("at home, a missing peer ends the test with %q", got)
	}
	t.Setenv("CI", "true")
	if got := verdict(missing); !strings.HasPrefix(got, "fatal: ") || !strings.Contains(got, missing) {
		t.Errorf("in CI, a missing peer ends the test with %q", got)
	}
	if got := verdict("sh"); got != "" {
		t.Errorf("a peer that is there ends the test with %q", got)
	}
}

const killedVariable = "IPCGUARD_PEER_TO_BE_KILLED"

// TestKilled kills a test process with a running server: nothing may be left.
func TestKilled(t *testing.T) {
	if os.Getenv(killedVariable) != "" {
		s := peer.StartSamba(t, peer.Config{Address: "127.46.0.6"})
		if a := (peer.Client{From: s.Machine}).RPC(t, s.Addr(), "srvinfo"); !a.OK() {
			t.Fatal(a)
		}
		fmt.Printf("\nstarted %s %s\n", s.Addr(), s.Dir)
		<-t.Context().Done() // it is killed here
	}
	t.Parallel()
	peer.Need(t, "smbd", "namespaces")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killedVariable+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr, dir string
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "started %s %s", &addr, &dir)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if addr == "" {
		t.Fatal("the child started no server")
	}
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := net.Dial("tcp", addr)
		_, left := os.Stat(dir)
		if err != nil && os.IsNotExist(left) {
			return
		}
		if err == nil {
			_ = conn.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server outlives its test: connecting gives %v, its directory %v", err, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestFields reads a capture of one TCP segment that the test writes.
func TestFields(t *testing.T) {
	capture := filepath.Join(t.TempDir(), "one.pcap")
	packet := []byte{
		0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4 10.0.0.1 to 10.0.0.2
		0x30, 0x39, 0x01, 0xbd, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0x20, 0, 0, 0, 0, 0, // TCP 12345 to 445, SYN
	}
	header := []byte{
		0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0, // link type raw IP
		0, 0, 0, 0, 0, 0, 0, 0, byte(len(packet)), 0, 0, 0, byte(len(packet)), 0, 0, 0,
	}
	if err := os.WriteFile(capture, append(header, packet...), 0o644); err != nil {
		t.Fatal(err)
	}
	rows := peer.Fields(t, capture, "tcp", "ip.src", "tcp.dstport")
	if got := fmt.Sprint(rows); got != "[[10.0.0.1 445]]" {
		t.Errorf("tshark reads %s", got)
	}
	if rows := peer.Fields(t, capture, "udp", "ip.src"); len(rows) != 0 {
		t.Errorf("the filter lets %v through", rows)
	}
}
