package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// wine runs programs of Windows on an implementation of its API that is not ours.
type wine struct{ prefix string }

func newWine(t *testing.T) *wine {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: Wine takes half a minute to set itself up")
	}
	peer.Need(t, "wine")
	prefix, err := os.MkdirTemp("", "wine") // Wine goes on writing while it ends: t.TempDir would fail the test
	if err != nil {
		t.Fatal(err)
	}
	w := &wine{prefix}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		stop := exec.CommandContext(ctx, "wineserver", "-k")
		stop.Env = w.env()
		_ = stop.Run() // there may be none any more
		_ = os.RemoveAll(prefix)
	})
	w.run(t, "wineboot", "-i")
	return w
}

func (w *wine) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "DISPLAY=") })
	return append(env, "WINEPREFIX="+w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=")
}

// run runs a program and gives its standard output. Only what could not be started, or took too long, ends the test:
// codes are the caller's.
func (w *wine) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wine", args...)
	cmd.Env, cmd.Dir = w.env(), w.prefix
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("wine %v: %v", args, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 && args[0] == "reg" {
		t.Fatalf("wine %v: %d %s %s", args, code, out.String(), trouble.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// A registry that Wine's reg wrote: exported by it and read back from its own UTF-16 .reg file, and read live by the
// Windows build of the program.
func TestWine(t *testing.T) {
	w := newWine(t)
	const lsa, server = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`, `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
	for _, args := range [][]string{
		{lsa, "RestrictAnonymous", "REG_DWORD", "2"},
		{lsa, "RestrictAnonymousSAM", "REG_DWORD", "0"},
		{lsa, "RestrictRemoteSAM", "REG_SZ", "O:BAG:BAD:(A;;RC;;;BA)"},
		{server, "NullSessionPipes", "REG_MULTI_SZ", `samr\0evilpipe\0` + strings.Repeat("x", 300)},
		{server, "NullSessionShares", "REG_SZ", "public"},
		{server, "RestrictNullSessionAccess", "REG_DWORD", "1"},
		{`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer`, "Start", "REG_DWORD", "2"},
	} {
		w.run(t, "reg", "add", args[0], "/v", args[1], "/t", args[2], "/d", args[3], "/f")
	}
	check := func(t *testing.T, a *model.Audit) {
		t.Helper()
		if s := settingOf(t, a, "RestrictAnonymous"); !s.Present || whole(s.Configured) != 2 {
			t.Errorf("%+v", s)
		}
		if s := settingOf(t, a, "RestrictRemoteSAM"); s.Configured != "O:BAG:BAD:(A;;RC;;;BA)" {
			t.Errorf("%+v", s)
		}
		b, _ := json.Marshal(settingOf(t, a, "NullSessionPipes").Configured)
		if want := `["samr","evilpipe","` + strings.Repeat("x", 300) + `"]`; string(b) != want {
			t.Errorf("NullSessionPipes %s", b)
		}
		for _, id := range []string{"unexpected-anonymous-pipe", "wrong-type", "misspelt-setting", "ra2-after-2000", "contradictory-settings"} {
			if !slices.Contains(ids(a), id) {
				t.Errorf("no %s: %v", id, ids(a))
			}
		}
	}
	t.Run("exported", func(t *testing.T) {
		w.run(t, "reg", "export", `HKLM\SYSTEM\CurrentControlSet`, `C:\out.reg`, "/y")
		path := filepath.Join(w.prefix, "drive_c", "out.reg")
		b, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(b, []byte("\xff\xfe")) {
			t.Fatalf("the export is not UTF-16: %v", err)
		}
		a := source(t, Options{Product: "win10-22H2", Role: model.Workstation}, path)
		if a.Partial {
			t.Errorf("%q", a.Problems)
		}
		check(t, a)
	})
	t.Run("live", func(t *testing.T) {
		// Go's programs want bcryptprimitives.dll, which Wine 8 has not; a forwarder to what it has instead does
		dll := filepath.Join(w.prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll")
		if _, err := os.Stat(dll); err != nil {
			if err := os.WriteFile(dll, forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(w.prefix, "ipcguard.exe")
		build := exec.Command("go", "build", "-o", program, "ipcguard/cmd/ipcguard")
		build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, code := w.run(t, program, "audit", "local", "--format", "jsonl", "--product", "win10-22H2")
		a := &model.Audit{}
		if err := json.Unmarshal([]byte(out), a); err != nil {
			t.Fatalf("exit %d: %v: %.200s", code, err, out)
		}
		if code != 3 || a.Source.Kind != "registry" || a.Host == "" || a.Platform.Role != model.Workstation || !strings.Contains(a.Platform.Name, "Windows") {
			t.Errorf("exit %d, %+v %+v", code, a.Source, a.Platform)
		}
		if s := settingOf(t, a, "EveryoneIncludesAnonymous"); s.NotRead || s.Basis != model.BasisDefault {
			t.Errorf("absent in a whole registry: %+v", s)
		}
		check(t, a)
	})
}

// whole reads a number that may have come through JSON.
func whole(v any) int {
	switch n := v.(type) {
	case int:
		return n
	case float64:
		return int(n)
	}
	return -1
}

// forwarder makes a 64-bit DLL without code whose one export is another DLL's function.
//
//	0x000 DOS header · 0x040 PE header and optional header · section header · 0x200 export directory, table, names
func forwarder(name, export, to string) []byte {
	const rva, size = 0x1000, 0x200
	le := binary.LittleEndian
	names := 52 + len(name) + 1
	table := 40
	d := le.AppendUint32(nil, 0)
	for _, v := range []uint32{0, 0, rva + 52, 1, 1, 1, rva + uint32(table), rva + 44, rva + 48} { // after 4 bytes of characteristics
		d = le.AppendUint32(d, v)
	}
	d = le.AppendUint32(d, rva+uint32(names+len(export)+1)) // where the export leads: a name, since it lies in the directory
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
