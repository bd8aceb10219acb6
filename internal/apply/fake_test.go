package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// fake is a registry in memory that can be killed in the middle: it outlives the engine that writes to it.
type fake struct {
	tree    *registry.Tree
	host    Host
	fault   func(string)
	settled int
	refuse  string // a place that cannot be written
	unsettl error
}

func newFake() *fake {
	return &fake{tree: &registry.Tree{}, host: Host{Name: "FAKE", ID: "fake-1"}, fault: func(string) {}}
}

func (f *fake) Spec() string                       { return "fake:" }
func (f *fake) System() string                     { return "windows" }
func (f *fake) Host(context.Context) (Host, error) { return f.host, nil }
func (f *fake) Close() error                       { return nil }

func (f *fake) Resolve(ctx context.Context, changes []model.Change) ([]Write, error) {
	return resolveValues(ctx, f.Read, changes)
}

func (f *fake) Settle(context.Context, []Write) ([]string, error) {
	f.fault("fake:settle")
	f.settled++
	return nil, f.unsettl
}

func (f *fake) exists(key string) bool { _, err := f.tree.Values(key); return err == nil }

func (f *fake) Read(_ context.Context, p Place) (State, error) {
	s := State{Missing: missingKey(p.Path, f.exists)}
	v, err := f.tree.Value(p.Path, p.Name)
	if errors.Is(err, registry.ErrNotExist) {
		return s, nil
	}
	s.Present, s.Type, s.Data = true, v.Type, v.Data
	return s, err
}

func (f *fake) Write(_ context.Context, p Place, s State) error {
	if f.refuse != "" && strings.EqualFold(p.Name, f.refuse) {
		return errors.New("access is denied")
	}
	if s.Present {
		f.tree.AddKey(p.Path)
		f.fault("fake:key")
		f.tree.Set(registry.Value{Key: p.Path, Name: p.Name, Type: s.Type, Data: s.Data})
		f.fault("fake:value")
		return nil
	}
	f.tree.DeleteValue(p.Path, p.Name)
	f.fault("fake:deleted")
	for _, key := range madeKeys(p.Path, s.Missing) {
		values, err := f.tree.Values(key)
		if errors.Is(err, registry.ErrNotExist) {
			continue
		}
		kids, _ := f.tree.Subkeys(key)
		if len(values)+len(kids) > 0 {
			break
		}
		f.tree.DeleteKey(key)
		f.fault("fake:key-deleted")
	}
	return nil
}

// dump is everything that the registry holds.
func dump(r registry.Reader, key string) string {
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

const (
	lsa = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`
	lms = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`
)

func dword(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
func multi(l ...string) model.Value {
	return model.Value{Present: true, Type: "REG_MULTI_SZ", Data: append([]string{}, l...)}
}

// weakFake is a host with weak settings, and the plan that closes them: a number changed, a list emptied, a value made
// that was not there, one made below keys that are not there, one removed.
func weakFake() (*fake, model.Plan) {
	f := newFake()
	f.tree.Set(registry.NewDWord(lsa, "RestrictAnonymous", 0))
	f.tree.Set(registry.NewDWord(lsa, "TurnOffAnonymousBlock", 1))
	f.tree.Set(registry.NewStrings(lms, "NullSessionPipes", []string{"samr", `sql\query`}))
	f.tree.Set(registry.NewText(lms, "Other", "left alone"))
	return f, model.Plan{Schema: model.SchemaPlan, Hash: "hash", Platform: model.Platform{System: "windows"}, Changes: []model.Change{
		{ID: "1", Where: lsa + `\RestrictAnonymous`, From: dword(0), To: dword(1)},
		{ID: "2", Where: lms + `\NullSessionPipes`, From: multi("samr", `sql\query`), To: multi()},
		{ID: "3", Where: lsa + `\RestrictAnonymousSAM`, To: dword(1)},
		{ID: "4", Where: lsa + `\New\Deep\Value`, To: model.Value{Present: true, Type: "REG_SZ", Data: "x"}},
		{ID: "5", Where: lsa + `\TurnOffAnonymousBlock`, From: dword(1)},
	}}
}

func engineFor(t testing.TB, target Target) *Engine {
	t.Helper()
	return &Engine{
		State: memoryDir(t), Who: "tester",
		Open: func(_ context.Context, spec string) (Target, error) {
			if spec != target.Spec() {
				return nil, fmt.Errorf("no target %s", spec)
			}
			return keptOpen{target}, nil
		},
	}
}

// keptOpen is a target that the test goes on with after an engine has closed it.
type keptOpen struct{ Target }

func (keptOpen) Close() error { return nil }

// memoryDir is a directory for a test, in memory where the system has such: thousands of synced steps would otherwise wait
// for a disk, and what a disk does in a power cut is not what these tests are about.
func memoryDir(t testing.TB) string {
	t.Helper()
	parent := "/dev/shm"
	if runtime.GOOS == "windows" {
		parent = "" // under Wine that would be there on one of its drives
	}
	dir, err := os.MkdirTemp(parent, "ipcguard-")
	if err != nil {
		// Not t.TempDir: under Wine its cleaning up fails the test.
		if dir, err = os.MkdirTemp("", "ipcguard-"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // one by one: os.RemoveAll does not work under Wine
		var all []string
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			all = append(all, path)
			return nil
		})
		for i := len(all) - 1; i >= 0; i-- {
			_ = os.Remove(all[i])
		}
	})
	return dir
}

func good(context.Context) (*Proof, error) {
	p := &Proof{Schema: SchemaProof, Checks: []Check{{Check: "closed:x", Result: Passed}}}
	p.Judge()
	return p, nil
}

func bad(context.Context) (*Proof, error) {
	p := &Proof{Schema: SchemaProof, Checks: []Check{{Check: "closed:x", Result: Passed}, {Check: "tcp:h:1", Result: Failed, Detail: "refused"}}}
	p.Judge()
	return p, nil
}
