package audit

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// need returns the path of a program to compare with, or ends the test.
func need(t testing.TB, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is not installed: nothing to compare with", name)
	}
	return p
}

// unpacked unpacks a hive for programs that read only plain ones.
func unpacked(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "hive")
	w, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestHivesAgainstReglookup: every setting in the real hives has the value that reglookup reads, and is absent if
// reglookup does not find it. reglookup reads the dirty hive without its logs, which change none of these keys.
func TestHivesAgainstReglookup(t *testing.T) {
	reglookup := need(t, "reglookup")
	dir := peer.Shared(t, "hives")
	for _, name := range []string{"SYSTEM", "SYSTEM_B", "SYSTEM_WIN_10_1709"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name+".xz")
			a := source(t, Options{}, path)
			// The third one was copied while in use, without its logs, and this is reported.
			if a.Partial != (name == "SYSTEM_WIN_10_1709") || a.Host == "" || a.Platform.Role != model.Workstation ||
				a.Platform.Product != "" {
				t.Errorf("partial %v %v, host %q, %+v", a.Partial, a.Problems, a.Host, a.Platform)
			}
			if !mentions(a.Platform.Why, "cannot be known") {
				t.Errorf("it does not say that the product cannot be known: %q", a.Platform.Why)
			}
			values := walk(t, reglookup, unpacked(t, path))
			compared, present := 0, 0
			for _, s := range a.Settings {
				below, ok := strings.CutPrefix(s.Where, `HKLM\SYSTEM\CurrentControlSet\`)
				if !ok || strings.HasPrefix(s.ID, "Srvsvc") {
					continue
				}
				want, found := values["/controlset001/"+strings.ToLower(strings.ReplaceAll(below, `\`, "/"))]
				compared++
				if s.Present != found {
					t.Errorf("%s: present %v, reglookup says %v (%s)", s.ID, s.Present, found, want)
					continue
				}
				if !found {
					continue
				}
				present++
				if got := reglooked(s.Configured); got != want {
					t.Errorf("%s = %s, reglookup says %s", s.ID, got, want)
				}
			}
			if compared < 30 || present < 12 {
				t.Errorf("%d settings compared, %d of them present", compared, present)
			}
		})
	}
}

// walk returns the whole control set as reglookup reads it: values by their path in lower case, as "TYPE VALUE".
func walk(t *testing.T, program, hive string) map[string]string {
	t.Helper()
	out, err := exec.Command(program, "-p", "/ControlSet001", hive).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ","); len(f) >= 3 && f[1] != "KEY" {
			values[strings.ToLower(f[0])] = f[1] + " " + f[2]
		}
	}
	if len(values) < 1000 {
		t.Fatalf("reglookup found %d values", len(values))
	}
	return values
}

// reglooked formats a value as reglookup does.
func reglooked(v any) string {
	switch x := v.(type) {
	case int:
		h := strings.ToUpper(strconv.FormatUint(uint64(uint32(x)), 16))
		return "DWORD 0x" + strings.Repeat("0", 8-len(h)) + h
	case []string:
		return "MULTI_SZ " + strings.Join(x, "|")
	case string:
		return "SZ " + x
	}
	return ""
}

// TestCellsWhereAuditorsDisagree settles the cells in which two widely used auditors contradict each other on these
// hives: SMB1 by the driver, which both ignore, and RestrictRemoteSAM by the release, for which one uses a fixed list
// and the other "absent is fine". The release of a hive without SOFTWARE is what the user says.
func TestCellsWhereAuditorsDisagree(t *testing.T) {
	dir := peer.Shared(t, "hives")
	for _, c := range []struct {
		hive, product string
		smb1          int
		smb1State     model.State
		remoteSAM     model.State
	}{
		// Services\srv exists and starts: on, which one of them passes
		{"SYSTEM", "win7", 1, model.StateWeak, model.StateWeak},
		// no srv and no mrxsmb10: off, which the other one fails
		{"SYSTEM_B", "win10-1709", 0, model.StateOK, model.StateOK},
		{"SYSTEM_WIN_10_1709", "win10-1709", 1, model.StateWeak, model.StateOK},
	} {
		t.Run(c.hive, func(t *testing.T) {
			a := source(t, Options{Product: c.product}, filepath.Join(dir, c.hive+".xz"))
			smb1 := settingOf(t, a, "SMB1")
			if smb1.Present || smb1.Effective != c.smb1 || smb1.State != c.smb1State {
				t.Errorf("SMB1 %+v", smb1)
			}
			sam := settingOf(t, a, "RestrictRemoteSAM")
			if sam.Present || sam.State != c.remoteSAM {
				t.Errorf("RestrictRemoteSAM %+v", sam)
			}
			if f := finding(a, "smb1-enabled"); (f != nil) != (c.smb1 == 1) {
				t.Errorf("smb1-enabled: %+v", f)
			}
			// The second layer, which neither of them checks.
			f := finding(a, "second-layer-grants-anonymous")
			if f == nil || !strings.HasPrefix(f.Evidence, "5 descriptors") || f.Severity != model.Low {
				t.Errorf("second layer: %+v", f)
			}
			if slices.Contains(ids(a), "pending-restart") {
				t.Error("PreviousAnonymousRestriction equals RestrictAnonymous in these hives")
			}
		})
	}
	unknown := source(t, Options{}, filepath.Join(dir, "SYSTEM.xz"))
	if s := settingOf(t, unknown, "RestrictRemoteSAM"); s.State != model.StateUnknown {
		t.Errorf("without the release RestrictRemoteSAM cannot be judged: %+v", s)
	}
}

// TestHivesGiveNothing: Windows 7 and 10 without an open pipe give strangers nothing through IPC$.
func TestHivesGiveNothing(t *testing.T) {
	dir := peer.Shared(t, "hives")
	for hive, product := range map[string]string{
		"SYSTEM": "win7", "SYSTEM_B": "win10-1709",
		"SYSTEM_WIN_10_1709": "win10-1709",
	} {
		a := source(t, Options{Product: product}, filepath.Join(dir, hive+".xz"))
		for kind, o := range a.Access[model.Anonymous].Discloses {
			if kind.IsExposure() && o == model.Allowed {
				t.Errorf("%s: %s is %s", hive, kind, o)
			}
		}
	}
}

// TestMountedFolder: a mounted volume, its Windows folder and the folder of hives are one source, whatever the case of
// the names.
func TestMountedFolder(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(peer.Shared(t, "hives"), "SYSTEM.xz"))
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"vol/WINDOWS/system32/Config/system.xz": string(b)})
	for _, at := range []string{"vol", "vol/WINDOWS", "vol/WINDOWS/system32/Config"} {
		a := source(t, Options{}, filepath.Join(dir, at))
		if a.Source.Kind != "hive" || a.Host != "WKS-WIN732BITA" || len(a.Source.Parts) != 1 {
			t.Errorf("%s: %+v %s", at, a.Source, a.Host)
		}
	}
	broken := write(t, map[string]string{"Windows/System32/config/SYSTEM": "regf"})
	if _, err := (Options{}).Source(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "SYSTEM") {
		t.Errorf("a folder with a broken hive: %v", err)
	}
}
