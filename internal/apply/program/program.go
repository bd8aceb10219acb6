// Package program runs the system programs that the apply packages need: Samba's, systemd's, Windows' own. It bounds
// their time and output.
package program

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// most bounds the run time of a system program: they answer in well under a second, or not at all.
const most = 30 * time.Second

// Run returns a program's standard output, and on error also its standard error.
func Run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	path, err := find(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var out, trouble limited
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it succeeded; a process that it started still holds its output
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return string(out) + string(trouble), err // the error may be in either
	}
	return string(out), nil
}

// limited keeps the first part of a program's output: a whole configuration with all its shares fits.
type limited []byte

const maxOutput = 16 << 20

func (l *limited) Write(b []byte) (int, error) {
	*l = append(*l, b[:min(len(b), maxOutput-len(*l))]...)
	return len(b), nil
}

// find searches the directories of root's shell, whatever the PATH of this process.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{
		"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/samba/bin",
		"/usr/local/samba/sbin",
	} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errors.New("no program " + name + " on this system")
}
