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
	samba := peer.StartSamba(t, peer.Config{Address: "127.41.3.1"})
	samba.Stop(t) // systemd starts it from here on
	system := peer.StartSystem(t, samba.Machine, map[string]string{
		"smbd.service": "[Unit]\nDescription=Samba\n[Service]\nExecStart=/usr/sbin/smbd --foreground " +
			"--no-process-group --configfile=" + samba.ConfigFile + "\n",
	})
	program := buildProgram(t, samba.Dir)
	dir := filepath.Join(samba.Dir, "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	text, err := os.ReadFile(samba.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	before := string(text)
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := system.Command(t.Context(), program, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("ipcguard %s: %v, want %d\n%s", strings.Join(args, " "), err, want, out)
		}
		return string(out)
	}
	systemctl := func(args ...string) string {
		out, _ := system.Command(t.Context(), "systemctl", args...).CombinedOutput() // its code says what it prints
		return strings.TrimSpace(string(out))
	}
	strangers := func(want model.Verdict) { // as the server starts, it does not answer yet
		t.Helper()
		until(t, func() error {
			if got := verdict(t, samba.Addr()); got != want {
				return fmt.Errorf("strangers find the server %s, want %s", got, want)
			}
			return nil
		})
	}
	units := func() []string {
		t.Helper()
		var out []string
		for _, pattern := range []string{"ipcguard-*", "*/ipcguard-*"} {
			found, err := filepath.Glob(filepath.Join(system.Units, pattern))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, found...)
		}
		return out
	}
	strangers(model.Exposed)
	run(3, "audit", samba.ConfigFile, "--format", "json", "-o", at("audit.json"))
	run(0, "plan", "--audit", at("audit.json"), "--format", "json", "-o", at("plan.json"))
	state := []string{"--state", at("state")}
	start := func(within string) string {
		t.Helper()
		out := run(0, append([]string{
			"apply", at("plan.json"), "--yes", "--target", "samba:" + samba.ConfigFile, "--confirm-within", within,
		}, state...)...)
		id := applied(t, out)
		if !strings.Contains(out,
			"guard: systemd's service ipcguard-"+id+".service, which outlives this terminal and a reboot") {
			t.Errorf("no service for the guard:\n%s", out)
		}
		return id
	}

	t.Run("killed, and after a power cut, it watches on until the confirmation", func(t *testing.T) {
		id := start("1h")
		unit := "ipcguard-" + id + ".service"
		if a, e := systemctl("is-active", unit), systemctl("is-enabled", unit); a != "active" || e != "enabled" {
			t.Errorf("the guard is %s and %s", a, e)
		}
		if out, err := system.Command(t.Context(), "systemd-analyze", "verify",
			"/etc/systemd/system/"+unit).CombinedOutput(); err != nil || strings.Contains(string(out), unit) {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
		first := systemctl("show", "--property=MainPID", unit)
		systemctl("kill", "--signal=SIGKILL", unit)
		until(t, func() error {
			if now := systemctl("show", "--property=MainPID", unit); now == first || now == "MainPID=0" ||
				systemctl("is-active", unit) != "active" {
				return fmt.Errorf("killed, the guard is not started again: %s", now)
			}
			return nil
		})
		system.PowerCut(t)
		system.Boot(t)
		if got := systemctl("is-active", unit); got != "active" {
			t.Errorf("after a power cut the guard is %s", got)
		}
		strangers(model.Closed)
		run(0, append([]string{"confirm", id}, state...)...)
		if left := units(); left != nil {
			t.Errorf("after the confirmation there is still %v", left)
		}
		until(t, func() error {
			if got := systemctl("is-active", unit); got == "active" {
				return fmt.Errorf("after the confirmation the guard is %s", got)
			}
			return nil
		})
		strangers(model.Closed)
		run(0, append([]string{"rollback", id}, state...)...)
		strangers(model.Exposed)
	})

	t.Run("the time passes while the power is off", func(t *testing.T) {
		peer.Long(t, "a second power cut")
		id := unconfirmed(t, func(within string) (string, int) {
			cmd := system.Command(t.Context(), program,
				append([]string{
					"apply", at("plan.json"), "--yes", "--target", "samba:" + samba.ConfigFile, "--confirm-within",
					within,
				}, state...)...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			return string(out), cmd.ProcessState.ExitCode()
		})
		var list []engine.Journal
		if err := json.Unmarshal([]byte(run(0, append([]string{"history", id, "--format", "json"}, state...)...)),
			&list); err != nil || len(list) != 1 {
			t.Fatalf("%v: %d journals", err, len(list))
		}
		end := list[0].Deadline().At()
		if !time.Now().Before(end) {
			t.Fatalf("the time was over before the power cut: %v", end)
		}
		system.PowerCut(t)
		time.Sleep(time.Until(end) + time.Second) // what has to pass is time itself
		if now, err := os.ReadFile(samba.ConfigFile); err != nil || string(now) == before {
			t.Fatalf("without a running system something was taken back: %v", err)
		}
		system.Boot(t)
		until(t, func() error {
			if left := units(); left != nil {
				return fmt.Errorf("there is still %v", left)
			}
			return nil
		})
		if now, err := os.ReadFile(samba.ConfigFile); err != nil || string(now) != before {
			t.Errorf("after the boot: %v\n%s\nwant\n%s", err, now, before)
		}
		strangers(model.Exposed)
		if out := run(0, append([]string{"history", id}, state...)...); !strings.Contains(out,
			"no confirmation came in time") || !strings.Contains(out, "the guard of "+id) {
			t.Errorf("history:\n%s", out)
		}
		if out := run(1, append([]string{"confirm", id}, state...)...); !strings.Contains(out, "too late") {
			t.Errorf("a late confirmation: %s", out)
		}
	})
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
