package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestWine audits a registry that Wine's reg wrote: exported by it and read back from its UTF-16 .reg file, and read
// live by the Windows build of the program.
func TestWine(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: Wine takes half a minute to set itself up")
	}
	w := peer.StartWine(t)
	const lsa, server = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`,
		`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
	for _, args := range [][]string{
		{lsa, "RestrictAnonymous", "REG_DWORD", "2"},
		{lsa, "RestrictAnonymousSAM", "REG_DWORD", "0"},
		{lsa, "RestrictRemoteSAM", "REG_SZ", "O:BAG:BAD:(A;;RC;;;BA)"},
		{server, "NullSessionPipes", "REG_MULTI_SZ", `samr\0evilpipe\0` + strings.Repeat("x", 300)},
		{server, "NullSessionShares", "REG_SZ", "public"},
		{server, "RestrictNullSessionAccess", "REG_DWORD", "1"},
		{`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer`, "Start", "REG_DWORD", "2"},
	} {
		w.Run(t, "reg", "add", args[0], "/v", args[1], "/t", args[2], "/d", args[3], "/f")
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
		for _, id := range []string{
			"unexpected-anonymous-pipe", "wrong-type", "misspelt-setting", "ra2-after-2000",
			"contradictory-settings",
		} {
			if !slices.Contains(ids(a), id) {
				t.Errorf("no %s: %v", id, ids(a))
			}
		}
	}
	t.Run("exported", func(t *testing.T) {
		w.Run(t, "reg", "export", `HKLM\SYSTEM\CurrentControlSet`, `C:\out.reg`, "/y")
		path := w.Path(`C:\out.reg`)
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
		program := w.Compile(t, "ipcguard.exe", "ipcguard/cmd/ipcguard", "build")
		out, code := w.Run(t, program, "audit", "local", "--format", "jsonl", "--product", "win10-22H2")
		a := &model.Audit{}
		if err := json.Unmarshal([]byte(out), a); err != nil {
			t.Fatalf("exit %d: %v: %.200s", code, err, out)
		}
		if code != 3 || a.Source.Kind != "registry" || a.Host == "" || a.Platform.Role != model.Workstation ||
			!strings.Contains(a.Platform.Name, "Windows") {
			t.Errorf("exit %d, %+v %+v", code, a.Source, a.Platform)
		}
		if s := settingOf(t, a, "EveryoneIncludesAnonymous"); s.NotRead || s.Basis != model.BasisDefault {
			t.Errorf("absent in a whole registry: %+v", s)
		}
		// Wine has the calls that find the guest account but no such account, and no secedit: both are reported, not
		// guessed.
		why := strings.Join(a.Platform.Why, "\n")
		for _, want := range []string{"the guest account was not read: NetUserGetInfo: ", "was not read: secedit: "} {
			if !strings.Contains(why, want) {
				t.Errorf("no %q in\n%s", want, why)
			}
		}
		if s := settingOf(t, a, "EnableGuestAccount"); s.Basis != model.BasisUnknown {
			t.Errorf("not read, and %+v", s)
		}
		check(t, a)
	})
}

// whole returns a number that may have been through JSON.
func whole(v any) int {
	switch n := v.(type) {
	case int:
		return n
	case float64:
		return int(n)
	}
	return -1
}
