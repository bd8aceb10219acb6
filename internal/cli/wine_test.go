package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
	"ipcguard/internal/smbtest"
)

// TestApplyUnderWine takes the program for Windows as make builds it through the whole loop, on a registry that is not
// ours. Wine has no SMB server: a practice server stands in, which does what the registry says.
func TestApplyUnderWine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: Wine takes half a minute to set itself up")
	}
	peer.Need(t, "wine", "make")
	w := &wineHost{Wine: peer.StartWine(t), program: release(t), state: `C:\state`}
	w.server = w.serve(t)
	for _, args := range [][]string{
		{`Control\Lsa`, "RestrictAnonymous", "REG_DWORD", "0"},
		{`Services\LanmanServer`, "Start", "REG_DWORD", "2"},
		{`Services\LanmanServer\Parameters`, "RestrictNullSessAccess", "REG_DWORD", "0"},
		{`Services\LanmanServer\Parameters`, "NullSessionPipes", "REG_MULTI_SZ", `samr\0lsarpc\0Grüße`},
		{`Services\LanmanServer\Parameters`, "NullSessionShares", "REG_SZ", "wrong type"},
	} {
		w.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\`+args[0], "/v", args[1], "/t", args[2], "/d", args[3],
			"/f")
	}
	w.ipcguard(t, 3, "audit", "local", "--product", "win10-22H2", "--format", "json", "-o", "audit.json")
	w.ipcguard(t, 0, "plan", "--audit", "audit.json", "--format", "json", "-o", "plan.json")
	w.before = w.dump(t)
	w.ipcguard(t, 0, append(w.apply(), "--dry-run")...)
	w.same(t, "after a dry run")

	t.Run("demo", w.demo)
	t.Run("confirm and roll back", w.confirmAndRollBack)
	t.Run("nobody confirms", w.nobodyConfirms)
	t.Run("killed, and recovered", w.killed)
	t.Run("what the event log is told", w.eventLog)
	t.Run("what needs a restart", w.needsRestart)
	t.Run("what others may write", w.ofOthers)
	t.Run("a journal of another's hand", w.forged)
	t.Run("the rooms' own tests", w.roomsTests)
	t.Run("exported and imported by Windows' own reg", w.exported)
	t.Run("values of odd forms", func(t *testing.T) { oddValuesUnderWine(t, w, w.server) })
	t.Run("the installer", w.installer)
	t.Run("services", w.services)
	t.Run("a fleet's directory that is open", w.openHomes)
	// after what compares the registry with what it was: a key that Wine has not is made for it
	t.Run("weak logons", w.weakLogons)
	t.Run("hives", func(t *testing.T) { hivesUnderWine(t, w, w.server) })
}

func (w *wineHost) demo(t *testing.T) {
	if out, code := w.Run(t, w.program, "demo"); code != 0 ||
		!strings.Contains(out, "smb.conf is byte for byte as it was.") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if left, err := filepath.Glob(w.Path(`C:\users\*\Temp\ipcguard-demo-*`)); err != nil || left != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}

func (w *wineHost) confirmAndRollBack(t *testing.T) {
	out := w.ipcguard(t, 0, append(w.apply(), "--confirm-within", "1h")...)
	for _, want := range []string{
		"passed       closed:anonymous-pipe:Grüße", "passed       closed:anonymous-lists-shares",
		"waits for its confirmation",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	id := applied(t, out)
	w.ipcguard(t, 1, w.apply()...) // one waits
	w.ipcguard(t, 0, "confirm", id)
	after := w.dump(t)
	if after == w.before {
		t.Error("nothing was written")
	}
	if out := w.ipcguard(t, 0, "recover"); !strings.Contains(out, "the host was as after it") {
		t.Errorf("recover: %s", out)
	}
	w.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`, "/v", "NullSessionPipes",
		"/t", "REG_MULTI_SZ", "/d", "spoolss", "/f")
	if out := w.ipcguard(t, 1, "rollback", id); !strings.Contains(out, "spoolss") {
		t.Errorf("what somebody else changed is not shown: %s", out)
	}
	w.ipcguard(t, 0, "rollback", id, "--force")
	w.same(t, "rolled back,")
	if out := w.ipcguard(t, 0, "history", id); strings.Count(out, "signature good") != 3 {
		t.Errorf("history: %s", out)
	}
}

func (w *wineHost) nobodyConfirms(t *testing.T) {
	id := unconfirmed(t, func(within string) (string, int) {
		cmd, said := w.start(t, append(w.apply(), "--confirm-within", within)...)
		_ = cmd.Wait()
		return said(), cmd.ProcessState.ExitCode()
	})
	until(t, func() error {
		if out := w.ipcguard(t, 0, "history", id); !strings.Contains(out, "undone") {
			return fmt.Errorf("the guard has not taken it back: %s", out)
		}
		return nil
	})
	w.same(t, "when the time was up")
	if out := w.ipcguard(t, 1, "confirm", id); !strings.Contains(out, "too late") {
		t.Errorf("a late confirmation: %s", out)
	}
}

func (w *wineHost) killed(t *testing.T) {
	proof := w.silence() // from the middle of the apply on
	cmd, said := w.start(t, w.apply()...)
	until(t, func() error {
		if !strings.Contains(said(), "again, as a stranger") {
			return fmt.Errorf("not there yet: %s", said())
		}
		return nil
	})
	err := cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	close(proof)
	if err != nil {
		t.Fatal(err)
	}
	if w.dump(t) == w.before {
		t.Fatalf("killed when nothing was written: %s", said())
	}
	if out := w.ipcguard(t, 0, "recover"); !strings.Contains(out, "the host is as before it: rolled back") {
		t.Errorf("recover: %s", out)
	}
	w.same(t, "recovered,")
}

func (w *wineHost) eventLog(t *testing.T) {
	// Wine keeps no events of programs. Its trace is what ReportEventW is called with.
	w.trace = "trace+eventlog,fixme+advapi"
	out := w.ipcguard(t, 0, w.apply()...)
	id := applied(t, out)
	out += w.ipcguard(t, 0, "rollback", id)
	w.trace = ""
	for _, want := range []string{
		`RegisterEventSourceW \(\(null\),L"ipcguard"\)`,
		// information, category 0, id 1, one string
		`ReportEventW \([0-9A-F]+,0x0004,0x0000,0x00000001,0+,0x0001,0x00000000,`,
		`ReportEventW L"ipcguard applied ` + id +
			`\\r\\nwho: .*\\r\\nplan: sha256:[0-9a-f]{64}\\r\\nHKLM.*NullSessionPipes: REG_MULTI_SZ`,
		`ReportEventW \([0-9A-F]+,0x0004,0x0000,0x00000003,`,
		`ReportEventW L"ipcguard rolled-back ` + id,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(out, "the system's log does not have it") {
		t.Errorf("ReportEventW failed:\n%s", out)
	}
	w.same(t, "rolled back,")
}

// weakLogonSettings are the registry values that end, restrict or log a weak way to log on, each at the value that
// does.
var weakLogonSettings = []string{
	"LmCompatibilityLevel=5", "NtlmMinServerSec=537395200", "NtlmMinClientSec=537395200",
	"RestrictReceivingNTLMTraffic=2",
	"RestrictSendingNTLMTraffic=2", "RestrictNTLMInDomain=7", "AuditReceivingNTLMTraffic=2", "AuditNTLMInDomain=7",
	"RequireSecuritySignature=1", "EncryptData=1", "RejectUnencryptedAccess=1", "MinSmb2Dialect=768", "SMB1=0",
	"SmbServerNameHardeningLevel=1", "BlockNtlmv1SSO=1", "AuditClientDoesNotSupportSigning=1",
	"AuditClientSpnSupport=1", "AuditSmb1Access=1",
	"LanmanWorkstation.RequireSecuritySignature=1", "LanmanWorkstation.BlockNTLM=1",
	"LanmanWorkstation.MinSmb2Dialect=768",
	"AllowInsecureGuestAuth=0", "LimitBlankPasswordUse=1",
}

func (w *wineHost) weakLogons(t *testing.T) {
	w.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`, "/v", "LmCompatibilityLevel", "/t", "REG_DWORD",
		"/d", "1", "/f")
	w.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0`, "/v", "ClientAllowedNTLMServers", "/t",
		"REG_MULTI_SZ", "/d", `NAS1\0Ärger`, "/f")
	// The practice server answers while this value is there, and a test before this one removes it.
	w.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`, "/v",
		"RestrictNullSessAccess", "/t", "REG_DWORD", "/d", "0", "/f")
	keys := []string{`SYSTEM\CurrentControlSet\Control\Lsa`, `SYSTEM\CurrentControlSet\Services`, `SOFTWARE\Policies`}
	w.Run(t, "reg", "add", `HKLM\SOFTWARE\Policies`, "/f")
	open := w.dump(t, keys...)
	// What the tests before this one left decides whether the audit ends exposed or partial. Both have the settings.
	out, code := w.Run(t, w.program, "audit", "local", "--product", "win2025", "--role", "domain-controller",
		"--format", "json", "-o", "logons-audit.json")
	if code != 3 && code != 4 {
		t.Fatalf("audit: exit %d\n%s", code, out)
	}
	args := []string{"plan", "--audit", "logons-audit.json", "--format", "json", "-o", "logons.json"}
	for _, want := range weakLogonSettings {
		args = append(args, "--want", want)
	}
	w.ipcguard(t, 0, args...)
	out, code = w.Run(t, w.program, "apply", "logons.json", "--yes", "--address", w.server, "--state", w.state)
	if code != 0 && code != 4 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	id, after := applied(t, out), strings.ReplaceAll(w.dump(t, keys...), "\x00", "") // of UTF-16
	b, err := os.ReadFile(w.Path(`C:\logons.json`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, c := range p.Changes {
		if n, ok := c.To.Whole(); ok && c.To.Type == "REG_DWORD" {
			written++
			if line := fmt.Sprintf("\"%s\"=dword:%08x", c.Where[strings.LastIndexByte(c.Where, '\\')+1:],
				n); !strings.Contains(after, line) {
				t.Errorf("no %s in the registry", line)
			}
		}
	}
	if written < len(weakLogonSettings)-6 { // some are in effect by default
		t.Errorf("%d of %d are written", written, len(weakLogonSettings))
	}
	w.ipcguard(t, 0, "rollback", id)
	if now := w.dump(t, keys...); now != open {
		t.Errorf("rolled back, the registry is\n%s\nwant\n%s", now, open)
	}
	w.Run(t, "reg", "delete", `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`, "/v", "LmCompatibilityLevel", "/f")
	w.Run(t, "reg", "delete", `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0`, "/v", "ClientAllowedNTLMServers",
		"/f")
}

func (w *wineHost) needsRestart(t *testing.T) {
	w.ipcguard(t, 0, "plan", "--audit", "audit.json", "--strategy", "block", "--means", "auto-share",
		"--accept-breakage", "--format", "json", "-o", "block.json")
	out := w.ipcguard(t, 4, "apply", "block.json", "--yes", "--address", w.server)
	if !strings.Contains(out, "needed before AutoShareWks takes effect") {
		t.Errorf("the restart is not told:\n%s", out)
	}
	id := applied(t, out)
	// Wine's Server service does not run, so that it reads the value when it starts: the service manager says so.
	const want = `AutoShareWks is in effect: the service does not run`
	if out := w.ipcguard(t, 0, "history", id); !strings.Contains(out, want) {
		t.Errorf("history:\n%s", out)
	}
	if out := w.ipcguard(t, 4, "verify", w.server, "--apply", id); !strings.Contains(out, "passed       restart:") ||
		!strings.Contains(out, want) {
		t.Errorf("verify:\n%s", out)
	}
	w.ipcguard(t, 0, "rollback", id)
	w.same(t, "rolled back,")
	w.ipcguard(t, 1, "verify", w.server, "--apply", id) // there is nothing of it any more
}

func (w *wineHost) roomsTests(t *testing.T) {
	for _, room := range []struct {
		name, passes string
		run          func(t testing.TB, args ...string) (string, int)
	}{
		{"apply/target", "TestWindowsConforms", w.Run},
		{"apply/engine", "TestWindowsLock", w.Run},
		{"apply/private", "TestWindowsStrangers", w.Run},
		{"cli/console", "TestWindowsConsoleMode", w.RunOnTerminal},
	} {
		tests := w.Compile(t, path.Base(room.name)+".test.exe", "ipcguard/internal/"+room.name, "test", "-c")
		args := []string{tests, "-test.v", "-test.run", "^(TestWindows|TestTask)"}
		if os.Getenv("IPCGUARD_LONG") == "" {
			args = append(args, "-test.short") // fewer of the points at which an apply is killed
		}
		out, code := room.run(t, args...)
		if code != 0 || !strings.Contains(out, "--- PASS: "+room.passes) || strings.Contains(out, "--- SKIP") {
			t.Errorf("%s: exit %d\n%s", room.name, code, out)
		}
	}
}

func (w *wineHost) exported(t *testing.T) {
	w.ipcguard(t, 0, "export", "plan.json", "--as", "reg", "-o", "exported")
	w.Run(t, "reg", "import", `C:\exported\apply.reg`)
	if now := w.dump(t); !strings.Contains(utf16Text(now), `"RestrictNullSessAccess"=dword:00000001`) {
		t.Errorf("imported:\n%s", utf16Text(now))
	}
	w.Run(t, "reg", "import", `C:\exported\undo.reg`)
	w.same(t, "its undo imported,")
	for _, name := range []string{"apply.reg", "undo.reg"} {
		if _, code := w.Run(t, "regedit", "/S", `C:\exported\`+name); code != 0 {
			t.Errorf("regedit /S %s: %d", name, code)
		}
		if (w.dump(t) == w.before) != (name == "undo.reg") {
			t.Errorf("after regedit /S %s:\n%s", name, utf16Text(w.dump(t)))
		}
	}
}

// utf16Text is what reg has written, to be read.
func utf16Text(s string) string {
	var u []uint16
	for i := 0; i+1 < len(s); i += 2 {
		u = append(u, uint16(s[i])|uint16(s[i+1])<<8)
	}
	return string(utf16.Decode(u))
}

// wineHost is a Windows with the program.
type wineHost struct {
	*peer.Wine
	program string
	server  string // the address of the practice server
	before  string // the settings' keys before any apply
	state   string // the program's state directory
	trace   string // what Wine tells of itself, beside what the program says

	mu     sync.Mutex
	silent chan struct{} // until it is closed, the practice server says nothing once it is shut to strangers
}

// silence makes the practice server say nothing once it is shut to strangers, until what silence returns is closed.
func (w *wineHost) silence() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = make(chan struct{})
	return w.silent
}

// spoken waits for the end of a silence.
func (w *wineHost) spoken() {
	w.mu.Lock()
	silent := w.silent
	w.mu.Unlock()
	if silent != nil {
		<-silent
	}
}

// apply is the command line that applies the plan.
func (w *wineHost) apply() []string {
	return []string{"apply", "plan.json", "--yes", "--address", w.server, "--share", "finance"}
}

// same checks that the settings' keys are as they were.
func (w *wineHost) same(t *testing.T, when string) {
	t.Helper()
	if now := w.dump(t); now != w.before {
		t.Errorf("%s the registry is\n%s\nwant\n%s", when, now, w.before)
	}
}

// release makes the program for Windows as make build does.
func release(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("make", "--no-print-directory", "-C", filepath.Join("..", ".."), "binaries",
		"PLATFORMS=windows/amd64", "DIST="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make: %v: %s", err, out)
	}
	return filepath.Join(dir, "ipcguard-windows-amd64.exe")
}

// ipcguard runs the program with its state directory, and gives all that it says.
func (w *wineHost) ipcguard(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd, said := w.start(t, args...)
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("ipcguard %s: exit %d, want %d\n%s", strings.Join(args, " "), got, want, said())
	}
	return said()
}

// start starts the program; what it has said so far can be asked for at any time.
func (w *wineHost) start(t *testing.T, args ...string) (*exec.Cmd, func() string) {
	t.Helper()
	f, err := os.CreateTemp(w.Prefix, "said-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if !slices.Contains([]string{"audit", "plan", "export", "service"}, args[0]) {
		args = append(args, "--state", w.state)
	}
	cmd := w.Command(t.Context(), append([]string{w.program}, args...)...)
	if w.trace != "" {
		cmd.Env = append(cmd.Env, "WINEDEBUG="+w.trace)
	}
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

// installer makes the installer, and has Windows' own msiexec install and remove the program.
func (w *wineHost) installer(t *testing.T) {
	peer.Need(t, "wixl", "msibuild")
	build := exec.Command(filepath.Join("..", "..", "scripts", "windows.sh"))
	build.Env = append(os.Environ(), "DIST="+filepath.Dir(w.program), "VERSION=1.2.3", "URL=https://example.org/1.2.3",
		"SIGN=:")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	msi, err := os.ReadFile(filepath.Join(filepath.Dir(w.program), "ipcguard-1.2.3-x64.msi"))
	if err == nil {
		err = os.WriteFile(w.Path(`C:\ipcguard.msi`), msi, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"winget/ipcguard.installer.yaml", "chocolatey/tools/chocolateyinstall.ps1"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(w.program), name))
		if want := fmt.Sprintf("%X", sha256.Sum256(msi)); err != nil || !strings.Contains(string(b), want) ||
			strings.Contains(string(b), "@VERSION@") {
			t.Errorf("%s: %v, without %s:\n%s", name, err, want, b)
		}
	}
	const key, path = `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\ipcguard`,
		`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	installed := func() []bool {
		_, file := os.Stat(w.Path(`C:\Program Files\ipcguard\ipcguard.exe`))
		source := w.Command(t.Context(), "reg", "query", key).Run()
		out, _ := w.Run(t, "reg", "query", path, "/v", "PATH")
		return []bool{file == nil, source == nil, strings.Contains(out, `\ipcguard`)}
	}
	for _, step := range []struct {
		how  string
		want bool
	}{{"/i", true}, {"/x", false}} {
		if out, code := w.Run(t, "msiexec", step.how, `C:\ipcguard.msi`, "/qn"); code != 0 {
			t.Fatalf("msiexec %s: %d %s", step.how, code, out)
		}
		if got := installed(); slices.Contains(got, !step.want) {
			t.Errorf("after msiexec %s: file, source and path are there: %v", step.how, got)
		}
		if step.want {
			if out, code := w.Run(t, `C:\Program Files\ipcguard\ipcguard.exe`, "version"); code != 0 ||
				!strings.Contains(out, "ipcguard ") {
				t.Errorf("installed, it says %d %s", code, out)
			}
		}
	}
	// what Windows shows of the file: the version of a build that no tag names
	b, err := os.ReadFile(w.program)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FileDescription", "ProductVersion"} {
		if !bytes.Contains(b, u16(want)) {
			t.Errorf("the program has no %s", want)
		}
	}
	if !bytes.Contains(b, []byte("asInvoker")) {
		t.Error("the program has no manifest")
	}
}

// dump is everything that Windows' own reg exports of keys below HKLM, or of those that the other tests change.
func (w *wineHost) dump(t *testing.T, keys ...string) string {
	t.Helper()
	var all []byte
	if keys == nil {
		keys = []string{`SYSTEM\CurrentControlSet\Control\Lsa`, `SYSTEM\CurrentControlSet\Services\LanmanServer`}
	}
	for _, key := range keys {
		w.Run(t, "reg", "export", `HKLM\`+key, `C:\dump.reg`, "/y")
		b, err := os.ReadFile(w.Path(`C:\dump.reg`))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return string(all)
}

// serve starts a practice server that is open to strangers unless the registry keeps them out. It reads the registry at
// each connection: an older answer would show a scan two servers at one address.
func (w *wineHost) serve(t *testing.T) string {
	t.Helper()
	open, err := smbtest.NewHost("winxp", "WINE")
	if err != nil {
		t.Fatal(err)
	}
	shut, err := smbtest.NewHost("win2025", "WINE")
	if err != nil {
		t.Fatal(err)
	}
	restricted := w.restricted(t)
	s, err := smbtest.StartMany("127.41.4.1:0", func(netip.Addr) *smbtest.Host {
		switch restricted() {
		case "0":
			return open
		case "1":
			w.spoken()
			return shut
		}
		return nil // the value is gone, and so is the server
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Address()
}

// restricted returns a function that reads RestrictNullSessAccess.
func (w *wineHost) restricted(t *testing.T) func() string {
	t.Helper()
	program := w.Compile(t, "nullsession.exe", "./testdata/nullsession", "build")
	reader := w.Command(context.WithoutCancel(t.Context()), program)
	asks, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = asks.Close()
		_ = reader.Wait() // only its end matters
	})
	answers := bufio.NewReader(pipe)
	var one sync.Mutex // asks at a time
	return func() string {
		one.Lock()
		defer one.Unlock()
		if _, err := asks.Write([]byte("\n")); err != nil {
			return ""
		}
		answer, _ := answers.ReadString('\n') // an empty one if the program has ended
		return strings.TrimSpace(answer)
	}
}
