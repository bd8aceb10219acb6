package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// PipeHost is a host on which an administrator is logged on.
type PipeHost interface {
	OpenPipe(ctx context.Context, name string) (dcerpc.Transport, error)
	io.Closer
}

// Remote is the registry of a remote Windows machine, through \pipe\winreg. Only values that are known not to cut this
// connection are written.
type Remote struct {
	name    string
	host    PipeHost
	dialect smb.Dialect
	read    dcerpc.WinregClient
	write   dcerpc.WinregWriter
	root    dcerpc.Handle

	// Fault is called at every point at which a process may be killed. Tests end the process, or unwind, there.
	Fault func(point string)
}

// OpenRemote opens the registry of a host.
func OpenRemote(ctx context.Context, name string, host PipeHost, dialect smb.Dialect) (*Remote, error) {
	pipe, err := host.OpenPipe(ctx, "winreg")
	if err != nil {
		return nil, fmt.Errorf("apply: winreg on %s: %w", name, err)
	}
	c := dcerpc.NewClient(pipe)
	results, err := c.Bind(ctx, dcerpc.WINREG)
	if err != nil {
		return nil, fmt.Errorf("apply: winreg on %s: %w", name, err)
	}
	if !results[0].Accepted {
		return nil, fmt.Errorf("apply: winreg on %s: %s", name, results[0])
	}
	r := &Remote{
		name, host, dialect,
		dcerpc.WinregClient{Client: c},
		dcerpc.WinregWriter{Client: c},
		dcerpc.Handle{},
		nil,
	}
	root, err := r.read.OpenLocalMachine(ctx, dcerpc.KeyRead)
	if err != nil {
		return nil, fmt.Errorf("apply: winreg on %s: %w", name, err)
	}
	r.root = root.Handle
	return r, nil
}

func (r *Remote) at(point string) {
	if r.Fault != nil {
		r.Fault(point)
	}
}

// Spec implements Target.
func (r *Remote) Spec() string { return "winreg://" + r.name }

// System implements Target.
func (r *Remote) System() string { return "windows" }

// Close implements Target.
func (r *Remote) Close() error { return r.host.Close() }

// Host implements Target.
func (r *Remote) Host(ctx context.Context) (apply.Host, error) {
	text := func(key, name string) string {
		s, err := r.Read(ctx, apply.Place{Kind: apply.RegistryValue, Path: `HKLM\` + key, Name: name})
		if err != nil || !s.Present {
			return ""
		}
		t, _ := registry.Value{Type: s.Type, Data: s.Data}.Text()
		return t
	}
	h := apply.Host{
		Name: text(`SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName`, "ComputerName"),
		ID:   text(`SOFTWARE\Microsoft\Cryptography`, "MachineGuid"),
	}
	if h.Name == "" {
		h.Name = r.name
	}
	return h, nil
}

// mayTravel refuses changes that could cut the connection through which they are made. The catalog says which cannot;
// all others are refused.
func (r *Remote) mayTravel(c *change.Change) error {
	k, err := catalog.Load()
	if err != nil {
		return err
	}
	s := k.Setting(c.Place.String())
	if s != nil && strings.EqualFold(s.Where, c.Place.String()) && s.SafeFromAfar(c.To, r.dialect.String()) {
		return nil
	}
	return &apply.RefusedError{
		Where: c.Where,
		Why: "from afar only values are written that cannot cut the connection they travel on, and of this one " +
			"that is not known",
		Instead: "on the host itself: ipcguard apply PLAN --target windows: (or ipcguard export PLAN --as " +
			"powershell, and run it there)",
	}
}

// Resolve implements Target.
func (r *Remote) Resolve(ctx context.Context, changes []*change.Change) ([]apply.Write, error) {
	for _, c := range changes {
		if _, err := valuePlace(c); err != nil {
			return nil, err
		}
		if err := r.mayTravel(c); err != nil {
			return nil, err
		}
	}
	return ResolveValues(ctx, r.Read, changes)
}

// StillTrue implements Target.
func (r *Remote) StillTrue(ctx context.Context, facts ...model.Fact) error {
	return valuesStillTrue(ctx, r.Read, facts)
}

// Address implements Target.
func (r *Remote) Address(context.Context) (string, error) { return r.name, nil }

func absentCode(err error) bool {
	var code status.WError
	return errors.As(err, &code) && (code == 2 || code == 3) // ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND
}

// open opens a key, and reports whether it exists.
func (r *Remote) open(ctx context.Context, key string, access uint32) (h dcerpc.Handle, there bool, err error) {
	k, err := r.read.OpenKey(ctx, r.root, strings.TrimPrefix(key, `HKLM\`), access)
	if absentCode(err) {
		return h, false, nil
	}
	if err != nil {
		return h, false, fmt.Errorf("apply: %s: %w", key, err)
	}
	return k.Handle, true, nil
}

func (r *Remote) shut(ctx context.Context, h dcerpc.Handle) {
	_, _ = r.read.CloseKey(ctx, h) // closing the connection closes it too
}

func (r *Remote) missing(ctx context.Context, key string) (string, error) {
	var failed error
	missing := apply.MissingKey(key, func(k string) bool {
		if k == "HKLM" {
			return true
		}
		h, there, err := r.open(ctx, k, dcerpc.KeyRead)
		if err != nil {
			failed = err
			return true
		}
		if there {
			r.shut(ctx, h)
		}
		return there
	})
	return missing, failed
}

// Lock implements Target.
func (r *Remote) Lock() (unlock func(), err error) { return private.LockNamed(r.Spec()) }

// Owns implements Target.
func (r *Remote) Owns(p apply.Place) error { return ownsValue(p) }

// Read implements Target.
func (r *Remote) Read(ctx context.Context, p apply.Place) (apply.State, error) {
	if p.Kind != apply.RegistryValue {
		return apply.State{}, fmt.Errorf("apply: a registry has no %s", p.Kind)
	}
	h, there, err := r.open(ctx, p.Path, dcerpc.KeyRead)
	if err != nil {
		return apply.State{}, err
	}
	if !there {
		missing, err := r.missing(ctx, p.Path)
		return apply.State{Missing: missing}, err
	}
	defer r.shut(ctx, h)
	s := apply.State{}
	for _, room := range []uint32{4 << 10, 64 << 10, 1 << 20} {
		v, err := r.read.QueryValue(ctx, h, p.Name, room)
		var code status.WError
		if errors.As(err, &code) && code == 234 { // ERROR_MORE_DATA
			continue
		}
		if absentCode(err) {
			return s, nil
		}
		if err != nil {
			return apply.State{}, fmt.Errorf("apply: %s: %w", p, err)
		}
		if v.Value.Type == nil {
			return apply.State{}, fmt.Errorf("apply: %s: the server tells no type", p)
		}
		s.Present, s.Type, s.Data = true, registry.Type(*v.Value.Type), v.Value.Data
		return s, nil
	}
	return apply.State{}, fmt.Errorf("apply: %s: larger than 1 MiB", p)
}

// Write implements Target.
func (r *Remote) Write(ctx context.Context, p apply.Place, to, _ apply.State) error {
	if to.Present {
		h, err := r.create(ctx, p.Path)
		if err != nil {
			return err
		}
		defer r.shut(ctx, h)
		r.at("winreg:key")
		if err := r.write.SetValue(ctx, h, p.Name, uint32(to.Type), to.Data); err != nil {
			return err
		}
		r.at("winreg:value")
		return r.flush(ctx, h)
	}
	h, there, err := r.open(ctx, p.Path, dcerpc.KeyRead|dcerpc.KeyWrite)
	if err != nil {
		return err
	}
	if there {
		err := r.write.DeleteValue(ctx, h, p.Name)
		if absentCode(err) {
			err = nil
		}
		if err == nil {
			r.at("winreg:deleted")
			err = r.flush(ctx, h)
		}
		r.shut(ctx, h)
		if err != nil {
			return err
		}
	}
	return r.removeKeys(ctx, p.Path, to.Missing)
}

// flush waits for the disk. Servers that do not support it, such as Samba, have written the value anyway.
func (r *Remote) flush(ctx context.Context, h dcerpc.Handle) error {
	err := r.write.FlushKey(ctx, h)
	var code status.WError
	var fault status.Fault
	if errors.As(err, &code) && (code == 50 || code == 1 || code == 120) || errors.As(err, &fault) {
		return nil // ERROR_NOT_SUPPORTED, ERROR_INVALID_FUNCTION, ERROR_CALL_NOT_IMPLEMENTED
	}
	return err
}

// create opens a key, and creates its missing parents one by one.
func (r *Remote) create(ctx context.Context, key string) (dcerpc.Handle, error) {
	h, there, err := r.open(ctx, key, dcerpc.KeyRead|dcerpc.KeyWrite)
	if err != nil || there {
		return h, err
	}
	missing, err := r.missing(ctx, key)
	if err != nil {
		return h, err
	}
	made := apply.MadeKeys(key, missing)
	for i := len(made) - 1; i >= 0; i-- {
		k, err := r.write.CreateKey(ctx, r.root, strings.TrimPrefix(made[i], `HKLM\`), dcerpc.KeyRead|dcerpc.KeyWrite)
		if err != nil {
			return h, err
		}
		if i == 0 {
			return k.Key, nil
		}
		r.shut(ctx, k.Key)
	}
	return h, fmt.Errorf("apply: %s: cannot be made", key)
}

func (r *Remote) removeKeys(ctx context.Context, key, missing string) error {
	for _, name := range apply.MadeKeys(key, missing) {
		h, there, err := r.open(ctx, name, dcerpc.KeyRead)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		info, err := r.read.QueryInfoKey(ctx, h)
		r.shut(ctx, h)
		if err != nil {
			return err
		}
		if info.SubKeys > 0 || info.Values > 0 {
			return nil
		}
		up, last := name[:strings.LastIndexByte(name, '\\')], name[strings.LastIndexByte(name, '\\')+1:]
		parent, _, err := r.open(ctx, up, dcerpc.KeyRead|dcerpc.KeyWrite)
		if err != nil {
			return err
		}
		err = r.write.DeleteKey(ctx, parent, last)
		r.shut(ctx, parent)
		if err != nil && !absentCode(err) {
			return err
		}
		r.at("winreg:key-deleted")
	}
	return nil
}

// Settle implements Target.
func (r *Remote) Settle(_ context.Context, writes []apply.Write) ([]string, error) {
	return restartNotes(writes, time.Now()), nil
}
