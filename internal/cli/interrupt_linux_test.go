package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to keyboard is typed, and child is its other end.
func openTerminal(t *testing.T) (keyboard, child *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	child, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Close() })
	return keyboard, child
}

// resultsIn reads a file of results in jsonl.
func resultsIn(t *testing.T, name string) (out []model.Scan) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var s model.Scan
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, s)
	}
	return out
}

func findingsOf(s *model.Scan) (out []string) {
	for _, f := range s.Findings {
		out = append(out, f.ID+" "+string(f.Identity))
	}
	slices.Sort(out)
	return out
}

// TestCtrlC types Ctrl-C in the middle of a real host, whose answers stopped coming. What anonymous was given by then
// stays, as partial; --resume asks that host alone again, and the file has each host once, as if nobody had come
// between.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	done := peer.StartSamba(t, peer.Config{Address: "127.76.2.1", Global: []string{"restrict anonymous = 2"}})
	s := peer.StartSamba(t, peer.Config{Address: "127.76.2.2"})
	bad := &peer.Badnet{Hold: 6000}
	through := bad.Start(t, "127.76.2.3", s.Addr())
	file := filepath.Join(t.TempDir(), "out.jsonl")
	wait := []string{"--timeout", "session=10m,tree=10m,open=10m,call=10m,host=30m"} // nothing but Ctrl-C ends it
	run := func(args ...string) (int, string) {
		t.Helper()
		out, err := exec.Command("ipcguard", append([]string{"scan"}, args...)...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if err != nil {
			return exit.ExitCode(), string(out)
		}
		return 0, string(out)
	}

	keyboard, child := openTerminal(t)
	cmd := exec.Command("ipcguard",
		append([]string{"scan", "--format", "jsonl", "-o", file, done.Addr(), through}, wait...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = child, child, child
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // its terminal is its standard input
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child.Close()
	var screen bytes.Buffer
	read := make(chan struct{})
	go func() { // it ends with an error when nobody has the other end any more
		_, _ = io.Copy(&screen, keyboard)
		close(read)
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	select {
	case <-bad.Held():
	case err := <-ended:
		t.Fatalf("it ended by itself: %v", err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) { // the other host is through
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("\n")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other host is not through")
		}
	}
	if _, err := keyboard.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("after Ctrl-C: %v", err)
	}
	<-read
	if !strings.Contains(screen.String(), "interrupted: 1 of 2 hosts done, 1 left") ||
		!strings.Contains(screen.String(), "--resume") {
		t.Errorf("the screen says:\n%s", screen.String())
	}
	results := resultsIn(t, file)
	if len(results) != 2 {
		t.Fatalf("%d results", len(results))
	}
	i := slices.IndexFunc(results, func(r model.Scan) bool { return r.Address == through })
	if i < 0 {
		t.Fatalf("nothing of the host in whose middle it was")
	}
	half := results[i]
	t.Logf("interrupted: %s, %d findings: %s", half.Verdict, len(half.Findings), half.Reason)
	if half.Verdict != model.Exposed || !half.Partial || len(half.Findings) == 0 ||
		!strings.Contains(half.Reason, "interrupted") {
		t.Errorf("%s, partial %v, %d findings: %s", half.Verdict, half.Partial, len(half.Findings), half.Reason)
	}
	if other := results[1-i]; other.Partial || other.Verdict != model.Closed {
		t.Errorf("the other host is %s, partial %v: %s", other.Verdict, other.Partial, other.Reason)
	}

	bad.Release()
	before := bad.Connections()
	code, said := run("--format", "jsonl", "-o", file, "--resume", file, done.Addr(), through)
	if code != exitExposed {
		t.Errorf("going on: exit code %d:\n%s", code, said)
	}
	if bad.Connections() == before {
		t.Error("the host was not asked again")
	}
	results = resultsIn(t, file)
	if len(results) != 2 || results[0].Address == results[1].Address {
		t.Fatalf("%d results after going on", len(results))
	}
	whole := results[slices.IndexFunc(results, func(r model.Scan) bool { return r.Address == through })]
	fresh := filepath.Join(t.TempDir(), "fresh.jsonl")
	run("--format", "jsonl", "-o", fresh, through)
	want := resultsIn(t, fresh)[0]
	if whole.Verdict != model.Exposed || whole.Partial || !slices.Equal(findingsOf(&whole), findingsOf(&want)) {
		t.Errorf("%s, partial %v: %s\n%q\nwant\n%q", whole.Verdict, whole.Partial, whole.Reason, findingsOf(&whole),
			findingsOf(&want))
	}
	for _, f := range findingsOf(&half) {
		if !slices.Contains(findingsOf(&want), f) {
			t.Errorf("%s was found before Ctrl-C alone", f)
		}
	}
}
