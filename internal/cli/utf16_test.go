package cli

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"ipcguard/internal/peer"
)

// volatile is what two runs of one command line need not have alike: times, durations, ports of this end.
var volatile = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ][0-9:.]+Z?|\b\d+(\.\d+)?m?s\b|,\d+,`)

// TestUTF16 hands in every kind of file twice, as it is and as > and Out-File of PowerShell 5.1 write it: every verb
// says the same.
func TestUTF16(t *testing.T) {
	frozen := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", "frozen", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	weak, uses := frozen("audit-weak.json"), frozen("observe.json")
	plain := map[string]string{
		"audit.json": weak, "observe.json": uses, "scan.json": frozen("scan.json"),
		"plan.json":   frozen("plan-weak.json"),
		"policy.yaml": "needs: [spoolss]\nrole: member\n", "hosts.txt": "127.14.0.1:9 # nobody\n127.14.0.2:9\n",
		"smb.conf": "[global]\nserver string = Grüße\nmap to guest = bad user\n[daten]\npath = /srv\nguest ok = yes\n",
		"weak.reg": "Windows Registry Editor Version " +
			"5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa]\r\n\"RestrictAnonymous\"=dword:00000000\r\n",
		"weak.inf": "[Unicode]\r\nUnicode=yes\r\n[System Access]\r\nEnableGuestAccount = " +
			"1\r\n[Version]\r\nsignature=\"$CHICAGO$\"\r\nRevision=1\r\n",
		"user.txt": "username = DOM\\grün\npassword = geheim\n",
	}
	write := func(t *testing.T, mark string, order binary.AppendByteOrder) string {
		dir := t.TempDir()
		for name, text := range plain {
			b := []byte(mark)
			if order == nil {
				b = append(b, text...)
			} else {
				for _, u := range utf16.Encode([]rune(text)) {
					b = order.AppendUint16(b, u)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	lines := [][]string{
		{"plan", "--audit", "DIR/audit.json", "--observe", "DIR/observe.json", "--policy", "DIR/policy.yaml"},
		{"plan", "--audit", "DIR/audit.json", "--scan", "DIR/scan.json"},
		{"what-if", "--setting", "RestrictAnonymous=1", "--audit", "DIR/audit.json", "--observe", "DIR/observe.json"},
		{"observe", "DIR/observe.json"},
		{"observe", "--merge", "DIR/observe.json", "DIR/observe.json"},
		{"audit", "DIR/smb.conf"},
		{"audit", "DIR/weak.reg", "--product", "win2003"},
		{"audit", "DIR/weak.inf", "--product", "win2022"},
		{"export", "DIR/plan.json", "--as", "reg", "-o", "DIR/out"},
		{
			"scan", "--targets", "DIR/hosts.txt", "--timeout", "1s", "--retries", "0", "--concurrency", "1",
			"--credentials-file", "DIR/user.txt", "--format", "csv",
		},
		{"verify", "--targets", "DIR/hosts.txt", "--plan", "DIR/plan.json"},
	}
	want := map[string]string{}
	for _, c := range []struct {
		name, mark string
		order      binary.AppendByteOrder
	}{
		{"UTF-8", "", nil},
		{"UTF-8 with a mark", "\ufeff", nil},
		{"UTF-16", "\xff\xfe", binary.LittleEndian},
		{"UTF-16BE", "\xfe\xff", binary.BigEndian},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, c.mark, c.order)
			for _, line := range lines {
				args := strings.Split(strings.ReplaceAll(strings.Join(line, "\x00"), "DIR", dir), "\x00")
				code, out, trouble := run(args...)
				if code == exitFailed && line[0] != "verify" || code == exitUsage {
					t.Errorf("%v: exit %d: %s", line, code, trouble)
				}
				got := volatile.ReplaceAllString(strings.ReplaceAll(out, dir, "DIR"), "TIME")
				key := strings.Join(line, " ")
				if c.order == nil && c.mark == "" {
					want[key] = got
				} else if got != want[key] {
					t.Errorf("%v: as %s it says\n%s\nwant\n%s", line, c.name, got, want[key])
				}
			}
			if a, err := readAccount(filepath.Join(dir, "user.txt")); err != nil ||
				a != (account{"grün", "DOM", "geheim"}) {
				t.Errorf("user.txt: %v, %v", a, err)
			}
		})
	}
}

// TestFromPowerShell reads what a PowerShell 5.1 did write.
func TestFromPowerShell(t *testing.T) {
	dir := peer.Shared(t, "cases/windows/ps51")
	for _, args := range [][]string{
		{"plan", "--audit", filepath.Join(dir, "audit16.json"), "--policy", filepath.Join(dir, "pol16.yaml")},
		{"plan", "--audit", filepath.Join(dir, "audit8bom.json")},
	} {
		if code, out, trouble := run(args...); code == exitFailed || code == exitUsage ||
			!strings.Contains(out, "RestrictAnonymous") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, trouble)
		}
	}
}
