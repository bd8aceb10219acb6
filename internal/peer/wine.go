package peer

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Wine runs Windows programs on an independent implementation of its API, with a registry and a drive of its own.
type Wine struct{ Prefix string }

// StartWine creates an empty Windows, which takes half a minute, and removes it when the test ends.
func StartWine(t testing.TB) *Wine {
	t.Helper()
	Need(t, "wine")
	// Wine still writes while it ends: t.TempDir would fail the test.
	prefix, err := os.MkdirTemp("", "ipcguard-wine-")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wine{prefix}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		stop := exec.CommandContext(ctx, "wineserver", "-k")
		stop.Env = w.env()
		_ = stop.Run() // there may be none left
		_ = os.RemoveAll(prefix)
	})
	w.Run(t, "wineboot", "-i")
	// A service manager that wineboot has started may still be ending when the next program starts another: programs
	// that reach both in turn see services appear and disappear.
	ended, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wait := exec.CommandContext(ended, "wineserver", "-w")
	wait.Env = w.env()
	if err := wait.Run(); err != nil {
		t.Fatalf("peer: Wine does not end after its set-up: %v", err)
	}
	// While a program runs, the services that all programs need do not restart.
	keeper := w.Command(context.WithoutCancel(t.Context()), "cmd")
	leash, err := keeper.StdinPipe()
	if err == nil {
		err = keeper.Start()
	}
	if err != nil {
		t.Fatalf("peer: wine cmd: %v", err)
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = keeper.Wait() // only its end matters
	})
	// Go's programs need bcryptprimitives.dll, which Wine 8 does not have; a forwarder to its replacement is enough.
	dll := w.Path(`C:\windows\system32\bcryptprimitives.dll`)
	if _, err := os.Stat(dll); err != nil {
		if err := os.WriteFile(dll, forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// Path returns the path of a file on drive C.
func (w *Wine) Path(name string) string {
	return filepath.Join(w.Prefix, "drive_c",
		filepath.FromSlash(strings.ReplaceAll(strings.TrimPrefix(name, `C:\`), `\`, "/")))
}

func (w *Wine) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "DISPLAY=") || strings.HasPrefix(s, "WINE") || strings.HasPrefix(s, "IPCGUARD_")
	})
	return append(env, "WINEPREFIX="+w.Prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=")
}

// Command returns a command that runs a Windows program in the root of drive C.
func (w *Wine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "wine", args...)
	cmd.Env, cmd.Dir = w.env(), w.Path(`C:\`)
	if _, err := os.Stat(cmd.Dir); err != nil {
		cmd.Dir = w.Prefix // not created yet
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Compile compiles a package for Windows with a command of go, which is "build" or "test", "-c", and returns the
// program.
func (w *Wine) Compile(t testing.TB, name, pkg string, command ...string) string {
	t.Helper()
	program := filepath.Join(w.Prefix, name)
	build := exec.CommandContext(t.Context(), "go", append(command, "-o", program, pkg)...)
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("peer: go %v %s: %v: %s", command, pkg, err, out)
	}
	return program
}

// wineLimit is a timeout for programs that hang. The tests of a package under Wine took four minutes on two cores
// shared by thirty others.
const wineLimit = 12 * time.Minute

// Run runs a program and returns its standard output and exit code. It fails the test only if the program could not be
// started or timed out, or if it is Windows' own reg, which must succeed. Output goes to files: Wine's services, which
// a program may start, would hold pipes open long after it.
func (w *Wine) Run(t testing.TB, args ...string) (string, int) {
	t.Helper()
	return w.try(t, 3, args) // Wine sometimes cannot start a program, and can the next time
}

// try runs a program, and repeats it if Wine reports that it was never started.
func (w *Wine) try(t testing.TB, left int, args []string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wineLimit)
	defer cancel()
	cmd := w.Command(ctx, args...)
	out, trouble := w.capture(t), w.capture(t)
	defer out.Close()
	defer trouble.Close()
	cmd.Stdout, cmd.Stderr = out, trouble
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("wine %v: %v", args, err)
	}
	code := cmd.ProcessState.ExitCode()
	if code != 0 && left > 1 && strings.HasPrefix(text(t, trouble), "Application could not be started") {
		return w.try(t, left-1, args)
	}
	if code != 0 && (args[0] == "reg" || args[0] == "wineboot") {
		t.Fatalf("wine %v: %d %s %s", args, code, text(t, out), text(t, trouble))
	}
	return text(t, out), code
}

// RunOnTerminal runs a program with a console: its output contains the console's cursor movements.
func (w *Wine) RunOnTerminal(t testing.TB, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wineLimit)
	defer cancel()
	wine := w.Command(ctx, args...)
	out := w.capture(t)
	defer out.Close()
	words := make([]string, len(wine.Args))
	for i, a := range wine.Args {
		words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	// util-linux
	cmd := exec.CommandContext(ctx, "script", "--quiet", "--return", "--command", strings.Join(words, " "), "/dev/null")
	cmd.Env, cmd.Dir, cmd.WaitDelay, cmd.Stdout = wine.Env, wine.Dir, wine.WaitDelay, out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("wine %v on a terminal: %v", args, err)
	}
	return text(t, out), cmd.ProcessState.ExitCode()
}

// capture returns a file for a program's output, which is already unlinked.
func (w *Wine) capture(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(w.Prefix, "output-")
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func text(t testing.TB, f *os.File) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// forwarder returns a 64-bit DLL without code whose only export is another DLL's function.
//
//	0x000 DOS header · 0x040 PE header and optional header · section header · 0x200 export directory, table, names
func forwarder(name, export, to string) []byte {
	const rva, size = 0x1000, 0x200
	le := binary.LittleEndian
	names := 52 + len(name) + 1
	table := 40
	d := le.AppendUint32(nil, 0)
	// After 4 bytes of characteristics.
	for _, v := range []uint32{0, 0, rva + 52, 1, 1, 1, rva + uint32(table), rva + 44, rva + 48} {
		d = le.AppendUint32(d, v)
	}
	// The target of the export: a name, since it lies inside the directory.
	d = le.AppendUint32(d, rva+uint32(names+len(export)+1))
	d = le.AppendUint32(d, rva+uint32(names))
	d = append(d, 0, 0, 0, 0) // ordinal 0, padding
	for _, s := range []string{name, export, to} {
		d = append(append(d, s...), 0)
	}
	end := uint32(len(d))
	d = append(d, make([]byte, size-len(d))...)

	h := append([]byte("MZ"), make([]byte, 58)...)
	h = le.AppendUint32(h, 0x40)
	h = append(h, "PE\x00\x00"...)
	for _, v := range []uint16{0x8664, 1, 0, 0, 0, 0, 0, 0, 240, 0x2022} {
		h = le.AppendUint16(h, v)
	}
	h = append(h, 0x0b, 0x02, 14, 0) // PE32+
	for _, v := range []uint32{0, size, 0, 0, rva} {
		h = le.AppendUint32(h, v)
	}
	h = le.AppendUint64(h, 0x180000000)
	h = le.AppendUint32(le.AppendUint32(h, 0x1000), size)
	for _, v := range []uint16{6, 0, 0, 0, 6, 0} {
		h = le.AppendUint16(h, v)
	}
	for _, v := range []uint32{0, 0x2000, size, 0} {
		h = le.AppendUint32(h, v)
	}
	h = le.AppendUint16(le.AppendUint16(h, 3), 0x0100)
	for _, v := range []uint64{0x100000, 0x1000, 0x100000, 0x1000} {
		h = le.AppendUint64(h, v)
	}
	h = le.AppendUint32(le.AppendUint32(h, 0), 16)
	h = le.AppendUint32(le.AppendUint32(h, rva), end)
	h = append(h, make([]byte, 15*8)...)
	h = append(h, ".rdata\x00\x00"...)
	for _, v := range []uint32{end, rva, size, 0x200, 0, 0, 0, 0x40000040} {
		h = le.AppendUint32(h, v)
	}
	return append(append(h, make([]byte, 0x200-len(h))...), d...)
}
