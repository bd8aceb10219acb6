package target

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// DefaultKsmbdConfig is where the tools of the Linux kernel's server read its configuration.
const DefaultKsmbdConfig = "/etc/ksmbd/ksmbd.conf"

// Ksmbd is the Linux kernel's server on this machine: ksmbd.conf edited in place, as smb.conf is, and read again by
// ksmbd.control --reload. Without a program that checks the configuration, only this program's parser does.
type Ksmbd struct {
	*Samba // how the file is read and written
}

// OpenKsmbd opens the server that a configuration file belongs to.
func OpenKsmbd(config string) (*Ksmbd, error) {
	if config == "" {
		config = DefaultKsmbdConfig
	}
	s, err := OpenSamba(config)
	if err != nil {
		return nil, err
	}
	return OpenKsmbdOn(s.config, local{}), nil
}

// OpenKsmbdOn opens the server of a configuration file on another system than this one.
func OpenKsmbdOn(config string, system System) *Ksmbd {
	s := OpenSambaOn(config, system)
	s.kind = change.KsmbdParameter
	return &Ksmbd{s}
}

// Spec implements Target.
func (k *Ksmbd) Spec() string { return "ksmbd:" + k.config }

// System implements Target.
func (k *Ksmbd) System() string { return "ksmbd" }

// Address is where the server listens, by its configuration, for a probe from this machine.
func (k *Ksmbd) Address(context.Context) (string, error) {
	c, err := k.read()
	if err != nil {
		return "", err
	}
	port, host := "445", "127.0.0.1"
	if p, ok := c.Global.Get("tcp port"); ok {
		port = p.Value
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("apply: tcp port %q: not a port", port)
	}
	bound, _ := c.Global.Get("bind interfaces only")
	names, _ := c.Global.Get("interfaces")
	if only, _ := bound.Bool(); only && len(names.List()) > 0 {
		if host, err = addressOf(names.List()); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort(host, port), nil
}

// addressOf is an address of the first interface that has one.
func addressOf(interfaces []string) (string, error) {
	for _, name := range interfaces {
		i, err := net.InterfaceByName(name)
		if err != nil {
			continue // the server leaves out what is not there, too
		}
		list, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
				return n.IP.String(), nil
			}
		}
	}
	return "", fmt.Errorf("apply: interfaces = %s: none of them has an address; --address tells where the server "+
		"answers", strings.Join(interfaces, " "))
}

func (k *Ksmbd) read() (*smbconf.Config, error) {
	c, err := smbconf.Load(k.config, smbconf.Options{Ksmbd: true})
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return c, nil
}

// Resolve implements Target.
func (k *Ksmbd) Resolve(ctx context.Context, changes []*change.Change) ([]apply.Write, error) {
	c, err := k.read()
	if err != nil {
		return nil, err
	}
	if c.Broken != nil {
		return nil, fmt.Errorf("apply: ksmbd.conf: %s: mend that first", c.Broken)
	}
	list, err := k.resolveFile(ctx, c, changes)
	for i := range list {
		if slices.ContainsFunc(changes, func(ch *change.Change) bool { return ch.When == "service-restart" }) {
			list[i].Restart = "ksmbd"
			list[i].Needs = []string{"a restart of ksmbd (ksmbd.control --shutdown, then ksmbd.mountd, or the " +
				"service manager's way): a reload reads the shares again and not [global]"}
		}
	}
	return list, err
}

// Started implements apply.Services: ksmbd runs since the first process of its daemon does.
func (k *Ksmbd) Started(context.Context, string) (s apply.Started, err error) {
	names, err := k.system.List("/proc")
	if err != nil {
		return s, fmt.Errorf("apply: finding ksmbd.mountd: %w", err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || k.system.Named(pid) != "ksmbd.mountd" {
			continue
		}
		at, err := k.system.Began(pid)
		if err != nil {
			return s, fmt.Errorf("apply: ksmbd.mountd, process %d: %w", pid, err)
		}
		if !s.Running || at.Before(s.At) {
			s.Running, s.At = true, at
		}
	}
	return s, nil
}

// StillTrue implements Target.
func (k *Ksmbd) StillTrue(_ context.Context, facts ...model.Fact) error {
	c, err := k.read()
	if err != nil {
		return err
	}
	return stillTrue(c, k.kind, facts)
}

// Owns implements Target: the file that this server reads, and nothing else.
func (k *Ksmbd) Owns(p apply.Place) error {
	if p.Kind != apply.File {
		return &apply.RefusedError{Where: p.String(), Why: "ksmbd has no such place"}
	}
	return k.ownsFile(k.Spec(), p)
}

// Settle implements Target. A reload changes what new sessions and tree connects get; those that are open keep theirs.
func (k *Ksmbd) Settle(ctx context.Context, writes []apply.Write) ([]string, error) {
	notes := k.swept(writes)
	for _, w := range writes {
		for _, n := range w.Needs {
			if n = "needed: " + n; !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	if out, err := k.system.Run(ctx, "ksmbd.control", "--reload"); err != nil {
		if ctx.Err() != nil {
			return notes, fmt.Errorf("apply: ksmbd.control: %w", ctx.Err())
		}
		return append(notes,
			"ksmbd.control --reload failed, so nothing was reloaded (ksmbd reads its configuration when it starts): "+
				firstComplaint(out)), nil
	}
	k.at("ksmbd:reloaded")
	return notes, nil
}
