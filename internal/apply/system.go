package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// local is this machine.
type local struct{}

// programTime bounds one of Samba's programs: they answer in well under a second, or not at all.
const programTime = 30 * time.Second

func (local) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var out, trouble limited
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; something that it started still holds its output
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return string(out) + string(trouble), err // its complaint may stand in either
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

func (local) named(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (local) reread(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}

// findProgram looks where root's shell would, whatever PATH this process was given.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/samba/bin", "/usr/local/samba/sbin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errors.New("no program " + name + " on this system")
}
