package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// checkTime bounds one must-work check: a pipe's first use takes up to 4 s, a command may take longer.
const checkTime = 30 * time.Second

// CheckKinds lists the must-work checks.
func CheckKinds() []string {
	return []string{"tcp:HOST:PORT", "pipe:NAME", "share:NAME", "print:NAME", "logon:", "command:PROGRAM…"}
}

// ParseCheck splits a check, and fails if it is not valid.
func ParseCheck(check string) (kind, what string, err error) {
	kind, what, ok := strings.Cut(check, ":")
	if ok {
		switch kind {
		case "tcp":
			_, port, err := net.SplitHostPort(what)
			if n, perr := strconv.ParseUint(port, 10, 16); err == nil && perr == nil && n > 0 {
				return kind, what, nil
			}
			return "", "", fmt.Errorf("check %q: want tcp:HOST:PORT, without a host for the server itself", check)
		case "pipe", "share", "print", "command":
			if what != "" {
				return kind, what, nil
			}
		case "logon":
			return kind, what, nil
		}
	}
	return "", "", fmt.Errorf("check %q: want one of %s", check, strings.Join(CheckKinds(), ", "))
}

// NeedsUser reports whether a check needs a user with a password.
func NeedsUser(check string) bool {
	kind, _, err := ParseCheck(check)
	return err == nil && slices.Contains([]string{"pipe", "share", "print", "logon"}, kind)
}

// A plan is untrusted data, so what it proposes is bounded. A host has a few dozen shares and services that must work.
const (
	maxProposed  = 200
	proposedTime = 5 * time.Minute // for all of them
)

// must runs the administrator's checks, or those that the plan proposes.
func (v *Verification) must(ctx context.Context, own bool) []Check {
	list := v.Checks
	if !own {
		list = nil
		if v.Plan != nil {
			for _, c := range v.Plan.Checks {
				if !slices.Contains(v.Checks, c) {
					list = append(list, c)
				}
			}
		}
	}
	if !own {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, proposedTime)
		defer cancel()
	}
	var out []Check
	for i, check := range list {
		if !own && i == maxProposed {
			return append(out, note("more", fmt.Sprintf("the plan proposes %d checks, and the first %d were made",
				len(list), maxProposed)))
		}
		out = append(out, v.check(ctx, check, own))
	}
	return out
}

func (v *Verification) check(ctx context.Context, check string, own bool) Check {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(v.checkTime, checkTime))
	defer cancel()
	kind, what, err := ParseCheck(check)
	if err != nil {
		if own {
			return Check{Check: check, Result: Failed, Detail: err.Error()}
		}
		return note(check, "this version does not know this check")
	}
	if kind == "command" && !own && !v.AllowCommands {
		return note(check, "commands of a plan are not run unless that is allowed")
	}
	if kind == "tcp" && !own && !v.isTarget(what) {
		return note(check, "a plan does not choose which other hosts are asked: --check "+check+" asks this one")
	}
	if NeedsUser(check) && v.User == nil {
		c := note(check, "this check is made as a user, and no credentials were given")
		c.Note = !own
		return c
	}
	var detail string
	var keyed bool
	switch kind {
	case "tcp":
		detail, err = v.checkTCP(ctx, what)
	case "command":
		detail, err = checkCommand(ctx, what)
	default:
		detail, keyed, err = v.checkAsUser(ctx, kind, what)
	}
	out := Check{Check: check, Result: Passed, Detail: detail}
	var withheld *ntlm.WithheldError
	switch {
	case err == nil:
	case errors.As(err, &withheld):
		out.Result, out.Detail, out.Note = Unchecked, ntlm.NotGiven+withheld.Reason, !own
	case ctx.Err() != nil, answerless(err):
		out.Result, out.Detail = Inconclusive, err.Error()
	default:
		out.Result, out.Detail = Failed, err.Error()
	}
	now := time.Now().UTC()
	look := model.Look{Asked: check, Of: v.Target.Addr.String(), Times: 1, First: now, Last: now, Answer: out.Detail}
	if NeedsUser(check) {
		look.As, look.Authenticated = model.User, keyed
	}
	out.Looks = []model.Look{look}
	return out
}

// isTarget reports whether HOST:PORT is a port of the target itself.
func (v *Verification) isTarget(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "" || host == v.Target.Addr.Addr().String() ||
		strings.EqualFold(host, v.Target.Host()))
}

// note is a proposed check that may be skipped without loss.
func note(check, why string) Check {
	return Check{Check: check, Result: Unchecked, Detail: why, Note: true}
}

// answerless distinguishes a request without an answer from a refused one. A dropped or malformed response, or one
// without the required signature, is no answer of the server; a refused connection is one.
func answerless(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) && (t.Timeout() || t.Layer != string(model.LayerConnect))
}

func (v *Verification) checkTCP(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if host == "" {
		host = v.Target.Addr.Addr().String()
	}
	dial := v.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return "", err
	}
	return "connected", c.Close()
}

// checkCommand runs a program through the system's shell. Its output is not part of the proof: it may contain secrets.
func checkCommand(ctx context.Context, line string) (string, error) {
	shell := []string{"/bin/sh", "-c", line}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd.exe", "/c", line}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", err
	}
	return "exit status 0", nil
}

// checkAsUser logs on with a new connection and runs one check. It reports whether the server's responses were signed
// or encrypted with the session key.
func (v *Verification) checkAsUser(ctx context.Context, kind, what string) (detail string, keyed bool, err error) {
	c, err := v.dial(ctx)
	if err != nil {
		return "", false, err
	}
	defer c.Close()
	who, err := v.User(v.Target)
	if err != nil {
		return "", false, err
	}
	s, err := c.SessionSetup(ctx, who)
	if err != nil {
		return "", false, fmt.Errorf("logon: %w", err)
	}
	info := s.Info()
	if info.Guest {
		return "", false, errors.New("logon: the server takes the user for a guest")
	}
	switch kind {
	case "logon":
		detail = "logged on over SMB " + c.Negotiated().Dialect.String()
	case "share":
		detail, err = "opened", openShare(ctx, s, what)
	default:
		detail, err = v.openThroughIPC(ctx, s, kind, what)
	}
	return detail, info.Signed || info.Encrypted, err
}

// openThroughIPC opens a printer or a pipe.
func (v *Verification) openThroughIPC(ctx context.Context, s smb.Session, kind, what string) (string, error) {
	ipc, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return "", fmt.Errorf("IPC$: %w", err)
	}
	if kind == "print" {
		return "opened", openPrinter(ctx, ipc, v.Target.Addr.Addr().String(), what)
	}
	name := strings.TrimPrefix(what, `\pipe\`)
	pipe, err := ipc.OpenPipe(ctx, name)
	if err != nil {
		return "", err
	}
	if strings.EqualFold(name, `sql\query`) {
		version, err := prelogin(ctx, pipe)
		if err != nil {
			return "", err
		}
		return "opened, and SQL Server " + version + " answers", pipe.Close(ctx)
	}
	return "opened", pipe.Close(ctx)
}

// openShare connects to a share and, if it has files, opens its root folder for reading.
func openShare(ctx context.Context, s smb.Session, name string) error {
	t, err := s.TreeConnect(ctx, name)
	if err != nil {
		return err
	}
	if t.Info().ShareType == smb.ShareDisk {
		f, err := t.OpenRoot(ctx)
		if err != nil {
			return err
		}
		return f.Close(ctx)
	}
	return t.Disconnect(ctx)
}

func openPrinter(ctx context.Context, ipc smb.Tree, host, name string) error {
	pipe, err := ipc.OpenPipe(ctx, "spoolss")
	if err != nil {
		return err
	}
	c := dcerpc.NewClient(pipe)
	results, err := c.Bind(ctx, dcerpc.SPOOLSS)
	if err != nil {
		return err
	}
	if !results[0].Accepted {
		return fmt.Errorf("spoolss: %s", results[0])
	}
	spooler := dcerpc.SpoolssClient{Client: c}
	const printerAccessUse = 0x00000008 // [MS-RPRN] 2.2.3.1
	h, err := spooler.OpenPrinterEx(ctx, `\\`+host+`\`+name, printerAccessUse)
	if err != nil {
		return err
	}
	_, err = spooler.ClosePrinter(ctx, h.Handle)
	return err
}
