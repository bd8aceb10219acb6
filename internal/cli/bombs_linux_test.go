package cli

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// What one command line may cost, whatever its files hold. Time is the processor's, which a loaded machine stretches
// less than the clock's, and by as much as that of the yardstick.
const (
	bombMemory = 1 << 30 // bytes, at the peak
	bombTime   = 10 * time.Second
	yardTime   = 300 * time.Millisecond // of yardstick on the machine that the bound was set on, when it was quiet
)

// slower tells how much slower than that machine this one is now, and at least 1.
func slower(t *testing.T, self string) float64 {
	t.Helper()
	link := filepath.Join(t.TempDir(), "yardstick")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	const times = 5
	var took time.Duration
	for range times {
		cmd := exec.Command(link)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		took += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return max(1, float64(took/times)/float64(yardTime))
}

// success is an exit status of 0 that is wanted.
const success = -1

// bomb is one command line over files that were made to cost much. It has to end with the exit status that is wanted;
// where none is, with any that says that something could not be done.
type bomb struct {
	name string
	make func(t *testing.T, dir string) // files in dir
	args []string                       // run in dir
	want int
	long bool // with IPCGUARD_LONG alone
}

// file writes head, n times unit, and tail. The test itself holds little: its memory counts as a child's own at the
// start.
func file(name, head string, n int, unit func(i int) string, tail string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		writeFile(t, filepath.Join(dir, name), func(w io.Writer) error {
			if _, err := io.WriteString(w, head); err != nil {
				return err
			}
			for i := range n {
				if _, err := io.WriteString(w, unit(i)); err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, tail)
			return err
		})
	}
}

func writeFile(t *testing.T, path string, write func(io.Writer) error) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(f)
	if err := write(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func all(makers ...func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, m := range makers {
			m(t, dir)
		}
	}
}

func same(s string) func(int) string { return func(int) string { return s } }

func numbered(format string) func(int) string {
	return func(i int) string { return strings.ReplaceAll(format, "#", fmt.Sprint(i)) }
}

// wide is text in UTF-16.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// packed writes a gzip stream that unpacks to head and so many MiB of zeros.
func packed(name, head string, mib int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		writeFile(t, filepath.Join(dir, name), func(w io.Writer) error {
			var first, zeros bytes.Buffer
			for b, text := range map[*bytes.Buffer]string{&first: head, &zeros: strings.Repeat("\x00", 1<<20)} {
				z := gzip.NewWriter(b)
				if _, err := io.WriteString(z, text); err != nil {
					return err
				}
				if err := z.Close(); err != nil {
					return err
				}
			}
			_, err := w.Write(first.Bytes())
			for range mib { // a stream may have many members
				if err == nil {
					_, err = w.Write(zeros.Bytes())
				}
			}
			return err
		})
	}
}

// members writes a zip archive of files that are head and so many spaces.
func members(name string, n int, head string, spaces int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		writeFile(t, filepath.Join(dir, name), func(w io.Writer) error {
			z := zip.NewWriter(w)
			for i := range n {
				m, err := z.Create(fmt.Sprintf("%d.log", i))
				if err == nil {
					_, err = io.WriteString(m, head)
				}
				for range spaces >> 10 {
					if err == nil {
						_, err = io.WriteString(m, strings.Repeat(" ", 1<<10))
					}
				}
				if err != nil {
					return err
				}
			}
			return z.Close()
		})
	}
}

const (
	regHead      = "Windows Registry Editor Version 5.00\n\n"
	gpresultHead = `<Rsop xmlns="http://www.microsoft.com/GroupPolicy/Rsop"><ComputerResults><E><Extension>`
	infHead      = "[Unicode]\nUnicode=yes\n[Version]\nsignature=\"$CHICAGO$\"\n[Registry Values]\n"
	lsaKey       = `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa`
	scan1        = `{"schema":"ipcguard.scan/1","target":"srv1","address":"127.0.0.1:445","started":"2026-01-01T00:00:00Z","verdict":"exposed","identities":[],"findings":[`
)

// instruction is one of registry.pol.
func instruction(i int) string {
	number := func(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }
	return "[\x00" + wide("System\\CurrentControlSet\\Control\\Lsa\x00") + ";\x00" + wide(fmt.Sprintf("V%x\x00", i)) +
		";\x00" +
		number(4) + ";\x00" + number(4) + ";\x00" + number(1) + "]\x00"
}

// sources are the bombs of every verb that reads files.
func sources() []bomb {
	return slices.Concat(smbConfBombs(), registryBombs(), policyBombs(), evidenceBombs(), writtenBombs())
}

func auditing(name string, args ...string) []string { return append([]string{"audit", name}, args...) }

func watching(name string) []string { return []string{"observe", name} }

// smbConfBombs are bombs in smb.conf.
func smbConfBombs() []bomb {
	return []bomb{
		{
			name: "smb.conf/lines", make: file("smb.conf", "[global]\n", 6<<20, same("a\n"), ""),
			args: auditing("smb.conf"), want: exitExposed,
		},
		{
			name: "smb.conf/sections", make: file("smb.conf", "", 100_000, numbered("[s#]\n"), ""),
			args: auditing("smb.conf"),
		},
		{
			name: "smb.conf/sections and shares",
			make: file("smb.conf", "guest ok = yes\n", 19_000, numbered("[s#]\npath = /x\n"), ""),
			args: auditing("smb.conf"), want: exitExposed,
		},
		{
			name: "smb.conf/assignments", make: file("smb.conf", "[global]\n[s]\n", 290_000, numbered("a:#=\n"), ""),
			args: auditing("smb.conf"), want: exitExposed,
		},
		{name: "smb.conf/copy", make: file("smb.conf", "", 3000, func(i int) string {
			return fmt.Sprintf("[c%d]\no:%d = 1\n", i, i) + strings.Repeat(fmt.Sprintf("copy = c%d\n", i-1), min(i, 1))
		}, ""), args: auditing("smb.conf")},
		{
			name: "smb.conf/includes",
			make: all(file("smb.conf", "", 20, same("include = big.conf\n"), ""),
				file("big.conf", "", 7<<20, same("a\n"), "")), args: auditing("smb.conf"),
		},
		{
			name: "smb.conf/itself", make: file("smb.conf", "", 2, same("include = smb.conf\n"), ""),
			args: auditing("smb.conf"), want: exitPartial,
		},
		{
			name: "smb.conf/list", make: file("smb.conf", "[global]\nhosts allow =", 500_000, same(" a"), "\n"),
			args: auditing("smb.conf"), want: exitExposed,
		},
	}
}

// registryBombs are bombs in registries, as files and as what tools print of them.
func registryBombs() []bomb {
	return []bomb{
		{
			name: "reg/keys", make: file("a.reg", regHead, 600_000, numbered("["+lsaKey+"\\#]\n\"a\"=dword:1\n"), ""),
			args: auditing("a.reg"), want: exitPartial,
		},
		{
			name: "reg/all keys",
			make: file("a.reg", regHead, 1_300_000,
				numbered("["+lsaKey+"\\#]\n\"a\"=dword:1\n\"RestrictAnonymous\"=dword:0\n"), ""), args: auditing("a.reg"),
			want: exitPartial, long: true,
		},
		{
			name: "reg/values", make: file("a.reg", regHead+"["+lsaKey+"]\n", 1_000_000, numbered("\"v#\"=dword:1\n"),
				""), args: auditing("a.reg"), want: exitPartial,
		},
		{
			name: "reg/digits", make: file("a.reg", regHead+"["+lsaKey+"]\n\"v\"=dword:", 8<<20, same("1"), "\n"),
			args: auditing("a.reg"), want: exitPartial,
		},
		{
			name: "reg/levels", make: file("a.reg", regHead+"[HKEY_LOCAL_MACHINE", 8<<20, same(`\a`), "]\n"),
			args: auditing("a.reg"), want: exitPartial,
		},
		{name: "reg/wide", make: file("a.reg", "\xff\xfe"+wide(regHead), 500_000, func(i int) string {
			return wide(fmt.Sprintf("[%s\\%d]\n", lsaKey, i))
		}, ""), args: auditing("a.reg"), want: exitPartial},
		{
			name: "reg/hex", make: file("a.reg", regHead+"["+lsaKey+"]\n\"RestrictAnonymous\"=hex(7):", 500_000,
				same("61,00,61,00,61,00,61,00,\\\n  "), "00,00\n"), args: auditing("a.reg"), want: exitExposed,
		},
		{
			name: "inf/values", make: file("GptTmpl.inf", infHead, 900_000,
				numbered("MACHINE\\System\\CurrentControlSet\\Control\\Lsa\\R#=4,1\n"), ""), args: auditing("GptTmpl.inf"),
			want: exitPartial,
		},
		{
			name: "inf/mistakes", make: file("GptTmpl.inf", infHead, 2_000_000, same("x=y\n"), ""),
			args: auditing("GptTmpl.inf"), want: exitPartial,
		},
		{
			name: "reg query/values",
			make: file("q.txt", lsaKey+"\n", 1_000_000, numbered("    v#    REG_DWORD    0x1\n"), ""),
			args: auditing("q.txt"), want: exitPartial,
		},
		{name: "hive/packed zeros", make: packed("SYSTEM.gz", "regf", 2048), args: auditing("SYSTEM.gz")},
		{
			name: "hive/zeros", make: file("SYSTEM", "regf", 64, same(strings.Repeat("\x00", 1<<20)), ""),
			args: auditing("SYSTEM"),
		},
	}
}

// policyBombs are bombs in policies and settings, as files and as what tools print of them.
func policyBombs() []bomb {
	return []bomb{
		{
			name: "gpresult/elements", make: file("r.xml", gpresultHead, 4_000_000, same("<a/>"), ""),
			args: auditing("r.xml"), want: exitPartial,
		},
		{
			name: "gpresult/levels", make: file("r.xml", gpresultHead, 4_000_000, same("<a>"), ""),
			args: auditing("r.xml"), want: exitPartial,
		},
		{
			name: "LGPO/instructions",
			make: file("l.txt", "; PARSING Computer POLICY\n", 1_000_000, same("Computer\nA\\B\nC\nDWORD:1\n"), ""),
			args: auditing("l.txt"), want: exitPartial,
		},
		{
			name: "auditpol/lines",
			make: file("a.csv", "", 700_000, same("a,System,b,{0CCE9224-69AE-11D9-BED3-505054503030},x,\n"), ""),
			args: auditing("a.csv"), want: exitFailed,
		},
		{
			name: "PowerShell/levels",
			make: file("s.json", `{"EncryptData":true,"RejectUnencryptedAccess":`, 32<<20, same("["), ""),
			args: auditing("s.json"), want: exitFailed,
		},
		{
			name: "PowerShell/objects",
			make: file("s.txt", "", 1_000_000, same("EncryptData : True\nRejectUnencryptedAccess : True\n"), ""),
			args: auditing("s.txt"), want: exitFailed,
		},
		{
			name: "pol/instructions", make: file("registry.pol", "PReg\x01\x00\x00\x00", 527_000, instruction, ""),
			args: auditing("registry.pol"), want: exitPartial,
		},
		{
			name: "gpo/merged", make: all(file("a.pol", "PReg\x01\x00\x00\x00", 90_000, instruction, ""),
				file("b.pol", "PReg\x01\x00\x00\x00", 90_000, instruction, "")),
			args: auditing("a.pol", "b.pol", "--merge"), want: exitPartial,
		},
	}
}

// evidenceBombs are bombs in what is observed, and a scan beside an audit.
func evidenceBombs() []bomb {
	return []bomb{
		{
			name: "audit/a scan of empty objects",
			make: all(conf, file("scan.json", scan1, 2_000_000, same("{},"), "{}]}")),
			args: auditing("smb.conf", "--scan", "scan.json"),
		},
		{
			name: "audit/a scan of findings",
			make: all(conf, file("scan.json", scan1, 200_000, same(`{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},`), "{}]}")),
			args: auditing("smb.conf", "--scan", "scan.json"), want: exitExposed,
		},
		{name: "observe/zip of many", make: members("a.zip", 60_000, "", 0), args: watching("a.zip"), want: exitPartial},
		{
			name: "observe/zip of zeros", make: members("a.zip", 4, "{\"timestamp\":\"", 300<<20),
			args: watching("a.zip"), want: exitPartial, long: true,
		},
		{
			name: "observe/packed zeros",
			make: packed("a.pcap.gz",
				"\xa1\xb2\xc3\xd4\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x01",
				2048), args: watching("a.pcap.gz"),
		},
		{name: "observe/deep log", make: file("a.json", "", 200_000, same(`{"a":`), ""), args: watching("a.json")},
		{
			name: "observe/many clients",
			make: file("a.json", "", 150_000,
				numbered(`{"timestamp":"2026-01-01T00:00:00Z","type":"Authentication","Authentication":{"version":{"major":1,"minor":2},"remoteAddress":"ipv4:10.0.0.1:#","clientAccount":"u#","status":"NT_STATUS_OK","serviceDescription":"SMB2","authDescription":null}}`+"\n"), ""), args: watching("a.json"), want: success,
		},
		{
			name: "observe/a result of empty uses",
			make: file("a.json", `{"schema":"ipcguard.observe/1","uses":[`, 3_000_000, same("{},"), "{}]}"),
			args: watching("a.json"),
		},
		{
			name: "observe/a result of many uses",
			make: file("a.json", "", 200_000,
				numbered(`{"schema":"ipcguard.use/1","client":"c#","server":"s","identity":"user","layer":"call","outcome":"allowed","count":1}`+"\n"), ""), args: watching("a.json"), want: success,
		},
		{
			name: "observe/sections",
			make: file("a.pcapng", "", 1_000_000,
				same("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00"), ""), args: watching("a.pcapng"), want: exitPartial,
		},
		{
			name: "observe/audit policy",
			make: all(file("p.csv", "", 16<<20, same("\n"), ""), file("a.json", "{}", 0, nil, "")),
			args: []string{"observe", "a.json", "--audit", "p.csv"},
		},
		{
			name: "observe/state",
			make: file("state/2026-01-01.json", `{"schema":"ipcguard.observe/1","uses":[`, 3_000_000, same("{},"),
				"{}]}"), args: []string{"observe", "--state", "state", "--show"},
		},
	}
}

// writtenBombs are bombs in files that people write for a plan and for the gateway.
func writtenBombs() []bomb {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		laughs += strings.ReplaceAll(strings.ReplaceAll("aN: &aN [*aP,*aP,*aP,*aP,*aP,*aP,*aP,*aP,*aP]\n", "N",
			fmt.Sprint(i+1)), "P", fmt.Sprint(i))
	}
	return []bomb{
		{
			name: "plan/aliases", make: all(conf, file("p.yaml", laughs, 1, same("needs: *a8\n"), "")),
			args: planOf("--policy", "p.yaml"), want: exitUsage,
		},
		{
			name: "plan/deep policy", make: all(conf, file("p.yaml", "needs: ", 60_000, same("["), "")),
			args: planOf("--policy", "p.yaml"), want: exitUsage,
		},
		{
			name: "plan/long policy", make: all(conf, file("p.yaml", "needs:\n", 1<<20, same(" - a\n"), "")),
			args: planOf("--policy", "p.yaml"), want: exitUsage,
		},
		{
			name: "gateway/aliases", make: file("p.yaml", laughs, 1, same("strangers: *a8\n"), ""),
			args: gatewayOf("--policy", "p.yaml"), want: exitUsage,
		},
		{
			name: "gateway/long policy", make: file("p.yaml", "strangers:\n", 1<<20, same(" - a\n"), ""),
			args: gatewayOf("--policy", "p.yaml"), want: exitUsage,
		},
		{
			name: "gateway/deep configuration", make: file("g.toml", "a = ", 200_000, same("["), ""),
			args: []string{"gateway", "--config", "g.toml"}, want: exitUsage,
		},
		{
			name: "gateway/dotted configuration", make: file("g.toml", "a", 120_000, same(".a"), " = 1\n"),
			args: []string{"gateway", "--config", "g.toml"}, want: exitUsage,
		},
		{
			name: "gateway/wide configuration", make: file("g.toml", "", 16_000, numbered("[a#.b]\n"), ""),
			args: []string{"gateway", "--config", "g.toml"}, want: exitUsage,
		},
		{
			name: "plan/wide policy", make: all(conf, file("p.yaml", "needs:\n", 12_000, same("- a\n"), "")),
			args: planOf("--policy", "p.yaml"), want: exitUsage,
		},
	}
}

// conf is a configuration, and what an audit said of it.
func conf(t *testing.T, dir string) {
	b, err := os.ReadFile(auditFile(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "audit.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	file("smb.conf", "[global]\nmap to guest = Bad User\n", 0, nil, "")(t, dir)
}

// gatewayOf refuses the policy before it listens.
func gatewayOf(args ...string) []string {
	return append([]string{"gateway", "--listen", "127.21.2.1:0", "--to", "127.21.2.2"}, args...)
}

func planOf(args ...string) []string {
	return append([]string{"plan", "--audit", "audit.json"}, args...)
}

// documents are the bombs of the verbs that start from results, plans and journals.
func documents() []bomb {
	emptyFindings := file("scan.json", scan1, 2_000_000, same("{},"), "{}]}")
	manyScans := file("scan.json", "", 60_000, same(strings.TrimSuffix(scan1, `"findings":[`)+`"findings":[]}`+"\n"),
		"")
	emptyChanges := file("plan.json", `{"schema":"ipcguard.plan/1","hash":"sha256:00","changes":[`, 2_000_000,
		same("{},"), "{}]}")
	deepPlan := file("plan.json", `{"schema":"ipcguard.plan/1","hash":"sha256:00","changes":`, 4<<20, same("["), "")
	uses := file("uses.json", `{"schema":"ipcguard.observe/1","uses":[`, 3_000_000, same("{},"), "{}]}")
	journal := file("state/journal/20260101-120000-abcdef/before.json", `{"writes":[`, 2_000_000, same("{},"), "{}]}")
	plans := func(name string, of func(*testing.T, string), args ...string) []bomb {
		return []bomb{
			{name: "export/" + name, make: of, args: []string{"export", "plan.json", "--as", "smbconf", "-o", "out"}},
			{name: "apply/" + name, make: of, args: []string{"apply", "plan.json", "--dry-run", "--state", "state"}},
			{name: "verify/" + name, make: of, args: []string{"verify", "127.0.0.1:1", "--plan", "plan.json"}},
		}
	}
	// A file without an end: it has to be a plan that is refused, and never all there is of memory.
	endless := func(t *testing.T, dir string) {
		if err := os.Symlink("/dev/zero", filepath.Join(dir, "plan.json")); err != nil {
			t.Fatal(err)
		}
	}
	out := []bomb{
		{
			name: "plan/a scan of empty objects", make: all(conf, emptyFindings), args: planOf("--scan", "scan.json"),
			want: exitUsage,
		},
		{name: "plan/many scans", make: all(conf, manyScans), args: planOf("--scan", "scan.json"), want: success},
		{
			name: "plan/an audit of empty objects",
			make: file("audit.json", `{"schema":"ipcguard.audit/1","settings":[`, 2_000_000, same("{},"), "{}]}"),
			args: planOf(), want: exitUsage,
		},
		{
			name: "plan/an audit of many settings",
			make: file("audit.json", `{"schema":"ipcguard.audit/1","settings":[`, 200_000,
				same(`{"id":"RestrictAnonymous","where":"xxxxxxxxxxxxx"},`), "{}]}"), args: planOf(), want: success,
		},
		{
			name: "plan/many audits",
			make: file("audit.json", "", 200_000, same(`{"schema":"ipcguard.audit/1"}`+"\n"), ""), args: planOf(),
			want: exitUsage,
		},
		{name: "plan/uses", make: all(conf, uses), args: planOf("--observe", "uses.json"), want: exitUsage},
		{
			name: "what-if/uses", make: all(conf, uses),
			args: []string{
				"what-if", "--setting", "restrict anonymous=2", "--audit", "audit.json", "--observe", "uses.json",
			}, want: exitUsage,
		},
		{
			name: "verify/a scan of empty objects", make: emptyFindings,
			args: []string{"verify", "127.0.0.1:1", "--scan", "scan.json"}, want: exitUsage,
		},
		{
			name: "scan/resumed from empty objects",
			make: all(emptyFindings, file("scan.jsonl", scan1, 2_000_000, same("{},"), "{}]}\n")),
			args: []string{"scan", "127.0.0.1:1", "--resume", "scan.jsonl"}, want: exitUsage,
		},
		{
			name: "scan/a line without an end",
			make: file("scan.jsonl", scan1, 70<<10, same(strings.Repeat(" ", 1<<10)), ""),
			args: []string{"scan", "127.0.0.1:1", "--resume", "scan.jsonl"},
		},
		{
			name: "scan/targets", make: file("hosts", "", 1_000_000, same("127.0.0.1:1\n"), ""),
			args: []string{"scan", "@hosts", "--quick"}, want: exitPartial,
		},
		{
			name: "scan/too many targets", make: file("hosts", "", 2_000_000, same("127.0.0.1:1\n"), ""),
			args: []string{"scan", "@hosts", "--quick"}, want: exitUsage,
		},
		{
			name: "scan/a target without an end", make: file("hosts", "", 64<<10, same(strings.Repeat("a", 1<<10)), ""),
			args: []string{"scan", "@hosts"}, want: exitUsage,
		},
		{name: "scan/excludes", make: file("hosts", "", 400_000, func(i int) string {
			return fmt.Sprintf("10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
		}, ""), args: []string{"scan", "127.0.0.1:1", "--exclude", "@hosts"}, want: exitPartial},
		{
			name: "scan/credentials", make: file("user", "", 1<<20, same("username = a\n"), ""),
			args: []string{"scan", "127.0.0.1:1", "--credentials-file", "user"},
		},
		{
			name: "history/writes without a seal", make: unsealed("before.json", "writes", 8_000_000, "{}"),
			args: []string{"history", "--state", "state"},
		},
		{
			name: "recover/changes without a seal", make: unsealed("plan.json", "changes", 8_000_000, "{}"),
			args: []string{"recover", "--state", "state"},
		},
		{
			name: "rollback/notes without a seal", make: unsealed("steps", "notes", 20_000_000, `""`),
			args: []string{"rollback", "--unsealed", "20260101-120000-abcdef", "--state", "state"},
		},
		{name: "history/journal", make: journal, args: []string{"history", "--state", "state"}},
		{name: "recover/journal", make: journal, args: []string{"recover", "--state", "state"}},
		{
			name: "confirm/journal", make: journal,
			args: []string{"confirm", "20260101-120000-abcdef", "--state", "state"},
		},
		{
			name: "rollback/journal", make: journal,
			args: []string{"rollback", "20260101-120000-abcdef", "--state", "state"},
		},
		{
			name: "verify/journal", make: journal,
			args: []string{"verify", "--apply", "20260101-120000-abcdef", "--state", "state"},
		},
		{
			name: "plan/key", make: all(conf, file("key", "", 64<<10, same(strings.Repeat("a", 1<<10)), "")),
			args: planOf("--sign", "key"),
		},
		{
			name: "apply/trusted keys", make: all(emptyChanges, file("trust", "", 4<<20, same("ed25519 AAAA a\n"), "")),
			args: []string{"apply", "plan.json", "--dry-run", "--state", "state", "--require-signature", "trust"},
		},
		{
			name: "serve restore/backup",
			make: file("backup.db", "SQLite format 3\x00", 64, same(strings.Repeat("\xff", 1<<20)), ""),
			args: []string{"serve", "restore", "backup.db", "--state", "state"},
		},
		{
			name: "serve rekey/key", make: file("key", "", 64, same(strings.Repeat("AGE-SECRET-KEY-1\n", 1<<16)), ""),
			args: []string{"serve", "rekey", "--state", "state", "--key", "key"},
		},
		{
			name: "worker/key", make: file("key", "", 64, same(strings.Repeat("AGE-SECRET-KEY-1\n", 1<<16)), ""),
			args: []string{"worker", "--database", "postgres://a@127.0.0.1:1/b", "--key", "key"},
		},
	}
	return slices.Concat(out, plans("empty changes", emptyChanges), plans("levels", deepPlan), plans("no end", endless))
}

// unsealed writes a whole journal of a version that did not seal them, with a list of n values more in one of its
// files.
func unsealed(name, list string, n int, value string) func(*testing.T, string) {
	const id = "20260101-120000-abcdef"
	return func(t *testing.T, dir string) {
		for file, text := range map[string]string{
			"before.json": `{"schema":"ipcguard.journal/1","id":"` + id + `","target":"samba:/nonexistent"`,
			"plan.json":   `{"schema":"ipcguard.plan/1"`,
			"steps":       `{"n":0,"time":"2026-01-01T00:00:00Z","event":"begun"`,
		} {
			body := func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				if file == name {
					_, err = io.WriteString(w, `,"`+list+`":[`)
					for range n {
						if err == nil {
							_, err = io.WriteString(w, value+",")
						}
					}
					if err == nil {
						_, err = io.WriteString(w, value+"]")
					}
				}
				if err == nil {
					_, err = io.WriteString(w, "}")
				}
				return err
			}
			writeFile(t, filepath.Join(dir, "state", "journal", id, file), func(w io.Writer) error {
				if file != "steps" {
					return body(w)
				}
				sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
				if err := body(sum); err != nil {
					return err
				}
				if _, err := fmt.Fprintf(w, "%08x ", sum.Sum32()); err != nil {
					return err
				}
				if err := body(w); err != nil {
					return err
				}
				_, err := io.WriteString(w, "\n")
				return err
			})
		}
	}
}

// withoutFiles are the verbs that read no file of others.
var withoutFiles = map[string]string{
	"version": "reads nothing", "key": "writes what it made", "demo": "reads what it wrote itself",
	"explain": "reads the catalog in the program",
}

// TestBombs runs the command line over files that were made to cost much, each in a process of its own, and holds its
// peak of memory and its time on the processor against the bounds. -v shows what each cost.
func TestBombs(t *testing.T) {
	t.Parallel()
	list := append(sources(), documents()...)
	seen := map[string]bool{}
	for _, b := range list {
		seen[b.args[0]] = true
		t.Run(b.name, func(t *testing.T) {
			if b.long && os.Getenv("IPCGUARD_LONG") == "" {
				t.Skip("a long variant: set IPCGUARD_LONG=1")
			}
			t.Parallel()
			b.run(t)
		})
	}
	for _, verb := range new(app).root().Commands() {
		if !seen[verb.Name()] && withoutFiles[verb.Name()] == "" && !hidden(verb) {
			t.Errorf("%s has no bomb, and is not among the verbs that read no file", verb.Name())
		}
	}
}

func hidden(c *cobra.Command) bool { return c.Hidden || c.Name() == "help" || c.Name() == "completion" }

func (b *bomb) run(t *testing.T) {
	dir := t.TempDir()
	b.make(t, dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The shell's limits end a process that would run away; they are far above the bounds that are tested.
	cmd := exec.Command("sh", "-c", `ulimit -t 60; ulimit -v 8000000; exec "$0" "$@"`, filepath.Join(dir, "ipcguard"))
	cmd.Args = append(cmd.Args, b.args...)
	if err := os.Symlink(self, filepath.Join(dir, "ipcguard")); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=900MiB", "NO_COLOR=1", "IPCGUARD_USER=", "HOME="+dir)
	cmd.Stdout, cmd.Stderr = &limitedBuffer{Buffer: &output}, &limitedBuffer{Buffer: &output}
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not tell what a process used")
	}
	used, peak := cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), int64(usage.Maxrss)<<10
	t.Logf("%4d MiB, %5.2f s, exit %d", peak>>20, used.Seconds(), cmd.ProcessState.ExitCode())
	code := cmd.ProcessState.ExitCode()
	ended := code == exitFailed || code == exitUsage || code == exitPartial
	if b.want != 0 {
		ended = code == max(b.want, 0)
	}
	if !ended || bytes.Contains(output.Bytes(), []byte("goroutine ")) {
		t.Errorf("exit %d\n%s", code, output.String())
	}
	if peak > bombMemory {
		t.Errorf("%d MiB of memory at the peak, more than %d", peak>>20, bombMemory>>20)
	}
	if used > bombTime {
		if factor := slower(t, self); used.Seconds() > bombTime.Seconds()*factor {
			t.Errorf("%v on the processor, more than %v, and this machine takes %.2f times as long for other work",
				used, bombTime, factor)
		}
	}
}

// limitedBuffer keeps the beginning of what a process says.
type limitedBuffer struct{ *bytes.Buffer }

// Write is part of io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if left := 4<<10 - b.Len(); left > 0 {
		b.Buffer.Write(p[:min(len(p), left)])
	}
	return len(p), nil
}
