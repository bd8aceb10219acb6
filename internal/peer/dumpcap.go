package peer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Dumpcap captures the traffic between a server and clients on its machine's loopback to a file, from its return until
// it is stopped. Its own connections without a logon mark the beginning and the end.
func Dumpcap(t testing.TB, s *Samba) (file string, stop func()) {
	t.Helper()
	return dumpcap(t, s.Machine, "lo", "tcp port 445", func() (net.Conn, error) {
		return s.Dial(t.Context(), "tcp", s.Addr())
	})
}

// DumpcapDC does the same between a domain controller and its client, including Kerberos.
func DumpcapDC(t testing.TB, d *DC) (file string, stop func()) {
	t.Helper()
	return dumpcap(t, d.Machine, "eth0", "tcp port 445 or port 88", func() (net.Conn, error) {
		return d.Client.Dial(t.Context(), "tcp", d.Addr())
	})
}

func dumpcap(t testing.TB, m *Machine, iface, filter string, dial func() (net.Conn, error)) (file string, stop func()) {
	t.Helper()
	file = filepath.Join(m.Dir, fmt.Sprintf("live%d.pcapng", time.Now().UnixNano()))
	dump := m.Command(context.Background(), "dumpcap", "-q", "-B", "32", "-i", iface, "-f", filter, "-w", file)
	if err := dump.Start(); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for tries := 0; size() < 2048; tries++ { // until it captures; a connection without a logon is not counted
		if tries == 200 {
			t.Fatal("dumpcap does not capture")
		}
		if c, err := dial(); err == nil {
			_ = c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return file, func() {
		// dumpcap writes late, but in order: everything before a mark in the file is in the file too.
		mark := fmt.Appendf(nil, "\x00\x00\x00\x20the end of %d", time.Now().UnixNano())
		for tries := 0; ; tries++ {
			b, err := os.ReadFile(file)
			if err == nil && bytes.Contains(b, mark) {
				break
			}
			if tries == 600 {
				t.Fatal("dumpcap does not capture what passed last")
			}
			if tries%10 == 0 {
				if c, err := dial(); err == nil {
					_, _ = c.Write(mark)
					_ = c.Close()
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = dump.Process.Signal(syscall.SIGTERM) // a shell's background job ignores SIGINT, and so do its children
		_ = dump.Wait()
	}
}
