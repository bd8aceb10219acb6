package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestClaimsOnSamba: on real Samba nothing is called closed that nobody asked for. Each step is a report of a user,
// with smbclient's word for how it is.
func TestClaimsOnSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t, peer.Config{Address: "127.53.1.7"})
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	opens := func(share string) {
		t.Helper()
		if a := (peer.Client{}).Share(t, s.Addr(), share, "ls"); !a.OK() {
			t.Fatalf("smbclient cannot open %s as anonymous: %s", share, a.Text)
		}
	}
	configure := func(change func(*peer.Config)) {
		t.Helper()
		s.Edit(t, change)
		s.Restart(t)
	}
	expect := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in\n%s", w, out)
			}
		}
	}
	audited := func(scans ...string) string {
		t.Helper()
		args := []string{"audit", s.ConfigFile, "--from", "127.0.0.1"}
		for _, name := range scans {
			args = append(args, "--scan", name)
		}
		code, out, trouble := run(args...)
		if code != exitExposed {
			t.Fatalf("audit: exit %d\n%s%s", code, out, trouble)
		}
		return out
	}

	// Before: with names and without.
	command(t, exitExposed, "scan", s.Addr(), "--show-names", "--format", "json", "-o", file("names"))
	command(t, exitExposed, "scan", s.Addr(), "--format", "json", "-o", file("counts"))
	command(t, exitExposed, "audit", s.ConfigFile, "--from", "127.0.0.1", "--format", "json", "-o", file("audit"))
	command(t, exitOK, "plan", "--audit", file("audit"), "--format", "json", "-o", file("plan"))

	// IPC$ closes, the guest share does not.
	configure(func(c *peer.Config) { c.Global = []string{"restrict anonymous = 2"} })
	opens("public")
	expect(command(t, exitOK, "scan", s.Addr()), "CLOSED", "no disk share was tried")
	expect(command(t, exitExposed, "scan", s.Addr(), "--share", "PUBLIC"), "EXPOSED", "1 disk share tried",
		"anonymous opened the root folder of 1 disk share")
	expect(command(t, exitExposed, "verify", s.Addr(), "--scan", file("names")),
		"failed       closed:anonymous-reads-files", "passed       closed:anonymous-lists-accounts")
	expect(command(t, exitPartial, "verify", s.Addr(), "--scan", file("counts")),
		"unchecked    closed:anonymous-reads-files", "--share NAME")
	expect(command(t, exitExposed, "verify", s.Addr(), "--scan", file("counts"), "--share", "public"),
		"failed       closed:anonymous-reads-files")
	expect(command(t, exitExposed, "verify", s.Addr(), "--plan", file("plan")),
		"failed       closed:anonymous-reads-files")

	// Shut as well, it is proved under the name that the plan carries. A check that was named and cannot be made is not
	// passed over; one that the plan proposes is a note.
	shares := func(lines ...string) []peer.Share { return []peer.Share{{Name: "public", Lines: lines}} }
	configure(func(c *peer.Config) { c.Shares = shares("guest ok = no") })
	expect(command(t, exitOK, "verify", s.Addr(), "--plan", file("plan")),
		"passed       closed:anonymous-reads-files: every share", "unchecked    logon:user")
	expect(command(t, exitPartial, "verify", s.Addr(), "--plan", file("plan"), "--check", "share:finance"),
		"unchecked    share:finance")
	expect(command(t, exitOK, "verify", s.Addr(), "--scan", file("names")), "passed       closed:anonymous-reads-files")
	expect(command(t, exitPartial, "verify", s.Addr(), "--scan", file("counts")),
		"unchecked    closed:anonymous-reads-files")

	// guest only opens a share by itself, and the plan takes it away too.
	configure(func(c *peer.Config) { c.Global, c.Shares = nil, shares("guest ok = no", "guest only = yes") })
	opens("public")
	expect(audited(), "gives disk shares to anonymous callers")
	configure(func(c *peer.Config) { c.Shares = shares("guest only = yes") })
	command(t, exitExposed, "audit", s.ConfigFile, "--from", "127.0.0.1", "--format", "json", "-o", file("audit"))
	expect(command(t, exitOK, "plan", "--audit", file("audit")), "guest ok", "guest only")

	// The 257th share is told as not tried, and what was not tried is not "denied".
	configure(func(c *peer.Config) {
		c.Shares = nil
		for i := range 260 {
			c.Shares = append(c.Shares, peer.Share{Name: fmt.Sprintf("a%03d", i), Lines: []string{"path = " + s.Dir}})
		}
		c.Shares = append(c.Shares, peer.Share{Name: "zz-open", Lines: []string{"guest ok = yes"}},
			peer.Share{Name: "public", Lines: []string{"guest ok = no"}})
	})
	opens("zz-open")
	out := command(t, exitExposed, "scan", s.Addr())
	expect(out, "256 disk shares tried, 7 not tried", "limit: 256 disk shares were tried and 7 were not (anonymous")
	command(t, exitExposed, "scan", s.Addr(), "--format", "json", "-o", file("many"))
	if out := audited(file("many")); strings.Contains(out, "files: configured allowed, seen") {
		t.Errorf("the join says of shares what nobody saw:\n%s", out)
	}
	expect(command(t, exitExposed, "scan", s.Addr(), "--share", "zz-open"), "1 disk share for reading")
}
