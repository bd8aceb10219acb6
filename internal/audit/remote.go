package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// Pipes opens named pipes of a host. The caller of this package connects and logs on: as the given user, or as
// anonymous if there is none.
type Pipes interface {
	Open(ctx context.Context, host string) (PipeHost, error)
}

// PipeHost is one host with a session.
type PipeHost interface {
	OpenPipe(ctx context.Context, name string) (dcerpc.Transport, error)
	Identity() model.Identity // the caller as the server sees it
	Protection() string       // signed, encrypted or neither, in words
	io.Closer
}

// Bounds of one remote registry: the largest value of a setting, and the number of listed names of a key.
const (
	remoteValue = 64 << 10
	remoteNames = 4096
)

// werrFileNotFound is the remote registry's status for a missing key or value. See [MS-ERREF] 2.2.
const werrFileNotFound status.WError = 2

// connectionRefused is STATUS_CONNECTION_REFUSED: Samba's answer if the pipe's helper has run before and does not run
// now.
const connectionRefused status.NTStatus = 0xC0000236

// remoteSource audits a machine over \pipe\winreg.
func (o *Options) remoteSource(ctx context.Context, name, host string) (*facts, error) {
	if o.Pipes == nil {
		return nil, fmt.Errorf("%s: remote registries cannot be reached from here", name)
	}
	h, err := o.Pipes.Open(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer h.Close()
	pipe, err := h.OpenPipe(ctx, "winreg")
	if err != nil {
		return nil, fmt.Errorf("%s: opening \\pipe\\winreg: %w%s", name, err, pipeAdvice(err, h.Identity()))
	}
	client := dcerpc.NewClient(pipe)
	results, err := client.Bind(ctx, dcerpc.WINREG)
	if err == nil && (len(results) != 1 || !results[0].Accepted) {
		err = fmt.Errorf("the bind is refused")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: winreg: %w", name, err)
	}
	r := &remoteRegistry{ctx: ctx, client: dcerpc.WinregClient{Client: client}, keys: map[string]dcerpc.Handle{}}
	root, err := r.client.OpenLocalMachine(ctx, dcerpc.KeyRead)
	if err != nil {
		return nil, fmt.Errorf("%s: opening HKEY_LOCAL_MACHINE: %w%s", name, err, pipeAdvice(err, h.Identity()))
	}
	r.keys[""] = root.Handle
	defer r.close()

	f := newFacts("winreg", name, "windows")
	f.why("read over \\pipe\\winreg as %s, %s", h.Identity(), h.Protection())
	w := &windowsReader{facts: f, catalog: o.Catalog, in: r, covers: r.covers}
	w.all()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.dead != nil {
		f.problem("%s: the connection ended: %v", name, r.dead)
	}
	if id := h.Identity(); id != model.User && r.read > 0 {
		f.lints = append(f.lints, lint{
			id: "anonymous-reads-registry", identity: id, pipe: "winreg",
			evidence: fmt.Sprintf("%s read %d values of the registry over \\pipe\\winreg in this very audit", id,
				r.read),
		})
	}
	return f, nil
}

// pipeAdvice says what to do about a refusal; it does nothing itself.
func pipeAdvice(err error, id model.Identity) string {
	var nt status.NTStatus
	var we status.WError
	switch {
	case errors.As(err, &nt) && (nt == status.ObjectNameNotFound || nt == connectionRefused):
		return " (the Remote Registry service does not run there, or the server has none. To start it for the time " +
			"of the audit: " +
			"sc \\\\HOST config RemoteRegistry start= demand, then sc \\\\HOST start RemoteRegistry; afterwards stop it and put the start type back. ipcguard does not do it)"
	case (errors.As(err, &nt) && nt == status.AccessDenied || errors.As(err, &we) && we == status.WerrAccessDenied) &&
		id != model.User:
		return " (anonymous is refused, as it should be: give credentials)"
	case errors.As(err, &nt) && nt == status.AccessDenied || errors.As(err, &we) && we == status.WerrAccessDenied:
		return " (this user may not read the registry from afar; an administrator may)"
	}
	return ""
}

// remoteRegistry reads a registry over the network. Each key is opened once.
type remoteRegistry struct {
	ctx    context.Context // of the audit that uses it
	client dcerpc.WinregClient
	keys   map[string]dcerpc.Handle // by path below the root, in upper case
	absent map[string]bool
	read   int
	dead   error // the connection failed: later answers do not count
}

var _ registry.Reader = (*remoteRegistry)(nil)

func (r *remoteRegistry) close() {
	for _, h := range r.keys {
		if r.dead != nil {
			return
		}
		_, _ = r.client.CloseKey(r.ctx, h) // the server closes the rest when the pipe closes
	}
}

// covers: a live registry answers for everything below HKLM.
func (r *remoteRegistry) covers(key string) bool {
	return r.dead == nil && strings.HasPrefix(registry.Canonical(key), "HKLM")
}

func (r *remoteRegistry) open(key string) (dcerpc.Handle, error) {
	path, ok := strings.CutPrefix(registry.Canonical(key), "HKLM")
	if !ok {
		return dcerpc.Handle{}, fmt.Errorf("%s: %w", key, registry.ErrNotExist)
	}
	path = strings.TrimPrefix(path, `\`)
	folded := registry.Fold(path)
	if h, ok := r.keys[folded]; ok {
		return h, nil
	}
	if r.absent[folded] {
		return dcerpc.Handle{}, fmt.Errorf("%s: %w", key, registry.ErrNotExist)
	}
	if r.dead != nil {
		return dcerpc.Handle{}, r.dead
	}
	a, err := r.client.OpenKey(r.ctx, r.keys[""], path, dcerpc.KeyRead)
	if err != nil {
		err = r.answer(key, err)
		if errors.Is(err, registry.ErrNotExist) {
			if r.absent == nil {
				r.absent = map[string]bool{}
			}
			r.absent[folded] = true
		}
		return dcerpc.Handle{}, err
	}
	r.keys[folded] = a.Handle
	return a.Handle, nil
}

// answer distinguishes a missing key from a refusal and from a failed connection.
func (r *remoteRegistry) answer(what string, err error) error {
	var we status.WError
	switch {
	case errors.As(err, &we) && we == werrFileNotFound:
		return fmt.Errorf("%s: %w", what, registry.ErrNotExist)
	case errors.As(err, &we):
		return err
	}
	var fault status.Fault
	if !errors.As(err, &fault) && r.dead == nil {
		r.dead = err
	}
	return err
}

// Value implements registry.Reader.
func (r *remoteRegistry) Value(key, name string) (registry.Value, error) {
	h, err := r.open(key)
	if err != nil {
		return registry.Value{}, err
	}
	size := uint32(1024)
	for range 3 { // the value may grow between two calls
		if r.dead != nil {
			return registry.Value{}, r.dead
		}
		a, err := r.client.QueryValue(r.ctx, h, name, size)
		if err != nil {
			return registry.Value{}, r.answer(key+`\`+name, err)
		}
		if !a.More() {
			r.read++
			return remoteData(key, name, a.Value), nil
		}
		if a.Value.Size == nil || *a.Value.Size > remoteValue {
			break
		}
		size = max(*a.Value.Size, 2*size)
	}
	return registry.Value{}, fmt.Errorf("%s\\%s: more than %d bytes", key, name, remoteValue)
}

func remoteData(key, name string, d dcerpc.RegData) registry.Value {
	v := registry.Value{Key: key, Name: name, Data: d.Data}
	if d.Type != nil {
		v.Type = registry.Type(*d.Type)
	}
	return v
}

// Values implements registry.Reader.
func (r *remoteRegistry) Values(key string) ([]registry.Value, error) {
	h, err := r.open(key)
	if err != nil {
		return nil, err
	}
	var out []registry.Value
	for i := range uint32(remoteNames) {
		if r.dead != nil {
			return out, r.dead
		}
		a, err := r.client.EnumValue(r.ctx, h, i, remoteValue)
		var we status.WError
		if errors.As(err, &we) && we == status.WerrNoMoreItems {
			break
		}
		if err != nil {
			return out, r.answer(key, err)
		}
		name := ""
		if a.Name.Value != nil {
			name = *a.Name.Value
		}
		r.read++
		out = append(out, remoteData(key, name, a.Value))
	}
	return out, nil
}

// Subkeys implements registry.Reader.
func (r *remoteRegistry) Subkeys(key string) ([]string, error) {
	h, err := r.open(key)
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range uint32(remoteNames) {
		if r.dead != nil {
			return out, r.dead
		}
		a, err := r.client.EnumKey(r.ctx, h, i)
		var we status.WError
		if errors.As(err, &we) && we == status.WerrNoMoreItems {
			break
		}
		if err != nil {
			return out, r.answer(key, err)
		}
		if a.Name.Value != nil {
			out = append(out, *a.Name.Value)
		}
	}
	slices.Sort(out)
	return out, nil
}
