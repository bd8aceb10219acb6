package console

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// screen gives this process a console of its own, and the screen of it.
func screen(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func mode(t *testing.T, f *os.File) (m uint32) {
	t.Helper()
	if err := windows.GetConsoleMode(windows.Handle(f.Fd()), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestWindowsConsoleMode: a console takes cursor moves while the program runs, and is afterwards as it was found, in
// whichever mode that is.
func TestWindowsConsoleMode(t *testing.T) {
	f := screen(t)
	const vt, processed = windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING, windows.ENABLE_PROCESSED_OUTPUT
	for _, found := range []uint32{0, processed, processed | windows.ENABLE_WRAP_AT_EOL_OUTPUT, processed | vt} {
		if err := windows.SetConsoleMode(windows.Handle(f.Fd()), found); err != nil {
			t.Fatal(err)
		}
		if got := Obeys(f); got != (found&vt != 0) {
			t.Errorf("mode %#x: it obeys: %v", found, got)
		}
		restore := Prepare("no file", f, f)
		if got := mode(t, f); got != found|processed|vt || !Obeys(f) {
			t.Errorf("mode %#x: while the program runs it is %#x, and obeys: %v", found, got, Obeys(f))
		}
		restore()
		if got := mode(t, f); got != found {
			t.Errorf("mode %#x: afterwards it is %#x", found, got)
		}
	}
	file, err := os.CreateTemp("", "no-console-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	Prepare(file)()
	if Obeys(file) {
		t.Error("a file obeys")
	}
}

// TestWindowsElevated starts itself as an administrator's program is started at an ordinary prompt: with the other one
// of the administrator's two tokens.
func TestWindowsElevated(t *testing.T) {
	const asked = "IPCGUARD_TEST_ELEVATED"
	if os.Getenv(asked) != "" {
		if Elevated() {
			os.Exit(10)
		}
		os.Exit(11)
	}
	if !Elevated() {
		t.Fatal("this test wants to be started as an administrator")
	}
	linked, err := windows.GetCurrentProcessToken().GetLinkedToken()
	if err != nil {
		t.Fatal(err)
	}
	defer linked.Close()
	var primary windows.Token
	if err := windows.DuplicateTokenEx(linked, windows.MAXIMUM_ALLOWED, nil, windows.SecurityImpersonation,
		windows.TokenPrimary, &primary); err != nil {
		t.Fatal(err)
	}
	defer primary.Close()
	for _, c := range []struct {
		token windows.Token
		want  int
	}{{0, 10}, {primary, 11}} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWindowsElevated$")
		cmd.Env = append(os.Environ(), asked+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Token: syscall.Token(c.token)}
		_ = cmd.Run() // its code is looked at
		if got := cmd.ProcessState.ExitCode(); got != c.want {
			t.Errorf("exit %d, want %d", got, c.want)
		}
	}
}
