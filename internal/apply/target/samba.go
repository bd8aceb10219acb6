package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// DefaultConfig is the path of Samba's configuration on most systems.
const DefaultConfig = "/etc/samba/smb.conf"

// Samba is a Samba server on this machine: smb.conf edited in place, or Samba's own registry through net conf.
//
//	smb.conf              one file as a whole is one place: every change of a plan is in one rename
//	include = registry,
//	config backend =      one parameter is one place: net conf setparm and delparm
//	registry
//	registry shares       the same for what the registry says of a share, and for shares that only it has
type Samba struct {
	config string // as given; a symbolic link stays one
	system System
	kind   change.Kind // of its parameters

	// Fault is called at every point at which a process may be killed. Tests end the process, or unwind, there.
	Fault func(point string)
}

// OpenSamba opens the server of a configuration file.
func OpenSamba(config string) (*Samba, error) {
	if config == "" {
		config = DefaultConfig
	}
	config, err := filepath.Abs(config)
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	s := OpenSambaOn(config, local{})
	if _, err := smbconf.Load(config, smbconf.Options{}); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return s, nil
}

// OpenSambaOn opens the server of a configuration file on another system than this one.
func OpenSambaOn(config string, system System) *Samba {
	return &Samba{config: config, system: system, kind: change.Parameter}
}

func (s *Samba) at(point string) {
	if s.Fault != nil {
		s.Fault(point)
	}
}

// Spec implements Target.
func (s *Samba) Spec() string { return "samba:" + s.config }

// System implements Target.
func (s *Samba) System() string { return "samba" }

// Close implements Target.
func (s *Samba) Close() error { return nil }

// Host implements Target.
func (s *Samba) Host(context.Context) (apply.Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return apply.Host{}, fmt.Errorf("apply: %w", err)
	}
	id, _ := os.ReadFile("/etc/machine-id") // not every system has one; then the name must do
	return apply.Host{Name: name, ID: strings.TrimSpace(string(id))}, nil
}

// Names returns the names by which clients, scans and audits know the server, which may differ from the machine's.
func (s *Samba) Names(ctx context.Context) []string {
	c, err := s.load(ctx)
	if err != nil {
		return nil // the next read reports the error
	}
	name, _ := c.Global.Get("netbios name")
	others, _ := c.Global.Get("netbios aliases")
	return slices.DeleteFunc(append([]string{name.Value}, others.List()...), func(n string) bool { return n == "" })
}

// load reads the configuration as Samba does: its files, and its registry if they include it.
func (s *Samba) load(ctx context.Context) (*smbconf.Config, error) {
	c, err := smbconf.Load(s.config, smbconf.Options{})
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	if !c.Registry {
		return c, s.addStored(ctx, c)
	}
	stored, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	if c, err = smbconf.Load(s.config, smbconf.Options{Registry: stored}); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return c, nil
}

// Address is where the server listens according to its configuration, for a probe from this machine.
func (s *Samba) Address(ctx context.Context) (string, error) {
	port, host := "445", "127.0.0.1"
	if ports := (smbconf.Param{Value: s.effective(ctx, "global", "smb ports")}).List(); len(ports) > 0 {
		port = ports[0]
	}
	if bound, _ := (smbconf.Param{Value: s.effective(ctx, "global", "bind interfaces only")}).Bool(); bound {
		for _, item := range (smbconf.Param{Value: s.effective(ctx, "global", "interfaces")}).List() {
			addr, _, _ := strings.Cut(item, "/")
			if ip := net.ParseIP(addr); ip != nil {
				host = addr
				break
			}
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("apply: smb ports %q: not a port", port)
	}
	return net.JoinHostPort(host, port), nil
}

// effective returns a parameter as testparm prints it, or an empty string on error.
func (s *Samba) effective(ctx context.Context, section, name string) string {
	out, err := s.system.Run(ctx, "testparm", "--suppress-prompt", "--section-name="+section, "--parameter-name="+name,
		s.config)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// parameterPlace returns the section and the name of a change of smb.conf. It never creates a share.
func (s *Samba) parameterPlace(c *smbconf.Config, ch *change.Change) (section, name string, err error) {
	switch {
	case ch.Place.Kind != s.kind:
		return "", "", &apply.RefusedError{Where: ch.Where, Why: "this is no parameter of smb.conf"}
	case ch.OfShare() && c.Section(ch.Place.Key) == nil:
		return "", "", &apply.RefusedError{Where: ch.Where, Why: "the server has no share of this name"}
	case ch.OfShare() && c.Section(ch.Place.Key).Unread != "":
		return "", "", &apply.RefusedError{Where: ch.Where, Why: c.Section(ch.Place.Key).Unread}
	}
	return ch.Place.Key, ch.Place.Name, nil
}

// Resolve implements Target.
func (s *Samba) Resolve(ctx context.Context, changes []*change.Change) ([]apply.Write, error) {
	if err := s.testparm(ctx); ctx.Err() != nil {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: mend that first", err)
	}
	c, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if c.Broken != nil {
		return nil, fmt.Errorf("apply: smb.conf: %s: mend that first", c.Broken)
	}
	if c.Registry {
		return s.resolveParameters(ctx, c, changes)
	}
	inRegistry, inFile := apart(c, changes)
	if len(inRegistry) == 0 {
		return s.resolveFile(ctx, c, inFile)
	}
	writes, err := s.resolveParameters(ctx, c, inRegistry)
	if err != nil || len(inFile) == 0 {
		return writes, err
	}
	more, err := s.resolveFile(ctx, c, inFile)
	return append(writes, more...), err
}

// resolveFile combines all changes of smb.conf into one write.
func (s *Samba) resolveFile(ctx context.Context, c *smbconf.Config, changes []*change.Change) ([]apply.Write, error) {
	path, err := s.mainFile(c)
	if err != nil {
		return nil, err
	}
	p := apply.Place{Kind: apply.File, Path: path}
	before, err := s.Read(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := editable(path, before); err != nil {
		return nil, err
	}
	o := smbconf.Options{Ksmbd: s.kind == change.KsmbdParameter, ReadFile: func(name string) ([]byte, error) {
		if filepath.Clean(name) == path {
			return before.Data, nil
		}
		return os.ReadFile(name)
	}}
	list := make([]smbconf.Assign, len(changes))
	for i, ch := range changes {
		section, name, err := s.startOf(c, ch)
		if err != nil {
			return nil, err
		}
		list[i] = smbconf.Assign{Section: section, Name: name, Value: ch.After.Text, Remove: !ch.After.Present}
	}
	edit, needed, err := smbconf.Change(path, o, list)
	if i, one := smbconf.IndexOf(err); one {
		return nil, &apply.RefusedError{
			Where: changes[i].Where, Why: err.Error(),
			Instead: "make this change by hand, then plan again",
		}
	} else if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	if needed == nil {
		return nil, nil
	}
	var ids []string
	for _, i := range needed {
		ids = append(ids, changes[i].ID)
	}
	after := before
	after.Data = edit.After
	return []apply.Write{{Place: p, Before: before, After: after, Changes: ids, Needs: s.needs(c, changes)}}, nil
}

// mainFile returns the file that Samba reads, with symbolic links resolved, so that a link stays one.
func (s *Samba) mainFile(c *smbconf.Config) (string, error) {
	name := s.config
	if len(c.Files) > 1 && c.Global.File != s.config && c.Global.File != "" {
		name = c.Global.File // "config file" in the named file
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", fmt.Errorf("apply: %w", err)
	}
	return filepath.Clean(path), nil
}

// needs returns what only an administrator can do: the other services of a domain controller read smb.conf only at
// start.
func (s *Samba) needs(c *smbconf.Config, changes []*change.Change) []string {
	p, ok := c.Global.Get("server role")
	if !ok || !strings.Contains(strings.ToLower(p.Value), "active directory") {
		return nil
	}
	k, err := catalog.Load()
	if err != nil {
		return nil
	}
	for _, ch := range changes {
		section, name, err := s.parameterPlace(c, ch)
		if err != nil || !strings.EqualFold(section, "global") {
			continue
		}
		if known := k.Setting(name); known == nil || known.System != "samba" || !known.SmbdAlone {
			return []string{
				"a restart of the domain controller's samba service, whose other parts read smb.conf when they start",
			}
		}
	}
	return nil
}

// startOf returns where a change is made, if the place still holds the plan's start value.
func (s *Samba) startOf(c *smbconf.Config, ch *change.Change) (section, name string, err error) {
	if section, name, err = s.parameterPlace(c, ch); err == nil {
		err = startsFrom(c, section, name, ch.Where, ch.From)
	}
	return section, name, err
}

// startsFrom checks that a parameter has the plan's start value.
func startsFrom(c *smbconf.Config, section, name, where string, from model.Value) error {
	have, present := change.ParameterNow(c, section, name, from)
	if present == from.Present && (!present || change.SameParameter(have, from)) {
		return nil
	}
	is := "absent"
	if present {
		is = have.Value
	}
	return &apply.StaleError{Where: where, Want: from.String(), Have: is}
}

// StillTrue implements Target. It reads the configuration once: a plan for thousands of shares has as many facts.
func (s *Samba) StillTrue(ctx context.Context, facts ...model.Fact) error {
	c, err := s.load(ctx)
	if err != nil {
		return err
	}
	return stillTrue(c, s.kind, facts)
}

// stillTrue checks facts about parameters of a kind.
func stillTrue(c *smbconf.Config, kind change.Kind, facts []model.Fact) error {
	system := "samba"
	if kind == change.KsmbdParameter {
		system = "ksmbd"
	}
	for _, f := range facts {
		at, err := change.Locate(system, f.Where)
		if err != nil || at.Kind != kind || at.Key == "SHARE" {
			continue // not a parameter, or a per-share one
		}
		if err := startsFrom(c, at.Key, at.Name, f.Where, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// Read implements Target.
func (s *Samba) Read(ctx context.Context, p apply.Place) (apply.State, error) {
	switch p.Kind {
	case apply.File:
		return readFile(p.Path)
	case apply.Parameter:
		return s.readParameter(ctx, p)
	}
	return apply.State{}, fmt.Errorf("apply: a Samba server has no %s", p.Kind)
}

// Write implements Target.
func (s *Samba) Write(ctx context.Context, p apply.Place, to, from apply.State) error {
	switch p.Kind {
	case apply.File:
		return writeFile(p.Path, to, from, s.at)
	case apply.Parameter:
		return s.writeParameter(ctx, p, to)
	}
	return fmt.Errorf("apply: a Samba server has no %s", p.Kind)
}

// testparm asks Samba whether its configuration is valid.
func (s *Samba) testparm(ctx context.Context) error {
	out, err := s.system.Run(ctx, "testparm", "--suppress-prompt", s.config)
	if ctx.Err() != nil {
		return fmt.Errorf("apply: testparm: %w", ctx.Err()) // it was interrupted, so it says nothing about the file
	}
	if err != nil {
		return fmt.Errorf("apply: testparm refuses %s: %w: %s", s.config, err, firstComplaint(out))
	}
	return nil
}

// firstComplaint returns the most informative line of a program's output.
func firstComplaint(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if lower := strings.ToLower(l); strings.Contains(lower, "error") || strings.Contains(lower, "fail") {
			return strings.TrimSpace(l)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// Settle implements Target. It follows measurements: a reload by itself changes only new connections to smbd; the
// helpers that serve pipes (rpcd_*) keep the old configuration until they are told to reload; and open connections to
// IPC$ keep their pipes until the share is closed.
func (s *Samba) Settle(ctx context.Context, writes []apply.Write) ([]string, error) {
	notes := s.swept(writes)
	if err := s.testparm(ctx); err != nil {
		return notes, err
	}
	for _, w := range writes {
		if w.Place.Kind == apply.Parameter {
			if err := s.takesEffect(ctx, w); err != nil {
				return nil, err
			}
		}
		for _, n := range w.Needs {
			if n = "needed: " + n; !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	if err := s.control(ctx, "ping"); err != nil {
		return append(notes,
			"smbd does not answer, so nothing was reloaded: it reads its configuration when it starts"), nil
	}
	s.at("samba:ping")
	// smbd handles its messages in order: the answer to the second ping follows the reload.
	for _, message := range [][]string{{"reload-config"}, {"ping"}} {
		if err := s.control(ctx, message...); err != nil {
			return notes, err
		}
	}
	s.at("samba:reloaded")
	if err := s.rereadHelpers(ctx); err != nil {
		return notes, err
	}
	s.at("samba:helpers")
	if err := s.control(ctx, "close-share", "IPC$"); err != nil {
		return notes, err
	}
	s.at("samba:closed")
	return notes, nil
}

// swept removes what an earlier run left beside the files, and returns notes about what it could not remove.
func (s *Samba) swept(writes []apply.Write) (notes []string) {
	for _, w := range writes {
		if w.Place.Kind == apply.File {
			for _, name := range sweep(w.Place.Path, w.Before, w.After) {
				notes = append(notes,
					fmt.Sprintf("%s was left by a run that was killed, and holds what somebody else wrote: look at it",
						name))
			}
		}
	}
	return notes
}

func (s *Samba) control(ctx context.Context, message ...string) error {
	args := append([]string{"--configfile=" + s.config, "smbd"}, message...)
	if out, err := s.system.Run(ctx, "smbcontrol", args...); err != nil {
		return fmt.Errorf("apply: smbcontrol smbd %s: %w: %s", strings.Join(message, " "), err, firstComplaint(out))
	}
	return nil
}

// rereadHelpers makes the rpcd_* helpers of this server reload. Each process of a Samba server has a file named by its
// PID in msg.lock of the server's lock directory, so helpers of other servers are not touched.
func (s *Samba) rereadHelpers(ctx context.Context) error {
	dir := s.effective(ctx, "global", "lock directory")
	if dir == "" {
		return errors.New("apply: testparm does not tell the lock directory, by which the rpcd_* helpers are found")
	}
	names, err := s.system.List(filepath.Join(dir, "msg.lock"))
	if err != nil {
		return fmt.Errorf("apply: finding the rpcd_* helpers: %w", err)
	}
	var failed []error
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 1 || !strings.HasPrefix(s.system.Named(pid), "rpcd_") {
			continue
		}
		if err := s.system.Reread(pid); err != nil && !errors.Is(err, os.ErrProcessDone) {
			failed = append(failed, fmt.Errorf("apply: telling helper %d: %w", pid, err))
		}
	}
	return errors.Join(failed...)
}
