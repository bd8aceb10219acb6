package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// maxText bounds files that are read whole: a .reg export of a whole SYSTEM key has some 100 MiB.
const maxText = 512 << 20

// change is one thing that a file of changes does to the registry: sets a value, or takes it away.
type change struct {
	key, name string
	value     *registry.Value // nil takes it away; with an empty name and all set, the whole key
	all       bool
	origin    string
}

// regFile reads a .reg file as the changes that importing it makes.
func regFile(path string) ([]change, []string, error) {
	if err := regular(path, maxText); err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	file, err := regfile.Parse(b)
	problems := located(path, err)
	if file == nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: nothing in it can be read", path), err)
	}
	var out []change
	for _, op := range file.Ops {
		c := change{key: op.Value.Key, name: op.Value.Name, origin: fmt.Sprintf("%s:%d", path, op.Line)}
		switch op.Kind {
		case regfile.SetValue:
			v := op.Value
			c.value = &v
		case regfile.DeleteValue:
		case regfile.DeleteKey:
			c.all = true
		default:
			continue
		}
		out = append(out, c)
	}
	return out, problems, nil
}

// located writes joined errors one a line, each with its file.
func located(path string, err error) []string {
	if err == nil {
		return nil
	}
	var out []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		out = append(out, path+": "+line)
	}
	return out
}

// apply carries changes out on the facts, one after another: the last one wins. A control set that is named outright
// counts as the current one, which a file of changes cannot know.
func (f *facts) apply(c *catalog.Catalog, changes []change) {
	tree := &registry.Tree{}
	w := &windowsReader{facts: f, catalog: c, in: tree, covers: func(string) bool { return false }}
	bySetting := map[string][]string{} // place in capitals: settings
	for i := range c.Settings {
		if s := &c.Settings[i]; s.System == "windows" {
			for _, p := range places(s) {
				k := registry.Fold(p)
				bySetting[k] = append(bySetting[k], s.ID)
			}
		}
	}
	touched := map[string]bool{}
	for _, ch := range changes {
		key := currentSet(registry.Canonical(ch.key))
		switch {
		case ch.all:
			tree.DeleteKey(key)
			for place, ids := range bySetting {
				if strings.HasPrefix(place, registry.Fold(key)+`\`) {
					f.gone(ids, ch.origin)
				}
			}
		case ch.value == nil:
			tree.DeleteValue(key, ch.name)
			f.gone(bySetting[registry.Fold(key+`\`+ch.name)], ch.origin)
		default:
			v := *ch.value
			v.Key = key
			tree.Set(v)
			touched[key] = true
			for _, id := range bySetting[registry.Fold(key+`\`+ch.name)] {
				f.values[id] = w.value(c.Setting(id), v)
				f.origin[id] = ch.origin
			}
		}
	}
	for key := range touched {
		if strings.EqualFold(key, keyLsa) || strings.EqualFold(key, keyServer) {
			w.names(key)
		}
	}
	// the lints of values that a later change replaced are about nothing
	last := map[string]lint{}
	var kept []lint
	for _, l := range f.lints {
		if l.id == "wrong-type" {
			last[l.setting] = l
			continue
		}
		kept = append(kept, l)
	}
	for id, l := range last {
		if s := c.Setting(id); s != nil && f.values[id].Present && f.values[id].Type != s.Type || l.severity == model.Info {
			kept = append(kept, l)
		}
	}
	f.lints = kept
}

func (f *facts) gone(ids []string, origin string) {
	for _, id := range ids {
		f.values[id] = model.Value{}
		f.origin[id] = origin
	}
}

// currentSet writes ControlSet001 and its like as CurrentControlSet.
func currentSet(key string) string {
	const before = `HKLM\SYSTEM\ControlSet`
	if len(key) >= len(before)+3 && strings.EqualFold(key[:len(before)], before) {
		return `HKLM\SYSTEM\CurrentControlSet` + key[len(before)+3:]
	}
	return key
}

// regSource audits one .reg file by itself.
func (o *Options) regSource(path string) (*facts, error) {
	f := newFacts("reg", path, "windows")
	changes, problems, err := regFile(path)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		f.problem("%s", p)
	}
	f.source.Parts = []string{path}
	f.apply(o.Catalog, changes)
	f.why("a .reg file does not say which product or role it is for; --product and --role do. What it does not set is unknown")
	return f, nil
}
