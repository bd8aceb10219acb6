//go:build linux

package cli

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/smbtest"
	"ipcguard/internal/web/limit"
)

// TestDescriptors: however few files a process may have open, page, workers and scans have a part of their own each.
func TestDescriptors(t *testing.T) {
	for _, files := range []int{64, 256, 1024, 4096, 16384, 1 << 20} {
		for listeners := 1; listeners <= 2; listeners++ {
			each, scans := descriptors(files, listeners)
			page := listeners * (each.Strangers + each.Known)
			if page+scans != files || scans < files/2 || each.Strangers < 1 || each.Known < each.Strangers ||
				each.Address < 1 || each.Address > each.Strangers {
				t.Errorf("%d files, %d listeners: %+v and %d", files, listeners, each, scans)
			}
			if files >= 16384 &&
				(each.Strangers != limit.Strangers || each.Address != limit.Address || each.Known != limit.Known) {
				t.Errorf("%d files, %d listeners: %+v", files, listeners, each)
			}
		}
	}
}

// TestServeFewDescriptors: a server that may open 256 files, with more slow clients on its page than that, scans as
// many hosts at once as it may and keeps answering whoever is logged in.
func TestServeFewDescriptors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := buildProgram(t, dir)
	few := filepath.Join(dir, "few")
	if err := os.WriteFile(few, []byte("#!/bin/sh\nulimit -n 256\nexec "+program+` "$@"`+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, few, dir, filepath.Join(dir, "fleet.db"), "--concurrency", "200", "--listen", "127.48.7.1:8443")
	p := s.page(t)
	p.setUp(t, s.token)
	const hosts = 40
	host, err := smbtest.NewHost("winxp", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	practice, err := smbtest.Start("0.0.0.0:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer practice.Close()
	var list strings.Builder
	list.WriteString("spec\n")
	for i := range hosts {
		fmt.Fprintf(&list, "127.48.8.%d:%d\n", i+1, practice.Port())
	}
	p.upload(t, "/targets/import", "targets.csv", list.String())
	for i := range 400 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 48, 9, byte(1+i%250))}} // as of many machines
		c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // it never says a word
	}
	run := p.run(t, url.Values{"kind": {"scan"}})
	p.until(t, "the scan", func() bool { return runEnded(p.get(t, run)) })
	if page := p.get(t, run); !strings.Contains(page, fmt.Sprintf("%d of %d done", hosts, hosts)) ||
		strings.Contains(page, " failed") {
		t.Errorf("the run:\n%s", page)
	}
	if lost := p.hosts(t, "?verdict=unknown"); len(lost) > 0 {
		t.Errorf("not scanned: %+v", lost[0])
	}
	if strings.Contains(s.log(), "too many open files") {
		t.Error("the server ran out of descriptors")
	}
	s.stop(t)
}
