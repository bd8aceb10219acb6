// Package applytest holds what the tests of the apply packages share: a registry in memory, hosts with and without a
// server, and ways to kill a run in the middle. Only tests import it.
package applytest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Resolver turns changes into writes, as target.ResolveValues does.
type Resolver func(ctx context.Context, read func(context.Context, apply.Place) (apply.State, error),
	changes []*change.Change) ([]apply.Write, error)

// Fake is a registry in memory. It outlives the engine that writes to it, so a test can kill the engine at any point.
type Fake struct {
	Tree     *registry.Tree
	Machine  apply.Host
	Fault    func(string)
	Settled  int
	Refuse   string // a place that cannot be written
	Unsettle error  // the error of Settle
	Foreign  string // a place that the target does not own

	resolve Resolver
}

// NewFake returns an empty registry.
func NewFake(resolve Resolver) *Fake {
	return &Fake{
		Tree: &registry.Tree{}, Machine: apply.Host{Name: "FAKE", ID: "fake-1"}, Fault: func(string) {},
		resolve: resolve,
	}
}

// Spec implements apply.Target.
func (f *Fake) Spec() string { return "fake:" }

// System implements apply.Target.
func (f *Fake) System() string { return "windows" }

// Host implements apply.Target.
func (f *Fake) Host(context.Context) (apply.Host, error) { return f.Machine, nil }

// Close implements apply.Target.
func (f *Fake) Close() error { return nil }

// Resolve implements apply.Target.
func (f *Fake) Resolve(ctx context.Context, changes []*change.Change) ([]apply.Write, error) {
	return f.resolve(ctx, f.Read, changes)
}

// StillTrue implements apply.Target.
func (f *Fake) StillTrue(context.Context, ...model.Fact) error { return nil }

// Address implements apply.Target.
func (f *Fake) Address(context.Context) (string, error) { return "127.0.0.1", nil }

// Changes converts changes of a plan without asking a catalog. A change whose place or value is invalid has no place,
// which no change of a real plan does.
func Changes(system string, list []model.Change) []*change.Change {
	out := []*change.Change{}
	for i := range list {
		c := &change.Change{Change: &list[i]}
		var err error
		if c.Place, err = change.Locate(system, c.Where); err == nil {
			c.After, err = c.Place.State(c.To)
		}
		if err != nil {
			c.Place = change.Place{}
		}
		out = append(out, c)
	}
	return out
}

// Lock implements apply.Target.
func (f *Fake) Lock() (unlock func(), err error) { return func() {}, nil }

// Owns implements apply.Target.
func (f *Fake) Owns(p apply.Place) error {
	if f.Foreign != "" && strings.EqualFold(p.Name, f.Foreign) {
		return &apply.RefusedError{Where: p.String(), Why: "it is no place of this target"}
	}
	return nil
}

// Settle implements apply.Target.
func (f *Fake) Settle(context.Context, []apply.Write) ([]string, error) {
	f.Fault("fake:settle")
	f.Settled++
	return nil, f.Unsettle
}

func (f *Fake) exists(key string) bool { _, err := f.Tree.Values(key); return err == nil }

// Read implements apply.Target.
func (f *Fake) Read(_ context.Context, p apply.Place) (apply.State, error) {
	s := apply.State{Missing: apply.MissingKey(p.Path, f.exists)}
	v, err := f.Tree.Value(p.Path, p.Name)
	if errors.Is(err, registry.ErrNotExist) {
		return s, nil
	}
	s.Present, s.Type, s.Data = true, v.Type, v.Data
	return s, err
}

// Write implements apply.Target.
func (f *Fake) Write(_ context.Context, p apply.Place, s, _ apply.State) error {
	if f.Refuse != "" && strings.EqualFold(p.Name, f.Refuse) {
		return errors.New("access is denied")
	}
	if s.Present {
		f.Tree.AddKey(p.Path)
		f.Fault("fake:key")
		f.Tree.Set(registry.Value{Key: p.Path, Name: p.Name, Type: s.Type, Data: s.Data})
		f.Fault("fake:value")
		return nil
	}
	f.Tree.DeleteValue(p.Path, p.Name)
	f.Fault("fake:deleted")
	for _, key := range apply.MadeKeys(p.Path, s.Missing) {
		values, err := f.Tree.Values(key)
		if errors.Is(err, registry.ErrNotExist) {
			continue
		}
		kids, _ := f.Tree.Subkeys(key)
		if len(values)+len(kids) > 0 {
			break
		}
		f.Tree.DeleteKey(key)
		f.Fault("fake:key-deleted")
	}
	return nil
}

// Dump returns everything that the registry holds.
func Dump(r registry.Reader, key string) string {
	var b strings.Builder
	var walk func(key string)
	walk = func(key string) {
		fmt.Fprintf(&b, "%s\n", key)
		values, _ := r.Values(key)
		for _, v := range values {
			fmt.Fprintf(&b, "  %s %s %x\n", v.Name, v.Type, v.Data)
		}
		kids, _ := r.Subkeys(key)
		for _, k := range kids {
			walk(key + `\` + k)
		}
	}
	walk(key)
	return b.String()
}

// Keys of Windows' registry.
const (
	LSA = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`
	LMS = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
)

// DWord returns a number as a plan contains it.
func DWord(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }

// Multi returns a list as a plan contains it.
func Multi(l ...string) model.Value {
	return model.Value{Present: true, Type: "REG_MULTI_SZ", Data: append([]string{}, l...)}
}

// Weak returns a host with weak settings and the plan that closes them: it changes a number, empties a list, creates a
// value, creates a value below missing keys, and removes one.
func Weak(resolve Resolver) (*Fake, model.Plan) {
	f := NewFake(resolve)
	f.Tree.Set(registry.NewDWord(LSA, "RestrictAnonymous", 0))
	f.Tree.Set(registry.NewDWord(LSA, "TurnOffAnonymousBlock", 1))
	f.Tree.Set(registry.NewStrings(LMS, "NullSessionPipes", []string{"samr", `sql\query`}))
	f.Tree.Set(registry.NewText(LMS, "Other", "left alone"))
	return f, model.Plan{
		Schema: model.SchemaPlan, Hash: "hash", Platform: model.Platform{System: "windows"},
		Changes: []model.Change{
			{ID: "1", Where: LSA + `\RestrictAnonymous`, From: DWord(0), To: DWord(1)},
			{ID: "2", Where: LMS + `\NullSessionPipes`, From: Multi("samr", `sql\query`), To: Multi()},
			{ID: "3", Where: LSA + `\RestrictAnonymousSAM`, To: DWord(1)},
			{ID: "4", Where: LSA + `\New\Deep\Value`, To: model.Value{Present: true, Type: "REG_SZ", Data: "x"}},
			{ID: "5", Where: LSA + `\TurnOffAnonymousBlock`, From: DWord(1)},
		},
	}
}

// KeptOpen is a target that stays usable after an engine has closed it.
type KeptOpen struct{ apply.Target }

// Close implements apply.Target.
func (KeptOpen) Close() error { return nil }
