// Package packages tests what a release publishes for Linux: see scripts/linux.sh.
package packages

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// host is a Debian system booted from a root of its own.
type host struct {
	*peer.System
	t    *testing.T
	root string
}

func (h *host) run(name string, args ...string) (string, error) {
	out, err := h.Command(h.t.Context(), name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (h *host) do(name string, args ...string) string {
	h.t.Helper()
	out, err := h.run(name, args...)
	if err != nil {
		h.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// file returns a path of the host as seen by this system.
func (h *host) file(path string) string { return filepath.Join(h.root, path) }

func (h *host) is(path string) bool {
	_, err := os.Lstat(h.file(path))
	return err == nil
}

// TestPackages makes a release of two versions. A Debian system installs, upgrades and removes the first as deb and as
// rpm, with the fleet's server running. Independent tools read the image.
func TestPackages(t *testing.T) {
	peer.Long(t, "it makes a Debian root and two releases")
	peer.Need(t, "namespaces", "systemd", "debootstrap", "rpm", "skopeo", "umoci", "mandoc")
	machine := peer.NewMachine(t, peer.MachineOptions{Network: true})
	dist := filepath.Join(machine.Dir, "dist")
	const first, second = "1.0.0", "1.1.0"
	arch := runtime.GOARCH
	make := func(target, version string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "make", target, "DIST="+dist, "SHOWN="+version, "PLATFORMS=linux/"+arch,
			"ARCHES="+arch)
		cmd.Dir = peer.ModuleRoot(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v: %s", target, err, out)
		}
	}
	make("release", first)
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = dist
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("checksums: %v: %s", err, out)
	}
	t.Run("image", func(t *testing.T) { image(t, machine, dist, first) })
	t.Run("materials", func(t *testing.T) { materials(t, dist, first) })
	before := digests(t, dist)
	make("packages", first)
	if after := digests(t, dist); !slices.Equal(before, after) {
		t.Errorf("the same commit gave other bytes:\n%s\n%s", before, after)
	}
	make("packages", second)

	base := filepath.Join(machine.Dir, "base")
	if out, err := exec.CommandContext(t.Context(), "debootstrap", "--variant=minbase",
		"--include=systemd,systemd-sysv,rpm,curl", "bookworm", base).CombinedOutput(); err != nil {
		t.Fatalf("debootstrap: %v: %s", err, out)
	}
	for form, c := range map[string]struct{ install, upgrade, remove []string }{
		"deb": {[]string{"dpkg", "--install"}, []string{"dpkg", "--install"}, []string{"dpkg", "--remove", "ipcguard"}},
		// rpm's database does not contain this root's own packages.
		"rpm": {
			[]string{"rpm", "--install", "--nodeps"},
			[]string{"rpm", "--upgrade", "--nodeps"},
			[]string{"rpm", "--erase", "ipcguard"},
		},
	} {
		t.Run(form, func(t *testing.T) {
			root := filepath.Join(machine.Dir, form)
			for _, args := range [][]string{{"cp", "-a", base, root}, {"cp", "-a", dist, filepath.Join(root, "dist")}} {
				if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", args, err, out)
				}
			}
			h := &host{System: peer.StartRoot(t, machine, root), t: t, root: root}
			pack := func(version string) string { return fmt.Sprintf("/dist/ipcguard-%s-%s.%s", version, arch, form) }
			step := func(args []string, more ...string) {
				args = append(slices.Clone(args), more...)
				h.do(args[0], args[1:]...)
			}
			step(c.install, pack(first))
			h.installed()
			main := h.serve()
			step(c.upgrade, pack(second))
			h.upgraded(main)
			h.administered()
			h.removed(func() (string, error) { return h.run(c.remove[0], c.remove[1:]...) })
			if form == "deb" {
				h.do("dpkg", "--purge", "ipcguard")
				if !h.is("/var/lib/ipcguard-serve/fleet.key") {
					t.Error("a purge took the key")
				}
			}
		})
	}
}

// installed checks the files of the package. Nothing was started.
func (h *host) installed() {
	h.t.Helper()
	if out := h.do("ipcguard", "version"); !strings.HasPrefix(out, "ipcguard ") {
		h.t.Errorf("version: %s", out)
	}
	if out := h.do("getent", "passwd", "ipcguard"); !strings.HasSuffix(out, "/nologin") {
		h.t.Errorf("the account: %s", out)
	}
	for _, path := range []string{
		"/usr/share/man/man1/ipcguard.1.gz", "/usr/share/ipcguard/grafana/ipcguard.json",
		"/usr/share/doc/ipcguard/copyright", "/etc/ipcguard",
	} {
		if !h.is(path) {
			h.t.Errorf("no %s", path)
		}
	}
	pages, err := filepath.Glob(h.file("/usr/share/man/man1/ipcguard*"))
	if err != nil || len(pages) < 20 {
		h.t.Fatalf("%d manual pages, %v", len(pages), err)
	}
	for _, page := range pages { // mandoc decompresses only pages that it finds itself
		if out, err := exec.CommandContext(h.t.Context(), "bash", "-o", "pipefail", "-c",
			"zcat <$0 | mandoc -T lint -W error", page).CombinedOutput(); err != nil {
			h.t.Errorf("%s: %v: %s", filepath.Base(page), err, out)
		}
	}
	complete := `source /usr/share/bash-completion/completions/ipcguard && COMP_WORDS=(ipcguard sca) COMP_CWORD=1 COMP_LINE="ipcguard sca" COMP_POINT=12 && ipcguard __complete sca`
	if out := h.do("bash", "-c", complete); !strings.Contains(out, "scan\t") {
		h.t.Errorf("completed: %s", out)
	}
	for _, unit := range []string{"ipcguard-serve.service", "ipcguard-gateway.service"} {
		if out, _ := h.run("systemctl", "is-enabled", unit); out != "disabled" {
			h.t.Errorf("%s is %s", unit, out)
		}
	}
	units, err := filepath.Glob(h.file("/usr/lib/systemd/system/ipcguard-*.service"))
	if err != nil || len(units) != 4 {
		h.t.Fatalf("units %v, %v", units, err)
	}
	for _, unit := range units {
		name := strings.Replace(filepath.Base(unit), "@.", "@lo.", 1)
		if out, err := h.run("systemd-analyze", "verify", name); err != nil || strings.Contains(out, "ipcguard") {
			h.t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// serve starts the fleet's server and returns its process id.
func (h *host) serve() string {
	h.t.Helper()
	h.do("systemctl", "enable", "--now", "ipcguard-serve")
	main := h.do("systemctl", "show", "--value", "-p", "MainPID", "ipcguard-serve")
	h.await("set-up link")
	if out := h.do("stat", "-c", "%U %a", "/var/lib/ipcguard-serve"); out != "ipcguard 700" {
		h.t.Errorf("its state belongs to %s", out)
	}
	return main
}

// await waits until the server has logged a text, in this or an earlier run.
func (h *host) await(text string) {
	h.t.Helper()
	h.do("bash", "-c",
		fmt.Sprintf(`for i in {1..600}; do journalctl -u ipcguard-serve | grep -q %q && exit; sleep .1; done; journalctl -u ipcguard-serve; exit 1`, text))
}

// upgraded checks that the new version runs with the previous one's state.
func (h *host) upgraded(before string) {
	h.t.Helper()
	if now := h.do("systemctl", "show", "--value", "-p", "MainPID", "ipcguard-serve"); now == before || now == "0" {
		h.t.Errorf("after the upgrade process %s runs, before it %s", now, before)
	}
	if out := h.do("systemctl", "is-active", "ipcguard-serve"); out != "active" {
		h.t.Errorf("after the upgrade the server is %s", out)
	}
	if out := h.do("bash", "-c", "journalctl -u ipcguard-serve | grep -c 'key made'"); out != "1" {
		h.t.Errorf("it made %s keys", out)
	}
}

// administered works with the server's state as the documents say, and as root: the server starts all the same.
func (h *host) administered() {
	h.t.Helper()
	for _, args := range []string{"backup /var/lib/ipcguard-serve/kept.db", "check"} {
		h.do("runuser", append([]string{"-u", "ipcguard", "--", "ipcguard", "serve"}, strings.Fields(args)...)...)
	}
	for _, args := range []string{"restore /var/lib/ipcguard-serve/kept.db", "rekey"} {
		h.do("systemctl", "stop", "ipcguard-serve")
		h.do("ipcguard", append([]string{"serve"}, strings.Fields(args)...)...)
		if out := h.do("find", "/var/lib/ipcguard-serve", "!", "-user", "ipcguard"); out != "" {
			h.t.Errorf("after %s not the account's: %s", args, out)
		}
		h.do("systemctl", "start", "ipcguard-serve")
		h.do("bash", "-c", `for i in {1..600}; do curl -sk https://127.0.0.1:8443/healthz >/dev/null && exit; sleep .1; done; exit 1`)
	}
}

// removed removes the package: it refuses while a change waits for its confirmation, and it keeps the data.
func (h *host) removed(remove func() (string, error)) {
	h.t.Helper()
	guard := h.file("/etc/systemd/system/ipcguard-20260102-030405-abcdef.service")
	if err := os.WriteFile(guard, []byte("[Service]\nExecStart=/bin/true\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if out, err := remove(); err == nil || !strings.Contains(out, "waits for its confirmation") {
		h.t.Errorf("removed while a change waits: %v: %s", err, out)
	}
	if !h.is("/usr/bin/ipcguard") {
		h.t.Fatal("the program is gone, and nobody takes the change back")
	}
	if err := os.Remove(guard); err != nil {
		h.t.Fatal(err)
	}
	out, err := remove()
	if err != nil || !strings.Contains(out, "kept: /var/lib/ipcguard-serve") {
		h.t.Errorf("removal: %v: %s", err, out)
	}
	if h.is("/usr/bin/ipcguard") || !h.is("/var/lib/ipcguard-serve/fleet.key") {
		h.t.Error("the program is there, or its state is not")
	}
	if out, err := h.run("systemctl", "is-active", "ipcguard-serve"); err == nil {
		h.t.Errorf("removed, the server is %s", out)
	}
}

// image reads the container image with skopeo and umoci, and runs its program as its account.
func image(t *testing.T, machine *peer.Machine, dist, version string) {
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := machine.Command(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	layout, unpacked := filepath.Join(machine.Dir, "layout"), filepath.Join(machine.Dir, "unpacked")
	run("skopeo", "--insecure-policy", "copy", "oci-archive:"+filepath.Join(dist, "ipcguard-"+version+"-image.tar"),
		"oci:"+layout+":it")
	run("umoci", "unpack", "--image", layout+":it", unpacked)
	config, err := os.ReadFile(filepath.Join(unpacked, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Process struct {
			Args []string
			User struct{ UID, GID int }
		}
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	if c.Process.User.UID != 65532 || c.Process.User.GID != 65532 || c.Process.Args[0] != "/ipcguard" {
		t.Errorf("it starts %v as %v", c.Process.Args, c.Process.User)
	}
	root := filepath.Join(unpacked, "rootfs")
	if out := run("chroot", "--userspec=65532:65532", root, "/ipcguard", "serve",
		"--help"); !strings.Contains(out, "--listen") {
		t.Errorf("it says %s", out)
	}
	if out := run("openssl", "storeutl", "-noout", "-certs",
		filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")); !strings.Contains(out, "Total found: 1") {
		t.Errorf("roots: %s", out) // a hundred and some
	}
}

// materials checks that the list names the program's modules, as the program itself reports them.
func materials(t *testing.T, dist, version string) {
	file := filepath.Join(dist, "ipcguard-"+version+"-linux-"+runtime.GOARCH+".cdx.json")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(b, &bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+" "+c.Version] = true
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m",
		filepath.Join(dist, "ipcguard-linux-"+runtime.GOARCH)).Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := 0
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" {
			if modules++; !listed[f[1]+" "+f[2]] {
				t.Errorf("%s %s is in the program and not in the list", f[1], f[2])
			}
		}
	}
	if modules == 0 {
		t.Error("the program names no modules")
	}
}

// digests returns the checksums of the packages.
func digests(t *testing.T, dist string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dist, "ipcguard-*.*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v", files, err)
	}
	out, err := exec.CommandContext(t.Context(), "sha256sum", files...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(out), "\n")
}
