package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/program"
)

const unitDir = "/etc/systemd/system"

func unitName(id string) string { return "ipcguard-" + id + ".service" }

// unit returns the unit file of the guard's service: it starts now and at every boot until it removes itself.
func unit(exe string, args []string, id string) string {
	words := []string{unitWord(exe)}
	for _, a := range args {
		words = append(words, unitWord(a))
	}
	return fmt.Sprintf(`[Unit]
Description=ipcguard takes %s back unless it is confirmed
After=network.target smbd.service samba.service samba-ad-dc.service

[Service]
Type=simple
ExecStart=%s
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
`, id, strings.Join(words, " "))
}

// unitWord quotes a word for a unit file: see systemd.service(5), "Command lines".
func unitWord(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(s) + `"`
}

// guardService makes the guard a service if systemd runs and this process is root; otherwise it does nothing.
func guardService(ctx context.Context, exe string, args []string, j *Journal) (string, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Geteuid() != 0 {
		return "", nil
	}
	path := filepath.Join(unitDir, unitName(j.ID))
	if err := durable.Create(path, []byte(unit(exe, args, j.ID)), 0o644); err != nil {
		return "", err
	}
	if err := durable.SyncDir(unitDir); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--now", unitName(j.ID)}} {
		if out, err := program.Run(ctx, "systemctl", args...); err != nil {
			return "", errors.Join(fmt.Errorf("systemctl %s: %w: %s", args[0], err, strings.TrimSpace(out)),
				removeService(ctx, j.ID))
		}
	}
	return "systemd's service " + unitName(j.ID) + ", which outlives this terminal and a reboot", nil
}

// removeService removes the guard's service. The guard and a confirmation may do so at the same time.
func removeService(ctx context.Context, id string) error {
	path := filepath.Join(unitDir, unitName(id))
	gone := func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	if gone() {
		return nil
	}
	out, err := program.Run(ctx, "systemctl", "disable", unitName(id))
	if err != nil && gone() { // whoever removed the file had disabled the service
		return nil
	}
	if err != nil {
		err = fmt.Errorf("systemctl disable: %w: %s", err, strings.TrimSpace(out))
	}
	if rerr := os.Remove(path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	_, rerr := program.Run(ctx, "systemctl", "daemon-reload")
	return errors.Join(err, rerr)
}
