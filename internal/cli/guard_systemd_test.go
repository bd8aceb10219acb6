package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/apply/engine"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestGuardOfSystemd arms the guard where systemd is the first process, with a real Samba server as one of its
// services, and pulls the plug: the guard comes back with the next boot, and takes back what nobody confirmed.
func TestGuardOfSystemd(t *testing.T) {
	t.Parallel()
	h := startSystemdHost(t)
	h.strangers(t, model.Exposed)
	h.run(t, 3, "audit", h.samba.ConfigFile, "--format", "json", "-o", h.at("audit.json"))
	h.run(t, 0, "plan", "--audit", h.at("audit.json"), "--format", "json", "-o", h.at("plan.json"))
	t.Run("killed, and after a power cut, it watches on until the confirmation", h.watchesOn)
	t.Run("the time passes while the power is off", h.powerIsOff)
}

// systemdHost is a machine under systemd, with a Samba server and this program.
type systemdHost struct {
	samba   *peer.Samba
	system  *peer.System
	program string
	dir     string // of the plan and the state
	before  string // smb.conf before any apply
}

func startSystemdHost(t *testing.T) *systemdHost {
	t.Helper()
	samba := peer.StartSamba(t, peer.Config{Address: "127.41.3.1"})
	samba.Stop(t) // systemd starts it from here on
	h := &systemdHost{samba: samba, program: buildProgram(t, samba.Dir), dir: filepath.Join(samba.Dir, "work")}
	h.system = peer.StartSystem(t, samba.Machine, map[string]string{
		"smbd.service": "[Unit]\nDescription=Samba\n[Service]\n" +
			"ExecStart=/usr/sbin/smbd --foreground --no-process-group --configfile=" + samba.ConfigFile + "\n",
	})
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.before = h.config(t)
	return h
}

func (h *systemdHost) at(name string) string { return filepath.Join(h.dir, name) }

// config returns smb.conf.
func (h *systemdHost) config(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(h.samba.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ipcguard runs the program and returns its output and exit code.
func (h *systemdHost) ipcguard(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := h.system.Command(t.Context(), h.program, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// run runs the program, which must end with this exit code.
func (h *systemdHost) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	out, code := h.ipcguard(t, args...)
	if code != want {
		t.Fatalf("ipcguard %s: exit %d, want %d\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

// stated runs a command on the state directory.
func (h *systemdHost) stated(t *testing.T, want int, args ...string) string {
	t.Helper()
	return h.run(t, want, append(args, "--state", h.at("state"))...)
}

// apply returns the command line that applies the plan.
func (h *systemdHost) apply(within string) []string {
	return []string{
		"apply", h.at("plan.json"), "--yes", "--target", "samba:" + h.samba.ConfigFile, "--confirm-within", within,
		"--state", h.at("state"),
	}
}

func (h *systemdHost) systemctl(t *testing.T, args ...string) string {
	// its code says what it prints
	out, _ := h.system.Command(t.Context(), "systemctl", args...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// strangers waits until strangers find the server so: as it starts, it does not answer yet.
func (h *systemdHost) strangers(t *testing.T, want model.Verdict) {
	t.Helper()
	until(t, func() error {
		if got := verdict(t, h.samba.Addr()); got != want {
			return fmt.Errorf("strangers find the server %s, want %s", got, want)
		}
		return nil
	})
}

// units lists the files of the guard's units.
func (h *systemdHost) units(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"ipcguard-*", "*/ipcguard-*"} {
		found, err := filepath.Glob(filepath.Join(h.system.Units, pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out
}

func (h *systemdHost) watchesOn(t *testing.T) {
	out := h.run(t, 0, h.apply("1h")...)
	id := applied(t, out)
	unit := "ipcguard-" + id + ".service"
	if !strings.Contains(out, "guard: systemd's service "+unit+", which outlives this terminal and a reboot") {
		t.Errorf("no service for the guard:\n%s", out)
	}
	if a, e := h.systemctl(t, "is-active", unit), h.systemctl(t, "is-enabled", unit); a != "active" || e != "enabled" {
		t.Errorf("the guard is %s and %s", a, e)
	}
	verified, err := h.system.Command(t.Context(), "systemd-analyze", "verify", "/etc/systemd/system/"+unit).
		CombinedOutput()
	if err != nil || strings.Contains(string(verified), unit) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, verified)
	}
	first := h.systemctl(t, "show", "--property=MainPID", unit)
	h.systemctl(t, "kill", "--signal=SIGKILL", unit)
	until(t, func() error {
		now := h.systemctl(t, "show", "--property=MainPID", unit)
		if now == first || now == "MainPID=0" || h.systemctl(t, "is-active", unit) != "active" {
			return fmt.Errorf("killed, the guard is not started again: %s", now)
		}
		return nil
	})
	h.system.PowerCut(t)
	h.system.Boot(t)
	if got := h.systemctl(t, "is-active", unit); got != "active" {
		t.Errorf("after a power cut the guard is %s", got)
	}
	h.strangers(t, model.Closed)
	h.stated(t, 0, "confirm", id)
	if left := h.units(t); left != nil {
		t.Errorf("after the confirmation there is still %v", left)
	}
	until(t, func() error {
		if got := h.systemctl(t, "is-active", unit); got == "active" {
			return fmt.Errorf("after the confirmation the guard is %s", got)
		}
		return nil
	})
	h.strangers(t, model.Closed)
	h.stated(t, 0, "rollback", id)
	h.strangers(t, model.Exposed)
}

func (h *systemdHost) powerIsOff(t *testing.T) {
	peer.Long(t, "a second power cut")
	id := unconfirmed(t, func(within string) (string, int) { return h.ipcguard(t, h.apply(within)...) })
	var list []engine.Journal
	err := json.Unmarshal([]byte(h.stated(t, 0, "history", id, "--format", "json")), &list)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v: %d journals", err, len(list))
	}
	end := list[0].Deadline().At()
	if !time.Now().Before(end) {
		t.Fatalf("the time was over before the power cut: %v", end)
	}
	h.system.PowerCut(t)
	time.Sleep(time.Until(end) + time.Second) // what has to pass is time itself
	if h.config(t) == h.before {
		t.Fatal("without a running system something was taken back")
	}
	h.system.Boot(t)
	until(t, func() error {
		if left := h.units(t); left != nil {
			return fmt.Errorf("there is still %v", left)
		}
		return nil
	})
	if now := h.config(t); now != h.before {
		t.Errorf("after the boot:\n%s\nwant\n%s", now, h.before)
	}
	h.strangers(t, model.Exposed)
	out := h.stated(t, 0, "history", id)
	if !strings.Contains(out, "no confirmation came in time") || !strings.Contains(out, "the guard of "+id) {
		t.Errorf("history:\n%s", out)
	}
	if out := h.stated(t, 1, "confirm", id); !strings.Contains(out, "too late") {
		t.Errorf("a late confirmation: %s", out)
	}
}

// unconfirmed applies with a time that is over before long, and gives its id. A busy machine may need longer than that
// to come so far, which is taken back like any apply that nobody confirms: then there is more time.
func unconfirmed(t *testing.T, apply func(within string) (out string, code int)) string {
	t.Helper()
	var out string
	for _, within := range []string{"15s", "45s", "3m"} {
		var code int
		if out, code = apply(within); code == 0 {
			return applied(t, out)
		}
		if !strings.Contains(out, "everything was rolled back") ||
			!strings.Contains(out, "deadline") && !strings.Contains(out, "time for the confirmation") {
			break
		}
	}
	t.Fatalf("not applied: %s", out)
	return ""
}

// until asks until the answer is nil. It gives up after what no busy machine takes.
func until(t *testing.T, ask func() error) {
	t.Helper()
	end := time.Now().Add(4 * time.Minute)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
