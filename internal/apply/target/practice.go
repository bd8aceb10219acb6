package target

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/format/smbconf"
)

// OpenPractice opens a practice server in this process that is configured by an smb.conf, like a Samba server: the same
// code edits, journals and restores the file. It answers from the file what Samba's own programs would; reload is
// called where a real server would be told to reload.
func OpenPractice(config string, reload func() error) (*Samba, error) {
	s := OpenSambaOn(config, &practiceSystem{config, reload})
	if _, err := s.load(context.Background()); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return s, nil
}

// practiceSystem replaces Samba's programs and processes.
type practiceSystem struct {
	config string
	reload func() error
}

func (p *practiceSystem) Run(_ context.Context, name string, args ...string) (string, error) {
	switch {
	case name == "testparm":
		c, err := smbconf.Load(p.config, smbconf.Options{})
		if err != nil {
			return "", err
		}
		if c.Broken != nil {
			return c.Broken.String(), errors.New("the configuration is broken")
		}
		for _, a := range args {
			if parameter, ok := strings.CutPrefix(a, "--parameter-name="); ok {
				v, _ := c.Global.Get(parameter)
				return v.Value, nil
			}
		}
		return "", nil
	case name == "smbcontrol" && slices.Contains(args, "reload-config"):
		return "", p.reload()
	case name == "smbcontrol":
		return "", nil
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

func (p *practiceSystem) Named(int) string { return "" }
func (p *practiceSystem) Began(int) (time.Time, error) {
	return time.Time{}, errors.New("the practice server is no process of its own")
}
func (p *practiceSystem) Reread(int) error { return nil }

// List returns nothing: the practice server is one process without helpers.
func (p *practiceSystem) List(string) ([]string, error) { return nil, nil }
