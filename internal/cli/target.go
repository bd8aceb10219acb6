package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/apply/verify"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// engine returns the engine for applying and undoing. The logon is for remote targets.
func (a *app) engine(f *stateFlags, logon logonMaker) (*engine.Engine, error) {
	dir, err := f.dir()
	if err != nil {
		return nil, err
	}
	return &engine.Engine{
		State: dir, Who: whoami(),
		Open: func(ctx context.Context, spec string) (apply.Target, error) { return a.openTarget(ctx, spec, logon) },
		Log:  func(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) },
	}, nil
}

// engineAs returns the engine with the logon of the flags.
func (a *app) engineAs(f *stateFlags, c *credentialFlags) (*engine.Engine, error) {
	logon, err := a.credentials(c)
	if err != nil {
		return nil, err
	}
	return a.engine(f, logon)
}

// whoami returns the account for records, with the user who switched to it.
func whoami() string {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if s := os.Getenv("SUDO_USER"); s != "" && s != who {
		who += " (sudo by " + s + ")"
	}
	return who
}

// openTarget opens the target of a spec.
func (a *app) openTarget(ctx context.Context, spec string, logon logonMaker) (apply.Target, error) {
	if t, err := a.practice.open(spec); t != nil || err != nil {
		return t, err
	}
	switch {
	case strings.HasPrefix(spec, "samba:"):
		return target.OpenSamba(strings.TrimPrefix(spec, "samba:"))
	case strings.HasPrefix(spec, "ksmbd:"):
		return target.OpenKsmbd(strings.TrimPrefix(spec, "ksmbd:"))
	case spec == "windows:":
		return target.OpenWindows()
	case strings.HasPrefix(spec, "winreg://"):
		host := strings.TrimPrefix(spec, "winreg://")
		p := &pipes{app: a, logon: logon, asked: map[string]logonMaker{}}
		h, err := p.Open(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("winreg: %w", err)
		}
		if h.Identity() != model.User {
			return nil, hinted{
				errors.Join(fmt.Errorf("winreg: %s: writing takes an administrator's logon", host), h.Close()),
				"give credentials: --user, --credentials-file, --kerberos, or the environment",
			}
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
		t, err := target.OpenRemote(ctx, host, h, h.(*pipeHost).conn.Negotiated().Dialect)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		return t, nil
	}
	return nil, usage("--target %q: want samba:PATH, ksmbd:PATH, windows: or winreg://HOST", spec)
}

// targetSpec returns the named target, or this machine.
func targetSpec(named string, p *model.Plan) (string, error) {
	switch {
	case named == "samba:":
		return "samba:" + target.DefaultConfig, nil
	case named == "ksmbd:":
		return "ksmbd:" + target.DefaultKsmbdConfig, nil
	case named != "":
		return named, nil
	case p.Platform.System == "samba":
		return "samba:" + target.DefaultConfig, nil
	case p.Platform.System == "ksmbd":
		return "ksmbd:" + target.DefaultKsmbdConfig, nil
	case p.Platform.System == "windows" && runtime.GOOS == "windows":
		return "windows:", nil
	case p.Platform.System == "windows":
		return "", hinted{
			usage("the plan is for Windows, and this is not"),
			"--target winreg://HOST applies it from afar, ipcguard export writes it for other tools",
		}
	}
	return "", usage("plans for %q are not applied", p.Platform.System)
}

// verification finds the address of the target.
func (a *app) verification(
	ctx context.Context, address string, t apply.Target, logon logonMaker,
) (*verify.Verification, error) {
	if address == "" {
		var err error
		if address, err = t.Address(ctx); err != nil {
			return nil, err
		}
	}
	list, err := targets.Parse(ctx, []string{address}, targets.Options{Port: 445, Stdin: a.stdin})
	if err != nil {
		return nil, usageError{err}
	}
	for found := range list.All() {
		if found.Err != nil {
			return nil, found.Err
		}
		return &verify.Verification{Target: found, User: logon}, nil
	}
	return nil, usage("--address %q names no host", address)
}
