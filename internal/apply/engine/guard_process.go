package engine

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// guardProcess starts the guard as a process without a terminal or a session.
func (e *Engine) guardProcess(exe string, args []string, j *Journal, secret []byte) error {
	log, err := e.guardLog(j.ID)
	if err != nil {
		return err
	}
	defer log.Close()
	if secret != nil {
		args = append(args, "--credentials-stdin")
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = e.State
	// Credentials.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IPCGUARD_") })
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if secret == nil {
		if err := cmd.Start(); err != nil {
			return err
		}
		return cmd.Process.Release()
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = in.Write(secret)
	return errors.Join(err, in.Close(), cmd.Process.Release())
}
