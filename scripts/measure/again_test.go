package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/measured"
	"ipcguard/internal/peer"
)

// TestMeasuredAgain measures eight configurations of one Samba release besides this machine's own again, different ones
// each day, and checks that the access model predicts what the server does. The releases are unpacked once and stay in
// the user's cache, or in the folder that IPCGUARD_MEASURE names.
func TestMeasuredAgain(t *testing.T) {
	t.Parallel()
	peer.Need(t, "apt-get", "unshare")
	if os.Geteuid() != 0 {
		t.Skip("a chroot takes root")
	}
	suite, names := today(t, time.Now())
	binary := filepath.Join(t.TempDir(), "ipcguard")
	if out, err := exec.Command("go", "build", "-o", binary, "ipcguard/cmd/ipcguard").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	dir := cmp.Or(os.Getenv("IPCGUARD_MEASURE"), filepath.Join(cache, "ipcguard", "measure"))
	results := filepath.Join(dir, "results", suite)
	if err := os.RemoveAll(results); err != nil {
		t.Fatal(err)
	}
	// What it starts and mounts ends with it.
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "bash",
		filepath.Join("..", "measure.sh"), dir, suite)
	cmd.Env = append(os.Environ(), "IPCGUARD="+binary, "ONLY=^("+strings.Join(names, "|")+")$")
	if out, err := cmd.CombinedOutput(); err != nil {
		const unavailable = 69 // see sysexits.h
		if cmd.ProcessState.ExitCode() == unavailable && os.Getenv("CI") != "true" {
			t.Skipf("Samba of %s cannot be had: %s", suite, out)
		}
		t.Fatalf("%s: %v: %s", suite, err, out)
	}
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server(results)
	if err != nil {
		t.Fatal(err)
	}
	table := &measured.Table{Schema: measured.Schema, Servers: []measured.Server{*s}}
	for _, name := range names {
		if err := add(table, c, s, filepath.Join(results, name+".json")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("Samba %s: %s", s.Release, strings.Join(names, ", "))
	if n := holdModel(t, table)["samba "+s.Release]; n < 8 {
		t.Errorf("%d cells compared", n)
	}
}

// today returns the release and the configurations of a day.
func today(t *testing.T, now time.Time) (suite string, names []string) {
	t.Helper()
	const most = 8
	b, err := os.ReadFile("configurations")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(line, "|", 3); len(f) == 3 && f[0] == "samba" {
			all = append(all, f[1])
		}
	}
	suites := []string{"bullseye", "trixie", "sid"}
	day := now.YearDay()
	for i := range most {
		names = append(names, all[(day/len(suites)*most+i)%len(all)])
	}
	return suites[day%len(suites)], names
}

// TestToday: every release gets every configuration within some weeks.
func TestToday(t *testing.T) {
	seen := map[string]map[string]bool{}
	for day := range 45 {
		suite, names := today(t, time.Date(2026, 1, 1+day, 12, 0, 0, 0, time.UTC))
		if seen[suite] == nil {
			seen[suite] = map[string]bool{}
		}
		for _, n := range names {
			seen[suite][n] = true
		}
	}
	for suite, names := range seen {
		if len(names) != 25 {
			t.Errorf("%s: %d configurations", suite, len(names))
		}
	}
}
